"""The texts of batches that ingest has opened, kept until the filler takes them: to open a batch a second
time costs as much as a quarter of all its checks.

Nothing depends on it. What is not here any more is opened from the journal again.
"""

from __future__ import annotations

import threading
from collections import deque

MAX_BYTES = 64 * 1024 * 1024  # of records and texts: some seconds of the highest rate


class Handover:
    """Texts by the bytes of their records, so that a text can only be that of its record; the oldest leave
    first. Safe for several threads.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._texts: dict[bytes, bytes] = {}
        self._order: deque[bytes] = deque()
        self._bytes = 0

    def put(self, record: bytes, ndjson: bytes) -> None:
        """Keep the text of a record that was verified."""
        with self._lock:
            if record in self._texts:
                return
            self._texts[record] = ndjson
            self._order.append(record)
            self._bytes += len(record) + len(ndjson)
            while self._bytes > self._max_bytes:
                self._remove(self._order[0])

    def take(self, record: bytes) -> bytes | None:
        """The text, which is forgotten with that; None when it is not here."""
        with self._lock:
            return self._remove(record)

    def _remove(self, record: bytes) -> bytes | None:
        text = self._texts.pop(record, None)
        if text is not None:
            self._bytes -= len(record) + len(text)
        # Taken in the order they came, but for those that nobody takes.
        while self._order and self._order[0] not in self._texts:
            self._order.popleft()
        return text
