"""The topology of a sensor after the engine: source > sinks and spool, and the link that empties the spool.

`run` is the line; it knows no format and no protocol. A run that is killed is begun again by the same
command: what was spooled of an input is left out by number, lane by lane, so the centre gets every event
once. Local files are written before the spool, so after a kill they may hold the last events twice.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from sensor.bus import lanes
from sensor.bus.layout import Pending
from sensor.bus.link import Link
from sensor.bus.seal import MAX_EVENTS, MAX_NDJSON_BYTES, Sealer
from sensor.bus.spool import Spool, SpoolFull
from sensor.errors import UserError
from sensor.source import Events, Source, without_first

log = logging.getLogger("haidang.run")

_FULL_WAIT_SECONDS = 0.05
_DISK_WAIT_SECONDS = 1.0
_DRAIN_LOOK_SECONDS = 0.05


class Sink(Protocol):
    """A local output, as `sensor.output` makes them."""

    def write(self, batch: Events) -> None: ...
    def close(self) -> None: ...


Watcher = Callable[[], None]
"""Called now and then from the running line, to show progress."""


def run(
    source: Source,
    sinks: Sequence[Sink],
    spool: Spool,
    sealer: Sealer,
    link: Link,
    *,
    shed: bool,
    stop: threading.Event,
    watch: Watcher,
) -> int:
    """Carry a source through sinks and spool; the number of events that were spooled now.

    shed: give up the lowest lane's oldest events when the spool is full, instead of waiting for the centre.
    Ends early on `stop`.
    """
    _, skip = (
        spool.begin_input(source.identity, source.what) if source.identity else (False, [0] * lanes.COUNT)
    )
    spooled = 0
    for batch in source.batches():
        watch()
        if stop.is_set():
            return spooled
        if batch is None:
            continue
        if any(skip):
            batch = without_first(batch, skip)
        if not batch.events:
            continue
        for sink in sinks:
            sink.write(batch)
        is_told = False
        while not _append(spool, split(batch), sealer, source.identity, shed):
            if not is_told:
                log.warning("the spool is full: reading goes on when the centre has taken some of it")
                is_told = True
            _check(link)
            watch()
            if stop.wait(_FULL_WAIT_SECONDS):
                return spooled
        spooled += batch.events
    if source.identity:
        spool.finish_input(source.identity)
    return spooled


def drain(spool: Spool, link: Link, *, seconds: float, stop: threading.Event, watch: Watcher) -> bool:
    """Wait until the centre has everything, or this long without any progress; whether it has."""
    waiting_since, before = time.monotonic(), -1
    while (pending := spool.pending_batches()) or link.session.in_flight:
        _check(link)
        watch()
        if pending != before:
            waiting_since, before = time.monotonic(), pending
        if time.monotonic() - waiting_since > seconds or stop.wait(_DRAIN_LOOK_SECONDS):
            return False
    return True


def split(batch: Events) -> list[Pending]:
    """A batch by lanes, highest priority first."""
    first_us, last_us = (max(0, int(seconds * 1e6)) for seconds in (batch.first_seconds, batch.last_seconds))
    return [
        Pending(lane, count, ndjson, first_us, last_us)
        for lane in range(lanes.COUNT)
        for count, ndjson in _pieces(*batch.lane(lane))
    ]


def _pieces(count: int, ndjson: bytes) -> Iterator[tuple[int, bytes]]:
    """The lane in as few pieces as the bounds of a sealed batch allow; a line beyond them stays one piece."""
    if count <= MAX_EVENTS and len(ndjson) <= MAX_NDJSON_BYTES:
        if count:
            yield count, ndjson
        return
    piece: list[bytes] = []
    size = 0
    for line in ndjson.splitlines(keepends=True):
        if piece and (len(piece) == MAX_EVENTS or size + len(line) > MAX_NDJSON_BYTES):
            yield len(piece), b"".join(piece)
            piece, size = [], 0
        piece.append(line)
        size += len(line)
    yield len(piece), b"".join(piece)


@contextlib.contextmanager
def only_one(directory: Path) -> Iterator[None]:
    """Hold the sensor's directory: two runs over one spool would give the same numbers twice. UserError when
    it is held.
    """
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise UserError(
            "this sensor is running already", where=directory, fix="stop the other run first"
        ) from None
    finally:
        os.close(descriptor)


def _append(spool: Spool, pending: list[Pending], sealer: Sealer, identity: str, shed: bool) -> bool:
    try:
        spool.append(pending, sealer, input_id=identity, shed=shed)
    except SpoolFull as full:
        log.debug("waiting for the centre: %s", full)
        return False
    except sqlite3.OperationalError as error:
        # The disk is full or gone for a while: nothing was taken, and the link goes on making room.
        log.warning("the spool takes nothing: %s", error)
        time.sleep(_DISK_WAIT_SECONDS)
        return False
    except sqlite3.DatabaseError as error:
        raise UserError(
            f"the spool is damaged: {error}",
            where=spool.path,
            fix="start again: it is checked and repaired at the start",
        ) from error
    return True


def _check(link: Link) -> None:
    if link.failure is not None:
        raise UserError(
            f"the link to the centre ended: {link.failure}",
            fix="if the spool was put back from a copy, move spool.sqlite away; else see docs/spec/spool.md",
        )
