"""The protocols whose messages are read field by field, and by which ports they are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from sensor.pcap import (
    dhcp_wire,
    dns_wire,
    ike_wire,
    ntp_wire,
    radius_wire,
    snmp_wire,
    stun_wire,
    telnet_wire,
)
from sensor.pcap.dns_wire import WirePlace
from sensor.pcap.found import Flow
from sensor.pcap.internet import TCP, UDP

Message = tuple[str, int, int]  # of which protocol, from where to where
Finder = Callable[[bytes, int, int], Iterator[WirePlace]]

_PROTOCOLS: dict[str, tuple[frozenset[int], Finder]] = {
    "dns": (dns_wire.PORTS, dns_wire.dns_places),
    "netbios": (frozenset((dns_wire.PORT_NETBIOS,)), dns_wire.netbios_places),
    "datagram": (frozenset((dns_wire.PORT_DATAGRAM,)), dns_wire.datagram_places),
    "dhcp": (dhcp_wire.PORTS, dhcp_wire.dhcp_places),
    "dhcpv6": (dhcp_wire.PORTS_V6, dhcp_wire.dhcpv6_places),
    "ntp": (ntp_wire.PORTS, ntp_wire.ntp_places),
    "radius": (radius_wire.PORTS, radius_wire.radius_places),
    "snmp": (snmp_wire.PORTS, snmp_wire.snmp_places),
    "telnet": (telnet_wire.PORTS, telnet_wire.telnet_places),
    "ike": (ike_wire.PORTS, ike_wire.ike_places),
    "stun": (frozenset(), stun_wire.stun_places),
}


def wire_places(data: bytes, messages: Sequence[Message]) -> Iterator[WirePlace]:
    """What the messages in a payload hold."""
    for protocol, start, end in messages:
        yield from _PROTOCOLS[protocol][1](data, start, end)


def messages_in(flow: Flow | None, data: bytes) -> Sequence[Message]:
    """Where such messages are in a payload."""
    if flow is None:
        return ()
    ports = {flow.source_port, flow.destination_port}
    for protocol, (its_ports, _) in _PROTOCOLS.items():
        if its_ports & ports:
            if flow.protocol != TCP:
                return ((protocol, 0, len(data)),)
            if protocol == "telnet" and flow.destination_port in its_ports:
                return ((protocol, 0, len(data)),)
            return list(_dns_over_tcp(data)) if protocol == "dns" else ()
    if flow.protocol == UDP and stun_wire.is_message(data):
        return (("stun", 0, len(data)),)
    return (("dns", 0, len(data)),) if flow.protocol == UDP and dns_wire.is_message(data) else ()


def _dns_over_tcp(data: bytes) -> Iterator[Message]:
    at = 0
    while at + 2 < len(data):
        size = int.from_bytes(data[at : at + 2], "big")
        yield "dns", at + 2, min(at + 2 + size, len(data))
        at += 2 + size
