"""The sensor's side of a session, without a socket: what to say next, and what an answer means
(docs/spec/bus.md).

Go-back-N: batches of a lane go out in order, a cumulative acknowledgement forgets them, and a new welcome
rewinds to where the centre stands. At most `window` batches and MAX_IN_FLIGHT_BYTES are under way;
everything else stays in the spool. Times are seconds of a monotonic clock, given by the caller.
"""

from __future__ import annotations

import time
from collections import deque
from typing import NamedTuple

from sensor.bus import lanes, messages
from sensor.bus.records import Record
from sensor.bus.seal import SUITES
from sensor.bus.spool import Spool

HELLO_RETRY_SECONDS = 1.0
ACK_TIMEOUT_SECONDS = 5.0  # an fsync on a busy disk may take a second or two
SILENCE_SECONDS = 15.0  # three heartbeats and an acknowledgement late: the connection is worth making anew
HEARTBEAT_SECONDS = 2.0
HOLD_SECONDS = 30.0
MAX_IN_FLIGHT_BYTES = 8 * 1024 * 1024  # fills 100 ms of a 640 Mbit/s link; bounds both peers' memory

_HOLD_REASONS = frozenset({"recipient", "suite", "signer"})
"""Refusals that say the keys do not match, not that the batch is bad: nothing is given up, somebody must
mend the keys.
"""
_TRIES = 2  # a batch refused twice over a connection that checks every byte will be refused for ever


class Outgoing(NamedTuple):
    """A message to send; pass it to `Session.sent` once the socket has taken it."""

    frames: list[bytes]
    lane: int = -1
    following: int = 0
    size: int = 0


class Conflict(Exception):
    """The centre holds more of this epoch than the spool ever made: the spool was put back from a copy."""


