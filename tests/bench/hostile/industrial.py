"""Controllers and things: Modbus, DNP3, EtherNet/IP, MQTT."""

from __future__ import annotations

import struct

from .wire import Packet, Registry, Talk


def modbus_unanswered(n: int) -> list[Packet]:
    """Requests, not one answered."""
    talk = Talk(502)
    for i in range(n):
        talk.client(struct.pack(">HHHBBHH", i & 0xFFFF, 0, 6, 1, 3, 0, 1))
    return talk.packets()


def enip_unanswered(n: int) -> list[Packet]:
    """ListIdentity requests with contexts of their own, not one answered."""
    talk = Talk(44818)
    for i in range(n):
        talk.client(struct.pack("<HHIIQI", 0x63, 0, 0, 0, i, 0))
    return talk.packets()


_CONNECT = b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03abc"


def mqtt_unacknowledged(n: int) -> list[Packet]:
    """PUBLISH with QoS 1, not one acknowledged."""
    talk = Talk(1883)
    talk.client(_CONNECT)
    talk.server(b"\x20\x02\x00\x00")
    for i in range(n):
        talk.client(b"\x32\x08\x00\x01t" + struct.pack(">H", i % 65_535 + 1) + b"abc")
    return talk.packets()


def mqtt_one_open(n: int) -> list[Packet]:
    """One PUBLISH is never acknowledged while others are."""
    talk = Talk(1883)
    talk.client(_CONNECT)
    talk.server(b"\x20\x02\x00\x00")
    talk.client(b"\x32\x08\x00\x01t\xff\xffabc")
    for i in range(n):
        ident = struct.pack(">H", i % 65_000 + 1)
        talk.client(b"\x32\x08\x00\x01t" + ident + b"abc")
        talk.server(b"\x40\x02" + ident)
    return talk.packets()


def modbus_pipelined(n: int) -> list[Packet]:
    """Four hundred requests at a time, then their answers in the opposite order."""
    talk = Talk(502)
    for at in range(0, n, 400):
        for i in range(at, at + 400):
            talk.client(struct.pack(">HHHBBHH", i & 0xFFFF, 0, 6, 1, 3, 0, 1))
        for i in reversed(range(at, at + 400)):
            talk.server(struct.pack(">HHHBBBH", i & 0xFFFF, 0, 5, 1, 3, 2, 0))
    return talk.packets()


def enip_pipelined(n: int) -> list[Packet]:
    """Two hundred requests at a time, then their answers in the opposite order."""
    talk = Talk(44818)
    for at in range(0, n, 200):
        for i in range(at, at + 200):
            talk.client(struct.pack("<HHIIQI", 0x63, 0, 0, 0, i, 0))
        for i in reversed(range(at, at + 200)):
            talk.server(struct.pack("<HHIIQI", 0x63, 0, 0, 0, i, 0))
    return talk.packets()


def mqtt_late_answers(n: int) -> list[Packet]:
    """Five hundred PUBLISH at a time, acknowledged in the opposite order."""
    talk = Talk(1883)
    talk.client(_CONNECT)
    talk.server(b"\x20\x02\x00\x00")
    for at in range(0, n, 500):
        numbers = range(at, min(at + 500, n))
        for i in numbers:
            talk.client(b"\x32\x08\x00\x01t" + struct.pack(">H", i % 65_535 + 1) + b"abc")
        for i in reversed(numbers):
            talk.server(b"\x40\x02" + struct.pack(">H", i % 65_535 + 1))
    return talk.packets()


def mqtt_topics(n: int) -> list[Packet]:
    """Subscriptions to a hundred topics each."""
    talk = Talk(1883)
    talk.client(_CONNECT)
    talk.server(b"\x20\x02\x00\x00")
    for i in range(n // 100):
        body = struct.pack(">H", i % 65_535 + 1) + b"\0\x02ab\x01" * 100
        talk.client(b"\x82" + bytes([len(body) & 127 | 128, len(body) >> 7]) + body)
    return talk.packets()


def _dnp3(transport: int, data: bytes) -> bytes:
    """One link frame from the master with its checksums (IEEE 1815, CRC-16/DNP)."""

    def summed(block: bytes) -> bytes:
        crc = 0
        for byte in block:
            crc ^= byte
            for _ in range(8):
                crc = crc >> 1 ^ 0xA6BC if crc & 1 else crc >> 1
        return block + struct.pack("<H", crc ^ 0xFFFF)

    user = bytes([transport]) + data
    blocks = (summed(user[at : at + 16]) for at in range(0, len(user), 16))
    return summed(b"\x05\x64" + bytes([5 + len(user)]) + b"\xc4\x0a\0\x01\0") + b"".join(blocks)


def dnp3_segments(n: int) -> list[Packet]:
    """A message in segments of two bytes that never ends."""
    talk = Talk(20_000)
    talk.client(_dnp3(0x40, b"\xc0\x01"))
    later = [_dnp3(sequence, b"xy") for sequence in range(64)]
    for at in range(0, n, 10):
        talk.client(b"".join(later[(at + k + 1) % 64] for k in range(10)))
    return talk.packets()


def dnp3_open(n: int) -> list[Packet]:
    """First segments of messages that never become whole."""
    talk = Talk(20_000)
    first = _dnp3(0x40, b"\xc0\x01\x3c\x02\x06")
    for _ in range(n):
        talk.client(first)
    return talk.packets()


def dnp3_requests(n: int) -> list[Packet]:
    """Requests with twenty headers of objects, not one answered."""
    talk = Talk(20_000)
    whole = _dnp3(0xC0, b"\xc0\x01" + b"\x3c\x02\x06" * 20)
    for _ in range(n):
        talk.client(whole)
    return talk.packets()


GENERATORS: Registry = {
    "modbus-unanswered": (modbus_unanswered, 250),
    "enip-unanswered": (enip_unanswered, 250),
    "mqtt-unacknowledged": (mqtt_unacknowledged, 250),
    "mqtt-one-open": (mqtt_one_open, 80),
    "modbus-pipelined": (modbus_pipelined, 400),
    "enip-pipelined": (enip_pipelined, 200),
    "mqtt-late-answers": (mqtt_late_answers, 125),
    "mqtt-topics": (mqtt_topics, 2500),
    "dnp3-segments": (dnp3_segments, 1250),
    "dnp3-open": (dnp3_open, 250),
    "dnp3-requests": (dnp3_requests, 250),
}
