"""A log file that holds whole lines only, whatever the disk does. It must not know what the lines mean."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from sensor.errors import UserError, from_os_error

NEW_FILE_MODE = 0o640  # events name people and machines: not for everyone


class LogFile:
    """One output file. Every call raises UserError when the system refuses."""

    def __init__(self, path: Path, *, append: bool) -> None:
        self.path = path
        self._append = append
        self._fd = -1

    def open(self) -> None:
        """Open, or make, the file; without append what it held is gone."""
        start = os.O_APPEND if self._append else os.O_TRUNC | os.O_APPEND
        try:
            self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | start, NEW_FILE_MODE)
        except OSError as error:
            raise from_os_error(error, where=self.path, fix="choose another directory with -l") from None

    def write(self, lines: bytes) -> None:
        """Append whole lines. When the disk fills up, what fits stays, up to the end of a line."""
        if self._fd < 0:
            raise UserError("written to after it was closed", where=self.path)
        rest = memoryview(lines)
        written = 0
        try:
            while rest:
                count = os.write(self._fd, rest)
                written += count
                rest = rest[count:]
        except BaseException as fault:  # also when the user interrupts between two writes
            self._cut_partial_line(lines, written)
            if isinstance(fault, OSError):
                raise from_os_error(fault, where=self.path) from None
            raise

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

    def _cut_partial_line(self, lines: bytes, written: int) -> None:
        partial = written - (lines.rfind(b"\n", 0, written) + 1)
        status = os.fstat(self._fd)
        if partial and stat.S_ISREG(status.st_mode):
            os.ftruncate(self._fd, status.st_size - partial)
