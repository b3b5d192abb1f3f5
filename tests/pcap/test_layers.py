"""Any bytes walk through, and what is found agrees with dpkt on the shipped captures."""

from __future__ import annotations

import socket
from pathlib import Path

import dpkt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.pcap.files import packets_of
from sensor.pcap.layers import layers_of

ROOT = Path(__file__).parents[2]
LINKS = [0, 1, 8, 9, 12, 50, 101, 104, 105, 107, 108, 113, 127, 228, 229, 276, 999]
FRAMES = [
    packet.data
    for path in sorted((ROOT / "pcaps").glob("*.pcap"))
    for packet in list(packets_of(str(path)))[:6]
]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(LINKS), st.one_of(st.binary(max_size=200), st.sampled_from(FRAMES)), st.data())
def test_any_bytes(link: int, frame: bytes, data: st.DataObject) -> None:
    damaged = bytearray(frame)
    for _ in range(data.draw(st.integers(0, 4))):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    raw = bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    found = layers_of(link, raw)
    assert all(at >= 0 and at + 6 <= len(raw) for at in found.macs)
    assert all(at >= 0 and at + length <= len(raw) for at, length in found.addresses)
    assert all(0 <= p.start < p.end <= len(raw) for p in found.payloads)
    assert all(s.start <= s.field and s.end <= len(raw) for s in found.sums)
    assert len(found.names) < 200


@pytest.mark.parametrize("path", sorted((ROOT / "pcaps").glob("*.pcap")), ids=lambda path: path.stem)
def test_the_outer_flow_is_dpkts(path: Path) -> None:
    for packet in packets_of(str(path)):
        if packet.link != 1:
            continue
        found = layers_of(packet.link, packet.data)
        frame = dpkt.ethernet.Ethernet(packet.data)
        ip = frame.data
        if isinstance(ip, dpkt.ip.IP) and isinstance(ip.data, dpkt.tcp.TCP) and not (ip.mf or ip.offset):
            flow = found.flows[0]
            assert (flow.source, flow.destination) == (ip.src, ip.dst), socket.inet_ntoa(ip.src)
            assert (flow.source_port, flow.destination_port) == (ip.data.sport, ip.data.dport)
            data = b"".join(packet.data[p.start : p.end] for p in found.payloads if p.kind == "tcp")
            assert data == ip.data.data[: len(data)]
            assert len(data) == len(ip.data.data) or ip.len < len(bytes(ip))
