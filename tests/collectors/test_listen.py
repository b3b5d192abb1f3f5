"""The centre's socket against strangers, garbage and giants, while an honest sensor goes on delivering."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from desk import CENTRE_KEYS, SENSOR_KEYS, Desk, wait_until
from door import Door

from collectors.listen import Listener
from sensor.bus import messages
from sensor.bus.keys import CentreKeys, SensorKeys
from sensor.bus.layout import Pending
from sensor.bus.link import Link
from sensor.bus.messages import decode, encode
from sensor.bus.seal import MAX_RECORD_BYTES, Sealer
from sensor.bus.spool import Spool
from sensor.errors import UserError


@pytest.fixture
def door(desk: Desk) -> Iterator[Door]:
    made = Door(desk)
    yield made
    made.close()


def hello(name: str = "tap1") -> bytes:
    return encode(messages.Hello(1, name, 7, []))


def greets(socket: zmq.Socket[bytes]) -> bool:
    socket.send(hello())
    return isinstance(decode(socket.recv()), messages.Welcome)


def test_an_enrolled_sensor_is_welcome(door: Door) -> None:
    door.desk.enrol()
    with door.knock(SENSOR_KEYS) as socket:
        assert greets(socket)


def test_a_stranger_is_refused_at_the_door(door: Door) -> None:
    with door.knock(SensorKeys.generate()) as socket, pytest.raises(zmq.Again):
        socket.send(hello())
    assert door.listener.refused_connections > 0
    assert door.desk.receiver.counts == {}


def test_a_connection_without_curve_is_refused(door: Door) -> None:
    with door.context.socket(zmq.DEALER) as socket:
        socket.setsockopt(zmq.IMMEDIATE, 1)
        socket.setsockopt(zmq.SNDTIMEO, 1000)
        socket.connect(door.listener.bound)
        with pytest.raises(zmq.Again):
            socket.send(hello())
    assert door.desk.receiver.counts == {}


def test_a_sensor_does_not_speak_to_another_centre(door: Door) -> None:
    door.desk.enrol()
    with door.knock(SENSOR_KEYS, CentreKeys.generate().curve_public) as socket, pytest.raises(zmq.Again):
        socket.send(hello())


def test_a_key_revoked_while_connected_says_nothing_more(door: Door) -> None:
    door.desk.enrol()
    with door.knock(SENSOR_KEYS) as socket:
        assert greets(socket)
        door.desk.registry.revoke("tap1")
        socket.send(hello())
        with pytest.raises(zmq.Again):
            socket.recv()
    assert door.desk.receiver.counts["unknown_key"] == 1


def test_giants_and_garbage_do_not_disturb_the_honest(door: Door, tmp_path: Path) -> None:
    door.desk.enrol()
    bad_keys = SensorKeys.generate()
    door.desk.enrol("tap9", bad_keys)
    stop = threading.Event()
    thread = threading.Thread(target=_annoy, args=(door, bad_keys, stop))
    thread.start()
    spool = Spool(tmp_path / "spool.sqlite", "tap1")
    sealer = Sealer(SENSOR_KEYS, CENTRE_KEYS.public())
    link = Link(spool, SENSOR_KEYS, CENTRE_KEYS.public(), door.listener.bound, software="test")
    link.start()
    try:
        for number in range(100):
            spool.append([Pending(number % 4, 1, b'{"n":%d}\n' % number)], sealer)
        wait_until(lambda: spool.pending_batches() == 0, 30)
    finally:
        stop.set()
        link.stop()
        link.join(10)
        thread.join(10)
    assert link.failure is None
    assert [record.sensor for record in door.desk.journal.read(0, 1000)] == ["tap1"] * 100
    assert door.desk.receiver.counts["malformed"] > 0
    assert sum(book.delivered for book in spool.books()) == 100
    spool.close()


def _annoy(door: Door, keys: SensorKeys, stop: threading.Event) -> None:
    """An enrolled sensor gone bad: garbage, too many frames, giants, batches of nothing."""
    while not stop.wait(0.005):
        with door.knock(keys) as socket:
            try:
                socket.send(hello("tap9"))
                for _ in range(20):
                    socket.send(secrets.token_bytes(200))
                    socket.send_multipart([b"x", b"y", b"z"])
                    socket.send_multipart([b""])
                    socket.send_multipart([encode(messages.Batch(1, 0, 0)), secrets.token_bytes(2000)])
                socket.send(bytes(MAX_RECORD_BYTES + 1))
            except zmq.ZMQError:
                pass


def test_a_refused_batch_is_given_up_and_the_rest_arrives(door: Door, tmp_path: Path) -> None:
    door.desk.enrol()
    spool = Spool(tmp_path / "spool.sqlite", "tap1")
    honest = Sealer(SENSOR_KEYS, CENTRE_KEYS.public())
    spool.append([Pending(0, 1, b"{}\n")], honest)
    spool.append([Pending(0, 2, b"{}\n{}\n{}\n")], honest)  # says two events, holds three
    spool.append([Pending(0, 1, b"{}\n")], honest)
    link = Link(spool, SENSOR_KEYS, CENTRE_KEYS.public(), door.listener.bound, software="test")
    link.start()
    wait_until(lambda: spool.pending_batches() == 0, 30)
    wait_until(lambda: door.desk.journal.streams("tap1", spool.epoch).get(0, (0,))[0] == 3, 10)
    link.stop()
    link.join(10)
    assert [record.seq for record in door.desk.journal.read(0, 10)] == [0, 2]
    assert door.desk.journal.gaps() == [("tap1", 0, "refused: content", 1, 2)]
    assert spool.books()[0].lost == {"refused: content": 2}
    spool.close()


def test_an_address_that_cannot_be_bound_is_said(desk: Desk) -> None:
    with pytest.raises(UserError, match="cannot listen"):
        Listener("tcp://192.0.2.1:1", CENTRE_KEYS, desk.registry, desk.receiver)
