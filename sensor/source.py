"""Where `haidang sensor run` takes its events from: captures through the engine, or lines that were written
before.

A source gives batches in an order that is the same every time it is read, so that a run that was killed can
leave out what it has already spooled. It must not look into events beyond their lane.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterator, Sequence, Set
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from sensor.bus import lanes
from sensor.bus.seal import MAX_NDJSON_BYTES
from sensor.errors import UserError, from_os_error

if TYPE_CHECKING:
    from sensor._engine import Ruleset

_BATCH_EVENTS = 1000
_BATCH_BYTES = (
    256 * 1024
)  # with _BATCH_EVENTS: sealing costs little per event, and a batch leaves within milliseconds
MAX_LINE_BYTES = MAX_NDJSON_BYTES - _BATCH_BYTES
_ENGINE_WAIT_SECONDS = 0.25
_IDENTITY_SAMPLE_BYTES = 64 * 1024
_TIMESTAMP = re.compile(rb'"timestamp"\s*:\s*"([0-9T:.+\-Z]{10,40})"')


class Events(Protocol):
    """A batch, as the engine gives it and every sink takes it (sensor._engine.Batch)."""

    @property
    def data(self) -> bytes: ...
    @property
    def events(self) -> int: ...
    def lane(self, lane: int) -> tuple[int, bytes]: ...
    def only(self, types: Set[str]) -> bytes | memoryview: ...
    @property
    def first_seconds(self) -> float: ...
    @property
    def last_seconds(self) -> float: ...


class Source(Protocol):
    """What `run` reads.

    identity: names the input and everything that decides about its events; '' when it cannot be read again.
    warnings: for people, complete once the batches are through.
    """

    identity: str
    what: str
    warnings: list[str]

    def batches(self) -> Iterator[Events | None]:
        """The batches in order; None whenever there is none yet, so that the caller can look around."""


class Lines:
    """A batch made of EVE lines: whole lines, each ending in a newline."""

    def __init__(self, lines: Sequence[bytes], timed: Events | None = None) -> None:
        self._lanes: list[list[bytes]] = [[] for _ in range(lanes.COUNT)]
        for line in lines:
            self._lanes[lanes.classify(line)].append(line)
        self.data = b"".join(lines)
        self.events = len(lines)
        self.first_seconds = timed.first_seconds if timed else _seconds(lines[0]) if lines else 0.0
        self.last_seconds = timed.last_seconds if timed else _seconds(lines[-1]) if lines else 0.0

    def lane(self, lane: int) -> tuple[int, bytes]:
        return len(self._lanes[lane]), b"".join(self._lanes[lane])

    def only(self, types: Set[str]) -> bytes:
        return b"".join(line for line in self.data.splitlines(keepends=True) if lanes.type_of(line) in types)


class CaptureSource:
    """Captures through the engine, with one worker: with more, the order of events would differ from run to
    run.
    """

    def __init__(self, paths: Sequence[str], config_json: str, ruleset: Ruleset) -> None:
        from sensor._engine import VERSION

        self.what = ", ".join(paths)
        self.identity = _identity("capture", paths, VERSION, ruleset.id, config_json)
        self.warnings: list[str] = []
        self._paths = paths
        self._config_json = config_json
        self._ruleset = ruleset

    def batches(self) -> Iterator[Events | None]:
        from sensor._engine import Replay

        replay = Replay(self._config_json, self._ruleset, self._paths, 1)
        try:
            while not replay.finished:
                yield replay.next_batch(_ENGINE_WAIT_SECONDS)
        finally:
            replay.stop()
            self.warnings += replay.warnings


class EventsSource:
    """EVE lines from files, or from standard input for `-` (which cannot be resumed, for nobody can read it
    again).
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self.what = ", ".join(paths)
        self.identity = "" if "-" in paths else _identity("events", paths)
        self.warnings: list[str] = []
        self._paths = paths

    def batches(self) -> Iterator[Events | None]:
        for path in self._paths:
            with ExitStack() as cleanup:
                try:
                    file: IO[bytes] = (
                        sys.stdin.buffer if path == "-" else cleanup.enter_context(Path(path).open("rb"))
                    )
                except OSError as error:
                    raise from_os_error(error, where=path) from error
                yield from self._read(file, path)

    def _read(self, file: IO[bytes], path: str) -> Iterator[Events]:
        gathered: list[bytes] = []
        size = number = refused = 0
        first_refused = 0
        while True:
            try:
                line = file.readline(MAX_LINE_BYTES + 1)
            except OSError as error:
                raise from_os_error(error, where=path) from error
            if not line:
                break
            number += 1
            if len(line) > MAX_LINE_BYTES:
                while line and not line.endswith(b"\n"):
                    line = file.readline(MAX_LINE_BYTES)
                line = b"too long"
            event = line.strip()
            if not event:
                continue
            if not (event.startswith(b"{") and event.endswith(b"}")) or b"\r" in event:
                refused += 1
                first_refused = first_refused or number
                continue
            gathered.append(event + b"\n")
            size += len(event) + 1
            if len(gathered) >= _BATCH_EVENTS or size >= _BATCH_BYTES:
                yield Lines(gathered)
                gathered, size = [], 0
        if gathered:
            yield Lines(gathered)
        if refused:
            self.warnings.append(
                f"{path}:{first_refused}: {refused} lines are no events (one JSON object a line) and "
                f"were left out"
            )


def without_first(batch: Events, skip: list[int]) -> Events:
    """The batch without the first skip[lane] events of each lane; skip is lowered by what was left out."""
    kept: list[bytes] = []
    for lane in range(lanes.COUNT):
        count, ndjson = batch.lane(lane)
        if not count:
            continue
        leave_out = min(skip[lane], count)
        skip[lane] -= leave_out
        kept += ndjson.splitlines(keepends=True)[leave_out:]
    return Lines(kept, batch)


def _identity(kind: str, paths: Sequence[str], *rest: str) -> str:
    digest = hashlib.sha256(kind.encode())
    for path in paths:
        try:
            for name in sorted(Path(path).rglob("*")) if Path(path).is_dir() else [Path(path)]:
                if name.is_file():
                    _add_file(digest, name)
        except OSError as error:
            raise from_os_error(error, where=path) from error
        if not Path(path).exists():
            raise UserError("no such file", where=path, fix="check the name")
    for part in rest:
        digest.update(b"\0" + part.encode())
    return digest.hexdigest()


def _add_file(digest: hashlib._Hash, path: Path) -> None:
    """Name, size, start and end of a file: enough to tell captures apart without reading all of a
    large one.
    """
    with path.open("rb") as file:
        size = path.stat().st_size
        digest.update(
            b"\0" + str(path.resolve()).encode(errors="surrogateescape") + b"\0" + str(size).encode() + b"\0"
        )
        digest.update(file.read(_IDENTITY_SAMPLE_BYTES))
        if size > _IDENTITY_SAMPLE_BYTES:
            file.seek(max(size - _IDENTITY_SAMPLE_BYTES, _IDENTITY_SAMPLE_BYTES))
            digest.update(file.read(_IDENTITY_SAMPLE_BYTES))


def _seconds(line: bytes) -> float:
    found = _TIMESTAMP.search(line)
    try:
        return max(0.0, datetime.fromisoformat(found.group(1).decode()).timestamp()) if found else 0.0
    except (ValueError, OverflowError, OSError):
        return 0.0
