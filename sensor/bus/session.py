"""The sensor's side of a session, without a socket: what to say next, and what an answer means
(docs/spec/bus.md).

Go-back-N: batches of a lane go out in order, a cumulative acknowledgement forgets them, and a new welcome
rewinds to where the centre stands. At most `window` batches and MAX_IN_FLIGHT_BYTES are under way;
everything else stays in the spool. Times are seconds of a monotonic clock, given by the caller.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

from sensor.bus import lanes, messages
from sensor.bus.budget import Budget
from sensor.bus.keys import SensorPublic
from sensor.bus.layout import Hole
from sensor.bus.records import Record
from sensor.bus.renewal import Renewal
from sensor.bus.seal import SUITES

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
_PUT_OFF_REASONS = frozenset({"origin", "signer"})
"""Refusals that concern one of a relay's sensors and not the others."""
_MAX_INTRODUCED = 16  # keys of one sensor in a message: the newest
_TRIES = 2  # a batch refused twice over a connection that checks every byte will be refused for ever

RENEW = -2


class Told(NamedTuple):
    """A hole in a relay's numbers that stands in the place of a sensor's."""

    lane: int
    first: int
    last: int
    events: int
    reason: str
    origin: messages.Place


class Source(Protocol):
    """What a session ships: numbered batches of one sender, kept until they are acknowledged. A sensor's is
    its `spool`, a relay's its outbox.
    """

    sensor: str
    epoch: int

    def spans(self) -> list[messages.Span]: ...
    def next_item(self, lane: int, seq: int) -> Record | Hole | Told | None: ...
    def acknowledge(self, lane: int, following: int) -> int: ...
    def drop(self, lane: int, seq: int, reason: str) -> None: ...
    def books(self) -> list[messages.Book]: ...


class Origins(Protocol):
    """What a relay knows beside its batches."""

    def introduction(self, sensor: str) -> list[SensorPublic]:
        """The keys of a sensor, to be shown before its first batch."""

    def path(self, sensor: str) -> list[bytes]:
        """The signing keys of the relays that its batches pass, this one last."""

    def put_off(self, lane: int, seq: int) -> None:
        """This batch gets another number later; its own becomes a hole."""

    def sightings(self) -> list[messages.Sighting]:
        """Some of the sensors that are heard, in turn."""


class Outgoing(NamedTuple):
    """A message to send; pass it to `Session.sent` once the socket has taken it. lane: of a batch or a loss;
    -1 for hello and heartbeat, RENEW for a question about the centre's keys.
    """

    frames: list[bytes]
    lane: int = -1
    following: int = 0
    size: int = 0
    introduces: str = ""


class Conflict(Exception):
    """The centre holds more of this epoch than the spool ever made: the spool was put back from a copy."""


class Session:
    """The state of one sensor's talk with its centre."""

    def __init__(
        self,
        spool: Source,
        *,
        software: str,
        origins: Origins | None = None,
        renewal: Renewal | None = None,
        budget: Budget | None = None,
    ) -> None:
        self._spool = spool
        self._origins = origins
        self._introduced: set[str] = set()
        self._budget = budget or Budget(0)
        self._software = software
        self._renewal = renewal
        self._renew: messages.Renew | None = None
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
        self.served_at = 0.0
        self._held_until = 0.0
        self._echo = (0, 0)  # the centre's clock when it last spoke, and ours when we heard it
        self._refusals: dict[tuple[int, int], int] = {}
        self.heard_at = 0.0
        self.was_welcome = False
        self.refused = 0
        self.hold_reason = ""
        self.proof: Callable[[], messages.Proof] | None = None

    @property
    def established(self) -> bool:
        return self._session is not None

    def is_held(self, now: float) -> bool:
        """Whether the centre has refused our keys or suite a moment ago, and nothing is sent."""
        return now < self._held_until

    @property
    def in_flight(self) -> int:
        return len(self._flight)

    def turn(self, now: float, renewal: Renewal | None) -> None:
        """Begin with another centre: what the last one held against us is not this one's."""
        self._renewal, self._renew = renewal, None
        self._held_until = 0.0
        self.hold_reason = ""
        self._refusals.clear()
        self.restart(now)

    def restart(self, now: float) -> None:
        """Forget the connection's state; the next message is a hello."""
        self._session = None
        self._introduced.clear()
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
            proof = self.proof() if self.proof is not None else None
            books = self._spool.books()
            sightings = self._origins.sightings() if self._origins is not None else []
            beat = messages.Heartbeat(self._session, books, _clock_us(), proof, *self._echo, sightings)
            return Outgoing([messages.encode(beat)])
        if self._renew is not None:
            return Outgoing([messages.encode(self._renew)], RENEW)
        if (
            self.is_held(now)
            or len(self._flight) >= self._window
            or self._flight_bytes >= MAX_IN_FLIGHT_BYTES
            or not self._budget.allows(now)
        ):
            return None
        for lane in range(lanes.COUNT):
            item = self._spool.next_item(lane, self._cursor[lane])
            if isinstance(item, Record):
                if (introduction := self._introduce(item.sensor)) is not None:
                    return introduction
                head = messages.Batch(self._session, lane, item.seq)
                return Outgoing([messages.encode(head), item.sealed], lane, item.seq + 1, len(item.sealed))
            if item is not None:
                lost = messages.Lost(self._session, *item)
                return Outgoing([messages.encode(lost)], lane, item.last + 1)
        return None

    def _introduce(self, sensor: str) -> Outgoing | None:
        if self._origins is None or self._session is None or sensor in self._introduced:
            return None
        keys = self._origins.introduction(sensor)[:_MAX_INTRODUCED]
        if not keys:  # nobody has them any more: the centre may, from before
            self._introduced.add(sensor)
            return None
        origin = messages.Origin(self._session, sensor, keys, self._origins.path(sensor))
        return Outgoing([messages.encode(origin)], introduces=sensor)

    def sent(self, message: Outgoing, now: float) -> None:
        """The socket took this message."""
        self._budget.spend(sum(map(len, message.frames)))
        if self._session is None:
            self._hello_due = now + HELLO_RETRY_SECONDS
        elif message.introduces:
            self._introduced.add(message.introduces)
        elif message.lane == RENEW:
            self._renew = None  # unanswered it is asked again after the next welcome
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
            self._window = message.window or self._window
            return self._acknowledged(message.cursors, now)
        elif isinstance(message, messages.Refused) and message.session == self._session:
            self._was_refused(message, now)
        elif isinstance(message, messages.Renewed) and self._renewal is not None:
            self._renewal.receive(message)
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
        self._renew = (
            self._renewal.welcomed(message.recipient, message.curve) if self._renewal is not None else None
        )
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
        if not rewind and not self.is_held(now) and (len(self._flight) < before or not self._flight):
            self.served_at = now
        if len(self._flight) < before:
            self._progress_at = now
            self._flight_bytes = sum(size for _, _, size in self._flight)
        return delivered

    def _was_refused(self, message: messages.Refused, now: float) -> None:
        self.refused += 1
        if self._origins is not None and message.reason in _PUT_OFF_REASONS:
            self._origins.put_off(message.lane, message.seq)
        elif message.reason in _HOLD_REASONS:
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
