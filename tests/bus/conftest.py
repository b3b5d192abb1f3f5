"""Keys and batches for the bus's tests. Keys are made once: ML-DSA takes its time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sensor.bus.keys import CentreKeys, SensorKeys
from sensor.bus.seal import Sealer
from sensor.bus.spool import Spool


@pytest.fixture(scope="session")
def sensor_keys() -> SensorKeys:
    return SensorKeys.generate()


@pytest.fixture(scope="session")
def centre_keys() -> CentreKeys:
    return CentreKeys.generate()


@pytest.fixture(scope="session")
def sealer(sensor_keys: SensorKeys, centre_keys: CentreKeys) -> Sealer:
    return Sealer(sensor_keys, centre_keys.public())


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(tmp_path / "spool.sqlite", "tap1")
    yield made
    made.close()
