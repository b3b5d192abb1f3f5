"""Payload put back in order: TCP segments by sequence number, fragments by offset, with where every byte lies
in the file, so that what is split over packets is found and can be changed where it lies.

This is for looking for names, not for detection: bytes that are sent twice and differ stand for themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from sensor.pcap.found import Flow, Payload

MAX_RUN_BYTES = 8 << 20  # a longer run is handed out in windows
OVERLAP_BYTES = 4096  # what windows share: longer than any name
_FAR_BYTES = 64 << 20  # a sequence number this far from the last one begins another connection
_32_BITS = 1 << 32


class Piece(NamedTuple):
    """Bytes of one packet: where they stand in the stream, and where in the file."""

    position: int
    offset: int
    length: int


class Stretch(NamedTuple):
    """Contiguous payload: its flow, the pieces it is made of in order, the position of its first byte."""

    flow: Flow
    position: int
    pieces: list[Piece]


@dataclass(slots=True)
class _Connection:
    base: int
    last: int = 0
    pieces: list[Piece] = field(default_factory=list)


class Streams:
    """All segments and fragments of a capture; about 150 bytes each."""

    def __init__(self) -> None:
        self._tcp: dict[Flow, _Connection] = {}
        self._done: list[tuple[Flow, list[Piece]]] = []
        self._fragments: dict[tuple[Flow, int], list[Piece]] = {}

    def add(self, payload: Payload, packet_offset: int) -> None:
        """Note one payload of kind tcp or fragment."""
        flow, offset, length = payload.flow, packet_offset + payload.start, payload.end - payload.start
        if flow is None:
            return
        if payload.kind == "fragment":
            pieces = self._fragments.setdefault((flow, payload.identity), [])
            pieces.append(Piece(payload.position, offset, length))
            return
        position = payload.position + payload.starts_stream
        connection = self._tcp.get(flow)
        if connection is None:
            connection = self._tcp[flow] = _Connection(position)
        place = _near(position - connection.base, connection.last)
        if abs(place - connection.last) > _FAR_BYTES:
            self._done.append((flow, connection.pieces))
            connection = self._tcp[flow] = _Connection(position)
            place = 0
        connection.last = place + length
        connection.pieces.append(Piece(place, offset, length))

    def tcp(self, data: memoryview) -> Iterator[Stretch]:
        """The contiguous stretches of all connections."""
        for flow, pieces in [*self._done, *((flow, c.pieces) for flow, c in self._tcp.items())]:
            yield from _stretches(flow, pieces, data)

    def fragments(self, data: memoryview) -> Iterator[Stretch]:
        """The contiguous stretches of all fragmented datagrams."""
        for (flow, _), pieces in self._fragments.items():
            yield from _stretches(flow, pieces, data)


def bytes_of(stretch: Stretch, data: memoryview) -> bytes:
    """The payload of a stretch."""
    made = bytearray()
    for piece in stretch.pieces:
        skip = len(made) - (piece.position - stretch.position)
        if skip < piece.length:
            made += data[piece.offset + skip : piece.offset + piece.length]
    return bytes(made)


def write_back(stretch: Stretch, image: bytes, out: memoryview) -> None:
    """Put changed payload where every copy of it lies."""
    for piece in stretch.pieces:
        at = piece.position - stretch.position
        out[piece.offset : piece.offset + piece.length] = image[at : at + piece.length]


def _near(difference: int, last: int) -> int:
    """A position modulo 2^32 as the whole number nearest to the last one."""
    return last + (difference - last + _32_BITS // 2) % _32_BITS - _32_BITS // 2


def _stretches(flow: Flow, pieces: list[Piece], data: memoryview) -> Iterator[Stretch]:
    run: list[Piece] = []
    run_bytes = bytearray()
    start = 0
    for piece in sorted(pieces):
        at = piece.position - start
        if run and at <= len(run_bytes):
            shared = min(len(run_bytes) - at, piece.length)
            mine = data[piece.offset : piece.offset + piece.length]
            if run_bytes[at : at + shared] != mine[:shared]:
                yield Stretch(flow, piece.position, [piece])  # the same place with other bytes
                continue
            run.append(piece)
            run_bytes += mine[shared:]
            if len(run_bytes) >= MAX_RUN_BYTES:
                yield Stretch(flow, start, run)
                kept_from = start + len(run_bytes) - OVERLAP_BYTES
                run = [one for one in run if one.position + one.length > kept_from]
                start = min(one.position for one in run)
                run_bytes = bytearray(bytes_of(Stretch(flow, start, run), data))
            continue
        if run:
            yield Stretch(flow, start, run)
        run, start = [piece], piece.position
        run_bytes = bytearray(data[piece.offset : piece.offset + piece.length])
    if run:
        yield Stretch(flow, start, run)
