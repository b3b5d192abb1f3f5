"""Which packets of a capture are wanted: by flow, address, port, time."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sensor.errors import UserError
from sensor.pcap.files import NANOSECONDS, Packet
from sensor.pcap.found import Flow, Layers
from sensor.pcap.layers import layers_of
from sensor.pcap.pseudonyms import Network

End = tuple[bytes, int]
Pair = tuple[int, End, End]
PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1, "ipv6-icmp": 58, "sctp": 132, "igmp": 2, "gre": 47, "esp": 50}


@dataclass(frozen=True)
class FlowChoice:
    """One flow: its ends whatever the direction, and when it was."""

    pair: Pair
    start_ns: int = 0
    end_ns: int = 1 << 63


def pair_of(flow: Flow) -> Pair:
    """A flow without its direction."""
    one, other = (flow.source, flow.source_port), (flow.destination, flow.destination_port)
    return (flow.protocol, one, other) if one <= other else (flow.protocol, other, one)


def pair_from(protocol: str, ends: Sequence[tuple[str, int]]) -> Pair:
    """A flow from the fields of an event. ValueError for addresses that are none."""
    number = PROTOCOLS.get(protocol.lower(), int(protocol) if protocol.isdigit() else 0)
    one, other = ((ipaddress.ip_address(address).packed, port) for address, port in ends)
    return (number, one, other) if one <= other else (number, other, one)


@dataclass
class Choice:
    """What every wanted packet must be: of one of the flows, of one of the networks, on one of the ports,
    within the time. What is empty asks nothing."""

    flows: list[FlowChoice] = field(default_factory=list)
    networks: list[Network] = field(default_factory=list)
    ports: set[int] = field(default_factory=set)
    start_ns: int | None = None
    end_ns: int | None = None

    def __post_init__(self) -> None:
        self._by_pair: dict[Pair, list[FlowChoice]] = {}
        for choice in self.flows:
            self._by_pair.setdefault(choice.pair, []).append(choice)
            protocol, one, other = choice.pair  # fragments have no ports
            without_ports = protocol, (one[0], 0), (other[0], 0)
            self._by_pair.setdefault(without_ports, []).append(choice)

    def wants(self, packet: Packet) -> bool:
        """Whether a packet is wanted."""
        if self.start_ns is not None and packet.time_ns < self.start_ns:
            return False
        if self.end_ns is not None and packet.time_ns > self.end_ns:
            return False
        if not (self.flows or self.networks or self.ports):
            return True
        found = layers_of(packet.link, packet.data)
        return (
            (not self.flows or self._is_of_flow(found, packet.time_ns))
            and (not self.networks or self._is_of_network(found, packet.data))
            and (not self.ports or self._is_on_port(found))
        )

    def _is_of_flow(self, found: Layers, time_ns: int) -> bool:
        # Microseconds are what events tell: the nanoseconds behind them must not put a packet outside.
        return any(
            choice.start_ns - 1000 < time_ns < choice.end_ns + 1000
            for flow in (*found.flows, *found.quoted)
            for choice in self._by_pair.get(pair_of(flow), ())
        )

    def _is_of_network(self, found: Layers, data: bytes) -> bool:
        addresses = [ipaddress.ip_address(data[at : at + size]) for at, size in found.addresses]
        return any(
            address in network
            for address in addresses
            for network in self.networks
            if address.version == network.version
        )

    def _is_on_port(self, found: Layers) -> bool:
        return any(
            self.ports & {flow.source_port, flow.destination_port} for flow in (*found.flows, *found.quoted)
        )


def networks_from(texts: Iterable[str]) -> list[Network]:
    """Addresses and networks. UserError for what is neither."""
    found: list[Network] = []
    for text in texts:
        try:
            found.append(ipaddress.ip_network(text, strict=False))
        except ValueError:
            raise UserError(
                "no address and no network", where=text, fix="e.g. 10.0.0.5, 10.0.0.0/8"
            ) from None
    return found


def time_from(text: str) -> int:
    """Nanoseconds since the epoch from seconds, or from ISO 8601 (in UTC unless it says otherwise)."""
    try:
        return int(float(text) * NANOSECONDS)
    except (ValueError, OverflowError):
        pass
    try:
        when = datetime.fromisoformat(text)
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        seconds = int(when.replace(microsecond=0).timestamp())
    except (ValueError, OverflowError):
        raise UserError(
            "no time", where=text, fix="e.g. 2026-05-31T12:00:00, or seconds since 1970"
        ) from None
    return seconds * NANOSECONDS + when.microsecond * 1000
