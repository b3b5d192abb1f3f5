"""Flow control: a sensor gets credit, keeps to it, and one that does not is stopped; nothing piles up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

import pytest
import zmq
from desk import SENSOR_KEYS, Desk, Tap
from door import Door

from collectors import ingest
from collectors.entries import Entry, Kept
from collectors.ingest import WINDOW_BATCHES
from sensor.bus import messages
from sensor.bus.keys import SensorKeys
from sensor.bus.messages import decode, encode


def test_more_than_the_window_without_an_answer_is_refused_until_the_next_hello(desk: Desk, tap: Tap) -> None:
    records = [tap.seal(0, seq) for seq in range(WINDOW_BATCHES + 3)]
    for seq in range(WINDOW_BATCHES):
        assert tap.send(0, seq, records[seq]) == []
    (answer,) = tap.send(0, WINDOW_BATCHES, records[WINDOW_BATCHES])
    assert isinstance(answer, messages.Again)
    assert tap.send(0, WINDOW_BATCHES + 1, records[WINDOW_BATCHES + 1]) == []
    assert desk.receiver.counts["over_credit"] == 1
    desk.commit()
    assert tap.hello()[0] == WINDOW_BATCHES
    tap.send(0, WINDOW_BATCHES, records[WINDOW_BATCHES])
    (ack,) = desk.commit()
    assert isinstance(ack, messages.Ack) and ack.cursors[0].next == WINDOW_BATCHES + 1


def test_the_credit_of_each_shrinks_with_their_number(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "MAX_CREDIT_BATCHES", 100)
    windows = []
    for number in range(60):
        keys = SensorKeys.generate() if number else SENSOR_KEYS
        desk.enrol(f"tap{number}", keys)
        made = Tap(desk, f"tap{number}", keys)
        made.say(encode(messages.Hello(1, made.name, made.epoch, [])))
        (welcome,) = desk.commit()
        windows.append(welcome.window)
    assert windows[:4] == [32, 32, 32, 25] and windows[-1] == ingest.MIN_WINDOW_BATCHES
    assert windows == sorted(windows, reverse=True)
    made.say(encode(messages.Heartbeat(welcome.session)))
    (ack,) = desk.commit()
    assert isinstance(ack, messages.Ack) and ack.window == ingest.MIN_WINDOW_BATCHES


@pytest.fixture
def door(desk: Desk) -> Iterator[Door]:
    made = Door(desk)
    yield made
    made.close()


def test_while_the_centre_stands_still_a_greedy_sensor_is_held_back(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sends as fast as it can and reads no answer; the journal hangs. What the centre's process takes in
    is bounded by messages for each connection, the rest stays with the sender.
    """
    desk = door.desk
    desk.enrol()
    tap = Tap(desk)
    record = tap.seal(0, 0, b'{"x":"' + b"".join(b"%x" % n for n in range(200_000)) + b'"}')
    go_on = threading.Event()
    commit = desk.journal.commit

    def hangs(entries: Sequence[Entry]) -> Kept:
        go_on.wait(30)
        return commit(entries)

    sent = 0
    with door.knock(SENSOR_KEYS) as socket:
        socket.setsockopt(zmq.SNDHWM, 1)
        socket.send(encode(messages.Hello(1, "tap1", tap.epoch, [])))
        session = decode(socket.recv()).session
        monkeypatch.setattr(desk.journal, "commit", hangs)
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            try:
                head = encode(messages.Batch(session, 0, 0))
                socket.send_multipart([head, record], flags=zmq.DONTWAIT)
                sent += 1
            except zmq.Again:
                time.sleep(0.01)
        go_on.set()
        print(f"{sent} batches of {len(record)} bytes were taken while nothing was committed")
        assert 0 < sent * len(record) < 48 * 1024 * 1024
        assert desk.receiver.gathered_bytes <= ingest.MAX_GATHERED_BYTES + len(record)
        time.sleep(0.5)
        with door.knock(SENSOR_KEYS) as again:
            again.send(encode(messages.Hello(1, "tap1", tap.epoch, [])))
            assert isinstance(decode(again.recv()), messages.Welcome), "and then it goes on"
