"""The measuring programs of live capture, on something small."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parent
PCAP = BENCH.parents[1] / "pcaps" / "http-get.pcap"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")


def run(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, BENCH / name, *map(str, arguments)],
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip


def test_a_short_soak_is_flat_and_loses_nothing(tmp_path: Path) -> None:
    rules = tmp_path / "test.rules"
    rules.write_text('alert tcp any any -> any any (msg:"post"; content:"POST"; sid:1;)\n')
    done = run(
        "live_soak.py", "--pcap", PCAP, "--rules", rules, "--seconds", 26, "--settle", 3,
        "--rate", 500, "--out", tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((tmp_path / "live-soak.json").read_text())
    assert told["faults"] == [] and told["packets"] > 10_000
    assert told["counters"]["decoder.pkts"] == told["packets"]


def test_a_rate_is_offered_and_nothing_of_it_lost(tmp_path: Path) -> None:
    rules = tmp_path / "test.rules"
    rules.write_text('alert tcp any any -> any any (msg:"get"; content:"GET"; sid:1;)\n')
    done = run(
        "live.py", "--pcap", PCAP, "--rules", rules, "--only", "haidang", "--rates", 2000,
        "--rounds", 1, "--seconds", 0.5, "--out", tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((tmp_path / "live.json").read_text())["rows"]
    for logs in ("all logs", "alerts only"):
        assert f"{logs}: medians of 1" in done.stdout
        ((row,),) = told[logs]["haidang"].values()
        assert row["seen"] == row["sent"] > 500 and row["dropped"] == 0


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_ways_of_receiving_lose_nothing_and_tell_their_costs() -> None:
    done = run("af_xdp.py", "--pcap", PCAP, "--rates", "2000", "--passes", "1", "--runs", 1, "--seconds", 0.5)
    if "cannot be had here" in done.stderr:
        pytest.skip("this kernel has no AF_XDP on a veth pair")
    assert done.returncode == 0, done.stderr
    for way in ("packet", "xdp-generic", "xdp-native"):
        (line,) = (line for line in done.stdout.splitlines() if line.startswith(way + " "))
        assert line.endswith("0.00 (0.00 to 0.00)")
