"""The verdict on memory over time, and the endless capture that it is measured with."""

from __future__ import annotations

import math
import random
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import captures
import pytest
import soak
from captures import Record
from laps import HEADER, PAUSE_SECONDS, Laps
from piped import Memory, Piped
from runs import RunError
from soak import Sample, judge

ROOT = Path(__file__).resolve().parents[2]
MIB = 1 << 20
LEVEL = 400.0 * MIB


def series(growth_per_second: float = 0.0, seconds: int = 600) -> list[tuple[float, float]]:
    """Memory as it looks: it rises in the first seconds, then swings with the laps, and jumps a little."""
    rng = random.Random(1)
    found = []
    for second in range(seconds):
        rise = LEVEL * (1 - math.exp(-second / 8))
        swing = 12 * MIB * math.sin(second / 1.7) + rng.uniform(-4, 4) * MIB
        found.append((float(second), rise + swing + growth_per_second * second))
    return found


def test_a_rise_in_the_first_minute_and_swings_after_it_are_flat() -> None:
    assert judge(series()).faults == []


@pytest.mark.parametrize("kib_per_second", [25, 100, 1000])
def test_a_leak_is_not(kib_per_second: int) -> None:
    verdict = judge(series(kib_per_second * 1024))
    assert verdict.slope == pytest.approx(kib_per_second * 1024, rel=0.1)
    assert verdict.faults[0].startswith("grows by")


def test_a_step_that_stays_is_not_flat() -> None:
    stepped = [(at, size + (12 * MIB if at > 550 else 0)) for at, size in series()]
    assert "higher at the end" in " ".join(judge(stepped).faults)


def test_a_peak_is_not_flat() -> None:
    peaked = [(at, size + (60 * MIB if at == 300 else 0)) for at, size in series()]
    faults = judge(peaked).faults
    assert len(faults) == 1
    assert "at worst" in faults[0]


def test_memory_that_is_given_back_is_flat() -> None:
    assert judge(series(-50 * 1024)).faults == []


def test_too_few_samples_are_no_verdict() -> None:
    with pytest.raises(ValueError, match="measure longer"):
        judge(series(seconds=70))


def test_the_picture_shows_all_samples() -> None:
    samples = [Sample(at, Memory(int(size), int(size) // 2, int(size)), 0) for at, size in series()]
    root = ElementTree.fromstring(soak.draw(samples, "a title", judge(series()).told()))
    lines = [
        e for e in root.iter("{http://www.w3.org/2000/svg}polyline") if len(e.get("points", "").split()) > 500
    ]
    assert len(lines) == 2


# The endless capture.

CLIENT, SERVER = bytes((10, 1, 2, 3)), bytes((192, 168, 4, 5))


def ipv4(src: bytes, dst: bytes, tag: bytes = b"") -> bytes:
    head = bytes((0x45, 0, 0, 28)) + bytes(5) + b"\x11" + bytes(2)
    return bytes(12) + tag + b"\x08\x00" + head + src + dst + b"datagram"


def ipv6(src: bytes, dst: bytes) -> bytes:
    return bytes(12) + b"\x86\xdd" + b"\x60" + bytes(5) + b"\x11\x40" + src + dst + b"datagram"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    one, two = b"\x20\x01" + bytes(13) + b"\x01", b"\xff\x02" + bytes(13) + b"\xfb"
    frames = [
        ipv4(CLIENT, SERVER),
        ipv4(SERVER, CLIENT, b"\x81\x00\x00\x07"),
        ipv4(bytes(4), b"\xff\xff\xff\xff"),
        ipv4(CLIENT, bytes((224, 0, 0, 251))),
        ipv6(one, two),
        bytes(12) + b"\x08\x06" + b"arp as it is",
        b"short",
    ]
    path = tmp_path / "small.pcap"
    start_ns = 1_750_000_000 * 10**9
    captures.write(path, [Record(1, start_ns + at * 10**9 // 2, len(f), f) for at, f in enumerate(frames)])
    return path


def lap(laps: Laps, number: int, folder: Path) -> list[Record]:
    path = folder / f"lap-{number}.pcap"
    path.write_bytes(HEADER + b"".join(laps.lap(number)))
    return list(captures.records(path))


def test_the_first_lap_is_the_capture(small: Path, tmp_path: Path) -> None:
    assert lap(Laps(small), 0, tmp_path) == list(captures.records(small))


def test_later_laps_are_later_and_between_other_hosts(small: Path, tmp_path: Path) -> None:
    laps = Laps(small)
    assert (laps.packets, laps.seconds) == (7, 4)
    first, later = lap(laps, 0, tmp_path), lap(laps, 0x0205, tmp_path)
    shift = 0x0205 * (4 + PAUSE_SECONDS) * 10**9
    assert [b.time_ns - a.time_ns for a, b in zip(first, later, strict=True)] == [shift] * 7
    client, server = bytes((10, 1, 2 ^ 5, 3 ^ 2)), bytes((192, 168, 4 ^ 5, 5 ^ 2))
    assert later[0].data == ipv4(client, server)
    assert later[1].data == ipv4(server, client, b"\x81\x00\x00\x07")
    assert later[2].data == first[2].data, "nobody and everybody stay"
    assert later[3].data == ipv4(client, bytes((224, 0, 0, 251)))
    assert later[4].data == ipv6(b"\x20\x01" + bytes(12) + bytes((5, 1 ^ 2)), first[4].data[38:54])
    assert later[5:] == [b._replace(time_ns=b.time_ns + shift) for b in first[5:]]


def test_many_laps_do_not_run_into_neighbouring_bytes(tmp_path: Path) -> None:
    laps = Laps(ROOT / "pcaps" / "http-get.pcap")
    first = lap(laps, 0, tmp_path)
    for number in (1, 255, 256, 65_535, 65_536, 1_000_000):
        found = lap(laps, number, tmp_path)
        assert [len(r.data) for r in found] == [len(r.data) for r in first]
        assert [r.data[34:] for r in found] == [r.data[34:] for r in first]
    assert [r.data for r in lap(laps, 65_536, tmp_path)] == [r.data for r in first]


def test_a_replay_takes_lap_after_lap(tmp_path: Path) -> None:
    if not list((ROOT / "sensor").glob("_engine*.so")):
        pytest.skip("the engine is not built (make setup)")
    laps = Laps(ROOT / "pcaps" / "http-get.pcap")
    rules = tmp_path / "x.rules"
    rules.write_text('alert http any any -> any any (msg:"a request"; http.method; content:"GET"; sid:1;)\n')
    with tempfile.TemporaryDirectory() as folder, Piped(Path(folder), [rules], None, []) as replay:
        samples = soak.soak(laps, replay, 2.5)
        said = replay.finish()
    packets = samples[-1].packets
    assert packets > 100 * laps.packets
    assert said["counters"]["decoder.pkts"] == packets
    # Each lap is a flow of its own, and all but the last have timed out or ended.
    assert said["counters"]["flow.total"] == packets // laps.packets
    assert said["counters"]["detect.alert"] == 2 * packets // laps.packets
    assert all(sample.memory.resident > 10 * MIB for sample in samples)


def test_a_replay_that_cannot_begin_says_why(tmp_path: Path) -> None:
    if not list((ROOT / "sensor").glob("_engine*.so")):
        pytest.skip("the engine is not built (make setup)")
    with (
        Piped(tmp_path, [tmp_path / "absent.rules"], None, []) as replay,
        pytest.raises(RunError, match="absent"),
    ):
        replay.open()
