"""Many sensors in one process, each with keys, connection and numbers of its own: for `bus.py`.

Their batches are signed and sealed beforehand, so that what is measured is the centre and not the cost of two
hundred sensors on its own machine. What they say on the wire is what a sensor says.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import zmq
from load import line_of

from collectors.registry import Registry
from sensor.bus import lanes, messages
from sensor.bus.enrol import Token
from sensor.bus.keys import CentrePublic, SensorKeys
from sensor.bus.link import connect
from sensor.bus.messages import decode, encode
from sensor.bus.seal import NO_PREVIOUS, Header, Sealer

_POLL_MS = 2
_HEARTBEAT_SECONDS = 2.0
_DEADLINE_SECONDS = 240.0


class Batch(NamedTuple):
    """due: when it leaves, in seconds from the start of the run."""

    due: float
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
    alerts: list[float] = field(default_factory=list)
    """When each of its alerts came to be, in seconds from the start; alert n has flow_id n + 1."""


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
        sensor.alerts.clear()
        for step in range(round(seconds / flush)):
            begin = offset + step * flush
            lines: dict[int, list[bytes]] = {lanes.ALERT: [], lanes.LOGS: []}
            for index in range(round(rate * flush)):
                is_alert = chance.random() < 0.1
                if is_alert:
                    sensor.alerts.append(begin + flush * index / round(rate * flush))
                flow = len(sensor.alerts) if is_alert else chance.randrange(1 << 50)
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
                sensor.waiting.append(Batch(due, lane, seq, len(text), sealed.record))
                total += len(text)
    return total


def run(sensors: list[Simulated], address: str, server: str) -> Iterator[tuple[float, int]]:
    """Ship everything; yields (monotonic time, events acknowledged so far) as acknowledgements come. The
    first yield, with 0, is the start: everybody is connected and welcome.
    """
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    context.set(zmq.MAX_SOCKETS, 4 * len(sensors) + 64)
    sockets = {connect(context, address, sensor.keys, server): sensor for sensor in sensors}
    poller = zmq.Poller()
    for socket, sensor in sockets.items():
        poller.register(socket, zmq.POLLIN)
        socket.setsockopt(zmq.SNDTIMEO, 20_000)
        socket.send(encode(messages.Hello(1, sensor.name, sensor.epoch, [])))
    done = 0
    start = 0.0
    deadline = time.monotonic() + _DEADLINE_SECONDS
    try:
        while True:
            for socket, _ in poller.poll(_POLL_MS):
                done += _hear(sockets[socket], decode(socket.recv()))
                if start:
                    yield time.monotonic(), done
            now = time.monotonic()
            assert now < deadline, "the centre is too slow, or has stopped"
            if not start and all(sensor.session is not None for sensor in sensors):
                start = now
                yield start, 0
            if start:
                for socket, sensor in sockets.items():
                    _say(socket, sensor, now, now - start)
                if not any(sensor.waiting or sensor.flight for sensor in sensors):
                    return
    finally:
        context.destroy(0)


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


def _say(socket: zmq.Socket[bytes], sensor: Simulated, now: float, elapsed: float) -> None:
    assert sensor.session is not None
    while sensor.waiting and len(sensor.flight) < sensor.window and sensor.waiting[0].due <= elapsed:
        batch = sensor.waiting[0]
        try:
            head = encode(messages.Batch(sensor.session, batch.lane, batch.seq))
            socket.send_multipart([head, batch.record], flags=zmq.DONTWAIT)
        except zmq.Again:
            return
        sensor.flight.append(sensor.waiting.popleft())
    if now >= sensor.heartbeat_at + _HEARTBEAT_SECONDS:
        sensor.heartbeat_at = now
        socket.send(encode(messages.Heartbeat(sensor.session)), flags=zmq.DONTWAIT)
