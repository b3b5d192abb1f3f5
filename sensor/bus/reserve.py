"""Disk space held back beside the spool, for the moment when the disk is full.

To give out a batch and to forget one that was delivered, the spool must write. Without space for that, a full
disk would stay full: nothing could leave. The reserve is let go when the disk refuses, and taken again before
anything new is spooled.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

RESERVE_BYTES = 16 * 1024 * 1024  # twice what the write-ahead log may hold before it is merged
_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE)


class Reserve:
    """A file of nothing, as large as what may be needed. Size 0: none is held, and nothing is done."""

    def __init__(self, path: Path, size: int = RESERVE_BYTES) -> None:
        self._path = path
        self._size = size
        self._is_let_go = False

    def take(self) -> bool:
        """Have the space, on the disk itself; whether it is there."""
        self._is_let_go = bool(self._size) and not self._allocate()
        return not self._is_let_go

    def is_tight(self) -> bool:
        """Whether the disk refused and still has no room for the reserve; then nothing may grow."""
        return self._is_let_go and not self.take()

    def refused(self, error: BaseException, database: sqlite3.Connection) -> None:
        """A transaction ended with this error. If the disk is full: let the reserve go and merge the log, so
        that the next one finds room.
        """
        if not isinstance(error, sqlite3.OperationalError) or error.sqlite_errorcode not in _FULL:
            return
        if self._size:
            self._is_let_go = True
            self.let_go()
            with contextlib.suppress(sqlite3.Error):
                database.execute("PRAGMA wal_checkpoint(RESTART)")

    def let_go(self) -> None:
        """Give the space back to the disk."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _allocate(self) -> bool:
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError:
            return False
        try:
            os.posix_fallocate(descriptor, 0, self._size)
        except OSError:
            os.ftruncate(descriptor, 0)
            return False
        finally:
            os.close(descriptor)
        return True
