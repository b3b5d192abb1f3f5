"""Near its memory ceiling the sensor leaves out work in the stated order, and counts it."""

from __future__ import annotations

import struct
import subprocess
import sys
import time
from pathlib import Path

import dpkt
import pytest
from live_wire import Wire, events, last_stats
from test_capture import ALL_RULES, RULES, books_close, udp, write_frames

from sensor.live import memory
from sensor.live.memory import Ceiling, available_bytes, resident_bytes


class Engine:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.levels: list[int] = []

    def shed_at(self, level: int) -> None:
        self.levels.append(level)


class Clock:
    """In the place of the module `time`."""

    now = 0.0

    def monotonic(self) -> float:
        self.now += 10
        return self.now


def test_levels_come_one_by_one_and_go_with_relief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAIDANG_LANG", "en")
    monkeypatch.setattr(memory, "time", Clock())
    engine, told, used = Engine(), list[str](), [0]
    ceiling = Ceiling(engine, 1000 << 20, told.append, lambda: used[0] << 20)
    for mib in (500, 840, 860, 990, 990, 990, 960, 940, 910, 840, 820, 790):
        used[0] = mib
        ceiling.look()
    assert engine.levels == [1, 2, 3, 2, 1, 0]
    assert told[0] == (
        "memory: 860 MiB of at most 1000 MiB (haidang.memory.limit): left out: what large flows still bring"
    )
    assert ceiling.counters()["haidang.shed.level"] == 0


def test_what_the_allocators_keep_goes_before_work_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "time", Clock())
    engine, in_use, kept = Engine(), [500 << 20], [400 << 20]
    ceiling = Ceiling(
        engine, 1000 << 20, lambda _: None, lambda: in_use[0] + kept[0], lambda: kept.__setitem__(0, 0)
    )
    ceiling.look()
    assert (engine.levels, ceiling.used_bytes) == ([], 500 << 20)
    in_use[0] = 900 << 20
    ceiling.look()
    assert engine.levels == [1]


SIZES = """
import sys
from sensor._engine import return_memory
from sensor.config import load
from sensor.live.memory import resident_bytes
from sensor.rules.loading import load as load_rules

ruleset, report = load_rules(load(None, [], checksums="none"), only=[sys.argv[1]])
loaded = resident_bytes()
return_memory()
returned = resident_bytes()
del ruleset
return_memory()
print(report.loaded, loaded, returned, resident_bytes())
"""


def test_what_building_and_old_rules_took_goes_back_to_the_system(tmp_path: Path) -> None:
    rule = 'alert http any any -> any any (content:"word-{0}-{0:x}"; pcre:"/a{0}[0-9]+b/"; sid:{0};)\n'
    (tmp_path / "many.rules").write_text("".join(rule.format(sid) for sid in range(1, 5001)))
    done = subprocess.run(
        [sys.executable, "-c", SIZES, tmp_path / "many.rules"],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    count, loaded, returned, without = map(int, done.stdout.split())
    assert count == 5000
    assert loaded - returned < 2 << 20  # loading has done so itself
    assert returned - without > 5 << 20


def test_without_a_limit_nothing_is_left_out() -> None:
    engine = Engine()
    Ceiling(engine, 0, lambda _: None).look()
    assert engine.levels == []
    assert 1 << 20 < resident_bytes() < available_bytes()


def syn(n: int) -> bytes:
    header = struct.pack(">HHIIBBHHH", 1024 + n % 60_000, 80, n, 0, 0x50, 2, 8192, 0, 0)
    addresses = bytes((10, 1 + n // 60_000, n >> 8 & 255, n & 255, 10, 0, 0, 2))
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 40, 1, 0, 64, 6, 0) + addresses + header
    return b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0" + bytes(dpkt.ip.IP(ip))


def test_a_flood_is_shed_and_the_sensor_lives(wire: Wire, tmp_path: Path) -> None:
    (tmp_path / "test.rules").write_text(RULES)
    large = ("--set", "flow.memcap=4gb", "--set", "stream.memcap=4gb")
    live = wire.start("capture", "-i", "in0", "--workers", 1, "-l", "live", *ALL_RULES, *large)
    base = int(Path(f"/proc/{live.pid}/statm").read_text().split()[1]) * 4096
    wire.end(live)
    limit = int(base * 1.25)
    live = wire.start(
        "capture", "-i", "in0", "--workers", 1, "-l", "live2", *ALL_RULES, *large,
        "--set", f"haidang.memory.limit={limit}", "--set", "flow-timeouts.tcp.new=600",
    )  # fmt: skip
    elephant = write_frames(
        tmp_path / "big.pcap", [udp("10.9.0.1", "10.9.0.2", b"e" * 1400, sport=7, dport=8)] * 400
    )
    sent = wire.send(elephant)
    for start in range(0, 200_000, 20_000):
        flood = write_frames(tmp_path / "flood.pcap", [syn(n) for n in range(start, start + 20_000)])
        sent += wire.send(flood, rate=20_000)
        sent += wire.send(elephant, rate=5000)
        if "packets of new flows" in wire.log():
            break
    time.sleep(2)
    assert live.poll() is None
    known = wire.log()
    assert known.index("left out: what large") < known.index("left out: large flows, and parsing")
    assert known.index("left out: large flows, and parsing") < known.index(
        "parsing, and packets of new flows"
    )
    before = len(events(tmp_path / "live2"))
    sent += wire.send(
        write_frames(tmp_path / "new.pcap", [udp("10.77.0.1", "10.77.0.2", b"canary-7f3a91")] * 7)
    )
    wire.end(live, settle_seconds=1.5)
    stats = last_stats(tmp_path / "live2")
    shed = stats["haidang"]["shed"]
    assert shed["bypassed_flows"] == 1
    assert shed["unparsed_flows"] > 0
    assert shed["dropped_packets"] >= 7
    assert before <= len(events(tmp_path / "live2"))
    assert not any(event.get("src_ip") == "10.77.0.1" for event in events(tmp_path / "live2"))
    books_close(stats, sent)
    assert live.returncode == 1
    assert "memory was short" in wire.log() and "haidang.memory.limit" in wire.log()
