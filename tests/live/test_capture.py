"""Packets on a wire give what the same packets in a file give, and every one of them is accounted for."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import dpkt
import pytest
from live_wire import REPOSITORY, Wire, events, last_stats

PCAPS = REPOSITORY / "pcaps"
RULES = """
alert http any any -> any any (msg:"http"; flow:established,to_server; http.method; content:"GET"; sid:1;)
alert dns any any -> any any (msg:"dns"; dns.query; content:"."; sid:2;)
alert tls any any -> any any (msg:"tls"; flow:established,to_server; tls.sni; content:"."; sid:3;)
alert ip any any -> any any (msg:"fragmented"; fragbits:M; sid:4;)
alert tcp any any -> any any (msg:"syn"; flags:S; sid:5;)
alert udp any any -> any any (msg:"canary"; content:"canary-7f3a91"; sid:6;)
"""
ALL_RULES = ("-S", "test.rules", "-k", "none", "--set", "stats.interval=1")
# What depends on when a packet came, or on its number.
_CHANGING = {"timestamp", "flow_id", "pcap_cnt", "start", "end", "age", "tx_id", "parent_id", "ttl"}


def ethernet_captures() -> list[Path]:
    """Those of the shipped captures that a wire can carry."""
    found = []
    for path in sorted(PCAPS.glob("*.pcap")):
        with path.open("rb") as file:
            reader = dpkt.pcap.Reader(file)
            frames = [frame for _, frame in reader]
        if reader.datalink() == 1 and frames and all(14 <= len(frame) <= 65_535 for frame in frames):
            found.append(path)
    return found


def core(event: dict[str, Any]) -> str:
    """An event without what differs between a file and a wire."""

    def strip(value: object) -> object:
        if isinstance(value, dict):
            return {name: strip(inner) for name, inner in sorted(value.items()) if name not in _CHANGING}
        return [strip(item) for item in value] if isinstance(value, list) else value

    return str(strip(event))


def write_frames(path: Path, frames: list[bytes]) -> Path:
    with path.open("wb") as file:
        writer = dpkt.pcap.Writer(file, snaplen=65_535)
        for n, frame in enumerate(frames):
            writer.writepkt(frame, 1_700_000_000 + n / 1000)
    return path


def udp(
    src: str,
    dst: str,
    payload: bytes = b"x",
    *,
    sport: int = 1000,
    dport: int = 2000,
    tags: tuple[int, ...] = (),
) -> bytes:
    datagram = struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload
    addresses = bytes(map(int, src.split("."))) + bytes(map(int, dst.split(".")))
    header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(datagram), 1, 0, 64, 17, 0) + addresses
    ip = bytes(dpkt.ip.IP(header + datagram))
    tagged = b"".join(struct.pack(">HH", 0x8100, tag) for tag in tags)
    return b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02" + tagged + b"\x08\0" + ip


@pytest.fixture(autouse=True)
def rules(tmp_path: Path) -> None:
    (tmp_path / "test.rules").write_text(RULES)


def books_close(stats: dict[str, Any], sent: int) -> None:
    """Every packet that was sent is somewhere, once."""
    capture, own = stats["capture"], stats["haidang"]["capture"]
    assert capture["kernel_packets"] + own["excluded"] + own["filtered"] == sent
    assert capture["kernel_packets"] - capture["kernel_drops"] == own["frames"]
    assert own["frames"] == stats["decoder"]["pkts"] + own["outgoing"] + own["damaged"]


def test_a_wire_gives_the_events_of_the_file(wire: Wire, tmp_path: Path) -> None:
    captures = ethernet_captures()
    assert len(captures) > 20
    live = wire.start("capture", "-i", "in0", "--workers", 1, "-l", "live", *ALL_RULES)
    sent = wire.send(*captures, rate=20_000)
    wire.end(live, settle_seconds=0.5)
    frames = []
    for path in captures:
        with path.open("rb") as file:
            frames += [frame for _, frame in dpkt.pcap.Reader(file)]
    whole = write_frames(tmp_path / "whole.pcap", frames)
    subprocess.run(
        [sys.executable, "-m", "sensor.cli", "replay", whole, "-l", "file", *ALL_RULES],
        check=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, capture_output=True,
    )  # fmt: skip

    def told(folder: str) -> Counter[str]:
        return Counter(core(e) for e in events(tmp_path / folder) if e["event_type"] not in ("stats", "flow"))

    assert sum(told("file").values()) > 100
    assert told("live") == told("file")
    stats = last_stats(tmp_path / "live")
    assert stats["capture"]["kernel_drops"] == 0
    books_close(stats, sent)


def test_both_directions_of_a_flow_and_all_fragments_meet_one_of_two_workers(
    wire: Wire, tmp_path: Path
) -> None:
    frames = []
    for host in range(200):
        a, b = f"10.0.{host}.1", f"10.9.{host}.2"
        for turn in range(3):
            frames += [
                udp(a, b, b"ask%d" % turn, sport=5000 + host),
                udp(b, a, b"answer", sport=2000, dport=5000 + host),
            ]
    path = write_frames(tmp_path / "pairs.pcap", frames)
    live = wire.start("capture", "-i", "in0", "--workers", 2, "-l", "live", *ALL_RULES)
    sent = wire.send(path, rate=20_000)
    assert sent == 1200
    wire.end(live, settle_seconds=0.3)
    flows = [e["flow"] for e in events(tmp_path / "live") if e["event_type"] == "flow"]
    assert len(flows) == 200
    assert all((f["pkts_toserver"], f["pkts_toclient"]) == (3, 3) for f in flows)
    books_close(last_stats(tmp_path / "live"), sent)


@pytest.mark.parametrize("kind", ["cluster_flow", "cluster_qm", "cluster_cpu", "cluster_ebpf"])
def test_every_kind_of_fanout_takes_every_packet_once(wire: Wire, tmp_path: Path, kind: str) -> None:
    path = write_frames(tmp_path / "hosts.pcap", [udp(f"10.0.0.{n}", "10.9.0.1") for n in range(250)])
    (tmp_path / "live.yaml").write_text(
        f"af-packet:\n  - interface: in0\n    cluster-type: {kind}\n    threads: 2\n"
    )
    live = wire.start("capture", "-i", "-c", "live.yaml", "-l", "live", *ALL_RULES)
    sent = wire.send(path, rate=20_000, laps=4)
    wire.end(live, settle_seconds=0.3)
    books_close(last_stats(tmp_path / "live"), sent)
    assert last_stats(tmp_path / "live")["decoder"]["pkts"] == 1000


def test_vlan_tags_are_put_back_at_any_depth(wire: Wire, tmp_path: Path) -> None:
    frames = [udp("10.0.0.1", "10.0.0.2", tags=tags) for tags in ((), (7,), (7, 8), (100, 200, 300))]
    path = write_frames(tmp_path / "tags.pcap", frames)
    live = wire.start("capture", "-i", "in0", "--workers", 2, "-l", "live", *ALL_RULES)
    wire.send(path)
    wire.end(live, settle_seconds=0.3)
    assert "rx_dropped" not in wire.log(), "the kernel counts frames with two tags as dropped"
    seen = sorted(tuple(e.get("vlan", ())) for e in events(tmp_path / "live") if e["event_type"] == "flow")
    assert seen == [(), (7,), (7, 8), (100, 200, 300)]
    assert last_stats(tmp_path / "live")["haidang"]["capture"]["vlan_restored"] == 3


def test_overload_is_counted_to_the_packet(wire: Wire, tmp_path: Path) -> None:
    frames = [udp(f"10.0.{n % 200}.1", "10.9.0.1", b"x" * 1400) for n in range(2000)]
    path = write_frames(tmp_path / "much.pcap", frames)
    (tmp_path / "live.yaml").write_text(
        "af-packet:\n  - interface: in0\n    threads: 1\n    ring-memory: 512kb\n    block-size: 128kb\n"
    )
    live = wire.start("capture", "-i", "in0", "-c", "live.yaml", "-l", "live", *ALL_RULES)
    # Whoever is stopped takes nothing: the ring overruns, however fast the machine is.
    live.send_signal(signal.SIGSTOP)
    sent = wire.send(path, laps=2)
    live.send_signal(signal.SIGCONT)
    sent += wire.send(path, rate=5000)
    told = wire.end(live, settle_seconds=0.3)
    stats = last_stats(tmp_path / "live")
    assert stats["capture"]["kernel_drops"] > 3000
    assert sent - stats["decoder"]["pkts"] == stats["capture"]["kernel_drops"]
    books_close(stats, sent)
    assert live.returncode == 1
    assert "ring was full" in told


def ip_in_ip(frame: bytes) -> bytes:
    outer = dpkt.ip.IP(src=bytes([10, 9, 9, 1]), dst=bytes([10, 9, 9, 2]), p=4, data=frame[14:])
    return frame[:14] + bytes(outer)


def gre(frame: bytes) -> bytes:
    header = b"\x20\x00\x65\x58\x00\x00\x00\x07"  # with a key, bridged
    outer = dpkt.ip.IP(src=bytes([10, 9, 9, 1]), dst=bytes([10, 9, 9, 2]), p=47, data=header + frame)
    return frame[:14] + bytes(outer)


def vxlan(frame: bytes) -> bytes:
    return udp("10.9.9.1", "10.9.9.2", b"\x08\x00\x00\x00\x00\x00\x07\x00" + frame, dport=4789)


def geneve(frame: bytes) -> bytes:
    return udp("10.9.9.1", "10.9.9.2", b"\x00\x00\x65\x58\x00\x00\x07\x00" + frame, dport=6081)


TUNNELS = (ip_in_ip, gre, vxlan, geneve)


def test_what_is_excluded_never_reaches_the_process(wire: Wire, tmp_path: Path) -> None:
    canary = b"canary-7f3a91-" + b"never" * 20
    frames = [
        udp("10.66.1.2", "10.0.0.1", canary),
        udp("10.0.0.1", "10.66.1.2", canary),
        udp("10.0.0.1", "10.66.1.2", canary, tags=(9,)),
        udp("10.0.0.1", "10.0.0.2", canary, tags=(66,)),
        udp("10.0.0.1", "10.0.0.2", canary, tags=(5, 66)),
        *(tunnel(udp("10.66.1.2", "10.0.0.1", canary)) for tunnel in TUNNELS),
    ]
    hidden = write_frames(tmp_path / "hidden.pcap", frames)
    shown = write_frames(tmp_path / "shown.pcap", [udp("10.0.0.1", "10.0.0.2", b"seen-4412", tags=(7,))])
    (tmp_path / "test.rules").write_text('alert udp any any -> any any (content:"seen-4412"; sid:7;)')
    live = wire.start(
        "capture", "-i", "in0", "--workers", 2, "-l", "live", "--exclude", "10.66.0.0/16",
        "--exclude", "vlan:66", "--set", "outputs.1.eve-log.types.0.alert.payload=yes", *ALL_RULES,
    )  # fmt: skip
    sent = wire.send(hidden, laps=50) + wire.send(shown)
    time.sleep(0.3)
    # The ring is shown in full: a search that finds what was captured would have found the canary too.
    assert memory_has(live.pid, b"seen-4412")
    assert not memory_has(live.pid, canary)
    wire.end(live)
    stats = last_stats(tmp_path / "live")
    assert stats["haidang"]["capture"]["excluded"] == 50 * (5 + len(TUNNELS))
    books_close(stats, sent)
    for file in (tmp_path / "live").iterdir():
        assert canary not in file.read_bytes()


def test_what_the_kernel_does_not_see_in_a_zone_goes_no_further_and_is_counted(
    wire: Wire, tmp_path: Path
) -> None:
    hidden = [vxlan(tunnel(udp("10.66.1.2", "10.0.0.1", b"canary", dport=99))) for tunnel in TUNNELS]
    shown = vxlan(ip_in_ip(udp("10.6.1.2", "10.0.0.1", b"canary", dport=99)))
    frames = write_frames(tmp_path / "deep.pcap", [*hidden, shown])
    (tmp_path / "test.rules").write_text("alert udp any any -> any 99 (sid:7;)")
    live = wire.start("capture", "-i", "in0", "-l", "live", "--exclude", "10.66.0.0/16", *ALL_RULES)
    sent = wire.send(frames, laps=3)
    wire.end(live, settle_seconds=0.5)
    stats = last_stats(tmp_path / "live")
    assert stats["haidang"]["capture"]["excluded"] == 0
    assert stats["haidang"]["capture"]["excluded_inside"] == 3 * len(hidden)
    assert stats["detect"]["alert"] == 1  # once a flow
    assert "10.66." not in (tmp_path / "live" / "eve.json").read_text()
    books_close(stats, sent)


def memory_has(process_id: int, text: bytes) -> bool:
    """Whether it is in any memory of the process that can be read, the rings among it."""
    with (
        Path(f"/proc/{process_id}/maps").open() as maps,
        Path(f"/proc/{process_id}/mem").open("rb", 0) as memory,
    ):
        for line in maps:
            bounds, rights, *_ = line.split()
            if "r" not in rights or line.rstrip().endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
                continue
            start, end = (int(bound, 16) for bound in bounds.split("-"))
            kept = b""
            while start < end:
                try:
                    memory.seek(start)
                    part = memory.read(min(1 << 20, end - start))
                except (OSError, OverflowError, ValueError):
                    break
                if not part:
                    break
                if text in kept + part:
                    return True
                kept, start = part[-len(text) :], start + len(part)
    return False


def test_a_filter_runs_in_the_kernel_and_what_it_leaves_out_is_counted(wire: Wire, tmp_path: Path) -> None:
    path = write_frames(tmp_path / "two.pcap", [udp("10.0.0.1", "10.0.0.2", dport=port) for port in (53, 80)])
    live = wire.start("capture", "-i", "in0", "-l", "live", *ALL_RULES, "udp", "port", "80")
    sent = wire.send(path, laps=10)
    wire.end(live, settle_seconds=0.3)
    stats = last_stats(tmp_path / "live")
    assert (stats["decoder"]["pkts"], stats["haidang"]["capture"]["filtered"]) == (10, 10)
    books_close(stats, sent)


def test_two_interfaces_make_one_flow(wire: Wire, tmp_path: Path) -> None:
    wire.link("out1", "in1")
    ask = write_frames(tmp_path / "ask.pcap", [udp("10.0.0.1", "10.0.0.2", sport=9, dport=8)])
    answer = write_frames(tmp_path / "answer.pcap", [udp("10.0.0.2", "10.0.0.1", sport=8, dport=9)])
    live = wire.start("capture", "-i", "in0", "-i", "in1", "--workers", 2, "-l", "live", *ALL_RULES)
    wire.send(ask)
    wire.send(answer, interface="out1")
    wire.end(live, settle_seconds=0.3)
    (flow,) = [e["flow"] for e in events(tmp_path / "live") if e["event_type"] == "flow"]
    assert (flow["pkts_toserver"], flow["pkts_toclient"]) == (1, 1)


def test_flows_end_and_events_leave_while_nothing_comes(wire: Wire, tmp_path: Path) -> None:
    path = write_frames(tmp_path / "one.pcap", [udp("10.0.0.1", "10.0.0.2", b"canary-7f3a91")])
    live = wire.start(
        "capture", "-i", "in0", "-l", "live", *ALL_RULES, "--set", "flow-timeouts.udp.new=1",
    )  # fmt: skip
    wire.send(path)
    sent_at = time.monotonic()

    def kinds() -> set[str]:
        return {event["event_type"] for event in events(tmp_path / "live")}

    while "alert" not in kinds():
        assert time.monotonic() - sent_at < 1.0
        time.sleep(0.02)
    while "flow" not in kinds():
        assert time.monotonic() - sent_at < 6
        time.sleep(0.05)
    assert live.poll() is None
    wire.end(live)


def test_logs_are_reopened_and_what_this_machine_sends_is_not_captured(wire: Wire, tmp_path: Path) -> None:
    path = write_frames(tmp_path / "one.pcap", [udp("10.0.0.1", "10.0.0.2", b"canary-7f3a91")])
    live = wire.start("capture", "-i", "in0", "-l", "live", *ALL_RULES)
    wire.send(path)
    wire.send(path, interface="in0", laps=5)
    time.sleep(0.5)
    (tmp_path / "live" / "eve.json").rename(tmp_path / "live" / "eve.json.1")
    live.send_signal(signal.SIGHUP)
    time.sleep(1.5)
    sent = 1 + wire.send(path)
    wire.end(live, settle_seconds=0.3)
    assert [e["event_type"] for e in events(tmp_path / "live")].count("alert") == 1
    books_close(last_stats(tmp_path / "live"), sent)


def test_privileges_are_dropped(wire: Wire, tmp_path: Path) -> None:
    (tmp_path / "live").mkdir()
    os.chown(tmp_path / "live", 65_534, 65_534)
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o055)
    live = wire.start("capture", "-i", "in0", "--workers", 2, "-l", "live", "--user", "nobody", *ALL_RULES)
    for thread in Path(f"/proc/{live.pid}/task").iterdir():
        status = dict(
            line.split(":\t", 1) for line in (thread / "status").read_text().splitlines() if ":\t" in line
        )
        assert status["Uid"].split() == ["65534"] * 4
        assert (int(status["CapEff"], 16), int(status["CapPrm"], 16), status["NoNewPrivs"]) == (0, 0, "1")
    wire.end(live)
    assert (tmp_path / "live" / "eve.json").stat().st_uid == 65_534


def test_what_cannot_be_captured_is_said_in_one_line(wire: Wire, tmp_path: Path) -> None:
    for arguments, word in (
        (("-i", "nowhere0"), "no such interface"),
        (("-i", "in0", "--exclude", "10.0.0.0/99"), "is no network"),
        (("-i", "in0", "--exclude", "vlan:5000"), "is no VLAN"),
        (("-i", "in0", "tcp", "prot", "80"), "no capture filter"),
        (("-i", "in0", "--user", "no-such-user"), "no such user"),
        ((), "no interface given"),
    ):
        done = subprocess.run(
            wire.inside(sys.executable, "-m", "sensor.cli", "capture", *arguments, "-S", "test.rules"),
            capture_output=True, text=True, cwd=tmp_path, timeout=60,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "HAIDANG_LANG": "en"},
        )  # fmt: skip
        assert done.returncode == 2, done.stderr
        assert word in done.stderr and done.stderr.count("\n") == 1, done.stderr
