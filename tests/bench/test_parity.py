"""The parity script's own reading; one run against a real Suricata where there is one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from suricata_socket import unread

ROOT = Path(__file__).resolve().parents[2]


def test_captures_that_suricata_cannot_read_are_known_by_its_words() -> None:
    console = (
        "W: pcap: Failed to init pcap file /x/a b.pcapng, skipping\n"
        "E: pcap: error code -1 truncated dump file; tried to read 16 header bytes for /x/c.pcap\n"
        "i: pcap: read 1 file, 29 packets, 2097 bytes\n"
    )
    assert unread(console) == {"/x/a b.pcapng", "/x/c.pcap"}


@pytest.mark.skipif(not shutil.which("suricata"), reason="suricata is not installed")
def test_a_rule_for_every_packet_agrees(tmp_path: Path) -> None:
    rules = tmp_path / "any.rules"
    rules.write_text('alert dns any any -> any any (msg:"a query"; dns.query; content:"."; sid:1;)\n')
    captures = sorted((ROOT / "pcaps").rglob("dns*.pcap"))[:1]
    command = [sys.executable, "tests/bench/parity.py", "--floor", "1.0", "--rules", str(rules), "--pcap"]
    run = subprocess.run(
        [*command, *map(str, captures)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "recall 1.0000, precision 1.0000" in run.stdout
