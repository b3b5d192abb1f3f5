"""Industrial control: DNP3 (IEEE 1815) and EtherNet/IP; and DCE/RPC, over which OPC speaks."""

import struct

from .wire import CLIENT, OUTSIDE, Tape, Tcp, noise

STATION, PLC = "10.20.5.2", "10.20.5.10"
MASTER, OUTSTATION = 1, 10  # DNP3 link addresses
READ, COLD_RESTART, RESPONSE = 1, 13, 129  # DNP3 function codes
CLASS_0 = b"\x3c\x01\x06"  # object header: group 60, variation 1, all points

REGISTER_SESSION, LIST_IDENTITY, SEND_RR_DATA = 0x65, 0x63, 0x6F  # EtherNet/IP commands
SESSION = 0x1D0C


def crc(data: bytes) -> bytes:
    """DNP3's CRC of a block (polynomial 0x3D65, reflected)."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA6BC if value & 1 else 0)
    return struct.pack("<H", value ^ 0xFFFF)


def frame(control: int, to: int, source: int, data: bytes) -> bytes:
    """A link frame: a header of ten bytes, then blocks of sixteen, each with its CRC."""
    head = b"\x05\x64" + struct.pack("<BBHH", 5 + len(data), control, to, source)
    blocks = (data[at : at + 16] for at in range(0, len(data), 16))
    return head + crc(head) + b"".join(block + crc(block) for block in blocks)


def dnp3(function: int, objects: bytes = b"") -> Tape:
    """One request and its answer, each a single fragment."""
    tape = Tape()
    talk = Tcp(tape, OUTSIDE, PLC, (40200, 20000)).open()
    talk.say(frame(0xC4, OUTSTATION, MASTER, b"\xc0\xc1" + bytes([function]) + objects))
    talk.hear(frame(0x44, MASTER, OUTSTATION, b"\xc0\xc1" + bytes([RESPONSE]) + b"\0\0"))
    talk.close()
    return tape


def encapsulated(command: int, data: bytes, session: int = SESSION) -> bytes:
    """An EtherNet/IP message (ODVA volume 2, chapter 2)."""
    return struct.pack("<HHII8sI", command, len(data), session, 0, b"haidang1", 0) + data


def unconnected(request: bytes) -> bytes:
    """A CIP message for SendRRData: a null address item and a data item."""
    items = struct.pack("<HHHHH", 2, 0, 0, 0xB2, len(request))
    return struct.pack("<IH", 0, 10) + items + request


def enip() -> Tape:
    """A station opens a session and reads the identity object (class 1, instance 1) of a controller."""
    tape = Tape()
    talk = Tcp(tape, STATION, PLC, (40210, 44818)).open()
    talk.say(encapsulated(REGISTER_SESSION, b"\x01\0\0\0", session=0))
    talk.hear(encapsulated(REGISTER_SESSION, b"\x01\0\0\0"))
    talk.say(encapsulated(SEND_RR_DATA, unconnected(b"\x01\x02\x20\x01\x24\x01")))
    identity = struct.pack("<HHHBBHI", 1, 14, 54, 20, 11, 0x60, 0x1D0C0001) + b"\x0bPLC example"
    talk.hear(encapsulated(SEND_RR_DATA, unconnected(b"\x81\0\0\0" + identity)))
    talk.close()
    return tape


NDR = bytes.fromhex("045d888aeb1cc9119fe808002b104860") + struct.pack("<I", 2)  # transfer syntax
METERS = noise("interface", 16) + struct.pack("<I", 1)  # an interface of nobody's


def pdu(kind: int, call: int, body: bytes) -> bytes:
    """A whole DCE/RPC PDU, little-endian (C706 section 12.6)."""
    return struct.pack("<BBBB4sHHI", 5, 0, kind, 3, b"\x10\0\0\0", 16 + len(body), 0, call) + body


def dcerpc() -> Tape:
    """A client binds to an interface and calls its operation 3."""
    tape = Tape()
    talk = Tcp(tape, CLIENT, STATION, (40220, 49152)).open()
    talk.say(pdu(11, 1, struct.pack("<HHIIHBB", 5840, 5840, 0, 1, 0, 1, 0) + METERS + NDR))
    talk.hear(pdu(12, 1, struct.pack("<HHIH4s2xIHH", 5840, 5840, 1, 4, b"492\0", 1, 0, 0) + NDR))
    talk.say(pdu(0, 2, struct.pack("<IHH", 40, 0, 3) + bytes(40)))
    talk.hear(pdu(2, 2, struct.pack("<IHBB", 8, 0, 0, 0) + bytes(8)))
    talk.close()
    return tape


CAPTURES = {
    "dnp3-restart.pcap": ("a cold restart request", lambda: dnp3(COLD_RESTART)),
    "dnp3-read.pcap": ("a read request for all static data", lambda: dnp3(READ, CLASS_0)),
    "enip-identity.pcap": ("a station that reads a controller's identity over EtherNet/IP", enip),
    "dcerpc-call.pcap": ("a DCE/RPC bind to an interface and one call", dcerpc),
}
