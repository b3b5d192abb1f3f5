"""threshold.config over loaded rules: suppressions, thresholds and rate filters."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("sensor._engine", reason="the engine is not built: make setup")

Run = Callable[..., subprocess.CompletedProcess[str]]

PINGS = Path(__file__).parents[2] / "pcaps" / "dns-udp.pcap"
RULES = "".join(f"alert udp any any -> any any (sid:{sid};)\n" for sid in (1, 2, 3, 4))


def alerts(haidang: Run, folder: Path, config: str) -> Counter[int]:
    """How often each rule alerted under this threshold.config."""
    (folder / "a.rules").write_text(RULES)
    (folder / "threshold.config").write_text(config)
    (folder / "out" / "eve.json").unlink(missing_ok=True)
    done = haidang(
        "replay", PINGS, "-S", folder / "a.rules", "-l", folder / "out", "-k", "none",
        "--set", f"threshold-file={folder / 'threshold.config'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    events = map(json.loads, (folder / "out" / "eve.json").read_text().splitlines())
    return Counter(e["alert"]["signature_id"] for e in events if e["event_type"] == "alert")


def test_suppressions_thresholds_and_rate_filters(haidang: Run, tmp_path: Path) -> None:
    free = alerts(haidang, tmp_path, "")
    assert len(set(free.values())) == 1 and free[1] > 4
    held = alerts(
        haidang,
        tmp_path,
        "suppress gen_id 1, sig_id 1\n"
        "suppress gen_id 1, sig_id 2, track by_either, ip [$HOME_NET,0.0.0.0/0]\n"
        "threshold gen_id 1, sig_id 3, type limit, track by_rule, count 2, seconds 3600\n"
        "rate_filter gen_id 1, sig_id 4, track by_rule, count 4, seconds 60, new_action pass, timeout 600\n",
    )
    assert held == {3: 2, 4: 3}


def test_a_line_that_cannot_be_used_is_told_and_the_others_hold(haidang: Run, tmp_path: Path) -> None:
    (tmp_path / "a.rules").write_text(RULES)
    (tmp_path / "t.config").write_text("suppress gen_id 1, sig_id 1\nsuppress gen_id 1\n")
    done = haidang(
        "replay", PINGS, "-S", tmp_path / "a.rules", "-l", tmp_path / "out",
        "--set", f"threshold-file={tmp_path / 't.config'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "t.config:2" in done.stdout + done.stderr and "sig_id" in done.stdout + done.stderr
    assert "1:1:0" not in done.stdout