class Session:
    """The state of one sensor's talk with its centre."""

    def __init__(self, spool: Spool, *, software: str) -> None:
        self._spool = spool
        self._software = software
        self._session: int | None = None
        self._window = 1
        self._cursor = [0] * lanes.COUNT
        self._flight: deque[tuple[int, int, int]] = (
            deque()
        )  # (lane, number after it, bytes), in the order sent
        self._flight_bytes = 0
        self._hello_due = 0.0
        self._heartbeat_due = 0.0
        self._progress_at = 0.0
        self._held_until = 0.0
        self._echo = (0, 0)  # the centre's clock when it last spoke, and ours when we heard it
        self._refusals: dict[tuple[int, int], int] = {}
        self.heard_at = 0.0
        self.was_welcome = False
        self.refused = 0
        self.hold_reason = ""

    @property
    def established(self) -> bool:
        return self._session is not None

    @property
    def in_flight(self) -> int:
        return len(self._flight)

    def restart(self, now: float) -> None:
        """Forget the connection's state; the next message is a hello."""
        self._session = None
        self._flight.clear()
        self._flight_bytes = 0
        self._hello_due = now
        self.heard_at = now

    def next_message(self, now: float) -> Outgoing | None:
        """What to send now, or None when there is nothing to say or no room in flight."""
        if self._session is not None and self._flight and now - self._progress_at > ACK_TIMEOUT_SECONDS:
            self.restart(now)
            self.heard_at = self._progress_at
        if self._session is None:
            return self._hello() if now >= self._hello_due else None
        if now >= self._heartbeat_due:
            beat = messages.Heartbeat(self._session, self._spool.books(), _clock_us(), *self._echo)
            return Outgoing([messages.encode(beat)])
        if (
            now < self._held_until
            or len(self._flight) >= self._window
            or self._flight_bytes >= MAX_IN_FLIGHT_BYTES
        ):
            return None
        for lane in range(lanes.COUNT):
            item = self._spool.next_item(lane, self._cursor[lane])
            if isinstance(item, Record):
                head = messages.Batch(self._session, lane, item.seq)
                return Outgoing([messages.encode(head), item.sealed], lane, item.seq + 1, len(item.sealed))
            if item is not None:
                lost = messages.Lost(self._session, *item)
                return Outgoing([messages.encode(lost)], lane, item.last + 1)
        return None

    def sent(self, message: Outgoing, now: float) -> None:
        """The socket took this message."""
        if self._session is None:
            self._hello_due = now + HELLO_RETRY_SECONDS
        elif message.lane < 0:
            self._heartbeat_due = now + HEARTBEAT_SECONDS
        else:
            if not self._flight:
                self._progress_at = now
            self._cursor[message.lane] = message.following
            self._flight.append((message.lane, message.following, message.size))
            self._flight_bytes += message.size

    def receive(self, frame: bytes, now: float) -> int:
        """Take one frame of the centre; returns the events that are delivered by it.

        MessageError for what is no message; Conflict when going on would lose events.
        """
        message = messages.decode(frame)
        self.heard_at = now
        if isinstance(message, messages.Welcome | messages.Ack) and message.clock_us:
            self._echo = (message.clock_us, _clock_us())
        if isinstance(message, messages.Welcome):
            return self._welcomed(message, now)
        if isinstance(message, messages.Again):
            if self._session is not None:  # else it answers what was sent before the hello that is under way
                self.restart(now)
        elif isinstance(message, messages.Ack) and message.session == self._session:
            return self._acknowledged(message.cursors, now)
        elif isinstance(message, messages.Refused) and message.session == self._session:
            self._was_refused(message, now)
        return 0

    def _hello(self) -> Outgoing:
        hello = messages.Hello(
            version=messages.VERSION,
            sensor=self._spool.sensor,
            epoch=self._spool.epoch,
            spans=self._spool.spans(),
            suites=sorted(SUITES),
            clock_us=_clock_us(),
            software=self._software,
        )
        return Outgoing([messages.encode(hello)])

    def _welcomed(self, message: messages.Welcome, now: float) -> int:
        limits = {span.lane: span.next for span in self._spool.spans()}
        for cursor in message.cursors:
            if cursor.next > limits.get(cursor.lane, 0):
                raise Conflict(
                    f"the centre has batch {cursor.next - 1} of lane {lanes.NAMES[cursor.lane]}, "
                    f"this spool ends before {limits.get(cursor.lane, 0)}"
                )
        self._session = message.session  # of two welcomes to a repeated hello the later one counts
        self._flight.clear()
        self._flight_bytes = 0
        self.was_welcome = True
        self._window = message.window
        self._heartbeat_due = now
        self._progress_at = now
        return self._acknowledged(message.cursors, now, rewind=True)

    def _acknowledged(self, cursors: list[messages.Cursor], now: float, *, rewind: bool = False) -> int:
        delivered = 0
        reached = {cursor.lane: cursor.next for cursor in cursors}
        for lane, following in reached.items():
            if rewind:
                self._cursor[lane] = following
            if following <= self._cursor[lane]:  # a centre cannot have what was never sent to it
                delivered += self._spool.acknowledge(lane, following)
        before = len(self._flight)
        self._flight = deque(entry for entry in self._flight if entry[1] > reached.get(entry[0], 0))
        if len(self._flight) < before:
            self._progress_at = now
            self._flight_bytes = sum(size for _, _, size in self._flight)
        return delivered

    def _was_refused(self, message: messages.Refused, now: float) -> None:
        self.refused += 1
        if message.reason in _HOLD_REASONS:
            self.hold_reason = message.reason
            self._held_until = now + HOLD_SECONDS
        else:
            key = (message.lane, message.seq)
            self._refusals[key] = self._refusals.get(key, 0) + 1
            if self._refusals[key] >= _TRIES:
                del self._refusals[key]
                self._spool.drop(message.lane, message.seq, f"refused: {message.reason}"[:64])
        self.restart(now)


def _clock_us() -> int:
    return max(0, time.time_ns() // 1000)
