"""Shares of Windows networks: a program put on an administrative share, and a text on an ordinary one."""

from .wire import CLIENT, SERVER, Tape, Tcp

NEGOTIATE, TREE_CONNECT, CREATE, CLOSE, WRITE = 0, 3, 5, 6, 9
FILE = bytes(range(16))


def record(command: int, message: int, body: bytes, answer: bool = False) -> bytes:
    """One framed record of SMB 2 (MS-SMB2 2.2.1), of session 9 and tree 5."""
    header = (
        b"\xfeSMB\x40\0\0\0\0\0\0\0"
        + command.to_bytes(2, "little")
        + b"\x01\0"
        + int(answer).to_bytes(4, "little")
        + b"\0" * 4
        + message.to_bytes(8, "little")
        + b"\0" * 4
        + (5).to_bytes(4, "little")
        + (9).to_bytes(8, "little")
        + b"\0" * 16
    )
    return (len(header) + len(body)).to_bytes(4, "big") + header + body


def tree_connect(share: str) -> bytes:
    name = share.encode("utf-16-le")
    return b"\x09\0\0\0\x48\0" + len(name).to_bytes(2, "little") + name


def create(path: str) -> bytes:
    name = path.encode("utf-16-le")
    fixed = b"\x39\0" + b"\0" * 34 + (2).to_bytes(4, "little") + b"\0" * 4
    return fixed + b"\x78\0" + len(name).to_bytes(2, "little") + b"\0" * 8 + name


def write(data: bytes) -> bytes:
    return b"\x31\0\x70\0" + len(data).to_bytes(4, "little") + b"\0" * 8 + FILE + b"\0" * 16 + data


def copy(share: str, path: str, data: bytes) -> Tape:
    tape = Tape()
    talk = Tcp(tape, CLIENT, SERVER, (43445, 445)).open()
    exchanges = (
        (TREE_CONNECT, tree_connect(share), b"\x10\0\x01\0" + b"\0" * 12),
        (CREATE, create(path), b"\x59\0" + b"\0" * 62 + FILE + b"\0" * 8),
        (WRITE, write(data), b"\x11\0\0\0" + len(data).to_bytes(4, "little") + b"\0" * 8),
        (CLOSE, b"\x18\0" + b"\0" * 6 + FILE, b"\x3c\0" + b"\0" * 58),
    )
    for message, (command, asked, answered) in enumerate(exchanges, 1):
        talk.say(record(command, message, asked))
        talk.hear(record(command, message, answered, answer=True))
    talk.close()
    return tape


PROGRAM = b"MZ\x90\0\x03\0\0\0" + b"\0" * 56 + b"This program cannot be run in DOS mode."

CAPTURES = {
    "smb-program-copied.pcap": (
        "SMB 2: a program is written to an administrative share",
        lambda: copy("\\\\server\\ADMIN$", "svc.exe", PROGRAM),
    ),
    "smb-text-copied.pcap": (
        "SMB 2: a text is written to an ordinary share",
        lambda: copy("\\\\server\\docs", "minutes.txt", b"The meeting of MZ was short.\n"),
    ),
}
