"""Rules that want to drop: the passive sensor alerts, and says what the rule wanted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_drop_rules_alert_and_are_marked(tmp_path: Path) -> None:
    rules = tmp_path / "drop.rules"
    rules.write_text(
        'drop http any any -> any any (msg:"dropped"; http.method; content:"GET"; sid:1;)\n'
        'alert http any any -> any any (msg:"plain"; http.method; content:"GET"; sid:2;)\n'
    )
    capture = ROOT / "pcaps" / "http-get.pcap"
    subprocess.run(
        [sys.executable, "-m", "sensor.cli", "replay", str(capture), "-S", str(rules), "-l", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=60,
    )
    events = [json.loads(line) for line in (tmp_path / "eve.json").read_text().splitlines()]
    alerts = {e["alert"]["signature_id"]: e for e in events if e["event_type"] == "alert"}
    assert alerts[1]["alert"]["action"] == "allowed"
    assert alerts[1]["haidang"] == {"rule_action": "drop"}
    assert "haidang" not in alerts[2]
    lines = (tmp_path / "fast.log").read_text().splitlines()
    assert [("[wDrop]" in line) for line in lines] == ["dropped" in line for line in lines]
    assert any("[wDrop]" in line for line in lines)
