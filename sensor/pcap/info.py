"""What is in a capture, without the engine: kind, packets, times, flows, and what is odd about it."""

from __future__ import annotations

import ipaddress
from collections import Counter
from dataclasses import dataclass, field

from sensor.pcap.choose import PROTOCOLS, Pair, pair_of
from sensor.pcap.files import CaptureFile
from sensor.pcap.layers import layers_of

MAX_FLOWS = 500_000  # kept apart; what comes later is counted together
FIRST = 10
LINKS = {
    0: "null", 1: "Ethernet", 9: "PPP", 12: "raw IP", 50: "PPP over HDLC", 101: "raw IP", 104: "Cisco HDLC",
    105: "802.11", 107: "frame relay", 108: "loopback", 113: "Linux cooked", 127: "802.11 radiotap",
    228: "IPv4", 229: "IPv6", 276: "Linux cooked 2",
}  # fmt: skip
_NAMES = {number: name.upper() for name, number in PROTOCOLS.items()}


@dataclass
class Info:
    """The facts of one capture."""

    path: str
    kind: str = ""
    packets: int = 0
    bytes_captured: int = 0
    bytes_on_wire: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    links: Counter[int] = field(default_factory=Counter)
    layers: Counter[str] = field(default_factory=Counter)
    flows: dict[Pair, list[int]] = field(default_factory=dict)  # packets, bytes
    flows_not_kept: int = 0  # packets of flows past MAX_FLOWS
    snaplens: list[int] = field(default_factory=list)
    interfaces: int = 0
    has_nanoseconds: bool = False
    oddities: Counter[str] = field(default_factory=Counter)

    @property
    def seconds(self) -> float:
        """From the first time to the last one."""
        return 0.0 if self.first_ns is None or self.last_ns is None else (self.last_ns - self.first_ns) / 1e9

    def top_flows(self) -> list[tuple[Pair, list[int]]]:
        """The flows with the most bytes."""
        return sorted(self.flows.items(), key=lambda item: -item[1][1])[:FIRST]


def info(path: str) -> Info:
    """Read a capture to its end."""
    told = Info(path)
    with CaptureFile(path) as capture:
        before = None
        for packet in capture:
            told.packets += 1
            size = len(packet.data)
            told.bytes_captured += size
            told.bytes_on_wire += max(packet.original_bytes, size)
            told.links[packet.link] += 1
            told.first_ns = packet.time_ns if told.first_ns is None else min(told.first_ns, packet.time_ns)
            told.last_ns = packet.time_ns if told.last_ns is None else max(told.last_ns, packet.time_ns)
            odd = told.oddities
            odd["packets cut by the snapshot length"] += packet.original_bytes > size
            odd["packets that say they were shorter than they are"] += packet.original_bytes < size
            odd["times that go back"] += before is not None and packet.time_ns < before
            odd["packets without a byte"] += not size
            before = packet.time_ns
            _look_inside(told, packet.link, packet.data)
        told.kind, told.interfaces = capture.kind, capture.interfaces
        told.has_nanoseconds, told.snaplens = capture.has_nanoseconds, sorted(capture.snaplens)
        told.oddities["comments on packets"] += capture.comments
        told.oddities["blocks with keys of TLS sessions"] += capture.secrets
        for problem in capture.problems:
            told.oddities[problem] += 1
    told.oddities += Counter()  # without zeros
    return told


def _look_inside(told: Info, link: int, data: bytes) -> None:
    found = layers_of(link, data)
    told.layers.update(set(found.names))
    if not found.flows:
        told.oddities["packets without an IP header"] += not found.names
        return
    pair = pair_of(found.flows[-1])
    counts = told.flows.get(pair)
    if counts is None:
        if len(told.flows) >= MAX_FLOWS:
            told.flows_not_kept += 1
            return
        counts = told.flows[pair] = [0, 0]
    counts[0] += 1
    counts[1] += len(data)


def shown_pair(pair: Pair) -> str:
    """A flow for people."""
    protocol, one, other = pair
    ends = (
        f"{ipaddress.ip_address(address)}" + (f" port {port}" if port else "")
        for address, port in (one, other)
    )
    return f"{_NAMES.get(protocol, f'protocol {protocol}')} " + " and ".join(ends)
