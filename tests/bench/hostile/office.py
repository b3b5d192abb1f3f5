"""File services, directories and calls: SMB, DCE/RPC, Kerberos, LDAP, NFS."""

from __future__ import annotations

import struct

from .wire import Packet, Registry, Talk


def _smb2(command: int, message: int, body: bytes, flags: int = 0) -> bytes:
    head = b"\xfeSMB" + struct.pack(
        "<HHIHHIIQIIQ16s", 64, 1, 0, command, 1, flags, 0, message, 0, 1, 1, bytes(16)
    )
    return struct.pack(">I", len(head) + len(body)) + head + body


def smb_unanswered(n: int) -> list[Packet]:
    """SMB2 requests, not one answered."""
    talk = Talk(445)
    talk.client(_smb2(0, 0, struct.pack("<HHHHI16sQH", 36, 1, 1, 0, 0, bytes(16), 0, 0x0311)))
    for i in range(1, n):
        talk.client(_smb2(6, i, struct.pack("<HHI16s", 24, 0, 0, struct.pack("<QQ", i, i))))
    return talk.packets()


def smb_one_open(n: int) -> list[Packet]:
    """The first request stays open while others are answered."""
    talk = Talk(445)
    talk.client(_smb2(0, 0, struct.pack("<HHHHI16sQH", 36, 1, 1, 0, 0, bytes(16), 0, 0x0311)))
    talk.client(_smb2(6, 1, struct.pack("<HHI16s", 24, 0, 0, struct.pack("<QQ", 1, 1))))
    for i in range(2, n):
        talk.client(_smb2(6, i, struct.pack("<HHI16s", 24, 0, 0, struct.pack("<QQ", i, i))))
        talk.server(_smb2(6, i, struct.pack("<HHIQQQQQII", 60, 0, 0, 0, 0, 0, 0, 0, 0, 0), 1))
    return talk.packets()


def nfs_unanswered(n: int) -> list[Packet]:
    """NFS version 3 calls, not one answered."""
    talk = Talk(2049)
    for i in range(n):
        call = struct.pack(">IIIIII", i, 0, 2, 100_003, 3, 1) + bytes(16) + struct.pack(">I", 8) + b"handle00"
        talk.client(struct.pack(">I", 0x8000_0000 | len(call)) + call)
    return talk.packets()


def ldap_unanswered(n: int) -> list[Packet]:
    """Searches, not one answered."""
    talk = Talk(389)
    search = b"\x04\x00\x0a\x01\x02\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00\x87\x01a\x30\x00"
    operation = b"\x63" + bytes((len(search),)) + search
    for i in range(n):
        message = b"\x02\x03" + struct.pack(">I", i + 1)[1:] + operation
        talk.client(b"\x30" + bytes((len(message),)) + message)
    return talk.packets()


def smb_chains(n: int) -> list[Packet]:
    """SMB2 requests chained by the hundred into one message, not one answered."""
    talk = Talk(445)
    talk.client(_smb2(0, 0, struct.pack("<HHHHI16sQH", 36, 1, 1, 0, 0, bytes(16), 0, 0x0311)))
    for at in range(0, n, 100):
        records = []
        for i in range(at, at + 100):
            record = bytearray(
                _smb2(6, i + 1, struct.pack("<HHI16s", 24, 0, 0, struct.pack("<QQ", i, i)))[4:]
            )
            if i < at + 99:
                record[20:24] = struct.pack("<I", len(record))  # NextCommand
            records.append(bytes(record))
        message = b"".join(records)
        talk.client(struct.pack(">I", len(message)) + message)
    return talk.packets()


def smb_late_answers(n: int) -> list[Packet]:
    """Five hundred SMB2 requests at a time, answered in the opposite order."""
    talk = Talk(445)
    talk.client(_smb2(0, 0, struct.pack("<HHHHI16sQH", 36, 1, 1, 0, 0, bytes(16), 0, 0x0311)))
    for at in range(1, n, 500):
        numbers = range(at, min(at + 500, n))
        for i in numbers:
            talk.client(_smb2(6, i, struct.pack("<HHI16s", 24, 0, 0, struct.pack("<QQ", i, i))))
        for i in reversed(numbers):
            talk.server(_smb2(6, i, struct.pack("<HHIQQQQQII", 60, 0, 0, 0, 0, 0, 0, 0, 0, 0), 1))
    return talk.packets()


def smb_writes(n: int) -> list[Packet]:
    """A file written backwards in pieces of eight bytes."""
    talk = Talk(445)
    talk.client(_smb2(0, 0, struct.pack("<HHHHI16sQH", 36, 1, 1, 0, 0, bytes(16), 0, 0x0311)))
    for i in range(n):
        body = struct.pack("<HHIQ16sIIHHI", 49, 112, 8, (n - i) * 8, b"h" * 16, 0, 0, 0, 0, 0) + b"x" * 8
        talk.client(_smb2(9, i + 1, body))
    return talk.packets()


def _dcerpc(kind: int, call: int, body: bytes, flags: int = 3) -> bytes:
    return struct.pack("<BBBBIHHI", 5, 0, kind, flags, 0x10, 16 + len(body), 0, call) + body


