"""Captures are read by their headers to the first damage, and joined the same way on every run."""

from __future__ import annotations

import struct
from pathlib import Path

import captures
import dpkt
import join
import pytest
from captures import ETHERNET, Record

ROOT = Path(__file__).resolve().parents[2]
SECOND = 10**9


def block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(f"{order}I", len(body) + 12)
    return struct.pack(f"{order}I", kind) + size + body + size


def section(order: str) -> bytes:
    return block(order, 0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(order: str, link_type: int, options: bytes = b"") -> bytes:
    return block(order, 1, struct.pack(f"{order}HHI", link_type, 0, 0) + options)


def enhanced(order: str, which: int, units: int, frame: bytes) -> bytes:
    head = struct.pack(f"{order}IIIII", which, units >> 32, units & 0xFFFFFFFF, len(frame), len(frame) + 1)
    return block(order, 6, head + frame)


def made(folder: Path, name: str, times: list[float], mark: bytes = b"x", link_type: int = ETHERNET) -> Path:
    path = folder / name
    with path.open("wb") as file:
        writer = dpkt.pcap.Writer(file, linktype=link_type)
        for ts in times:
            writer.writepkt(mark * 60, ts=ts)
    return path


def frames(path: Path) -> list[tuple[float, bytes]]:
    return [
        (record.time_ns / SECOND - join.FIRST_NS / SECOND, record.data[:1])
        for record in captures.records(path)
    ]


def test_records_are_those_another_reader_finds() -> None:
    for path in sorted((ROOT / "pcaps").glob("*.pcap")):
        with path.open("rb") as file:
            reader = dpkt.pcap.Reader(file)
            expected = [(reader.datalink(), round(ts * 1e6), frame) for ts, frame in reader]
        found = [(r.link_type, r.time_ns // 1000, r.data) for r in captures.records(path)]
        assert found == expected, path


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_has_interfaces_resolutions_and_sections(tmp_path: Path, order: str) -> None:
    nanoseconds = struct.pack(f"{order}HH", 9, 1) + b"\x09\0\0\0"
    halves = struct.pack(f"{order}HH", 9, 1) + b"\x81\0\0\0"
    later = struct.pack(f"{order}HHq", 14, 8, 1000)
    path = tmp_path / "x.pcapng"
    path.write_bytes(
        section(order)
        + interface(order, 1, nanoseconds)
        + interface(order, 101, halves + later)
        + block(order, 5, bytes(12))  # statistics: not a packet
        + enhanced(order, 0, 5 * SECOND + 7, b"one")
        + enhanced(order, 1, 3, b"two")
        + block(order, 3, struct.pack(f"{order}I", 5) + b"three")
        + section(order)
        + interface(order, 113)
        + enhanced(order, 0, 2_000_000, b"four")
    )
    assert list(captures.records(path)) == [
        Record(1, 5 * SECOND + 7, 4, b"one"),
        Record(101, 1001 * SECOND + SECOND // 2, 4, b"two"),
        Record(1, 1001 * SECOND + SECOND // 2, 5, b"three"),
        Record(113, 2 * SECOND, 5, b"four"),
    ]


@pytest.mark.parametrize("name", ["http-get.pcap", "link-mixed.pcapng"])
def test_any_cut_of_a_capture_gives_a_beginning_of_its_records(tmp_path: Path, name: str) -> None:
    data = (ROOT / "pcaps" / name).read_bytes()
    whole = list(captures.records(ROOT / "pcaps" / name))
    assert whole
    cut = tmp_path / "cut"
    for size in range(0, len(data), 7):
        cut.write_bytes(data[:size])
        found = list(captures.records(cut))
        assert found == whole[: len(found)]
    assert len(found) >= len(whole) - 1


def test_what_is_damaged_ends_the_reading(tmp_path: Path) -> None:
    path = made(tmp_path, "x.pcap", [1.0, 2.0, 3.0])
    data = bytearray(path.read_bytes())
    data[24 + 76 + 8 : 24 + 76 + 12] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    assert len(list(captures.records(path))) == 1
    path.write_bytes(b"no capture at all, but some text")
    assert list(captures.records(path)) == []


def test_captures_of_a_wave_run_side_by_side_and_waves_one_after_another(tmp_path: Path) -> None:
    a = made(tmp_path, "a.pcap", [100.0, 101.0], b"a")
    b = made(tmp_path, "b.pcap", [7.0, 7.5, 9.0], b"b")
    c = made(tmp_path, "c.pcap", [0.0, 0.25], b"c")
    joined = join.join([c, b, a], tmp_path / "to.pcap", together=2)
    pause = join.PAUSE_NS / SECOND
    # Dealt in turn: a and c are the first wave, b the second.
    assert frames(joined.path) == [
        (0.0, b"a"), (0.0, b"c"), (0.25, b"c"), (1.0, b"a"),
        (1.0 + pause, b"b"), (1.5 + pause, b"b"), (3.0 + pause, b"b"),
    ]  # fmt: skip
    assert (joined.packets, joined.used, joined.left_out) == (7, [a, b, c], [])


def test_one_at_a_time_again_and_again(tmp_path: Path) -> None:
    a, b = made(tmp_path, "a.pcap", [1.0], b"a"), made(tmp_path, "b.pcap", [1.0], b"b")
    joined = join.join([a, b], tmp_path / "to.pcap", together=1, laps=2)
    pause = join.PAUSE_NS / SECOND
    assert frames(joined.path) == [(0.0, b"a"), (pause, b"b"), (2 * pause, b"a"), (3 * pause, b"b")]


def test_packets_keep_their_order_when_time_jumps(tmp_path: Path) -> None:
    path = made(tmp_path, "a.pcap", [10.0, 4.0, 11.0, 900_000.0])
    joined = join.join([path], tmp_path / "to.pcap")
    assert [ts for ts, _ in frames(joined.path)] == [0.0, 0.0, 1.0, 1.0 + join.PAUSE_NS / SECOND]


def test_what_is_not_ethernet_is_left_out_and_named(tmp_path: Path) -> None:
    good, raw = made(tmp_path, "good.pcap", [1.0]), made(tmp_path, "raw.pcap", [1.0], link_type=101)
    text = tmp_path / "text.pcap"
    text.write_text("not a capture")
    joined = join.join([good, raw, text], tmp_path / "to.pcap")
    assert joined.used == [good]
    assert joined.left_out == [f"{raw}: link types [101]", f"{text}: nothing that can be read"]


def test_the_joined_capture_is_the_same_every_time_and_kept(tmp_path: Path) -> None:
    paths = sorted((ROOT / "pcaps").glob("dns-*.pcap"))
    one, two = (join.join(paths, tmp_path / name, together=3).path for name in ("1", "2"))
    assert one.read_bytes() == two.read_bytes()
    first = join.kept(paths, tmp_path / "kept")
    made_at = first.stat().st_mtime_ns
    assert join.kept(paths, tmp_path / "kept") == first
    assert first.stat().st_mtime_ns == made_at
    assert join.kept(paths[1:], tmp_path / "kept") != first
    assert join.kept(paths, tmp_path / "kept", laps=2) != first


def test_the_engine_counts_every_joined_packet(tmp_path: Path) -> None:
    if not list((ROOT / "sensor").glob("_engine*.so")):
        pytest.skip("the engine is not built (make setup)")
    from sensor import config as configuration
    from sensor._engine import Replay, Ruleset

    joined = join.join(sorted((ROOT / "pcaps").glob("*.pcap")), tmp_path / "to.pcap")
    document = configuration.load(checksums="none").engine_json()
    run = Replay(document, Ruleset.compile(document, []), [str(joined.path)], 1)
    while not run.finished:
        run.next_batch(1.0)
    assert run.warnings == []
    assert run.counters()["decoder.pkts"] == joined.packets > 3000
