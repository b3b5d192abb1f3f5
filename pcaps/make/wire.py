"""Records packets on a tape and writes the tape as pcap or pcapng, the same bytes on every run.

Everything that usually varies is fixed here: the clock, MAC addresses (derived from the IP address), IP ids,
initial sequence numbers and "random" bytes. This module knows layers 2 to 4 and file formats; it must not
know what any capture is about.
"""

import hashlib
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import CookedLinux, CookedLinuxV2, Dot1AD, Dot1Q, Ether, Loopback
from scapy.packet import Packet, Raw

EPOCH_NS = 1_768_464_000 * 1_000_000_000  # 2026-01-15 08:00:00 UTC, the first packet of every capture
STEP_NS = 1_250_000  # between packets, unless a capture waits longer

# Link types as registered for pcap files.
LINK_NULL, LINK_ETHERNET, LINK_RAW, LINK_SLL, LINK_SLL2 = 0, 1, 101, 113, 276

CLIENT, SERVER = "10.20.0.15", "10.20.0.80"
OUTSIDE = "198.51.100.23"  # documentation range: plays every host on the Internet
CLIENT6, SERVER6 = "2001:db8:20::15", "2001:db8:20::80"


def noise(label: str, length: int) -> bytes:
    """`length` bytes that look random and are the same on every run."""
    return hashlib.shake_256(label.encode()).digest(length)


def mac(address: str) -> str:
    """A locally administered MAC address for an IP address."""
    tail = ip_address(address).packed[-4:]
    return "02:00:" + ":".join(f"{octet:02x}" for octet in tail)


Link = Callable[[Packet], tuple[int, bytes]]


def ethernet(packet: Packet) -> tuple[int, bytes]:
    return LINK_ETHERNET, bytes(Ether(src=mac(packet.src), dst=mac(packet.dst)) / packet)


def vlan(identifier: int) -> Link:
    def link(packet: Packet) -> tuple[int, bytes]:
        return LINK_ETHERNET, bytes(
            Ether(src=mac(packet.src), dst=mac(packet.dst)) / Dot1Q(vlan=identifier) / packet
        )

    return link


def qinq(outer: int, inner: int) -> Link:
    def link(packet: Packet) -> tuple[int, bytes]:
        frame = Ether(src=mac(packet.src), dst=mac(packet.dst)) / Dot1AD(vlan=outer) / Dot1Q(vlan=inner)
        return LINK_ETHERNET, bytes(frame / packet)

    return link


def _ethertype(packet: Packet) -> int:
    return 0x86DD if isinstance(packet, IPv6) else 0x0800


def cooked(packet: Packet) -> tuple[int, bytes]:
    source = bytes.fromhex(mac(packet.src).replace(":", ""))
    header = CookedLinux(pkttype=0, lladdrtype=1, lladdrlen=6, src=source + b"\0\0", proto=_ethertype(packet))
    return LINK_SLL, bytes(header / packet)


def cooked2(packet: Packet) -> tuple[int, bytes]:
    source = bytes.fromhex(mac(packet.src).replace(":", ""))
    header = CookedLinuxV2(
        proto=_ethertype(packet), ifindex=2, lladdrtype=1, pkttype=0, lladdrlen=6, src=source + b"\0\0"
    )
    return LINK_SLL2, bytes(header / packet)


def raw_ip(packet: Packet) -> tuple[int, bytes]:
    return LINK_RAW, bytes(packet)


def loopback(packet: Packet) -> tuple[int, bytes]:
    return LINK_NULL, bytes(Loopback(type=30 if isinstance(packet, IPv6) else 2) / packet)


@dataclass
class Tape:
    """Packets in the order they pass the tap. `link` says how an IP packet is framed from now on."""

    link: Link = ethernet
    now_ns: int = EPOCH_NS
    records: list[tuple[int, int, bytes]] = field(default_factory=list)  # time in ns, link type, bytes
    _ip_id: int = 0x1000

    def wait(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)

    def put(self, packet: Packet) -> None:
        """Record one IP packet."""
        link_type, data = self.link(packet)
        self.put_frame(data, link_type)

    def put_frame(self, data: bytes, link_type: int = LINK_ETHERNET) -> None:
        """Record bytes as they are."""
        self.records.append((self.now_ns, link_type, data))
        self.now_ns += STEP_NS

    def ip(self, source: str, destination: str, **fields: Any) -> Packet:
        """An IPv4 or IPv6 header with the next IP id; `fields` override scapy's."""
        if ":" in source:
            return IPv6(src=source, dst=destination, **fields)
        self._ip_id = (self._ip_id + 1) & 0xFFFF
        return IP(**{"src": source, "dst": destination, "id": self._ip_id, **fields})

    def udp(
        self, source: str, destination: str, ports: tuple[int, int], data: bytes | Packet, **fields: Any
    ) -> None:
        payload = data if isinstance(data, Packet) else Raw(data)
        self.put(self.ip(source, destination, **fields) / UDP(sport=ports[0], dport=ports[1]) / payload)

    def icmp(self, source: str, destination: str, header: ICMP, data: bytes | Packet = b"") -> None:
        packet = self.ip(source, destination) / header
        self.put(packet / (data if isinstance(data, Packet) else Raw(data)) if data else packet)


