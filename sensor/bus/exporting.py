"""Writes what a source holds into segments on a stick, and goes on where an earlier run was broken off.

A source gives items with a cursor; this module knows files and bounds, not what is in them.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from sensor.bus.keys import SensorKeys
from sensor.bus.segments import (
    ID_BYTES,
    SEGMENT_BYTES,
    SUFFIX,
    VERSION,
    Head,
    Segment,
    SegmentError,
    Verifiers,
    Writer,
    file_name,
    read,
)
from sensor.errors import UserError


class Item(NamedTuple):
    """One entry of a segment, and where its source goes on after it. An item without content only moves the
    cursor.
    """

    kind: int
    content: bytes
    events: int
    cursor: list[int]


class Span(NamedTuple):
    """since <= received < until, in µs since 1970; 0: no bound."""

    since_us: int
    until_us: int


class Source(Protocol):
    """What can be exported. `name` and `keys` are the exporter's, `recipient` the key that it is sealed to,
    `meaning` what makes two exports the same one (beside their names and bounds).
    """

    name: str
    keys: SensorKeys
    recipient: bytes
    meaning: bytes

    def items(self, cursor: Sequence[int], span: Span) -> Iterator[Item]:
        """Everything after the cursor (empty: from the beginning), in order. A new call begins a segment."""


class Exported(NamedTuple):
    """What a run wrote; `before`: segments that earlier runs had written."""

    segments: int
    batches: int
    events: int
    size_bytes: int
    before: int
    identity: bytes


def export(
    source: Source,
    directory: Path,
    span: Callable[[], Span],
    asked: str,
    *,
    segment_bytes: int = SEGMENT_BYTES,
    watch: Callable[[int, int], object] = lambda _batches, _bytes: None,
) -> Exported:
    """Write what the source has that is not in the directory yet. UserError when the directory holds
    something else under these names; OSError when it takes nothing.

    asked: the bounds as they were asked for, which name the export; span resolves them, the first time.
    """
    public = source.keys.public()
    name = b"\0".join((public.signer, source.recipient, source.meaning, asked.encode()))
    identity = hashlib.sha256(b"haidang export\0" + name).digest()[:ID_BYTES]
    before = _segments(directory, identity, public.signer, public.verifiers())
    bounds = Span(before[-1].head.since_us, before[-1].head.until_us) if before else span()
    cursor = list(before[-1].tail.cursor) if before else []
    number = len(before)
    is_complete = bool(before) and before[-1].tail.is_last
    segments = batches = events = size = 0
    while True:
        head = Head(
            VERSION,
            identity,
            number + segments,
            source.name,
            public.signer,
            source.recipient,
            bounds.since_us,
            bounds.until_us,
            max(0, time.time_ns() // 1000),
        )
        with Writer(directory, head, source.keys) as writer:
            is_full = False
            for item in source.items(cursor, bounds):
                if item.content:
                    writer.add(item.kind, item.content, item.events)
                    watch(batches + writer.batches, size + writer.size)
                cursor = item.cursor
                if writer.size >= segment_bytes:
                    is_full = True
                    break
            if not writer.batches and is_complete:
                return Exported(segments, batches, events, size, number, identity)
            writer.finish(cursor, is_last=not is_full)
            is_complete = False
            segments += 1
            batches, events, size = batches + writer.batches, events + writer.events, size + writer.size
        if not is_full:
            return Exported(segments, batches, events, size, number, identity)


def _segments(directory: Path, identity: bytes, signer: bytes, verifiers: Verifiers) -> list[Segment]:
    """The whole segments of this export that are there, from the first on; their entries are dropped."""
    found: list[Segment] = []
    while (path := directory / file_name(identity, len(found))).exists():
        try:
            segment = read(path, lambda head: verifiers if head.signer == signer else None)
        except SegmentError as error:
            raise UserError(
                f"is no whole segment of this export: {error}", where=path, fix="remove it and try again"
            ) from error
        found.append(segment._replace(entries=[]))
    left = [path for path in directory.glob(f".{identity.hex()}-*{SUFFIX}.*.part") if path.is_file()]
    for path in left:  # of a run that was broken off: they were never whole
        path.unlink(missing_ok=True)
    return found
