"""`af-packet` and -i become what the engine is told; what cannot be used is said with its remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from sensor.config import Config, load
from sensor.errors import UserError
from sensor.live.interfaces import MIN_BLOCK_BYTES, RING_BYTES, live_document

YAML = """
af-packet:
  - interface: eth1
    threads: 3
    cluster-id: 98
    cluster-type: cluster_flow
    ring-memory: 256mb
    block-size: 2mb
    bpf-filter: "port 80"
    disable-promisc: yes
  - interface: eth2
    ring-size: 100000
    cluster-type: cluster_ebpf
    block-size: 32768
  - interface: default
    threads: 2
    block-timeout: 25
haidang:
  exclude:
    networks: [10.0.0.0/8, "2001:db8::/32"]
    vlans: [7, 9]
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "sensor.yaml"
    path.write_text(YAML)
    found = load(path)
    assert (found.unknown, found.warnings) == ([], [])
    return found


def told(
    config: Config, *names: str, workers: int = 0, capture_filter: str = ""
) -> dict[str, dict[str, Any]]:
    document = live_document(
        config, names, workers=workers, capture_filter=capture_filter,
        compile_filter=lambda text: [[6, 0, 0, len(text)]],
    )  # fmt: skip
    return {one["interface"]: one for one in cast(list[dict[str, Any]], document["interfaces"])}


def test_every_key_arrives(config: Config) -> None:
    eth1, eth2 = told(config).values()
    assert eth1 == {
        "interface": "eth1", "threads": 3, "cluster-id": 98, "cluster-type": "cluster_flow",
        "promiscuous": False, "block-timeout-ms": 25, "filter": [[6, 0, 0, 7]],
        "excluded-networks": ["10.0.0.0/8", "2001:db8::/32"], "excluded-vlans": [7, 9],
        "block-bytes": 2 << 20, "blocks": 128,
    }  # fmt: skip
    assert (eth2["threads"], eth2["cluster-type"], eth2["promiscuous"]) == (2, "cluster_pair", True)
    assert (eth2["block-bytes"], eth2["blocks"]) == (MIN_BLOCK_BYTES, 100_000 * 1600 // MIN_BLOCK_BYTES)
    assert "merged frame" in config.warnings[0]


def test_the_command_line_comes_first(config: Config) -> None:
    (eth9,) = told(config, "eth9", workers=5, capture_filter="udp").values()
    assert (eth9["threads"], eth9["filter"], eth9["block-timeout-ms"]) == (5, [[6, 0, 0, 3]], 25)
    assert list(told(config, "eth2", "eth2")) == ["eth2"]


def test_rings_leave_the_machine_its_memory() -> None:
    (few,) = told(load(), "eth1", workers=1).values()
    assert few["block-bytes"] * few["blocks"] <= RING_BYTES
    (many,) = told(load(), "eth1", workers=1000).values()
    assert many["block-bytes"] * many["blocks"] < RING_BYTES
    assert many["blocks"] >= 4


def test_a_filter_on_vlans_is_warned_of() -> None:
    config = load()
    told(config, "eth1", capture_filter="vlan 5 and tcp")
    assert "haidang.exclude.vlans" in config.warnings[0]


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("af-packet.0.threads=many", "no number of threads"),
        ("af-packet.0.threads=0", "no number of threads"),
        ("af-packet.0.ring-memory=5gb", "larger than the kernel makes"),
        ("haidang.exclude.vlans=[4096]", "no VLAN"),
    ],
)
def test_what_cannot_be_is_refused(setting: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        told(load(None, ["af-packet.0.interface=eth1", setting]))


def test_without_an_interface_there_is_nothing_to_do() -> None:
    with pytest.raises(UserError, match="no interface given"):
        told(load())
