"""Mirrors broken on purpose: good frames, and what can be done to them."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from sensor.pcap.files import Packet

START_NS = 1_750_000_000_123_456_000
CLIENT, SERVER = ("02:00:00:00:00:01", "10.0.0."), ("02:00:00:00:00:02", "192.0.2.")
MSS = 1460


def write(path: Path, packets: Iterable[Packet]) -> Path:
    """As classic pcap with nanoseconds."""
    with path.open("wb") as file:
        first = True
        for packet in packets:
            if first:
                file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, packet.link))
                first = False
            seconds, rest = divmod(packet.time_ns, 10**9)
            head = struct.pack("<IIII", seconds, rest, len(packet.data), packet.original_bytes)
            file.write(head + packet.data)
    return path


def packet(frame: bytes, time_ns: int) -> Packet:
    return Packet(0, 1, time_ns, frame, len(frame), 0)


def network(conversations: int = 12, segments: int = 10, size: int = MSS) -> list[Packet]:
    """Conversations of TCP, each a handshake, a request, an answer in segments, a teardown."""
    made: list[Packet] = []
    for number in range(conversations):
        made += _conversation(number, segments, size)
    return sorted(made, key=lambda one: one.time_ns)


def _conversation(number: int, segments: int, size: int) -> list[Packet]:
    out: list[Packet] = []
    now = START_NS + number * 3_333_777
    numbers, ids = [1000 * number + 1, 5_000_000 + number], [number * 100 + 7, number * 200 + 9]

    def send(way: int, flags: str, body: bytes = b"", wait_ns: int = 10_000_001) -> None:
        nonlocal now
        now += wait_ns
        here, there = (CLIENT, SERVER) if way == 0 else (SERVER, CLIENT)
        ports = (40_000 + number, 80) if way == 0 else (80, 40_000 + number)
        ids[way] += 1
        tcp = TCP(
            sport=ports[0],
            dport=ports[1],
            flags=flags,
            seq=numbers[way],
            ack=numbers[1 - way] if "A" in flags else 0,
            options=[("MSS", MSS)] if "S" in flags else [],
        )
        frame = Ether(src=here[0], dst=there[0]) / IP(
            src=f"{here[1]}{number + 1}", dst=f"{there[1]}{number + 1}", id=ids[way], ttl=60
        )
        frame = frame / tcp / Raw(body) if body else frame / tcp
        out.append(packet(bytes(frame), now))
        numbers[way] += len(body) + ("S" in flags or "F" in flags)

    send(0, "S")
    send(1, "SA")
    send(0, "A")
    send(0, "PA", b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", 100_003)
    for index in range(segments):
        send(1, "A", bytes([65 + (index + number) % 26]) * size, 120_007)
        if index % 2:
            send(0, "A", b"", 130_009)
    send(1, "FA")
    send(0, "FA")
    send(1, "A")
    return out


def answers(one: Packet) -> bool:
    """It comes from the servers."""
    at = 14
    while one.data[at - 2 : at] == b"\x81\x00":
        at += 4
    return one.data[at + 12] == 192


def number_of_client_side(one: Packet) -> int:
    """Which conversation an untagged frame belongs to; both its addresses end in it."""
    return one.data[14 + 15]


def changed(one: Packet, data: bytes) -> Packet:
    return replace(one, data=data, original_bytes=len(data))


def tagged(one: Packet, vlan: int) -> Packet:
    return changed(one, one.data[:12] + struct.pack(">HH", 0x8100, vlan) + one.data[12:])


def cut(packets: list[Packet], size: int) -> list[Packet]:
    return [replace(one, data=one.data[:size]) for one in packets]


def doubled(packets: list[Packet], every: int = 1, routed: bool = False) -> list[Packet]:
    out = []
    for index, one in enumerate(packets):
        out.append(one)
        if index % every == 0:
            copy = one
            if routed:
                frame = Ether(one.data)
                frame[IP].ttl -= 1
                frame.dst = "02:00:00:00:00:09"
                del frame[IP].chksum
                copy = changed(one, bytes(frame))
            out.append(replace(copy, time_ns=one.time_ns + 15_000))
    return out


def swapped(packets: list[Packet], every: int, restamp: bool = True) -> list[Packet]:
    """Every so many segments of an answer change places with the next of their conversation."""
    out = list(packets)
    big = [index for index, one in enumerate(out) if len(one.data) > 500]
    groups: dict[int, list[int]] = {}
    for index in big:
        groups.setdefault(number_of_client_side(out[index]), []).append(index)
    for places in groups.values():
        for at in range(0, len(places) - 1, every):
            one, other = places[at], places[at + 1]
            first, second = out[one], out[other]
            out[one], out[other] = second, first
            if restamp:
                out[one] = replace(second, time_ns=first.time_ns)
                out[other] = replace(first, time_ns=second.time_ns)
    return out


def spoilt(one: Packet) -> Packet:
    """A bit turned in the payload."""
    return changed(one, one.data[:-1] + bytes([one.data[-1] ^ 0x40]))


def unfilled(one: Packet) -> Packet:
    """As a host hands it to a card that makes the checksum."""
    from sensor.doctor.frame import dissect, pseudo_sum

    at = 14 + 20 + 16
    return changed(one, one.data[:at] + struct.pack(">H", pseudo_sum(dissect(one))) + one.data[at + 2 :])


def joined(packets: list[Packet], parts: int) -> list[Packet]:
    """Runs of full segments become one, as GRO makes them."""
    out: list[Packet] = []
    open_: dict[int, Packet] = {}
    for one in packets:
        if len(one.data) < 1000:
            out.append(one)
            continue
        key = number_of_client_side(one)
        before = open_.pop(key, None)
        if before is None:
            open_[key] = one
            continue
        frame = Ether(before.data)
        body = bytes(frame[TCP].payload) + one.data[54:]
        del frame[IP].len, frame[IP].chksum, frame[TCP].chksum
        frame[TCP].remove_payload()
        whole = replace(changed(one, bytes(frame / Raw(body))), time_ns=one.time_ns)
        if len(body) < parts * MSS:
            open_[key] = whole
        else:
            out.append(whole)
    out += open_.values()
    return sorted(out, key=lambda one: one.time_ns)


def wrapped(packets: list[Packet], head: bytes) -> list[Packet]:
    """Each frame in one way of a tunnel between two switches. head: what follows the outer IP header."""
    protocol = 17 if head[2:4] == b"\x12\xb5" else 47
    out = []
    for index, one in enumerate(packets):
        body = head + one.data
        if protocol == 17:
            body = head[:4] + struct.pack(">H", len(body)) + head[6:] + one.data
        outer = Ether(src="02:00:00:00:00:0a", dst="02:00:00:00:00:0b") / IP(
            src="198.51.100.1", dst="198.51.100.2", proto=protocol, id=index
        )
        out.append(changed(one, bytes(outer / Raw(body))))
    return out


def questions(count: int) -> list[Packet]:
    """DNS questions that nobody answers."""
    made = []
    for index in range(count):
        query = struct.pack(">HHHHHH", index, 0x100, 1, 0, 0, 0) + b"\x01a\x07example\0\0\x01\0\x01"
        frame = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(
            src="10.0.0.1", dst="192.0.2.53", id=index
        )
        frame = frame / UDP(sport=30_000 + index, dport=53) / Raw(query)
        made.append(packet(bytes(frame), START_NS + index * 70_000_123))
    return made


def hellos(count: int, kind: bytes, group: bool) -> list[Packet]:
    """Frames without IP, two seconds apart."""
    target = b"\x01\x80\xc2\0\0\0" if group else b"\x02\0\0\0\0\x02"
    frame = target + b"\x02\0\0\0\0\x01" + kind + bytes(60)
    return [packet(frame, START_NS + index * 2_000_000_123) for index in range(count)]
