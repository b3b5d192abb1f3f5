"""A sensor whose clock is years off still enrols and delivers; how far it is off is measured and shown."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from house import HAIDANG, REPOSITORY, House, write_events

_SHIFTED = """\
import time
_time, _time_ns = time.time, time.time_ns
_SECONDS = {seconds}
time.time = lambda: _time() + _SECONDS
time.time_ns = lambda: _time_ns() + _SECONDS * 10**9
"""
YEAR = 365 * 86_400


@pytest.mark.parametrize(
    "seconds", [5 * YEAR, -5 * YEAR, -56 * YEAR], ids=["5 years ahead", "5 years behind", "reset"]
)
def test_a_sensor_with_a_wrong_clock_delivers_and_its_skew_is_shown(
    house: House, tmp_path: Path, seconds: int
) -> None:
    shim = tmp_path / "shim"
    shim.mkdir()
    (shim / "sitecustomize.py").write_text(_SHIFTED.format(seconds=seconds))
    environment = {**os.environ, "HAIDANG_LANG": "en", "PYTHONPATH": f"{shim}:{REPOSITORY}"}

    def sensor(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                *HAIDANG,
                "sensor",
                str(arguments[0]),
                "-d",
                str(house.sensor_directory),
                *map(str, arguments[1:]),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=REPOSITORY,
            env=environment,
        )

    house.start_centre()
    house.wait_for_centre()
    token = house.haidang("centre", "token", "-d", house.centre_directory).stdout.strip()
    done = sensor("enrol", token, "--name", "tap1")
    assert done.returncode == 0, done.stderr
    (file,) = write_events(tmp_path, 50, files=1, seed=1)
    done = sensor("run", "--metrics", "", "--events", file)
    assert done.returncode == 0, done.stderr
    house.wait_for_store()
    house.wait_until_filled()
    assert sorted(house.search()) == sorted(file.read_text().splitlines())
    (row,) = map(
        json.loads,
        house.haidang(
            "centre", "sensors", "-d", house.centre_directory, "--format", "json"
        ).stdout.splitlines(),
    )
    assert abs(row["skew_ms"] - seconds * 1000) < 10_000
    told = house.haidang("centre", "quality", "-d", house.centre_directory, "--format", "json", check=False)
    (row,) = map(json.loads, told.stdout.splitlines())
    assert told.returncode == 1 and row["correct"] is False and row["complete"] is True
    assert abs(row["skew_us"] - seconds * 10**6) < 10_000_000
    assert any("its clock is off by" in reason for reason in row["reasons"])
    table = house.haidang("centre", "quality", "-d", house.centre_directory, check=False).stdout
    assert f"{seconds:+d}"[:5] in table
