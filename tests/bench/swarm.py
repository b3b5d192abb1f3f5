"""Many sensors in one process, each with keys, connection and numbers of its own: for `bus.py`.

Their batches are signed and sealed beforehand, so that what is measured is the centre and not the cost of two
hundred sensors on its own machine. What they say on the wire is what a sensor says.
"""

from __future__ import annotations

import heapq
import random
import select
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import zmq
from delays import Given
from load import line_of

from collectors.registry import Registry
from sensor.bus import lanes, messages
from sensor.bus.enrol import Token
from sensor.bus.keys import CentrePublic, SensorKeys
from sensor.bus.link import connect
from sensor.bus.messages import decode, encode
from sensor.bus.seal import NO_PREVIOUS, Header, Sealer

_POLL_SECONDS = 1.0
_RETRY_SECONDS = 0.001
_HEARTBEAT_SECONDS = 2.0
_DEADLINE_SECONDS = 240.0


class Batch(NamedTuple):
    """due: when it leaves; made: when its events came to be, if they are alerts; in seconds from the start
    of the run.
    """

    due: float
    made: list[float]
    lane: int
    seq: int
    events: int
    record: bytes


@dataclass
class Simulated:
    """One sensor."""

    name: str
    keys: SensorKeys
    epoch: int
    waiting: deque[Batch] = field(default_factory=deque)
    flight: deque[Batch] = field(default_factory=deque)
    session: int | None = None
    window: int = 1
    heartbeat_at: float = 0.0
    turn_at: float = 0.0
    given: list[Given] = field(default_factory=list)
    """Its batches of alerts as they left; alert n of the sensor has flow_id n + 1."""

    def next_turn(self, start: float) -> float:
        """When it has something to say of its own accord: a heartbeat, or a batch that there is room for."""
        turn = self.heartbeat_at + _HEARTBEAT_SECONDS
        if self.waiting and len(self.flight) < self.window:
            turn = min(turn, max(start + self.waiting[0].due, time.monotonic() + _RETRY_SECONDS))
        return turn


def enrol(directory: Path, centre: CentrePublic, count: int) -> list[Simulated]:
    """So many sensors, registered at this centre."""
    registry = Registry(directory / "registry.sqlite")
    made = []
    for number in range(count):
        sensor = Simulated(f"sim{number:03d}", SensorKeys.generate(), 1 + number)
        token = Token.issue("tcp://127.0.0.1:1", centre, 600)
        registry.add_token(token, "")
        row = registry.token(token.client_public)
        assert row is not None and registry.enrol(row, sensor.name, sensor.keys.public()) == ""
        made.append(sensor)
    registry.close()
    return made


def plan(
    sensors: list[Simulated], centre: CentrePublic, *, seconds: float, rate: float, flush: float, paced: bool
) -> int:
    """Batches for a run of `seconds` at `rate` events a second each, one per lane and `flush` seconds; a
    tenth of the events are alerts. Not paced: all due at once. Returns the events.
    """
    chance = random.Random(1)
    total = 0
    for sensor in sensors:
        sealer = Sealer(sensor.keys, centre)
        previous, following = [NO_PREVIOUS] * lanes.COUNT, [0] * lanes.COUNT
        offset = chance.uniform(0.0, flush)
        alerts = 0
        for step in range(round(seconds / flush)):
            begin = offset + step * flush
            lines: dict[int, list[bytes]] = {lanes.ALERT: [], lanes.LOGS: []}
            made: list[float] = []
            for index in range(round(rate * flush)):
                is_alert = chance.random() < 0.1
                if is_alert:
                    alerts += 1
                    made.append(begin + flush * index / round(rate * flush))
                flow = alerts if is_alert else chance.randrange(1 << 50)
                lines[lanes.ALERT if is_alert else lanes.LOGS].append(line_of(chance, is_alert, flow))
            for lane, text in lines.items():
                if not text:
                    continue
                seq = following[lane]
                header = Header(
                    sensor.name, sensor.epoch, lane, seq, len(text), 0, 0, previous[lane], sealer.signer
                )
                sealed = sealer.seal(header, b"".join(text))
                previous[lane], following[lane] = sealed.digest, seq + 1
                due = begin + flush if paced else 0.0
                moments = made if lane == lanes.ALERT else []
                sensor.waiting.append(Batch(due, moments, lane, seq, len(text), sealed.record))
                total += len(text)
    return total


