"""One key holds so many connections and no more, however it goes about it; others are served meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import zmq
from desk import SENSOR_KEYS, Desk, wait_until
from door import Door

from collectors import connections
from collectors.home import CONNECTIONS_PER_KEY
from sensor.bus import messages
from sensor.bus.keys import SensorKeys
from sensor.bus.messages import decode, encode

GREEDY = SensorKeys.generate()


@pytest.fixture
def door(desk: Desk) -> Iterator[Door]:
    desk.enrol()
    desk.enrol("tap9", GREEDY)
    made = Door(desk)
    yield made
    made.close()


def greets(socket: zmq.Socket[bytes], name: str) -> bool:
    try:
        socket.send(encode(messages.Hello(1, name, 7, [])))
        return isinstance(decode(socket.recv()), messages.Welcome)
    except zmq.Again:
        return False


def is_let_in(socket: zmq.Socket[bytes], seconds: float = 1.0) -> bool:
    return bool(socket.poll(int(seconds * 1000), zmq.POLLOUT))  # with IMMEDIATE only once it is


def test_a_greedy_key_gets_its_share_and_an_honest_sensor_is_served(door: Door) -> None:
    held = [door.knock(GREEDY) for _ in range(60)]
    wait_until(lambda: door.listener.connections.refused >= 60 - CONNECTIONS_PER_KEY, 10)
    for socket in held:
        socket.setsockopt(zmq.SNDTIMEO, 0)
        socket.setsockopt(zmq.RCVTIMEO, 2000)
    spoken = sum(is_let_in(socket, 0.05) and greets(socket, "tap9") for socket in held)
    assert spoken == CONNECTIONS_PER_KEY == door.listener.connections.held(GREEDY.curve_public)
    begin = time.monotonic()
    with door.knock(SENSOR_KEYS) as honest:
        assert greets(honest, "tap1") and time.monotonic() < begin + 3
    assert door.listener.refused_connections == 0  # its key is known
    # Who gives one back may have another: the sockets that wait get in by themselves.
    refused = [socket for socket in held if not socket.poll(0, zmq.POLLOUT)]
    for socket in held:
        if socket not in refused:
            socket.close()
    wait_until(lambda: any(socket.poll(0, zmq.POLLOUT) for socket in refused), 15)
    assert door.listener.connections.held(GREEDY.curve_public) <= CONNECTIONS_PER_KEY
    for socket in refused:
        socket.close()


def test_who_says_nothing_is_ended_and_does_not_collect_connections(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "SILENT_SECONDS", 0.5)
    monkeypatch.setattr(connections, "_ADMITTED_SECONDS", 1.0)
    with door.knock(SENSOR_KEYS) as honest:
        assert greets(honest, "tap1")
        silent = [door.knock(GREEDY) for _ in range(30)]
        most = 0
        begin = time.monotonic()
        while time.monotonic() < begin + 4:
            most = max(most, sum(is_let_in(socket, 0) for socket in silent))
            time.sleep(0.02)
        assert door.listener.connections.ended >= CONNECTIONS_PER_KEY
        # Between being let in and being ended; those before may be ending still.
        assert most <= 2 * CONNECTIONS_PER_KEY + 1
        honest.setsockopt(zmq.RCVTIMEO, 3000)
        assert greets(honest, "tap1"), "who has spoken is left alone"
        for socket in silent:
            socket.close()


def test_connections_that_come_and_go_use_nothing_up(door: Door) -> None:
    for _ in range(4 * CONNECTIONS_PER_KEY):
        with door.knock(GREEDY) as socket:
            assert greets(socket, "tap9")
        wait_until(lambda: len(door.listener.connections) == 0, 5)
    assert door.listener.connections.refused == 0


def test_the_bound_is_by_key_and_free_again_after_a_time() -> None:
    held = connections.Connections(3)
    assert [held.admit("a", 0.0) for _ in range(5)] == [True, True, True, False, False]
    assert held.admit("b", 0.0) and held.refused == 2
    # Died between being let in and saying anything: nobody knows which they were.
    assert held.admit("a", connections._ADMITTED_SECONDS + 1)
    held.spoke("a", 5)  # a descriptor that is not there
    held.turn(1000.0)
    assert not held._admitted and not held._spoken
