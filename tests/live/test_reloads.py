"""Reload after reload under load: no packet is lost for it, and no alert is missed that a replay of the same
packets has. HAIDANG_RELOADS: how many (a handful unless it is said). HAIDANG_RELOAD_RULES: a file of rules
that are in every set too, to make it as large as a real one.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import dpkt
from live_wire import REPOSITORY, Wire, events, last_stats
from test_capture import ALL_RULES, RULES, books_close, ethernet_captures, write_frames
from test_service import command

RELOADS = int(os.environ.get("HAIDANG_RELOADS", "8"))
MORE_RULES = (
    Path(os.environ["HAIDANG_RELOAD_RULES"]).read_text() if "HAIDANG_RELOAD_RULES" in os.environ else ""
)
PACKETS_A_SECOND = 4000
# Rules that come and go; those of RULES are always there, and theirs are the alerts that must not be missed.
FILLER = 'alert tcp any any -> any any (msg:"filler"; content:"never-on-this-wire-{n}"; sid:{sid};)\n'
FILLERS = 300
OURS = {int(sid) for sid in re.findall(r"sid:(\d+)", RULES)}


def some_rules(turn: int) -> str:
    """Each turn other numbers and other patterns, so that nothing stays where it was."""
    fillers = "".join(FILLER.format(n=f"{turn}-{n}", sid=10_000 + n) for n in range(FILLERS + turn % 7))
    fillers += MORE_RULES
    return fillers + RULES if turn % 2 else RULES + fillers


def alerts(folder: Path) -> Counter[tuple[object, ...]]:
    """What alerted on what, however often a flow of the same addresses came by."""
    names = ("src_ip", "src_port", "dest_ip", "dest_port", "proto")
    return Counter(
        (event["alert"]["signature_id"], *(event.get(name) for name in names))
        for event in events(folder)
        if event["event_type"] == "alert" and event["alert"]["signature_id"] in OURS
    )


def test_reloads_under_load_lose_no_packet_and_no_alert(wire: Wire, tmp_path: Path) -> None:
    frames = []
    for path in ethernet_captures():
        with path.open("rb") as file:
            frames += [frame for _, frame in dpkt.pcap.Reader(file) if len(frame) <= 65_000]
    (tmp_path / "test.rules").write_text(some_rules(0))
    socket = tmp_path / "c.socket"
    live = wire.start(
        "capture", "-i", "in0", "--workers", 1, "-l", "live", "--unix-socket", socket, *ALL_RULES
    )
    whole = write_frames(tmp_path / "whole.pcap", frames)
    load = Load(wire, whole)
    took: list[float] = []
    for turn in range(1, RELOADS + 1):
        (tmp_path / "test.rules").write_text(some_rules(turn))
        begun = time.monotonic()
        assert command(socket, "reload-rules") == {"return": "OK", "message": "done"}
        took.append(time.monotonic() - begun)
        time.sleep(0.05)
    laps = load.end()
    sent = laps * len(frames)
    wire.end(live, settle_seconds=0.5)
    stats = last_stats(tmp_path / "live")
    assert stats["capture"]["kernel_packets"] == sent
    assert stats["capture"]["kernel_drops"] == 0
    books_close(stats, sent)
    # The oracle: the same packets as one file, with rules that never change.
    with whole.open("wb") as file:
        writer = dpkt.pcap.Writer(file, snaplen=65_535)
        for n, frame in enumerate(frames * laps):
            writer.writepkt(frame, 1_700_000_000 + n / PACKETS_A_SECOND)
    (tmp_path / "test.rules").write_text(RULES)
    subprocess.run(
        [sys.executable, "-m", "sensor.cli", "replay", whole, "-l", "file", *ALL_RULES],
        check=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, capture_output=True,
    )  # fmt: skip
    wanted, found = alerts(tmp_path / "file"), alerts(tmp_path / "live")
    assert sum(wanted.values()) > 50
    missed = wanted - found
    print(
        f"{RELOADS} reloads of {some_rules(0).count('sid:'):,} rules in {sum(took) / len(took):.3f} s each "
        f"({max(took):.3f} at most), "
        f"{sent:,} packets in {laps} laps, 0 dropped, {sum(wanted.values()):,} alerts, {len(missed)} missed, "
        f"{sum((found - wanted).values())} more than in the file"
    )
    assert not missed


class Load(threading.Thread):
    """The packets, again and again."""

    def __init__(self, wire: Wire, whole: Path) -> None:
        super().__init__()
        self._wire, self._whole = wire, whole
        self._ended = threading.Event()
        self._laps = 0
        self.start()

    def run(self) -> None:
        while not self._ended.is_set():
            self._wire.send(self._whole, rate=PACKETS_A_SECOND, laps=3)
            self._laps += 3

    def end(self) -> int:
        """How often they were sent."""
        self._ended.set()
        self.join()
        return self._laps
