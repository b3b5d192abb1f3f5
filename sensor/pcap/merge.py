"""Several captures as one stream of packets in the order of time, read side by side."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from contextlib import ExitStack

from sensor.errors import UserError
from sensor.pcap.files import CaptureFile, Packet

MAX_FILES = 500  # open at a time: below the usual limit of a process


def merged(paths: list[str], problems: list[str]) -> Iterator[Packet]:
    """The packets of all captures by time; at the same time those of the earlier file first. A capture that
    is not in order itself stays so. What was wrong with a file is added to problems."""
    if len(paths) > MAX_FILES:
        raise UserError(f"{len(paths)} captures are too many at once", fix=f"merge {MAX_FILES} at a time")
    with ExitStack() as opened:
        captures = [opened.enter_context(CaptureFile(path)) for path in paths]
        yield from heapq.merge(*map(_in_turn, captures), key=lambda packet: packet.time_ns)
        for capture in captures:
            problems += [f"{capture.path}: {problem}" for problem in capture.problems]


def _in_turn(packets: Iterable[Packet]) -> Iterator[Packet]:
    return iter(packets)
