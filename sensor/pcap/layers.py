"""What lies where in a packet: addresses, checksums, payloads, flows, through VLANs, tunnels and ICMP quotes.

Here are the link layers; what they carry is sensor.pcap.internet's. Offsets come out, so that a packet can be
changed in place.
"""

from __future__ import annotations

from collections.abc import Callable

from sensor.pcap.found import Layers
from sensor.pcap.internet import MAX_DEPTH, MAX_OPTIONS, InternetWalk


def is_known_link(link: int) -> bool:
    """Whether it is known where the addresses stand in packets of this link type."""
    return link in _LINKS


def layers_of(link: int, data: bytes) -> Layers:
    """Walk one packet."""
    walk = _Walk(data)
    start = _LINKS.get(link)
    if start is None:
        walk.opaque(0, len(data))
    else:
        start(walk, 0, len(data))
    return walk.found


class _Walk(InternetWalk):
    def ethernet(self, at: int, end: int) -> None:
        if end - at < 14:
            return self.opaque(at, end)
        self.mac(at, end)
        self.mac(at + 6, end)
        return self.ether_type(at + 12, end)

    def ether_type(self, at: int, end: int) -> None:
        """The two bytes that say what follows, and what follows."""
        self.depth += 1
        if end - at < 2 or self.depth > MAX_DEPTH:
            return self.opaque(at, end)
        kind, at = self.u16(at), at + 2
        if kind in (0x8100, 0x88A8, 0x9100, 0x9200):
            self.found.names.append("vlan")
            return self.ether_type(at + 2, end)
        if kind in (0x0800, 0x86DD):  # whichever it says it is, the version tells
            return self.raw(at, end)
        if kind in (0x0806, 0x8035):
            return self.arp(at, end)
        if kind in (0x8847, 0x8848):
            return self.mpls(at, end)
        if kind == 0x8864:
            return self.ppp(at + 6, end)
        if kind in (0x88BE, 0x22EB):  # ERSPAN II, III
            return self.ethernet(at + (8 if kind == 0x88BE else 12), end)
        if kind == 0x6558:
            return self.ethernet(at, end)
        if kind == 0x88E7:  # provider backbone bridge
            return self.ethernet(at + 4, end)
        if kind == 0x8903:  # FabricPath
            return self.ethernet(at + 2, end)
        if kind == 0x8926:  # VN-tag
            return self.ether_type(at + 4, end)
        if kind < 0x0600 and self.data[at : at + 3] == b"\xaa\xaa\x03":  # LLC and SNAP
            return self.ether_type(at + 6, end)
        return self.opaque(at + 3 if kind < 0x0600 else at, end)

    def mpls(self, at: int, end: int) -> None:
        self.found.names.append("mpls")
        for _ in range(MAX_OPTIONS):
            if at + 4 > end:
                return self.opaque(at, end)
            is_last, at = self.data[at + 2] & 1, at + 4
            if is_last:
                break
        version = self.data[at] >> 4 if at < end else 15
        if version in (4, 6):
            return self.raw(at, end)
        return self.ethernet(at + 4 if version == 0 else at, end)  # with or without a control word

    def ppp(self, at: int, end: int) -> None:
        if self.data[at : at + 2] == b"\xff\x03":
            at += 2
        if at >= end:
            return None
        short = self.data[at] & 1  # a protocol of one byte
        kind, at = (self.data[at], at + 1) if short else (self.u16(at), at + 2)
        if kind in (0x21, 0x57):
            return self.raw(at, end)
        return self.mpls(at, end) if kind in (0x281, 0x283) else self.opaque(at, end)

    def null(self, at: int, end: int) -> None:
        return self.raw(at + 4, end)

    def cooked(self, at: int, end: int) -> None:
        if self.data[at + 4 : at + 6] == b"\x00\x06":
            self.mac(at + 6, end)
        return self.ether_type(at + 14, end)

    def cooked2(self, at: int, end: int) -> None:
        if self.data[at + 11 : at + 12] == b"\x06":
            self.mac(at + 12, end)
        before = len(self.found.names)
        kind = self.u16(at)
        if kind in (0x0800, 0x86DD):
            return self.raw(at + 20, end)
        if kind == 0x0806:
            return self.arp(at + 20, end)
        if kind in (0x8100, 0x88A8):
            return self.ether_type(at + 22, end)
        del self.found.names[before:]
        return self.opaque(at + 20, end)

    def hdlc(self, at: int, end: int) -> None:
        if self.u16(at + 2) == 0x8035:  # Cisco's own ARP
            return self.opaque(at + 4, end)
        return self.ether_type(at + 2, end)

    def frame_relay(self, at: int, end: int) -> None:
        if self.data[at + 2 : at + 4] == b"\x03\xcc":
            return self.raw(at + 4, end)
        if self.data[at + 2 : at + 5] == b"\x03\x00\x80":
            return self.ether_type(at + 8, end)
        return self.ether_type(at + 2, end)

    def radiotap(self, at: int, end: int) -> None:
        return self.wifi(at + int.from_bytes(self.data[at + 2 : at + 4], "little"), end)

    def wifi(self, at: int, end: int) -> None:
        """IEEE 802.11: up to four addresses, and what a data frame in the clear carries."""
        if end - at < 10:
            return self.opaque(at, end)
        kind, subtype, flags = self.data[at] >> 2 & 3, self.data[at] >> 4, self.data[at + 1]
        self.mac(at + 4, end)
        if kind == 1:  # control: one or two addresses
            return self.mac(at + 10, end)
        self.mac(at + 10, end)
        self.mac(at + 16, end)
        at += 24
        if flags & 3 == 3:
            self.mac(at, end)
            at += 6
        if kind == 2 and subtype & 8:
            at += 2
        if kind == 2 and not flags & 0x40 and self.data[at : at + 3] == b"\xaa\xaa\x03":
            return self.ether_type(at + 6, end)
        return self.opaque(at, end)

    def arp(self, at: int, end: int) -> None:
        self.found.names.append("arp")
        if end - at < 8:
            return self.opaque(at, end)
        hardware, protocol = self.data[at + 4], self.data[at + 5]
        at += 8
        if (hardware, protocol) != (6, 4):  # lengths that may lie: nothing is skipped
            self.opaque(at, end)
        for _ in range(2):
            if hardware == 6:
                self.mac(at, end)
            if protocol in (4, 16):
                self.address(at + hardware, protocol, end)
            at += hardware + protocol
        return self.opaque(at, end)


_LINKS: dict[int, Callable[[_Walk, int, int], None]] = {
    0: _Walk.null,
    1: _Walk.ethernet,
    8: _Walk.raw,
    9: _Walk.ppp,
    12: _Walk.raw,
    14: _Walk.raw,
    50: _Walk.ppp,
    101: _Walk.raw,
    104: _Walk.hdlc,
    105: _Walk.wifi,
    107: _Walk.frame_relay,
    108: _Walk.null,
    113: _Walk.cooked,
    127: _Walk.radiotap,
    228: _Walk.raw,
    229: _Walk.raw,
    276: _Walk.cooked2,
}
"""By link type (tcpdump.org/linktypes)."""
