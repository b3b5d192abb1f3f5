"""Damage done to captures on purpose, the same on every run: what `mutants.py` feeds to the engine.

A mutant is a copy of a capture's packets in which packets are dropped, doubled, reordered, shuffled or cut,
and bytes of one layer (link, IP, transport, payload) flipped, set to extremes, removed, repeated or inserted.
Checksums are left wrong: the engine is run without them. Which damage is done follows from seed, capture and
number alone.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dpkt

Packet = tuple[float, bytes]  # seconds since 1970, frame
Capture = tuple[int, list[Packet]]  # link type (libpcap's number), packets

PACKETS_MAX = 400  # of a capture that go into a mutant: a window, at random, of the larger ones
GAP_SECONDS = 14_400.0  # between mutants in one file: longer than any flow timeout, so that they do not meet
SPAN_SECONDS = 3_600.0  # a mutant's own time at most
EXTREMES = (b"\x00", b"\x01", b"\x7f", b"\x80", b"\xff", b"\x00\x00", b"\x7f\xff", b"\xff\xff", b"\xff" * 4)
LINK_BYTES = {0: 4, 1: 14, 12: 0, 14: 0, 101: 0, 108: 4, 113: 16, 228: 0, 229: 0, 276: 20}
VLAN_TYPES = (0x8100, 0x88A8, 0x9100)


def read(path: Path) -> Capture | None:
    """A capture's packets; None when dpkt cannot read it or it has none."""
    packets: list[Packet] = []
    try:
        with path.open("rb") as file:
            reader = dpkt.pcap.UniversalReader(file)
            link_type = int(reader.datalink())
            for ts, frame in reader:
                packets.append((float(ts), bytes(frame)))
    except (ValueError, dpkt.Error, struct.error, OverflowError):
        pass  # cut short somewhere: what came before counts
    return (link_type, packets) if packets else None


def layers(link_type: int, frame: bytes) -> list[tuple[int, int]]:
    """(begin, end) of link, IP, transport and payload as far as they can be told without effort."""
    at = LINK_BYTES.get(link_type, 14)
    if link_type == 1:
        while len(frame) >= at and int.from_bytes(frame[at - 2 : at], "big") in VLAN_TYPES:
            at += 4
    found = [(0, at)]
    if len(frame) <= at:
        return [(0, len(frame))]
    version = frame[at] >> 4
    if version == 4 and len(frame) >= at + 20:
        transport, protocol = at + (frame[at] & 15) * 4, frame[at + 9]
    elif version == 6 and len(frame) >= at + 40:
        transport, protocol = at + 40, frame[at + 6]
    else:
        return [*found, (at, len(frame))]
    found.append((at, min(transport, len(frame))))
    header = 8
    if protocol == 6 and len(frame) > transport + 12:
        header = (frame[transport + 12] >> 4) * 4
    payload = min(transport + header, len(frame))
    if transport < len(frame):
        found.append((transport, payload))
    if payload < len(frame):
        found.append((payload, len(frame)))
    return found


def with_true_length(link_type: int, frame: bytes) -> bytes:
    """The frame with IP's (and UDP's) length fields made right, so that a change of size is seen at all."""
    parts = layers(link_type, frame)
    if len(parts) < 2:
        return frame
    out, at = bytearray(frame), parts[1][0]
    size = min(len(frame) - at, 0xFFFF)
    if frame[at] >> 4 == 4 and len(frame) >= at + 20:
        struct.pack_into(">H", out, at + 2, size)
        protocol = frame[at + 9]
    elif frame[at] >> 4 == 6 and len(frame) >= at + 40:
        struct.pack_into(">H", out, at + 4, max(size - 40, 0))
        protocol = frame[at + 6]
    else:
        return frame
    if protocol == 17 and len(parts) > 2 and len(frame) >= parts[2][0] + 8:
        struct.pack_into(">H", out, parts[2][0] + 4, min(len(frame) - parts[2][0], 0xFFFF))
    return bytes(out)


