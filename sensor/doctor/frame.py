"""One frame as the doctor sees it: tags, encapsulation, IP header, TCP numbers, checksums.

Headers: IEEE 802.1Q, RFC 791, 8200, 9293, 768, 2784 (GRE), 7348 (VXLAN), draft-foschiano-erspan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sensor.pcap.files import Packet

TAGS = (0x8100, 0x88A8, 0x9100, 0x9200)
LAYER_2 = {
    0x0806,
    0x8035,
    0x88CC,
    0x8809,
    0x8863,
    0x888E,
    0x88E5,
    0x9000,
    0x8902,
    0x88F7,
    0x8892,
    0x88B8,
    0x88BA,
    0x88A4,
    0x88E1,
    0x8899,
    0x88B5,
    0x88B6,
    0x887B,
}
"""Ethertypes of protocols that carry no IP and belong on a LAN."""
_OPAQUE_IP = 0x0800
_ETHERNET_LINK = 1
_START = {0: 4, 108: 4, 12: 0, 14: 0, 101: 0, 228: 0, 229: 0}
_COOKED = {113: (14, 16), 276: (0, 20)}
_EXTENSIONS = (0, 43, 60)


class Key(NamedTuple):
    """A conversation, whichever way the frame went."""

    protocol: int
    one: tuple[bytes, int]
    other: tuple[bytes, int]


@dataclass(slots=True)
class Frame:
    """link_known: the doctor can read this link type. ether: the last ethertype, 0 when LLC or none."""

    packet: Packet
    link_known: bool = True
    group: bool = False  # to a broadcast or multicast MAC
    vlans: tuple[int, ...] = ()
    ether: int = 0
    tunnel: str = ""
    outer: tuple[bytes, bytes] = (b"", b"")
    ip: int = -1  # where the innermost IP header lies
    ip_bytes: int = 0  # its total length, 0 when the header has none (TSO)
    source: bytes = b""
    destination: bytes = b""
    protocol: int = 0
    ip_id: int = 0
    fragment: bool = False
    l4: int = 0
    ports: tuple[int, int] = (0, 0)
    flags: int = 0
    seq: int = 0
    ack: int = 0
    payload: int = 0  # bytes behind the TCP or UDP header, by the lengths on the wire
    l4_ok: bool = False
    mss: int = 0

    @property
    def key(self) -> Key:
        """Of its conversation."""
        here, there = (self.source, self.ports[0]), (self.destination, self.ports[1])
        return Key(self.protocol, *((here, there) if here <= there else (there, here)))

    @property
    def complete(self) -> bool:
        """Nothing was cut off."""
        return len(self.packet.data) >= self.packet.original_bytes


def dissect(packet: Packet) -> Frame:
    """Any bytes give a frame; what cannot be read stays empty."""
    frame = Frame(packet)
    data = packet.data
    try:
        if packet.link == _ETHERNET_LINK:
            if len(data) >= 14:
                frame.group = bool(data[0] & 1)
                _ether(frame, data, 12)
        elif packet.link in _START:
            _ip(frame, data, _START[packet.link], 0)
        elif packet.link in _COOKED:
            kind, start = _COOKED[packet.link]
            frame.ether = _u16(data, kind)
            if frame.ether in TAGS:
                _ether(frame, data, kind if packet.link == 113 else start + 2, tag=packet.link != 113)
            elif frame.ether in (0x0800, 0x86DD):
                _ip(frame, data, start, 0)
        else:
            frame.link_known = False
    except IndexError:  # a header ends behind the last byte
        pass
    return frame


def _u16(data: bytes, at: int) -> int:
    return data[at] << 8 | data[at + 1]


def _u32(data: bytes, at: int) -> int:
    return _u16(data, at) << 16 | _u16(data, at + 2)


def _ether(frame: Frame, data: bytes, at: int, depth: int = 0, tag: bool = False) -> None:
    kind = _u16(data, at)
    vlans: list[int] = []
    while kind in TAGS and len(vlans) < 4 and not tag:
        vlans.append(_u16(data, at + 2) & 0xFFF)
        at += 4
        kind = _u16(data, at)
    if depth == 0 or vlans:
        frame.vlans = tuple(vlans)
    frame.ether = kind if kind >= 0x0600 else 0
    at += 2
    if kind in (0x8847, 0x8848):
        for _ in range(8):
            last, at = data[at + 2] & 1, at + 4
            if last:
                break
        kind = {4: 0x0800, 6: 0x86DD}.get(data[at] >> 4, 0)
    elif kind == 0x8864:
        at, kind = at + 8, {0x21: 0x0800, 0x57: 0x86DD}.get(_u16(data, at + 6), 0)
    if kind in (0x0800, 0x86DD):
        _ip(frame, data, at, depth)


def _ip(frame: Frame, data: bytes, at: int, depth: int) -> None:
    version = data[at] >> 4
    if version == 4 and len(data) >= at + 20:
        header = (data[at] & 15) * 4
        total = _u16(data, at + 2)
        frame.ip_id = _u16(data, at + 4)
        frame.fragment = bool(_u16(data, at + 6) & 0x3FFF)
        first = not _u16(data, at + 6) & 0x1FFF
        protocol, l4 = data[at + 9], at + header
        source, destination = data[at + 12 : at + 16], data[at + 16 : at + 20]
    elif version == 6 and len(data) >= at + 40:
        size = _u16(data, at + 4)
        total, frame.ip_id, frame.fragment, first = (size + 40 if size else 0), 0, False, True
        protocol, l4 = data[at + 6], at + 40
        source, destination = data[at + 8 : at + 24], data[at + 24 : at + 40]
        for _ in range(8):
            if protocol in _EXTENSIONS:
                protocol, l4 = data[l4], l4 + (data[l4 + 1] + 1) * 8
            elif protocol == 44:
                frame.fragment, first = True, not _u16(data, l4 + 2) & 0xFFF8
                protocol, l4 = data[l4], l4 + 8
    else:
        return
    frame.ip, frame.ip_bytes, frame.protocol, frame.l4 = at, total, protocol, l4
    frame.source, frame.destination, frame.ports, frame.l4_ok = source, destination, (0, 0), False
    end = at + total if total else frame.packet.original_bytes
    if first:
        _transport(frame, data, l4, end, depth)


def _transport(frame: Frame, data: bytes, at: int, end: int, depth: int) -> None:
    if frame.protocol == 6 and len(data) >= at + 20:
        frame.ports = (_u16(data, at), _u16(data, at + 2))
        frame.seq, frame.ack, frame.flags = _u32(data, at + 4), _u32(data, at + 8), data[at + 13]
        header = (data[at + 12] >> 4) * 4
        frame.payload, frame.l4_ok = max(0, end - at - header), header >= 20
        if frame.flags & 2 and header >= 24 and data[at + 20] == 2:
            frame.mss = _u16(data, at + 22)
    elif frame.protocol == 17 and len(data) >= at + 8:
        frame.ports = (_u16(data, at), _u16(data, at + 2))
        frame.payload, frame.l4_ok = max(0, end - at - 8), True
        if frame.ports[1] == 4789 and data[at + 8 : at + 9] == b"\x08" and depth < 3:
            _inside(frame, data, at + 16, "VXLAN", depth)
    elif frame.protocol == 47 and len(data) >= at + 4 and depth < 3:
        flags, kind = data[at], _u16(data, at + 2)
        start = at + 4 + 4 * (bool(flags & 0x80) + bool(flags & 0x20) + bool(flags & 0x10))
        if kind in (0x88BE, 0x22EB):
            extra = (8 if flags & 0x10 else 0) if kind == 0x88BE else 12
            if kind == 0x22EB and data[start + 11] & 1:
                extra = 20
            _inside(frame, data, start + extra, "ERSPAN", depth)
        elif kind == 0x6558:
            _inside(frame, data, start, "GRE", depth)
    elif frame.protocol in (4, 41) and depth < 3:
        _ip(frame, data, at, depth + 1)


def _inside(frame: Frame, data: bytes, at: int, name: str, depth: int) -> None:
    if not frame.tunnel:
        frame.tunnel, frame.outer = name, (frame.source, frame.destination)
    _ether(frame, data, at + 12, depth + 1)


def pseudo_sum(frame: Frame) -> int:
    """The folded sum of the pseudo-header (RFC 9293, 3.1): what a host that leaves the checksum to its card
    writes into the field."""
    size = frame.ip + frame.ip_bytes - frame.l4
    return _fold(sum(_words(frame.source + frame.destination)) + frame.protocol + size)


def checksum(frame: Frame) -> str:
    """`right`, `wrong`, `partial` (left to the card), or `` when it cannot be told."""
    data, end = frame.packet.data, frame.ip + frame.ip_bytes
    if not frame.l4_ok or frame.fragment or not frame.ip_bytes or len(data) < end or not frame.complete:
        return ""
    at = frame.l4 + (16 if frame.protocol == 6 else 6)
    written = _u16(data, at)
    if frame.protocol == 17 and (not written or _u16(data, frame.l4 + 4) != end - frame.l4):
        return ""
    body, pseudo = data[frame.l4 : end], pseudo_sum(frame)
    if _fold(pseudo + sum(_words(body))) == 0xFFFF:
        return "right"
    return "partial" if written in (pseudo, 0) else "wrong"


def _words(data: bytes) -> list[int]:
    if len(data) % 2:
        data += b"\0"
    native = memoryview(data).cast("H")
    total = _fold(sum(native))
    return [int.from_bytes(total.to_bytes(2, "little"), "big")] if _LITTLE else [total]


def _fold(total: int) -> int:
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


_LITTLE = memoryview(b"\x01\x00").cast("H")[0] == 1
