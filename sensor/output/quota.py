"""Keeps what a live capture writes within bounds: log files are moved aside when they are large; the oldest
of what was moved aside and of the stored files go when all together, or the file system, would be too full.
What goes is counted. Logs that other programs moved are left alone.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sensor.config import Config
from sensor.output.file import LogFile

ROTATE_BYTES = 1 << 30
FREE_PERCENT = 5
LOOK_SECONDS = 5.0
LOOK_PAUSE_SHARE = 20
"""A look at very many stored files takes long: then there is this many times its length between two."""
_TOTAL_SHARE = 8  # no current log is larger than this part of the total: else nothing could be deleted


@dataclass(frozen=True, slots=True)
class Bounds:
    """rotate_bytes: of one log file. total_bytes: of all that is written; 0 for no bound. free_percent: of
    the file system.
    """

    rotate_bytes: int = ROTATE_BYTES
    total_bytes: int = 0
    free_percent: int = FREE_PERCENT

    @staticmethod
    def of(config: Config) -> Bounds:
        """The bounds that the configuration asks for."""

        def number(name: str, default: int) -> int:
            value = config.get(f"haidang.logs.{name}")
            return value if isinstance(value, int) else default

        total = number("total", 0)
        rotate = number("rotate-size", ROTATE_BYTES)
        if total:
            rotate = min(rotate or total, max(1, total // _TOTAL_SHARE))
        return Bounds(rotate, total, number("keep-free", FREE_PERCENT))


class Quota(threading.Thread):
    """Looks now and then, on a thread of its own. files: the logs that are written; stores: folders of stored
    files.
    """

    def __init__(self, bounds: Bounds, files: Sequence[LogFile], stores: Sequence[Path]) -> None:
        super().__init__(name="log-quota", daemon=True)
        self.deleted_files = self.deleted_bytes = self.used_bytes = self.failures = 0
        self._bounds, self._files, self._stores = bounds, files, stores
        self._ended = threading.Event()
        for file in files:
            file.keep_on(bounds.rotate_bytes)

    def close(self) -> None:
        """No more looks."""
        self._ended.set()
        if self.is_alive():
            self.join()

    def run(self) -> None:
        pause = 0.0
        while not self._ended.wait(pause):
            begun = time.monotonic()
            self.keep()
            pause = max(LOOK_SECONDS, (time.monotonic() - begun) * LOOK_PAUSE_SHARE)

    def keep(self) -> None:
        """One look: delete what has to go, oldest first; when that is not enough, logs are given up until
        there is room.
        """
        current = sum(_size(file.path) for file in self._files)
        candidates = sorted(self._deletable())
        used = current + sum(size for _, size, _ in candidates)
        excess = max(self._over_total(used), self._short_of_free())
        for _, size, path in candidates:
            if excess <= 0:
                break
            try:
                path.unlink()
            except OSError:
                self.failures += 1
                continue
            self.deleted_files += 1
            self.deleted_bytes += size
            used -= size
            excess -= size
        self.used_bytes = used
        for file in self._files:
            file.hold(excess > 0)

    def counters(self) -> Mapping[str, int]:
        """For the stats event."""
        return {
            "haidang.logs.bytes": self.used_bytes,
            "haidang.logs.rotated": sum(file.rotated for file in self._files),
            "haidang.logs.deleted_files": self.deleted_files,
            "haidang.logs.deleted_bytes": self.deleted_bytes,
            "haidang.logs.delete_failures": self.failures,
            "haidang.logs.lost_lines": sum(file.lost_lines for file in self._files),
        }

    def _over_total(self, used: int) -> int:
        return used - self._bounds.total_bytes if self._bounds.total_bytes else 0

    def _short_of_free(self) -> int:
        short = 0
        for folder in {file.path.parent for file in self._files} | set(self._stores):
            try:
                usage = shutil.disk_usage(folder)
            except OSError:
                continue
            short = max(short, usage.total * self._bounds.free_percent // 100 - usage.free)
        return short

    def _deletable(self) -> Iterator[tuple[float, int, Path]]:
        """(time, bytes, path) of each moved log and stored file."""
        for file in self._files:
            for entry in _entries(file.path.parent):
                if file.is_over(entry.name):
                    yield from _facts(entry)
        for store in self._stores:
            for folder in _entries(store):
                if folder.is_dir(follow_symlinks=False):
                    for entry in _entries(folder.path):
                        yield from _facts(entry)


def _entries(folder: Path | str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _facts(entry: os.DirEntry[str]) -> Iterator[tuple[float, int, Path]]:
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return  # gone in between
    if entry.is_file(follow_symlinks=False):
        yield status.st_mtime, status.st_blocks * 512, Path(entry.path)


def _size(path: Path) -> int:
    try:
        return path.stat().st_blocks * 512
    except OSError:
        return 0