def _bound() -> Talk:
    """A connection on which one interface is bound."""
    talk = Talk(135)
    syntax = b"u" * 16 + struct.pack("<I", 1)
    talk.client(_dcerpc(11, 1, struct.pack("<HHIBxxxHBx", 4280, 4280, 0, 1, 0, 1) + syntax + syntax))
    answer = struct.pack("<HHIH", 4280, 4280, 1, 4) + b"135\0" + bytes(2) + struct.pack("<BxxxHH", 1, 0, 0)
    talk.server(_dcerpc(12, 1, answer + syntax))
    return talk


def dcerpc_fragments(n: int) -> list[Packet]:
    """One call whose fragments of one byte never end."""
    talk = _bound()
    talk.client(b"".join(_dcerpc(0, 2, struct.pack("<IHH", 1, 0, 7) + b"x", int(i == 0)) for i in range(n)))
    return talk.packets()


def dcerpc_calls(n: int) -> list[Packet]:
    """Calls, not one answered."""
    talk = _bound()
    for i in range(n):
        talk.client(_dcerpc(0, i + 2, struct.pack("<IHH", 1, 0, 7) + b"stub"))
    return talk.packets()


def dcerpc_open_calls(n: int) -> list[Packet]:
    """First fragments of calls that never become whole."""
    talk = _bound()
    for i in range(n):
        talk.client(_dcerpc(0, i + 2, struct.pack("<IHH", 1, 0, 7) + b"stub", 1))
    return talk.packets()


def _tlv(tag: int, *parts: bytes) -> bytes:
    """One element in the Distinguished Encoding Rules."""
    content = b"".join(parts)
    return bytes([tag]) + (b"" if len(content) < 128 else b"\x81") + bytes([len(content)]) + content


def krb5_records(n: int) -> list[Packet]:
    """Ticket requests over TCP, not one answered."""
    name = _tlv(0x30, b"\xa0\x03\x02\x01\x01", _tlv(0xA1, _tlv(0x30, b"\x1b\x01a")))
    body = _tlv(
        0x30,
        _tlv(0xA0, b"\x03\x05\0\x40\x81\0\x10"),
        _tlv(0xA1, name),
        _tlv(0xA2, b"\x1b\x01R"),
        _tlv(0xA3, name),
        _tlv(0xA5, b"\x18\x0f20260115080000Z"),
        _tlv(0xA7, b"\x02\x01\x07"),
        _tlv(0xA8, b"\x30\x03\x02\x01\x17"),
    )
    message = _tlv(0x6A, _tlv(0x30, b"\xa1\x03\x02\x01\x05\xa2\x03\x02\x01\x0a", _tlv(0xA4, body)))
    talk = Talk(88)
    talk.client((struct.pack(">I", len(message)) + message) * n)
    return talk.packets()


def krb5_endless_record(n: int) -> list[Packet]:
    """Records as long as may be, in small pieces, over and over: who begins anew with each piece is lost."""
    talk = Talk(88)
    head = b"\x6e\x82\x3e\x7c\x30\x82\x3e\x78\xa1\x03\x02\x01\x05\xa2\x03\x02\x01\x0e"
    message = head + bytes(16_000 - len(head))
    data = (struct.pack(">I", len(message)) + message) * (n * 16 // len(message) + 1)
    talk.client(data[: n * 16], 16)
    return talk.packets()


def ldap_pipelined(n: int) -> list[Packet]:
    """Two hundred searches at a time, then their answers in the order asked."""
    talk = Talk(389)
    search = b"\x04\x00\x0a\x01\x02\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00\x87\x01a\x30\x00"
    operation = b"\x63" + bytes((len(search),)) + search
    for at in range(0, n, 200):
        for tail, send in ((operation, talk.client), (b"\x65\x07\x0a\x01\0\x04\0\x04\0", talk.server)):
            numbers = (b"\x02\x03" + struct.pack(">I", i + 1)[1:] for i in range(at, at + 200))
            send(b"".join(b"\x30" + bytes((5 + len(tail),)) + number + tail for number in numbers))
    return talk.packets()


def ldap_entries(n: int) -> list[Packet]:
    """One search that is answered with entries without end."""
    talk = Talk(389)
    search = b"\x04\x00\x0a\x01\x02\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00\x87\x01a\x30\x00"
    talk.client(b"\x30" + bytes((5 + len(search),)) + b"\x02\x01\x01\x63" + bytes((len(search),)) + search)
    for _ in range(n // 10):
        talk.server(b"\x30\x0a\x02\x01\x01\x64\x05\x04\x01a\x30\x00" * 10)
    return talk.packets()


GENERATORS: Registry = {
    "smb-unanswered": (smb_unanswered, 250),
    "smb-one-open": (smb_one_open, 60),
    "nfs-unanswered": (nfs_unanswered, 500),
    "ldap-unanswered": (ldap_unanswered, 250),
    "smb-chains": (smb_chains, 300),
    "smb-late-answers": (smb_late_answers, 125),
    "smb-writes": (smb_writes, 125),
    "dcerpc-fragments": (dcerpc_fragments, 400),
    "dcerpc-calls": (dcerpc_calls, 375),
    "dcerpc-open-calls": (dcerpc_open_calls, 375),
    "krb5-records": (krb5_records, 500),
    "krb5-endless-record": (krb5_endless_record, 1250),
    "ldap-pipelined": (ldap_pipelined, 400),
    "ldap-entries": (ldap_entries, 1250),
}
