"""What ingest counts of each sensor between two commits, before it goes into the journal with them."""

from __future__ import annotations

import time

from collectors.entries import Measured
from collectors.quality.facts import INTERVAL_SECONDS, Facts, begin_of, note_clock
from sensor.bus import messages

LIVE_GAP_SECONDS = 10.0  # five heartbeats: messages closer to each other than this cover the time in between
SIGHTED_GAP_SECONDS = 30.0  # the same for what a relay says of its sensors, which it says in turns
_TAKE_SECONDS = 5.0  # what is only counted is written down this often; each would cost an fsync otherwise
_MAX_SENSORS = 20_000

_FORGED = frozenset({"recipient", "sealed", "signature", "signer", "suite", "header"})
"""Reasons for which a batch is not shown to be the sensor's; for the others it is no batch."""


class Tally:
    """Facts by sensor and interval, until they are taken."""

    def __init__(self) -> None:
        self._facts: dict[tuple[str, int], Facts] = {}
        self._heard: dict[str, float] = {}
        self._spools: dict[str, int] = {}
        self._taken = float("-inf")

    def of(self, sensor: str) -> Facts:
        """The facts of this sensor and moment, to be added to."""
        return self._facts.setdefault((sensor, begin_of(now_us())), Facts())

    def heard(self, sensor: str) -> Facts:
        """A message of this sensor has come."""
        facts, now = self.of(sensor), time.monotonic()
        gap = now - self._heard.get(sensor, now)
        self._note_heard(sensor, now)
        facts.silence_us = max(facts.silence_us, int(gap * 1e6))
        if gap <= LIVE_GAP_SECONDS:
            facts.live_us += int(gap * 1e6)
        return facts

    def sighted(self, sensor: str, silence_seconds: float, skew_us: int, bound_us: int | None) -> None:
        """A relay says that it heard this sensor so long ago, and how far its clock is off from ours."""
        facts, now = self.of(sensor), time.monotonic()
        facts.sightings += 1
        note_clock(facts, skew_us, bound_us)
        # What it heard a moment ago it hears: only a longer silence is one.
        heard = now if silence_seconds <= LIVE_GAP_SECONDS else now - silence_seconds
        gap = heard - self._heard.get(sensor, heard)
        facts.silence_us = max(facts.silence_us, int(max(gap, now - heard) * 1e6))
        if gap < 0:
            return
        self._note_heard(sensor, heard)
        if gap <= SIGHTED_GAP_SECONDS:
            self._cover(sensor, int(gap * 1e6))

    def _note_heard(self, sensor: str, moment: float) -> None:
        if len(self._heard) >= _MAX_SENSORS:
            self._heard.clear()
        self._heard[sensor] = moment

    def _cover(self, sensor: str, us: int) -> None:
        """These last microseconds are covered; of the interval before what lies in it."""
        now = now_us()
        begin = begin_of(now)
        inside = min(us, now - begin * 1_000_000)
        self.of(sensor).live_us += inside
        if inside < us:
            before = self._facts.setdefault((sensor, begin - INTERVAL_SECONDS), Facts())
            before.live_us += us - inside

    def beat(self, sensor: str, message: messages.Heartbeat) -> tuple[int, int | None]:
        """A heartbeat: books and clock. Returns the clock's skew in µs, the sensor's minus ours, and its
        bound.
        """
        facts, received_us = self.of(sensor), now_us()
        facts.words += 1
        facts.heard_us = received_us
        books = message.books
        facts.made = sum(book.made for book in books)
        facts.delivered = sum(book.delivered for book in books)
        facts.pending = sum(book.pending for book in books)
        facts.given_up = sum(sum(book.lost.values()) for book in books)
        facts.books_open = sum(
            abs(book.made - book.delivered - book.pending - sum(book.lost.values())) for book in books
        )
        skew_us, bound_us = clock(message, received_us)
        note_clock(facts, skew_us, bound_us)
        return skew_us, bound_us

    def batch(self, sensor: str, events: int, last_us: int) -> None:
        """A batch that holds. last_us: its last packet, by the sensor's clock; 0 is unknown."""
        facts = self.of(sensor)
        facts.batches += 1
        facts.events += events
        if last_us:
            lag = now_us() - last_us
            facts.packet_lag_us = lag if facts.packet_lag_us is None else max(facts.packet_lag_us, lag)

    def refused(self, sensor: str, reason: str) -> None:
        """A batch that does not hold."""
        facts = self.of(sensor)
        if reason in _FORGED:
            facts.forged += 1
        else:
            facts.unreadable += 1

    def lost(self, sensor: str, batches: int, events: int) -> None:
        """Numbers that the sensor says will never come; events 0: it does not know how many."""
        facts = self.of(sensor)
        facts.missing += batches
        facts.lost += events
        facts.missing_uncounted += events == 0

    def new_spool(self, sensor: str, epoch: int) -> None:
        """Its spool is another one than before; counted once, however often it says so."""
        if self._spools.get(sensor) != epoch:
            self._spools[sensor] = epoch
            self.of(sensor).new_spools += 1

    def take(self, *, with_others: bool) -> list[Measured]:
        """What was counted, to be committed. Nothing, if it would be committed alone and too often."""
        now = time.monotonic()
        if not self._facts or (not with_others and now < self._taken + _TAKE_SECONDS):
            return []
        self._taken = now
        facts, self._facts = self._facts, {}
        return [Measured(sensor, begin, counted) for (sensor, begin), counted in facts.items()]


def clock(message: messages.Heartbeat, received_us: int) -> tuple[int, int | None]:
    """(skew, the most it can be off by) of a sensor's clock in microseconds, from a message there and back
    (RFC 5905 section 8). Without the way there, or when the clock was set in between, the bound is None.
    """
    one_way = message.clock_us - received_us
    if not message.echo_us:
        return one_way, None
    round_trip = (received_us - message.echo_us) - (message.clock_us - message.echo_at_us)
    if round_trip < 0 or message.echo_us > received_us or message.clock_us < message.echo_at_us:
        return one_way, None
    return ((message.echo_at_us - message.echo_us) + one_way) // 2, (round_trip + 1) // 2


def now_us() -> int:
    """This machine's clock."""
    return time.time_ns() // 1000
