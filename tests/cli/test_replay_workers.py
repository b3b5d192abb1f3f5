"""Several workers of `haidang replay` write what one writes, also where rules count across flows."""

from __future__ import annotations

import json
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("sensor._engine", reason="the engine is not built: make setup")

Run = Callable[..., subprocess.CompletedProcess[str]]

ROOT = Path(__file__).parents[2]
ONCE = "threshold:type limit,track by_src,count 1"
RULES = f"""
alert ip any any -> any any (msg:"limit"; threshold:type limit,track by_src,count 3,seconds 60; sid:1;)
alert tcp any any -> any any (msg:"every"; threshold:type threshold,track by_dst,count 5,seconds 600; sid:2;)
alert udp any any -> any any (msg:"both"; threshold:type both,track by_both,count 2,seconds 5; sid:3;)
alert ip any any -> any any (msg:"filter"; detection_filter:track by_rule,count 40,seconds 3600; sid:4;)
alert dns any any -> any any (msg:"of flows"; threshold:type limit,track by_flow,count 1,seconds 60; sid:5;)
alert ip any any -> any any (msg:"quiet"; noalert; {ONCE},seconds 9; sid:6;)
alert tcp any any -> any any (msg:"tags"; flow:established; {ONCE},seconds 60; tag:session,5,packets; sid:7;)
drop udp any any -> any 53 (msg:"drops"; threshold:type threshold,track by_src,count 3,seconds 60; sid:8;)
pass icmp any any -> any any (msg:"passes"; threshold:type threshold,track by_rule,count 2,seconds 60; sid:9;)
alert tcp any any -> any any (msg:"crosses"; xbits:isset,seen,track ip_src; sid:10;)
alert udp any any -> any any (msg:"sets"; xbits:set,seen,track ip_src,expire 60; sid:11;)
alert http any any -> any any (msg:"http"; threshold:type limit,track by_rule,count 1,seconds 9; sid:12;)
"""
FILTERS = "rate_filter gen_id 1, sig_id 3, track by_src, count 2, seconds 60, new_action drop, timeout 30\n"


def written(folder: Path) -> Counter[str]:
    """The events, whatever their order; of the stats event its counters."""
    lines: Counter[str] = Counter()
    for line in (folder / "eve.json").read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        if event["event_type"] == "stats":
            event = {name: value for name, value in event["stats"].items() if name != "uptime"}
            assert event["detect"]["alert"] > 0 < event["detect"]["alerts_suppressed"]
        lines[json.dumps(event, sort_keys=True)] += 1
    return lines


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rules") / "shared.rules"
    path.write_text(RULES, encoding="utf-8")
    path.with_name("threshold.config").write_text(FILTERS, encoding="utf-8")
    return path


def settings(rules: Path) -> list[str]:
    return ["-S", str(rules), "-k", "none", "--set", f"threshold-file={rules.with_name('threshold.config')}"]


def test_what_is_counted_across_flows_is_counted_in_the_order_of_the_capture(
    haidang: Run, tmp_path: Path, rules: Path
) -> None:
    def run(workers: int) -> Counter[str]:
        out = tmp_path / str(workers)
        more = [*settings(rules), "-l", out, "--workers", workers]
        done = haidang("replay", ROOT / "pcaps", *more)
        assert done.returncode == 0, done.stderr
        return written(out)

    one = run(1)
    alerts = [json.loads(line) for line in one if '"event_type": "alert"' in line]
    heard = {alert["alert"]["signature_id"] for alert in alerts}
    assert heard >= {1, 2, 3, 4, 5, 7, 8, 10, 11, 12}
    for workers in (2, 3, 5):
        many = run(workers)
        assert many - one == one - many == Counter(), f"{workers} workers"


def test_a_pipe_is_read_once_for_all(haidang: Run, tmp_path: Path, rules: Path) -> None:
    capture, pipe = ROOT / "pcaps" / "http-get.pcap", tmp_path / "pipe"
    haidang("replay", capture, *settings(rules), "-l", tmp_path / "file")
    subprocess.run(["mkfifo", pipe], check=True)
    writer = threading.Thread(target=lambda: pipe.write_bytes(capture.read_bytes()))
    writer.start()
    done = haidang("replay", pipe, *settings(rules), "-l", tmp_path / "piped", "--workers", "4")
    writer.join()
    assert done.returncode == 0, done.stderr
    assert written(tmp_path / "piped") == written(tmp_path / "file")
