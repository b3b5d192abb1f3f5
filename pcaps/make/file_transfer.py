"""Files over FTP with their data connections, over TFTP and over NFS; benign twins beside them."""

import struct
from collections.abc import Callable

from .wire import CLIENT, OUTSIDE, SERVER, Tape, Tcp, noise

STRANGER = "10.20.0.99"


class Ftp:
    """A control connection and the data connections it asks for."""

    def __init__(
        self, tape: Tape, client: str = CLIENT, server: str = SERVER, source_port: int = 42600
    ) -> None:
        self.tape, self.client, self.server = tape, client, server
        self.talk = Tcp(tape, client, server, (source_port, 21)).open()
        self.data_port = source_port + 1000
        self.talk.hear(b"220 ready\r\n")
        self.ask("USER lan", "331 password")
        self.ask("PASS example", "230 welcome")

    def ask(self, command: str, answer: str) -> None:
        self.talk.say(command.encode() + b"\r\n")
        self.talk.hear(answer.encode() + b"\r\n")

    def port(self, host: str, port: int) -> str:
        return ",".join([*host.split("."), str(port >> 8), str(port & 255)])

    def active(self, command: str, content: bytes) -> None:
        """The server connects to the client's port; the client sends (STOR) or gets (RETR)."""
        self.data_port += 1
        self.ask(f"PORT {self.port(self.client, self.data_port)}", "200 ok")
        self.ask(command, "150 here it comes")
        data = Tcp(self.tape, self.server, self.client, (20, self.data_port)).open()
        (data.hear if command.startswith("STOR") else data.say)(content)
        data.close()
        self.talk.hear(b"226 done\r\n")

    def passive(self, command: str, content: bytes) -> None:
        """The client connects to the server's port before it says what for."""
        self.data_port += 1
        self.ask("PASV", f"227 Entering Passive Mode ({self.port(self.server, self.data_port)}).")
        data = Tcp(self.tape, self.client, self.server, (self.data_port, self.data_port)).open()
        self.ask(command, "150 here it comes")
        (data.say if command.startswith("STOR") else data.hear)(content)
        data.close()
        self.talk.hear(b"226 done\r\n")

    def close(self) -> None:
        self.ask("QUIT", "221 bye")
        self.talk.close()


def ftp_files() -> Tape:
    tape = Tape()
    ftp = Ftp(tape)
    ftp.passive("RETR report.txt", b"quarterly report\n" * 200)
    ftp.active("RETR minutes.txt", b"minutes of the meeting\n" * 50)
    ftp.active("STOR notes.txt", b"notes\n" * 40)
    ftp.close()
    return tape


def ftp_vault() -> Tape:
    tape = Tape()
    ftp = Ftp(tape, server=OUTSIDE)
    ftp.passive("STOR backup/team.kdbx", noise("vault", 4000))
    ftp.close()
    return tape


def ftp_bounce() -> Tape:
    tape = Tape()
    ftp = Ftp(tape)
    ftp.ask(f"PORT {ftp.port(STRANGER, 25)}", "200 ok")
    ftp.ask("LIST", "425 no connection")
    ftp.close()
    return tape


def tftp(name: str) -> Tape:
    """A request and a transfer of two blocks between new ports (RFC 1350)."""
    tape = Tape()
    tape.udp(CLIENT, SERVER, (42700, 69), b"\0\x01" + name.encode() + b"\0octet\0")
    for number, size in ((1, 512), (2, 100)):
        block = struct.pack(">HH", 3, number) + noise(name, 612)[512 - 512 * (2 - number) :][:size]
        tape.udp(SERVER, CLIENT, (42800, 42700), block)
        tape.udp(CLIENT, SERVER, (42700, 42800), struct.pack(">HH", 4, number))
    return tape


def words(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}I", *numbers)


def opaque(data: bytes) -> bytes:
    return words(len(data)) + data + bytes(-len(data) % 4)


def nfs(name: str, content: bytes) -> Tape:
    """Version 3 on TCP: a lookup, two reads and a write of another file."""
    tape = Tape()
    talk = Tcp(tape, CLIENT, SERVER, (720, 2049)).open()
    unix = words(7) + opaque(b"desk") + words(1000, 100, 0)
    folder, found, other = (noise(label, 28) for label in ("folder", "found", "other"))
    attributes = words(1) + bytes(84)
    xid = 0x10000000

    def exchange(procedure: int, arguments: bytes, results: bytes) -> None:
        nonlocal xid
        xid += 1
        call = words(xid, 0, 2, 100003, 3, procedure, 1) + opaque(unix) + words(0, 0) + arguments
        talk.say(words(len(call) | 1 << 31) + call)
        reply = words(xid, 1, 0, 0, 0, 0) + results
        talk.hear(words(len(reply) | 1 << 31) + reply)

    exchange(0, b"", b"")
    exchange(3, opaque(folder) + opaque(name.encode()), words(0) + opaque(found) + attributes + attributes)
    half = len(content) // 2
    for start, end in ((0, half), (half, len(content))):
        part = content[start:end]
        last = int(end == len(content))
        exchange(
            6,
            opaque(found) + words(0, start, half),
            words(0) + attributes + words(len(part), last) + opaque(part),
        )
    made = words(0, 1) + opaque(other) + attributes + words(0, 0)
    exchange(8, opaque(folder) + opaque(b"out.txt") + words(0) + bytes(24), made)
    exchange(7, opaque(other) + words(0, 0, 5, 2) + opaque(b"done\n"), words(0, 0, 0, 5, 2, 0, 0))
    talk.close()
    return tape


CAPTURES: dict[str, tuple[str, Callable[[], Tape]]] = {
    "ftp-files.pcap": ("three files over FTP: passive down, active down, active up", ftp_files),
    "ftp-vault.pcap": ("a password vault stored outside over passive FTP", ftp_vault),
    "ftp-bounce.pcap": ("a PORT command that names another host", ftp_bounce),
    "tftp-config.pcap": ("a router's configuration fetched over TFTP", lambda: tftp("running-config")),
    "tftp-firmware.pcap": ("firmware fetched over TFTP", lambda: tftp("firmware.bin")),
    "nfs-key.pcap": ("a private key read over NFS version 3", lambda: nfs("id_rsa", noise("key", 3000))),
    "nfs-notes.pcap": ("a text read over NFS version 3", lambda: nfs("notes.txt", b"notes\n" * 400)),
}
