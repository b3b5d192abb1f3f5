"""What carries nothing but names and addresses of the network itself, and what no rule looks into: routing,
discovery, tunnels' control, flow export. It is blanked behind what tells the kind of message.
"""

from __future__ import annotations

from sensor.pcap.found import Flow
from sensor.pcap.internet import TCP, UDP

_KEPT_BYTES = 4  # version, kind of message, length
# RIP, RIPng, HSRP, LDP, OLSR, BFD, MPLS echo; GTP, PFCP, LISP, CAPWAP, L2TP; exports of flows; PTP,
# VXLAN-GPE, MGCP, AODV, Babel, GLBP, port control, GigE Vision, RADIUS' changes, GPRS, MNDP, LWAPP
_UDP_PORTS = frozenset((
    520, 521, 1985, 2029, 646, 698, 3784, 3785, 4784, 3503, 2123, 2152, 8805, 4341, 4342, 5246, 5247, 1701,
    2055, 9995, 9996, 6343, 4739, 319, 320, 4790, 2427, 2727, 654, 6696, 6697, 3222, 5350, 5351, 3956,
    1700, 3799, 4713, 2157, 2158, 3386, 5678, 12222, 12223,
))  # fmt: skip
# BGP, LDP, MSDP, TACACS+, PPTP, Diameter, OpenFlow, IPFIX, synchrophasors
_TCP_PORTS = frozenset((179, 646, 639, 49, 1723, 3868, 6633, 6653, 4739, 4712))


def is_control(flow: Flow | None) -> bool:
    """Whether a flow is of such a protocol, by its ports."""
    if flow is None:
        return False
    ports = {flow.source_port, flow.destination_port}
    return bool(
        ports & (_UDP_PORTS if flow.protocol == UDP else _TCP_PORTS if flow.protocol == TCP else set())
    )


def blanked(flow: Flow, data: bytes) -> bytes:
    """The payload with nothing left but what tells the kind of a datagram."""
    kept = data[:_KEPT_BYTES] if flow.protocol == UDP else b""
    return kept.ljust(len(data), b"\0")
