"""A wall clock that a test moves: seconds in the file $HAIDANG_TEST_CLOCK are added to this process's time.

Put first on PYTHONPATH of the processes that are to live by it; the monotonic clock stays true, as after
someone set the date.
"""

import mmap
import os
import struct
import time
from pathlib import Path

if path := os.environ.get("HAIDANG_TEST_CLOCK"):
    with Path(path).open("r+b") as file:
        moved = mmap.mmap(file.fileno(), 8)
    true_time, true_time_ns = time.time, time.time_ns

    def _seconds():
        return struct.unpack("<q", moved[:8])[0]

    time.time = lambda: true_time() + _seconds()
    time.time_ns = lambda: true_time_ns() + _seconds() * 1_000_000_000
