"""Segments: whole and as they were signed, or not taken."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.bus import exporting, segments
from sensor.bus.exporting import Item, Span, export
from sensor.bus.keys import SensorKeys
from sensor.bus.segments import BATCH, MESSAGE, Head, SegmentError, Verifiers, Writer, read
from sensor.errors import UserError

KEYS = SensorKeys.generate()
HEAD = Head(1, bytes(16), 0, "hanoi", KEYS.public().signer, bytes(8), 0, 0, 1)


def known(head: Head) -> Verifiers | None:
    return KEYS.public().verifiers() if head.signer == KEYS.public().signer else None


def write(directory: Path, keys: SensorKeys = KEYS) -> Path:
    with Writer(directory, HEAD, keys) as writer:
        writer.add(MESSAGE, b"hello")
        writer.add(BATCH, b"x" * 3000, 7)
        writer.add(BATCH, b"y" * 10, 2)
        writer.finish([5, 0], is_last=True)
    (path,) = directory.glob("*")
    return path


def test_a_segment_comes_out_as_it_went_in(tmp_path: Path) -> None:
    segment = read(write(tmp_path), known)
    assert segment.head == HEAD and [entry.kind for entry in segment.entries] == [MESSAGE, BATCH, BATCH]
    assert (segment.tail.batches, segment.tail.events, segment.tail.cursor) == (2, 9, [5, 0])
    assert segment.entries[1].content == b"x" * 3000


def test_every_cut_and_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path)
    whole = path.read_bytes()
    chance = random.Random(1)
    for size in [*range(60), *(chance.randrange(60, len(whole)) for _ in range(40)), len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(SegmentError):
            read(path, known)
    for place in [*range(60), *(chance.randrange(60, len(whole)) for _ in range(60))]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(SegmentError):
            read(path, known)
    path.write_bytes(whole + b"\0")
    with pytest.raises(SegmentError):
        read(path, known)


def test_both_signatures_must_be_the_exporters(tmp_path: Path) -> None:
    import msgspec

    other = SensorKeys.generate()
    for half in ("ed25519_seed", "mldsa65_seed"):
        directory = tmp_path / half
        directory.mkdir()
        forger = msgspec.structs.replace(KEYS, **{half: getattr(other, half)})
        with pytest.raises(SegmentError, match="changed"):
            read(write(directory, forger), known)
    (tmp_path / "x").mkdir()
    with pytest.raises(SegmentError, match="not known"):
        read(write(tmp_path / "x"), lambda _: None)


def test_what_is_no_plain_file_is_not_read(tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / "link.hdx").symlink_to(path)
    with pytest.raises(OSError, match="symbolic"):
        read(tmp_path / "link.hdx", known)
    os.mkfifo(tmp_path / "pipe.hdx")
    with pytest.raises(SegmentError, match="no file"):
        read(tmp_path / "pipe.hdx", known)
    with (tmp_path / "giant.hdx").open("wb") as file:
        file.truncate(segments.MAX_SEGMENT_BYTES + 1)
    with pytest.raises(SegmentError, match="more than"):
        read(tmp_path / "giant.hdx", known)


@given(st.binary(max_size=400))
@settings(max_examples=500)
def test_any_bytes_are_a_segment_or_an_error(data: bytes) -> None:
    for content in (data, b"HDX1" + data, b"HDX1\x00\x02\x90" + data):
        with contextlib.suppress(SegmentError):
            segments.parse(content)


@given(st.data())
@settings(max_examples=300)
def test_any_damage_to_the_parts_is_an_error_or_parts(data: st.DataObject) -> None:
    import msgspec

    head = msgspec.msgpack.encode(HEAD)
    tail = msgspec.msgpack.encode(segments.Tail(1, 1, [1], True))
    content = bytearray(
        b"HDX1"
        + len(head).to_bytes(2, "big")
        + head
        + b"\0\0\0\x03\x01abc"
        + bytes(5)
        + len(tail).to_bytes(2, "big")
        + tail
    )
    assert segments.parse(bytes(content))[2][0].content == b"abc"
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(SegmentError):
        segments.parse(bytes(content))


class Numbers:
    """A source of the numbers up to a bound that may move."""

    name = "hanoi"
    keys = KEYS
    recipient = bytes(8)
    meaning = b""

    def __init__(self, count: int) -> None:
        self.count = count
        self.fails_at = -1

    def items(self, cursor: Sequence[int], _: Span) -> Iterator[Item]:
        for number in range(cursor[0] if cursor else 0, self.count):
            if number == self.fails_at:
                raise OSError(28, "No space left on device")
            yield Item(BATCH, b"%d" % number + bytes(1000), 1, [number + 1])


def held(directory: Path) -> list[int]:
    found = []
    for path in sorted(directory.glob("*.hdx")):
        found += [int(entry.content.rstrip(b"\0")) for entry in read(path, known).entries]
    return found


def test_a_broken_export_is_gone_on_with_and_a_complete_one_is_added_to(tmp_path: Path) -> None:
    source = Numbers(50)
    chance = random.Random(3)
    for at in sorted(chance.sample(range(3, 50), 5)):
        source.fails_at = at
        with pytest.raises(OSError, match="space"):
            export(source, tmp_path, lambda: Span(1, 0), "7d", segment_bytes=5000)
        assert held(tmp_path) == list(range(len(held(tmp_path)))) and len(held(tmp_path)) <= at
        assert not list(tmp_path.glob(".*")), "nothing half written is left"
    source.fails_at = -1
    (tmp_path / f".{next(tmp_path.glob('*.hdx')).name}.0011.part").write_bytes(b"of a run that was killed")
    done = export(source, tmp_path, lambda: Span(9, 0), "7d", segment_bytes=5000)
    assert held(tmp_path) == list(range(50)) and done.before > 0 and not list(tmp_path.glob(".*"))
    assert {segments.read_head(path).since_us for path in tmp_path.glob("*.hdx")} == {1}, "as first resolved"
    again = export(source, tmp_path, lambda: Span(9, 0), "7d", segment_bytes=5000)
    assert (again.segments, again.batches) == (0, 0)
    source.count = 63
    more = export(source, tmp_path, lambda: Span(9, 0), "7d", segment_bytes=5000)
    assert more.batches == 13 and held(tmp_path) == list(range(63))
    tails = [read(path, known).tail.is_last for path in sorted(tmp_path.glob("*.hdx"))]
    assert tails[-1] and export(source, tmp_path, lambda: Span(9, 0), "all").batches == 63


def test_a_damaged_segment_is_said_and_not_built_upon(tmp_path: Path) -> None:
    export(Numbers(5), tmp_path, lambda: Span(0, 0), "")
    (path,) = tmp_path.glob("*.hdx")
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(UserError, match="no whole segment"):
        export(Numbers(5), tmp_path, lambda: Span(0, 0), "")


def test_the_source_that_ends_at_a_segments_end_is_complete(tmp_path: Path) -> None:
    source = Numbers(4)
    done = export(source, tmp_path, lambda: Span(0, 0), "", segment_bytes=2000)
    assert held(tmp_path) == [0, 1, 2, 3]
    last = sorted(tmp_path.glob("*.hdx"))[-1]
    assert read(last, known).tail.is_last and done.batches == 4
    assert isinstance(exporting.Span(0, 0), Span)