MSS = 1460


@dataclass
class Tcp:
    """One TCP conversation, made segment by segment so that a capture can bend any of it."""

    tape: Tape
    client: str = CLIENT
    server: str = SERVER
    ports: tuple[int, int] = (40001, 80)
    client_seq: int = 0x10000000
    server_seq: int = 0x50000000

    def segment(
        self, to_server: bool, flags: str, data: bytes = b"", ip: dict[str, Any] | None = None, **fields: Any
    ) -> Packet:
        """A segment at the present sequence numbers, not yet recorded; `fields` override TCP's, `ip` IP's."""
        source, destination = (self.client, self.server) if to_server else (self.server, self.client)
        here, there = (self.client_seq, self.server_seq) if to_server else (self.server_seq, self.client_seq)
        ports = self.ports if to_server else self.ports[::-1]
        tcp = {
            "sport": ports[0],
            "dport": ports[1],
            "flags": flags,
            "seq": here,
            "ack": there if "A" in flags else 0,
            "window": 64240,
            **fields,
        }
        packet = self.tape.ip(source, destination, **(ip or {})) / TCP(**tcp)
        return packet / Raw(data) if data else packet

    def put(self, to_server: bool, flags: str, data: bytes = b"", **fields: Any) -> None:
        """Record a segment and move the sender's sequence number past it."""
        self.tape.put(self.segment(to_server, flags, data, **fields))
        self.advance(to_server, len(data) + ("S" in flags) + ("F" in flags))

    def advance(self, to_server: bool, count: int) -> None:
        if to_server:
            self.client_seq = (self.client_seq + count) & 0xFFFFFFFF
        else:
            self.server_seq = (self.server_seq + count) & 0xFFFFFFFF

    def open(self) -> "Tcp":
        options = [("MSS", MSS), ("NOP", None), ("WScale", 7), ("SAckOK", b"")]
        self.put(True, "S", options=options)
        self.put(False, "SA", options=options)
        self.put(True, "A")
        return self

    def say(self, data: bytes, size: int = MSS) -> "Tcp":
        """The client sends, in segments of at most `size` bytes; the server acknowledges."""
        return self._send(True, data, size)

    def hear(self, data: bytes, size: int = MSS) -> "Tcp":
        """The server sends; the client acknowledges."""
        return self._send(False, data, size)

    def _send(self, to_server: bool, data: bytes, size: int) -> "Tcp":
        for start in range(0, len(data), size):
            self.put(to_server, "PA" if start + size >= len(data) else "A", data[start : start + size])
        self.put(not to_server, "A")
        return self

    def close(self) -> None:
        self.put(True, "FA")
        self.put(False, "FA")
        self.put(True, "A")

    def abort(self, to_server: bool = False) -> None:
        self.put(to_server, "RA")


def pcap(records: Iterable[tuple[int, int, bytes]]) -> bytes:
    """A classic little-endian microsecond pcap file; all records must share one link type."""
    records = list(records)
    links = {link for _, link, _ in records}
    if len(links) != 1:
        raise ValueError(f"a pcap file holds one link type, got {sorted(links)}: name the capture .pcapng")
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, links.pop())]
    for time_ns, _, data in records:
        seconds, rest_ns = divmod(time_ns, 1_000_000_000)
        out.append(struct.pack("<IIII", seconds, rest_ns // 1000, len(data), len(data)) + data)
    return b"".join(out)


def pcapng(records: Iterable[tuple[int, int, bytes]]) -> bytes:
    """A pcapng file with one interface per link type, timestamps in nanoseconds (if_tsresol 9)."""
    records = list(records)
    links = sorted({link for _, link, _ in records})

    def block(kind: int, body: bytes) -> bytes:
        body += b"\0" * (-len(body) % 4)
        return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)

    out = [block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))]
    for link in links:
        resolution = struct.pack("<HHB3xHH", 9, 1, 9, 0, 0)
        out.append(block(1, struct.pack("<HHI", link, 0, 262_144) + resolution))
    for time_ns, link, data in records:
        high, low = time_ns >> 32, time_ns & 0xFFFFFFFF
        head = struct.pack("<IIIII", links.index(link), high, low, len(data), len(data))
        out.append(block(6, head + data))
    return b"".join(out)
