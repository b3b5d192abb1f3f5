"""What goes into the journal, and what it says of it."""

from __future__ import annotations

from typing import NamedTuple

from collectors.quality.facts import Facts
from sensor.bus.seal import NO_PREVIOUS


class Stream(NamedTuple):
    """Where one lane of one epoch of a sensor stands."""

    next: int = 0
    digest: bytes = NO_PREVIOUS


class NewRecord(NamedTuple):
    """A verified batch to keep. previous: the digest that it names, where nobody has compared it yet."""

    sensor: str
    epoch: int
    lane: int
    seq: int
    events: int
    digest: bytes
    sealed: bytes
    previous: bytes = b""


class Gap(NamedTuple):
    """Batches first..last of a stream that will never come, or (last < first) an oddity at `first`."""

    sensor: str
    epoch: int
    lane: int
    first: int
    last: int
    events: int
    reason: str


class Relayed(NamedTuple):
    """A batch or gap of another sensor, brought by a relay under a number of its own (None: by a stick).

    withheld: events that the relay left out of the batch, and signed for. last_us: the batch's last packet,
    by the sensor's clock; 0 is unknown. what: None when a batch came back to where it had been.
    """

    via: str
    what: NewRecord | Gap | None
    number: tuple[int, int, int] | None = None
    reduced: bool = False
    withheld: int = 0
    last_us: int = 0


class Quarantined(NamedTuple):
    """What was refused, and why."""

    sensor: str
    reason: str
    sealed: bytes


class Heard(NamedTuple):
    """What a sensor last said about itself. skew_us: its clock minus ours when it said so."""

    sensor: str
    heard_us: int
    skew_us: int
    books: str
    software: str


class Sighted(NamedTuple):
    """When a sensor last spoke, by our clock, to us or ('' is us) to the relay `via`; its clock minus ours,
    and the most that can be off by (None: unknown).
    """

    sensor: str
    via: str
    heard_us: int
    skew_us: int
    bound_us: int | None


class Beat(NamedTuple):
    """A heartbeat that came through a sensor's line, by the sensor's clock and ours."""

    sensor: str
    number: int
    received_us: int


class Told(NamedTuple):
    """What a sensor says of its heartbeats: seconds between two, and where they break ('' nowhere)."""

    sensor: str
    interval_seconds: int
    stage: str
    told_us: int


class Proven(NamedTuple):
    """Both together. received_us: of the last that came; until the first, of the sensor's first word."""

    sensor: str
    number: int
    received_us: int
    interval_seconds: int
    stage: str


class Measured(NamedTuple):
    """What was counted of a sensor in the interval that begins then (seconds since 1970)."""

    sensor: str
    begin: int
    facts: Facts


Entry = NewRecord | Gap | Relayed | Quarantined | Heard | Sighted | Beat | Told | Measured


class Kept(NamedTuple):
    """Batches and events that were not here before."""

    batches: int
    events: int