def _flip(part: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        part[rng.randrange(len(part))] ^= 1 << rng.randrange(8)


def _extreme(part: bytearray, rng: random.Random) -> None:
    value, at = rng.choice(EXTREMES), rng.randrange(len(part))
    part[at : at + len(value)] = value[: len(part) - at]


def _any_byte(part: bytearray, rng: random.Random) -> None:
    part[rng.randrange(len(part))] = rng.randrange(256)


def _remove(part: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(part))
    del part[at : at + rng.choice((1, 2, 4, 16, 64))]


def _repeat(part: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(part))
    piece = part[at : at + rng.choice((1, 2, 4, 16, 64, 256))]
    part[at:at] = piece * rng.choice((1, 1, 2, 8))


def _insert(part: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(part) + 1)
    part[at:at] = rng.randbytes(rng.choice((1, 2, 3, 4, 16, 64)))


def _cut(part: bytearray, rng: random.Random) -> None:
    del part[rng.randrange(len(part)) :]


def _swap_pieces(part: bytearray, rng: random.Random) -> None:
    one, two = sorted((rng.randrange(len(part)), rng.randrange(len(part))))
    size = min(rng.choice((1, 2, 4, 16)), two - one, len(part) - two)
    part[one : one + size], part[two : two + size] = part[two : two + size], part[one : one + size]


def _zero(part: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(part))
    size = min(rng.choice((4, 16, 64, 256)), len(part) - at)
    part[at : at + size] = bytes(size)


_BYTES: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flip, _flip, _extreme, _extreme, _any_byte, _remove, _repeat, _insert, _cut, _swap_pieces, _zero,
)  # fmt: skip


def damage_bytes(link_type: int, frame: bytes, rng: random.Random) -> bytes:
    """One change within one layer of a frame; payloads, where the parsers are, get half of them."""
    if not frame:
        return frame
    parts = layers(link_type, frame)
    begin, end = parts[-1] if rng.random() < 0.5 else rng.choice(parts)
    part = bytearray(frame[begin:end])
    if not part:
        return frame
    rng.choice(_BYTES)(part, rng)
    changed = frame[:begin] + bytes(part) + frame[end:]
    if len(changed) != len(frame) and rng.random() < 0.7:
        changed = with_true_length(link_type, changed)
    return changed[:65_535]


def damage_order(frames: list[bytes], rng: random.Random) -> list[bytes]:
    """One change of which packets there are, and in what order."""
    at, other = rng.randrange(len(frames)), rng.randrange(len(frames))
    run = frames[at : at + rng.choice((1, 1, 2, 8, 32))]
    rest = frames[:at] + frames[at + len(run) :]
    what = rng.randrange(7)
    if what == 0:  # drop
        return rest or frames
    if what == 1:  # double
        return frames[:at] + run * rng.choice((1, 1, 4)) + frames[at:]
    if what == 2:  # move
        return rest[:other] + run + rest[other:]
    if what == 3:  # turn round
        return frames[:at] + run[::-1] + frames[at + len(run) :]
    if what == 4:  # shuffle all
        return rng.sample(frames, len(frames))
    if what == 5:  # cut the end off
        return frames[: at + 1]
    return frames[at:]  # begin in the middle


def mutant(capture: Capture, label: str) -> list[Packet]:
    """The mutant of a capture that `label` (seed, capture, number) stands for; times begin at 0."""
    rng = random.Random(label)
    link_type, packets = capture
    first = rng.randrange(max(len(packets) - PACKETS_MAX, 0) + 1) if rng.random() < 0.5 else 0
    window = packets[first : first + PACKETS_MAX]
    frames = [frame for _, frame in window]
    times = [min(max(ts - window[0][0], 0.0), SPAN_SECONDS) for ts, _ in window]
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
        frames = damage_order(frames, rng)
    for _ in range(rng.choice((1, 1, 2, 4, 8, 32))):
        at = rng.randrange(len(frames))
        frames[at] = damage_bytes(link_type, frames[at], rng)
    return [(times[min(i, len(times) - 1)], frame) for i, frame in enumerate(frames)]


def damage_file(data: bytes, label: str) -> bytes:
    """A capture file damaged as a file: its headers and record lengths too."""
    rng = random.Random(label)
    out = bytearray(data[: 256 * 1024])
    head = bytearray(out[:256]) if rng.random() < 0.7 else out
    if head:
        rng.choice(_BYTES)(head, rng)
    return bytes(head if head is out else head + out[256:])


def write(path: Path, link_type: int, mutants: list[list[Packet]], number: int = 0) -> int:
    """Writes mutants one after another, each GAP_SECONDS after the last began, from the place `number` on.

    Returns the bytes of the file."""
    with path.open("wb") as file:
        writer: Any = dpkt.pcap.Writer(file, snaplen=262_144, linktype=link_type)
        for place, packets in enumerate(mutants, start=number + 1):
            for ts, frame in packets:
                writer.writepkt(frame, ts=place * GAP_SECONDS + ts)
    return path.stat().st_size
