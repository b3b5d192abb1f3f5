"""The internet protocols of a packet: IPv4, IPv6, TCP, UDP, ICMP, the tunnels between them.

Every length is checked against what was captured; what is not understood is a payload of kind "other". The
engine has its own decoder: this one only finds where things lie, it decides nothing about what is valid.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from sensor.pcap.found import Flow, Layers, Payload, Sum

MAX_DEPTH = 12  # headers inside headers
MAX_EXTENSIONS = 16  # of one IPv6 header
MAX_OPTIONS = 64

TCP, UDP, ICMP, ICMPV6, SCTP = 6, 17, 1, 58, 132
_IN_IP: dict[int, int] = {2: 2, 89: 12, 103: 2, 112: 6}  # IGMP, OSPF, PIM, VRRP: where the checksum lies
_IPV6_EXTENSIONS = {0, 43, 60, 135, 139, 140}
_TCP_OPTIONS = frozenset((1, 2, 3, 4, 5, 8, 19, 28, 29, 30, 34))
_GRE_IN_UDP, _AYIYA = {4754, 4755}, {5072}
_VXLAN, _GENEVE, _TEREDO, _GTP_U = {4789, 8472}, {6081}, {3544}, {2152}

Pseudo = tuple[tuple[int, int], ...]


class InternetWalk(ABC):
    """A walk through one packet from an internet header on; what carries it is the subclass's."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.found = Layers()
        self.depth = 0
        self.is_quote = False

    def u16(self, at: int) -> int:
        return int.from_bytes(self.data[at : at + 2], "big")

    def u32(self, at: int) -> int:
        return int.from_bytes(self.data[at : at + 4], "big")

    def other(self, start: int, end: int) -> None:
        if start < end:
            self.found.payloads.append(Payload("other", start, end))

    def opaque(self, start: int, end: int) -> None:
        if start < end:
            self.found.payloads.append(Payload("opaque", start, end))

    def mac(self, at: int, end: int) -> None:
        if at + 6 <= end:
            self.found.macs.append(at)

    def address(self, at: int, length: int, end: int) -> None:
        if at + length <= end:
            self.found.addresses.append((at, length))

    @abstractmethod
    def ethernet(self, at: int, end: int) -> None: ...

    @abstractmethod
    def ppp(self, at: int, end: int) -> None: ...

    def raw(self, at: int, end: int) -> None:
        """A packet that says itself which version it is."""
        version = self.data[at] >> 4 if at < end else 0
        if version == 4:
            return self.ipv4(at, end)
        return self.ipv6(at, end) if version == 6 else self.opaque(at, end)

    def ipv4(self, at: int, end: int) -> None:
        self.depth += 1
        self.found.names.append("ipv4")
        header = (self.data[at] & 15) * 4 if at < end else 0
        if end - at < 20 or header < 20 or self.depth > MAX_DEPTH:
            if end - at >= 20:  # a header that lies about its length has addresses all the same
                self.address(at + 12, 4, end)
                self.address(at + 16, 4, end)
                at += 20
            return self.opaque(at, end)
        total = self.u16(at + 2)
        body_end = min(end, at + total) if total >= header else end
        self.address(at + 12, 4, end)
        self.address(at + 16, 4, end)
        self.found.sums.append(Sum(at + 10, at, min(at + header, end)))
        self.ipv4_options(at + 20, min(at + header, end))
        fragment = self.u16(at + 6)
        pseudo = ((at + 12, 4), (at + 16, 4))
        body, protocol = at + header, self.data[at + 9]
        if fragment & 0x3FFF and not self.is_quote:
            self.fragment(protocol, pseudo, (fragment & 0x1FFF) * 8, self.u16(at + 4), body, body_end)
        else:
            self.protocol(protocol, pseudo, body, body_end)
        if not self.is_quote:
            self.opaque(body_end, end)  # a trailer: padding, or what was left in a buffer
        return None

    def ipv4_options(self, at: int, end: int) -> None:
        for _ in range(MAX_OPTIONS):
            if at + 2 > end or self.data[at] == 0:
                return
            kind, length = self.data[at], self.data[at + 1]
            if kind == 1:
                at += 1
                continue
            if length < 2:
                return
            step = {7: 4, 131: 4, 137: 4, 68: 8}.get(kind, 0)  # routes; timestamps with addresses
            first = at + (3 if kind != 68 else 4)
            if step and (kind != 68 or self.data[at + 3 : at + 4] not in (b"", b"\x00")):
                for place in range(first, min(at + length, end) - 3, step):
                    self.address(place, 4, end)
            at += length

    def ipv6(self, at: int, end: int) -> None:
        self.depth += 1
        self.found.names.append("ipv6")
        if end - at < 40 or self.depth > MAX_DEPTH:
            return self.opaque(at, end)
        length, protocol = self.u16(at + 4), self.data[at + 6]
        body_end = min(end, at + 40 + length) if length else end
        self.address(at + 8, 16, end)
        self.address(at + 24, 16, end)
        pseudo = ((at + 8, 16), (at + 24, 16))
        body = at + 40
        for _ in range(MAX_EXTENSIONS):
            if body + 8 > body_end:
                break
            if protocol in _IPV6_EXTENSIONS:
                size = (self.data[body + 1] + 1) * 8
                if protocol == 43 and self.data[body + 2] in (0, 2, 4):
                    for place in range(body + 8, min(body + size, body_end) - 15, 16):
                        self.address(place, 16, body_end)
                        if self.data[body + 3]:  # the checksum is over where it ends
                            pseudo = (pseudo[0], (place if self.data[body + 2] != 4 else body + 8, 16))
            elif protocol == 51:
                size = (self.data[body + 1] + 2) * 4
            elif protocol == 44:
                size = 8
                place = self.u16(body + 2)
                if place & 0xFFF9 and not self.is_quote:
                    identity = self.u32(body + 4)
                    self.fragment(self.data[body], pseudo, place & 0xFFF8, identity, body + 8, body_end)
                    return self.opaque(body_end, end)
            else:
                break
            if protocol in (135, 139, 140):  # mobility, HIP, shim6: full of addresses
                self.found.sums.append(Sum(body + 4, body, min(body + size, body_end), pseudo))
                self.opaque(body + 6, min(body + size, body_end))
            elif protocol == 60:
                self.home_address(body + 2, min(body + size, body_end))
            protocol, body = self.data[body], body + size
        self.protocol(protocol, pseudo, min(body, body_end), body_end)
        if not self.is_quote:
            self.opaque(body_end, end)
        return None

    def home_address(self, at: int, end: int) -> None:
        """The option of a mobile node's own address (RFC 6275, 6.3)."""
        for _ in range(MAX_OPTIONS):
            if at + 2 > end:
                return
            if self.data[at] == 0xC9:
                self.address(at + 2, 16, end)
            at += 1 if self.data[at] == 0 else 2 + self.data[at + 1]

    def fragment(self, protocol: int, pseudo: Pseudo, place: int, identity: int, at: int, end: int) -> None:
        self.found.names.append("fragment")
        flow = self.flow(protocol, pseudo, 0, 0)
        if at < end:
            self.found.payloads.append(Payload("fragment", at, end, flow, place, identity))
        if place == 0 and protocol in (TCP, UDP) and at + 4 <= end:
            flow = flow._replace(source_port=self.u16(at), destination_port=self.u16(at + 2))
        self.found.flows.append(flow)

    def flow(self, protocol: int, pseudo: Pseudo, source: int, destination: int) -> Flow:
        ends = [self.data[place : place + length] for place, length in pseudo]
        return Flow(protocol, ends[0], source, ends[1], destination)

    def protocol(self, protocol: int, pseudo: Pseudo, at: int, end: int) -> None:
        """What an IP header carries."""
        flow = self.flow(protocol, pseudo, 0, 0)
        if protocol in (TCP, UDP, SCTP) and at + 4 <= end:
            flow = flow._replace(source_port=self.u16(at), destination_port=self.u16(at + 2))
        (self.found.quoted if self.is_quote else self.found.flows).append(flow)
        if protocol == TCP:
            return self.tcp(flow, pseudo, at, end)
        if protocol == UDP:
            return self.udp(flow, pseudo, at, end)
        if protocol in (ICMP, ICMPV6):
            return self.icmp(protocol == ICMPV6, pseudo, at, end)
        if protocol == 4:
            return self.ipv4(at, end)
        if protocol == 41:
            return self.ipv6(at, end)
        if protocol == 47:
            return self.gre(at, end)
        if protocol == SCTP and end - at >= 12:
            self.found.sums.append(Sum(at + 8, at, end, is_crc32c=True))
            return self.sctp(at + 12, end)
        if protocol == 51 and end - at >= 12:
            return self.protocol_inside(at, pseudo, end)
        if protocol in _IN_IP and end - at >= 8:
            is_over_addresses = protocol in (112, 103) and pseudo[0][1] == 16
            self.found.sums.append(Sum(at + _IN_IP[protocol], at, end, pseudo if is_over_addresses else ()))
        if protocol in (97, 115):  # EtherIP; L2TP, whose cookie's length nobody tells
            return self.ethernet(at + 2, end) if protocol == 97 else self.opaque(at, end)
        return self.opaque(at + 4, end)

    def sctp(self, at: int, end: int) -> None:
        """The addresses in the parameters of a setup (RFC 9260, 3.3.2); all else is payload."""
        chunk, kind = at, self.data[at] if at < end else 0
        self.other(at, end)
        if kind in (1, 2) and chunk + 20 <= end:
            at = chunk + 20
            for _ in range(MAX_OPTIONS):
                if at + 4 > end:
                    return
                size = max(self.u16(at + 2), 4)
                width = {5: 4, 6: 16}.get(self.u16(at), 0)
                if width and size == 4 + width:
                    self.address(at + 4, width, end)
                at += size + -size % 4

    def protocol_inside(self, at: int, pseudo: Pseudo, end: int) -> None:
        """Behind an IPv4 authentication header."""
        self.depth += 1
        body = at + (self.data[at + 1] + 2) * 4
        if self.depth > MAX_DEPTH or body > end:
            return self.other(at, end)
        return self.protocol(self.data[at], pseudo, body, end)

    def tcp(self, flow: Flow, pseudo: Pseudo, at: int, end: int) -> None:
        self.found.names.append("tcp")
        header = (self.data[at + 12] >> 4) * 4 if end - at > 12 else 0
        if end - at < 20 or header < 20:
            if end - at >= 18:
                self.found.sums.append(Sum(at + 16, at, end, pseudo))
            return self.opaque(at + 20, end)
        self.found.sums.append(Sum(at + 16, at, end, pseudo))
        body = at + header
        self.tcp_options(at + 20, min(body, end))
        if body < end:
            kind = "other" if self.is_quote else "tcp"
            syn = bool(self.data[at + 13] & 2)
            position = self.u32(at + 4)
            self.found.payloads.append(Payload(kind, body, end, flow, position, 0, syn))
        return None

    def tcp_options(self, at: int, end: int) -> None:
        """Multipath TCP's further addresses (RFC 8684, 3.4.1); options that are not known are blanked."""
        for _ in range(MAX_OPTIONS):
            if at + 2 > end or self.data[at] == 0:
                return self.opaque(at, end)
            size = 1 if self.data[at] == 1 else self.data[at + 1]
            if size < 1 or (size < 2 and self.data[at] != 1):
                return self.opaque(at + 2, end)
            if self.data[at] not in _TCP_OPTIONS:
                self.opaque(at + 2, min(at + size, end))
            if self.data[at] == 30 and size >= 8 and self.data[at + 2] >> 4 == 3:
                self.address(at + 4, 16 if size >= 20 else 4, min(at + size, end))
            at += size
        return None

    def udp(self, flow: Flow, pseudo: Pseudo, at: int, end: int) -> None:
        self.found.names.append("udp")
        if end - at < 8:
            return None
        length = self.u16(at + 4)
        body_end = min(end, at + length) if length >= 8 else end
        self.found.sums.append(Sum(at + 6, at, body_end, pseudo))
        self.depth += 1
        ports = {flow.source_port, flow.destination_port}
        body = at + 8
        if self.depth > MAX_DEPTH:
            self.other(body, body_end)
        elif self.is_quote:
            if body < body_end:
                self.found.payloads.append(Payload("udp", body, body_end, flow))
        elif ports & _VXLAN and body + 8 <= body_end and self.data[body] & 0x08:
            self.ethernet(body + 8, body_end)
        elif ports & _GENEVE and body + 8 <= body_end and not self.data[body] >> 6:
            self.ether_type_of(self.u16(body + 2), body + 8 + (self.data[body] & 0x3F) * 4, body_end)
        elif ports & _TEREDO and self.teredo(body, body_end):
            pass
        elif ports & _GRE_IN_UDP:
            self.gre(body, body_end)
        elif ports & _AYIYA and body + 8 <= body_end and self.ayiya(pseudo, body, body_end):
            pass
        elif ports & _GTP_U and self.data[body + 1 : body + 2] == b"\xff":
            extra = self.data[body] & 7
            self.raw(body + (12 if extra else 8), body_end)
        elif body < body_end:
            self.found.payloads.append(Payload("udp", body, body_end, flow))
        return self.opaque(body_end, end)

    def ayiya(self, pseudo: Pseudo, at: int, end: int) -> bool:
        """Anything in anything (draft-massar-v6ops-ayiya): an identity, a signature, a packet."""
        identity, signature = 1 << (self.data[at] >> 4), (self.data[at + 1] >> 4) * 4
        kind, body = self.data[at + 3], at + 8 + identity + signature
        if body > end or kind not in (4, 41):
            return False
        self.opaque(at + 8, body)
        self.protocol(kind, pseudo, body, end)
        return True

    def teredo(self, at: int, end: int) -> bool:
        if self.data[at : at + 2] == b"\x00\x01" and at + 4 <= end:  # authentication
            at += 4 + self.data[at + 2] + self.data[at + 3] + 9
        if self.data[at : at + 2] == b"\x00\x00":  # origin: a port and an address, all bits turned
            self.opaque(at + 2, min(at + 8, end))
            at += 8
        if at + 40 > end or self.data[at] >> 4 != 6:
            return False
        self.ipv6(at, end)
        return True

    def ether_type_of(self, kind: int, at: int, end: int) -> None:
        if kind == 0x6558:
            return self.ethernet(at, end)
        return self.raw(at, end) if kind in (0x0800, 0x86DD) else self.opaque(at, end)

    def gre(self, at: int, end: int) -> None:
        self.found.names.append("gre")
        if end - at < 4:
            return self.opaque(at, end)
        flags, kind = self.u16(at), self.u16(at + 2)
        size = 4 + sum(4 for bit in (0xC000, 0x2000, 0x1000) if flags & bit)
        if kind == 0x880B:  # PPTP
            size += 4 if flags & 0x80 else 0
            return self.ppp(at + size, end)
        if kind in (0x88BE, 0x22EB):
            return self.ethernet(at + size + (0 if not flags & 0x1000 else 8 if kind == 0x88BE else 12), end)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            return self.opaque(at + size, end)
        return self.ether_type_of(kind, at + size, end)

    # ICMP

    def icmp(self, is_v6: bool, pseudo: Pseudo, at: int, end: int) -> None:
        self.found.names.append("icmpv6" if is_v6 else "icmp")
        if end - at < 8:
            return self.other(at, end)
        self.found.sums.append(Sum(at + 2, at, end, pseudo if is_v6 else ()))
        kind = self.data[at]
        if self.is_quote:
            return self.other(at + 8, end)
        if kind in ((1, 2, 3, 4) if is_v6 else (3, 4, 5, 11, 12)):
            if kind == 5:
                self.address(at + 4, 4, end)
            size = self.data[at + 4] * 8 if is_v6 else self.data[at + 5] * 4  # of the quote (RFC 4884)
            size = size or 128  # as routers did before they could say
            self.opaque(at + 8 + size + 4, end)  # extensions: names and addresses of interfaces
            return self.quote(at + 8, min(end, at + 8 + size) if at + 8 + size + 4 < end else end)
        if not is_v6 and kind == 9:
            for place in range(at + 8, end - 7, 8):
                self.address(place, 4, end)
            return None
        if is_v6 and kind in (130, 131, 132, 135, 136, 137):
            self.address(at + 8, 16, end)
            if kind == 137:
                self.address(at + 24, 16, end)
            return self.neighbour_options(at + (40 if kind == 137 else 24), end)
        if is_v6 and kind in (133, 134):
            return self.neighbour_options(at + (8 if kind == 133 else 16), end)
        if kind not in ((128, 129) if is_v6 else (0, 8, 13, 14)):
            return self.opaque(at + 8, end)
        return self.other(at + 8, end)

    def quote(self, at: int, end: int) -> None:
        """The start of the packet that an error is about: its checksums are over more than is here."""
        self.is_quote = True
        self.raw(at, end)
        self.is_quote = False

    def neighbour_options(self, at: int, end: int) -> None:
        for _ in range(MAX_OPTIONS):
            size = self.data[at + 1] * 8 if at + 2 <= end else 0
            if not size:
                break
            kind, stop = self.data[at], min(at + size, end)
            if kind in (1, 2):
                self.mac(at + 2, stop)
                self.opaque(at + 8, stop)
            elif kind == 3:
                self.address(at + 16, 16, stop)
            elif kind == 4:
                self.quote(at + 8, stop)
            elif kind == 25:
                for place in range(at + 8, stop - 15, 16):
                    self.address(place, 16, stop)
            else:
                (self.opaque if kind == 31 else self.other)(at + 2, stop)  # 31: names to search in
            at += size
        self.other(at, end)
