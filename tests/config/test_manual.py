"""The manual page is the table; Suricata's own configuration meets no surprise."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensor.config import load
from sensor.config.manual import pages
from sensor.config.schema import KEYS

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
STOCK = Path("/etc/suricata/suricata.yaml")


def test_the_page_is_made_from_the_table() -> None:
    assert PAGE.read_text() == "".join(f"{line}\n" for line in pages()), "make docs"


def test_every_key_says_what_it_does_once() -> None:
    paths = [key.path for key in KEYS]
    assert len(paths) == len(set(paths))
    assert all(0 < len(key.doc) <= 100 for key in KEYS)
    assert all(key.doc[0].isupper() or key.doc[0] == "`" for key in KEYS if key.reader != "none")


@pytest.mark.skipif(not STOCK.is_file(), reason="Suricata is not installed")
def test_suricatas_stock_configuration_is_taken_as_it_is() -> None:
    config = load(STOCK)
    assert config.unknown == []
    assert config.get("stream.reassembly.depth") == 1 << 20
    assert list(config.eve_types())[:2] == ["alert", "anomaly"]