def run(sensors: list[Simulated], address: str, server: str) -> Iterator[tuple[float, int]]:
    """Ship everything; yields (monotonic time, events acknowledged so far) as acknowledgements come. The
    first yield, with 0, is the start: everybody is connected and welcome.
    """
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    context.set(zmq.MAX_SOCKETS, 4 * len(sensors) + 64)
    sockets = [connect(context, address, sensor.keys, server) for sensor in sensors]
    numbers = {socket.fileno(): number for number, socket in enumerate(sockets)}
    for socket, sensor in zip(sockets, sensors, strict=True):
        socket.setsockopt(zmq.SNDTIMEO, 20_000)
        socket.send(encode(messages.Hello(1, sensor.name, sensor.epoch, [])))
        _take_turn(socket, sensor, 0.0)
    done = 0
    start = 0.0
    deadline = time.monotonic() + _DEADLINE_SECONDS
    # A turn costs as much as there is to do in it: with 200 sensors, a look at each of them in every turn
    # would take a core from the centre that is measured.
    turns: list[tuple[float, int]] = []
    try:
        with select.epoll() as poller:
            for descriptor in numbers:
                poller.register(descriptor, select.EPOLLIN | select.EPOLLET)
            while not start or any(sensor.waiting or sensor.flight for sensor in sensors):
                now = time.monotonic()
                assert now < deadline, "the centre is too slow, or has stopped"
                patience = max(0.0, min(turns[0][0] - now, _POLL_SECONDS)) if turns else _POLL_SECONDS
                turn = {numbers[descriptor] for descriptor, _ in poller.poll(patience)}
                now = time.monotonic()
                while turns and turns[0][0] <= now:
                    moment, number = heapq.heappop(turns)
                    if sensors[number].turn_at == moment:  # else another took its place
                        turn.add(number)
                for number in turn:
                    sensor = sensors[number]
                    gained = _take_turn(sockets[number], sensor, start)
                    if start:
                        sensor.turn_at = sensor.next_turn(start)
                        heapq.heappush(turns, (sensor.turn_at, number))
                        done += gained
                        yield time.monotonic(), done
                if not start and all(sensor.session is not None for sensor in sensors):
                    start = time.monotonic()
                    for number, sensor in enumerate(sensors):
                        sensor.turn_at = start
                        turns.append((start, number))
                    yield start, 0
    finally:
        context.destroy(0)


def _take_turn(socket: zmq.Socket[bytes], sensor: Simulated, start: float) -> int:
    """Say what is due and hear what came, until there is no more of either: the descriptor tells but once."""
    gained = 0
    while True:
        if start:
            _say(socket, sensor, start)
        try:
            gained += _hear(sensor, decode(socket.recv(zmq.DONTWAIT)))
        except zmq.Again:
            return gained


def _hear(sensor: Simulated, message: messages.AnyMessage) -> int:
    if isinstance(message, messages.Welcome):
        sensor.session, sensor.window = message.session, message.window
        return 0
    assert isinstance(message, messages.Ack), f"{sensor.name}: {message}"
    sensor.window = message.window or sensor.window
    reached = {cursor.lane: cursor.next for cursor in message.cursors}
    done = sum(batch.events for batch in sensor.flight if batch.seq < reached[batch.lane])
    sensor.flight = deque(batch for batch in sensor.flight if batch.seq >= reached[batch.lane])
    return done


def _say(socket: zmq.Socket[bytes], sensor: Simulated, start: float) -> None:
    assert sensor.session is not None
    now = time.monotonic()
    try:
        while sensor.waiting and len(sensor.flight) < sensor.window and start + sensor.waiting[0].due <= now:
            batch = sensor.waiting[0]
            head = encode(messages.Batch(sensor.session, batch.lane, batch.seq))
            socket.send_multipart([head, batch.record], flags=zmq.DONTWAIT)
            sensor.flight.append(sensor.waiting.popleft())
            if batch.lane == lanes.ALERT:
                made = [start + moment for moment in batch.made]
                sensor.given.append(Given(made, start + batch.due, time.monotonic()))
        if now >= sensor.heartbeat_at + _HEARTBEAT_SECONDS:
            socket.send(encode(messages.Heartbeat(sensor.session)), flags=zmq.DONTWAIT)
            sensor.heartbeat_at = now
    except zmq.Again:  # its queue is full: it is tried again at the next turn
        return
