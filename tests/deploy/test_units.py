"""The systemd units say what they do and keep to the exposure that the guide states."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "deploy" / "systemd"
SENSOR = UNITS / "haidang-sensor.service"
ANALYZE = shutil.which("systemd-analyze")


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
def test_the_sensors_exposure_is_what_the_guide_says() -> None:
    done = subprocess.run(
        [str(ANALYZE), "security", "--offline=true", SENSOR], capture_output=True, text=True, timeout=30
    )
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    for language in ("en", "vi"):
        assert f"{found[1]}." in (ROOT / "docs" / "guide" / language / "live.md").read_text()


def test_the_sensor_may_do_what_it_has_to() -> None:
    unit = SENSOR.read_text()
    for needed in ("Type=notify", "AF_PACKET", "CAP_NET_RAW", "capset", "RuntimeDirectory=haidang"):
        assert needed in unit
