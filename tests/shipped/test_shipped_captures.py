"""Shipped captures are small, described, made from their scripts byte for byte, and name no real host."""

import hashlib
import subprocess
import sys
import tomllib
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.utils import rdpcap
from shipped import CAPTURES, ROOT

MANIFEST = tomllib.loads((ROOT / "pcaps/MANIFEST.toml").read_text())
ENTRIES = {name: entry for name, entry in MANIFEST.items() if isinstance(entry, dict)}
MAX_BYTES = 64_000
# Private, link-local, multicast and documentation ranges (RFC 1918, 3927, 5737, 5771, 6890, 3849, 4291).
ALLOWED = [
    ip_network(text)
    for text in (
        *("0.0.0.0/32", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16"),
        *("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "255.255.255.255/32"),
        *("2001:db8::/32", "fe80::/10", "ff00::/8", "::1/128", "::/128"),
    )
]


def test_making_them_again_gives_the_same_bytes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "pcaps.make", str(tmp_path)], cwd=ROOT, check=True, timeout=120)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_bytes() for path in (*CAPTURES.values(), ROOT / "pcaps/MANIFEST.toml")}
    assert sorted(made) == sorted(kept)
    assert [name for name in made if made[name] != kept[name]] == []


def test_manifest_lists_exactly_the_captures() -> None:
    assert sorted(ENTRIES) == sorted(path.name for path in CAPTURES.values())
    assert MANIFEST["licence"] == "Apache-2.0"


@pytest.mark.parametrize("name", ENTRIES)
def test_manifest_entry(name: str) -> None:
    entry, data = ENTRIES[name], (ROOT / "pcaps" / name).read_bytes()
    assert entry["sha256"] == hashlib.sha256(data).hexdigest()
    assert (ROOT / "pcaps" / entry["origin"]).is_file()
    assert entry["shows"]
    assert len(data) <= MAX_BYTES


@pytest.mark.parametrize("name", ENTRIES)
def test_only_private_and_documentation_addresses(name: str) -> None:
    packets = rdpcap(str(ROOT / "pcaps" / name))
    assert len(packets) == ENTRIES[name]["packets"]
    used = {
        ip_address(address)
        for packet in packets
        for layer in (IP, IPv6)
        if layer in packet
        for address in (packet[layer].src, packet[layer].dst)
    }
    assert [
        str(address)
        for address in used
        if not any(address in network for network in ALLOWED if network.version == address.version)
    ] == []
