"""Rules without a pattern, or with one elsewhere than their buffers, are tried where they can match."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("sensor._engine", reason="the engine is not built: make setup")

Run = Callable[..., subprocess.CompletedProcess[str]]

PCAPS = Path(__file__).parents[2] / "pcaps"
RULES = """\
alert http any any -> any any (flow:established,to_client; content:"|0d 0a 0d 0a|gone"; fast_pattern; \
http.stat_code; content:"404"; sid:1;)
alert http any any -> any any (flow:established,to_client; content:"|0d 0a 0d 0a|gone"; fast_pattern; \
http.stat_code; content:"200"; sid:2;)
alert tcp any any -> any any (flow:established,to_server; dsize:>100; content:"G"; depth:1; sid:3;)
alert tcp any any -> any 80 (flags:S; sid:4;)
alert tcp any any -> any 81 (flags:S; sid:5;)
alert dns any any -> any any (flow:to_server; sid:6;)
alert ip any any -> any any (ip_proto:17; sid:7;)
alert ip any any -> any any (ip_proto:!17; sid:8;)
alert http any any -> any any (http.uri; content:"m"; http.method; content:!"POST"; sid:9;)
alert pkthdr any any -> any any (sid:10;)
alert ip any any -> any any (l3_proto:ipv4; xbits:isnotset,seen,track ip_src; sid:11;)
alert ip any any -> any any (ip_proto:!1; flowbits:isnotset,seen; sid:12;)
"""


@pytest.mark.parametrize(
    ("capture", "signatures"),
    [
        ("http-get.pcap", {1: 1, 3: 2, 4: 1, 8: 2, 9: 2, 10: 2, 11: 2, 12: 14}),
        ("dns-udp.pcap", {6: 6, 7: 12, 10: 12, 11: 12, 12: 12}),
    ],
)
def test_each_rule_alerts_where_it_matches(
    haidang: Run, tmp_path: Path, capture: str, signatures: dict[int, int]
) -> None:
    """The counts are Suricata 7.0.10's; 7, 8, 10 and 11 are tried once per flow and direction."""
    (tmp_path / "a.rules").write_text(RULES)
    done = haidang(
        "replay", PCAPS / capture, "-S", tmp_path / "a.rules", "-l", tmp_path / "out", "-k", "none"
    )
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "out" / "eve.json").read_text().splitlines()
    alerts = Counter(
        event["alert"]["signature_id"] for event in map(json.loads, lines) if event["event_type"] == "alert"
    )
    assert alerts == signatures
