"""The whole line with the engine: captures go in, and the centre ends with what eve.json says, also when the
sensor is killed.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from pathlib import Path

import pytest
from house import REPOSITORY, House

pytest.importorskip("sensor._engine", reason="the engine is not built: make setup")

CONFIG = REPOSITORY / "deploy" / "demo.yaml"


def without_clock(line: str) -> str:
    """An event without what two runs differ in: stats are stamped when they are made."""
    event = json.loads(line)
    return json.dumps(event, sort_keys=True) if event["event_type"] != "stats" else "stats"


def test_captures_killed_half_way_arrive_once(house: House, tmp_path: Path) -> None:
    house.haidang("replay", REPOSITORY / "pcaps", "-c", CONFIG, "-l", tmp_path / "replayed")
    expected = Counter(map(without_clock, (tmp_path / "replayed" / "eve.json").read_text().splitlines()))
    house.start_centre()
    house.wait_for_centre()
    house.enrol()
    run = ("-r", REPOSITORY / "pcaps", "-c", CONFIG, "-l", tmp_path / "logs")
    chance = random.Random(6)
    for _ in range(5):
        house.start_sensor(*run)
        time.sleep(chance.uniform(0.3, 1.5))
        house.kill_sensor()
    house.start_sensor(*run)
    assert house.sensor is not None
    assert house.sensor.wait(120) == 0, house.sensor_log.read_text()[-2000:]
    house.wait_for_store()
    house.wait_until_filled()
    assert Counter(map(without_clock, house.search("--limit", "100000"))) == expected
    # Local files are written first: they may hold the last step twice, and lack nothing.
    local = Counter(map(without_clock, (tmp_path / "logs" / "eve.json").read_text().splitlines()))
    assert local.keys() == expected.keys()
