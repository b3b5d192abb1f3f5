"""A log file that holds whole lines only, whatever the disk does. It must not know what the lines mean."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Mapping
from pathlib import Path

from sensor.config.interval import Interval, read_interval
from sensor.config.values import Json
from sensor.errors import UserError, from_os_error

MOVED = r"\.\d{8}-\d{6}-\d{6}"
"""What is behind the name of a file that was moved aside."""
_DATED = re.compile(r"%([A-Za-z%])")
_SHAPES = {"%": "%", **dict.fromkeys("YmdHMSsjyeIU", r"\d+"), "F": r"\d+-\d\d-\d\d", "T": r"\d\d:\d\d:\d\d"}
NEW_FILE_MODE = 0o640  # events name people and machines: not for everyone


class LogFile:
    """One output file. Every call raises UserError when the system refuses."""

    def __init__(self, path: Path, *, append: bool, every: Interval | None = None) -> None:
        """path: its name may hold the time at which it is opened, as in `eve-%Y-%m-%d.json` (strftime(3)).
        every: how often a live capture begins a new file.
        """
        self.path = self._named = path
        self.rotated = 0
        self.lost_lines = 0
        self._append = append
        self._fd = -1
        self._size = 0
        self._rotate_bytes = 0
        self._every = every
        self._rotate_at = float("inf")
        self._goes_on = self._is_held = self._must_rotate = self._is_regular = False

    @classmethod
    def of(cls, section: Mapping[str, Json], folder: Path, name: str) -> LogFile:
        """The file of an output's section; name: its usual one."""
        interval = section.get("rotate-interval")
        return cls(
            folder / str(section.get("filename", name)),
            append=bool(section.get("append", True)),
            every=None if interval is None else read_interval(str(interval)),
        )

    def open(self) -> None:
        """Open, or make, the file; without append what it held is gone."""
        if self._is_dated:
            self.path = self._named.with_name(time.strftime(self._named.name))
        start = os.O_APPEND if self._append else os.O_TRUNC | os.O_APPEND
        try:
            self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | start, NEW_FILE_MODE)
        except OSError as error:
            raise from_os_error(error, where=self.path, fix="choose another directory with -l") from None
        status = os.fstat(self._fd)
        self._is_regular = stat.S_ISREG(status.st_mode)
        self._size = status.st_size if self._is_regular else 0

    @property
    def _is_dated(self) -> bool:
        return _DATED.search(self._named.name) is not None

    def is_over(self, name: str) -> bool:
        """Whether a file of this name in the same folder was one of ours, and is written no more."""
        dated = "".join(
            re.escape(part) if n % 2 == 0 else _SHAPES.get(part, r"[A-Za-z0-9:+-]+")
            for n, part in enumerate(_DATED.split(self._named.name))
        )
        moved = f"({MOVED})?" if self._is_dated else MOVED
        return name != self.path.name and re.fullmatch(dated + moved, name) is not None

    def keep_on(self, rotate_bytes: int) -> None:
        """From now on lines that the disk refuses are lost and counted instead of an error, and a file of so
        many bytes (0: of any size) is moved aside, and so is one whose time is over.
        """
        self._goes_on, self._rotate_bytes = True, rotate_bytes
        self._set_time()

    def hold(self, is_held: bool) -> None:
        """While held, lines are lost and counted, and what the file has is moved aside, so that it can go:
        the disk has no room. From any thread.
        """
        self._is_held = is_held

    def write(self, lines: bytes | memoryview) -> None:
        """Append whole lines. When the disk fills up, what fits stays, up to the end of a line."""
        if self._fd < 0 and not self._must_rotate:
            raise UserError("written to after it was closed", where=self.path)
        if self._must_rotate or (self._is_held and self._size and self._is_regular):
            self._rotate()
        elif time.time() >= self._rotate_at:
            self._set_time()
            if self._size and self._is_regular:
                self._rotate()
        if self._is_held or self._fd < 0:
            self.lost_lines += bytes(lines).count(b"\n")
            return
        rest = memoryview(lines)
        written = 0
        try:
            while rest:
                count = os.write(self._fd, rest)
                written += count
                rest = rest[count:]
        except BaseException as fault:  # also when the user interrupts between two writes
            text = bytes(lines)
            whole = text.rfind(b"\n", 0, written) + 1
            self._cut_partial_line(written - whole)
            if isinstance(fault, OSError) and self._goes_on:
                self.lost_lines += text.count(b"\n", whole)
                return
            if isinstance(fault, OSError):
                raise from_os_error(fault, where=self.path) from None
            raise
        self._size += written
        if self._rotate_bytes and self._size >= self._rotate_bytes and self._is_regular:
            self._rotate()

    def _set_time(self) -> None:
        if self._every is not None:
            self._rotate_at = self._every.after(time.time())

    def _rotate(self) -> None:
        """Move the file aside, to its name and the time, and go on in a new one, once there can be one."""
        if not self._must_rotate and not self._is_next():
            name = f"{self.path.name}.{time.strftime('%Y%m%d-%H%M%S')}-{self.rotated:06d}"
            try:
                self.path.rename(self.path.with_name(name))
            except OSError:
                self._rotate_bytes = 0  # it grows on; the quota says what that comes to
                return
        if not self._must_rotate:
            self.rotated += 1
        try:
            self.reopen()
            self._must_rotate = False
        except UserError:
            self._must_rotate = True

    def _is_next(self) -> bool:
        """Whether the file that is opened next has a name of its own."""
        return self._is_dated and time.strftime(self._named.name) != self.path.name

    def reopen(self) -> None:
        """Close and open again by name, never emptying the file: logrotate may have moved it, or not."""
        self.close()
        self._append = True
        self.open()

    def close(self) -> None:
        """Close; what the system could not write until now is an error here."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            try:
                os.close(fd)
            except OSError as error:
                raise from_os_error(error, where=self.path) from None

    def _cut_partial_line(self, partial: int) -> None:
        status = os.fstat(self._fd)
        if partial and stat.S_ISREG(status.st_mode):
            os.ftruncate(self._fd, status.st_size - partial)
