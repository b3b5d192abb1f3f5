"""Pseudonyms: Crypto-PAn's published pairs, shared prefixes stay shared, ranges keep their members, text
keeps its look.
"""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.errors import UserError
from sensor.pcap.pseudonyms import Pseudonyms

KEY = bytes(range(32))
# sample_trace_raw.dat and sample_trace_sanitized.dat of the Crypto-PAn distribution and its sample's key, as
# the ports that test against them list them (Yawning/cryptopan, cryptopan_test.go).
PUBLISHED_KEY = bytes([
    21, 34, 23, 141, 51, 164, 207, 128, 19, 10, 91, 22, 73, 144, 125, 16,
    216, 152, 143, 131, 121, 121, 101, 39, 98, 87, 76, 45, 42, 132, 34, 2,
])  # fmt: skip
PUBLISHED = {
    "128.11.68.132": "135.242.180.132",
    "129.118.74.4": "134.136.186.123",
    "130.132.252.244": "133.68.164.234",
    "141.223.7.43": "141.167.8.160",
    "152.163.225.39": "151.140.114.167",
    "156.29.3.236": "147.225.12.42",
    "165.247.96.84": "162.9.99.234",
    "166.107.77.190": "160.132.178.185",
}
# Pairs whose first octet would leave or enter a range that keeps its members: the other three are published.
PUBLISHED_TAILS = {
    "4.3.88.225": "124.60.155.63",
    "24.0.250.221": "100.15.198.226",
    "24.94.26.44": "100.88.228.35",
    "38.15.67.68": "64.3.66.187",
    "63.14.55.111": "95.9.215.7",
    "64.14.118.196": "0.255.183.58",
    "208.147.89.59": "227.237.98.191",
    "10.185.25.118": "117.161.29.118",
}
RANGES = [
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10", "127.0.0.0/8",
    "224.0.0.0/4", "240.0.0.0/4", "0.0.0.0/8", "198.51.100.0/24", "fe80::/10", "fc00::/8", "fd00::/8",
    "ff00::/8", "2001:db8:20::/48",
]  # fmt: skip
HOME = [ipaddress.ip_network("198.51.100.0/24"), ipaddress.ip_network("2001:db8:20::/48")]
turned = Pseudonyms(KEY, HOME)


@pytest.mark.parametrize("address", PUBLISHED)
def test_published_pairs(address: str) -> None:
    image = Pseudonyms(PUBLISHED_KEY).address(ipaddress.ip_address(address).packed)
    assert str(ipaddress.ip_address(image)) == PUBLISHED[address]


@pytest.mark.parametrize("address", PUBLISHED_TAILS)
def test_published_pairs_near_kept_ranges(address: str) -> None:
    image = Pseudonyms(PUBLISHED_KEY).address(ipaddress.ip_address(address).packed)
    assert image[1:] == ipaddress.ip_address(PUBLISHED_TAILS[address]).packed[1:]


def shared_bits(one: bytes, other: bytes) -> int:
    difference = int.from_bytes(one, "big") ^ int.from_bytes(other, "big")
    return len(one) * 8 - difference.bit_length()


@given(st.binary(min_size=4, max_size=4), st.integers(0, 32), st.binary(min_size=4, max_size=4))
def test_prefixes_of_ipv4(address: bytes, length: int, noise: bytes) -> None:
    mask = (1 << 32 - length) - 1
    other = (int.from_bytes(address, "big") & ~mask | int.from_bytes(noise, "big") & mask).to_bytes(4, "big")
    assert shared_bits(turned.address(address), turned.address(other)) == shared_bits(address, other)


@given(st.binary(min_size=16, max_size=16), st.integers(16, 128), st.binary(min_size=16, max_size=16))
def test_prefixes_of_ipv6(address: bytes, length: int, noise: bytes) -> None:
    address = b"\x2a" + address[1:]  # no IPv4 address inside
    mask = (1 << 128 - length) - 1
    other = (int.from_bytes(address, "big") & ~mask | int.from_bytes(noise, "big") & mask).to_bytes(16, "big")
    assert shared_bits(turned.address(address), turned.address(other)) == shared_bits(address, other)


@given(st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16), st.sampled_from(RANGES))
def test_ranges_keep_their_members(raw: bytes, name: str) -> None:
    network = ipaddress.ip_network(name)
    address = ipaddress.ip_address(raw)
    if address.version != network.version:
        return
    inside = ipaddress.ip_address(int(network.network_address) | int(address) & int(network.hostmask))
    for one in (address, inside):
        image = ipaddress.ip_address(turned.address(one.packed))
        assert (image in network) == (one in network), one


def test_ipv4_inside_ipv6() -> None:
    def image(text: str) -> str:
        return str(ipaddress.ip_address(turned.address(ipaddress.ip_address(text).packed)))

    inner = ipaddress.ip_address(image("8.8.4.4"))
    assert ipaddress.IPv6Address(image("::ffff:8.8.4.4")).ipv4_mapped == inner
    assert ipaddress.IPv6Address(image("2002:808:404::1")).sixtofour == inner
    teredo = ipaddress.IPv6Address(image("2001:0:5ef5:79fd:0:59d:f7f7:fbfb")).teredo
    assert teredo is not None
    assert teredo[1] == inner


@given(st.binary(min_size=6, max_size=6))
def test_macs(mac: bytes) -> None:
    image = turned.mac(mac)
    assert image[0] & 1 == mac[0] & 1
    assert turned.mac(mac) == image


@given(st.binary(max_size=200))
def test_text_keeps_length_and_look(value: bytes) -> None:
    image = turned.text(value)
    assert len(image) == len(value)
    for was, now in zip(value, image, strict=True):
        for kind in (bytes.islower, bytes.isupper, bytes.isdigit):
            assert kind(bytes([was])) == kind(bytes([now]))
    assert turned.text(value.upper()).lower() == turned.text(value.lower()).lower()
    if sum(byte in b"abcdefghijklmnopqrstuvwxyz0123456789" for byte in value.lower()) >= 6:
        assert image != value


def test_the_key_decides() -> None:
    other = Pseudonyms(bytes(32))
    assert other.text(b"bigbank") != turned.text(b"bigbank") == Pseudonyms(KEY).text(b"bigbank")
    assert other.address(b"\x08\x08\x04\x04") != turned.address(b"\x08\x08\x04\x04")
    with pytest.raises(UserError, match="32 bytes"):
        Pseudonyms(b"short")
