"""Other services: banners, logins, probes, amplification, industrial control; benign twins beside them."""

import json
from collections.abc import Callable

from .wire import CLIENT, OUTSIDE, SERVER, Tape, Tcp, noise

PLC, STATION, MINER = "10.20.5.10", "10.20.5.2", "198.51.100.44"
Lines = tuple[tuple[str, str], ...]  # what the client says, what the server answers


def dialogue(
    port: int,
    greeting: str,
    lines: Lines,
    client: str = OUTSIDE,
    server: str = SERVER,
    tape: Tape | None = None,
    source_port: int = 42000,
) -> Tape:
    """A line-based conversation: the server greets first, if it does at all."""
    tape = tape or Tape()
    talk = Tcp(tape, client, server, (source_port, port)).open()
    if greeting:
        talk.hear(greeting.encode() + b"\r\n")
    for said, heard in lines:
        talk.say(said.encode() + b"\r\n")
        if heard:
            talk.hear(heard.encode() + b"\r\n")
    talk.close()
    return tape


def ssh(tape: Tape, client_banner: str, source_port: int = 42022) -> None:
    talk = Tcp(tape, OUTSIDE, SERVER, (source_port, 22)).open()
    talk.hear(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    talk.say(client_banner.encode() + b"\r\n")
    talk.say(noise("key exchange", 200))
    talk.hear(noise("key exchange answer", 300))
    talk.close()


def ssh_session() -> Tape:
    tape = Tape()
    ssh(tape, "SSH-2.0-OpenSSH_9.9")
    return tape


def ssh_guessing() -> Tape:
    tape = Tape()
    for number in range(12):
        ssh(tape, "SSH-2.0-libssh-guesser", 42100 + number)
        tape.wait(2)
    return tape


def ftp() -> Tape:
    login = (("USER lan", "331 password"), ("PASS example", "230 welcome"), ("SYST", "215 UNIX"))
    return dialogue(21, "220 FTP ready", (*login, ("RETR report.txt", "226 done"), ("QUIT", "221 bye")))


def ftp_abuse() -> Tape:
    tape = dialogue(
        21, "220 FTP ready", (("USER anonymous", "331 password"), ("PASS guest@example.com", "230 in"))
    )
    for number in range(6):
        lines: Lines = (("USER root", "331 password"), (f"PASS guess{number}", "530 Login incorrect"))
        dialogue(21, "220 FTP ready", lines, tape=tape, source_port=42200 + number)
        tape.wait(1)
    upload = (("USER lan", "331 password"), ("PASS x", "230 in"), ("STOR customers-2026.sql.gz", "226 done"))
    return dialogue(21, "220 FTP ready", upload, client=CLIENT, server=OUTSIDE, tape=tape, source_port=42300)


def smtp() -> Tape:
    mail = (
        ("EHLO mx.example.org", "250 mail.example.com"),
        ("MAIL FROM:<a@example.org>", "250 ok"),
        ("RCPT TO:<b@example.com>", "250 ok"),
        ("DATA", "354 go on"),
        ("Subject: hello\r\n\r\nVRFY this list, please\r\n.", "250 queued"),
        ("QUIT", "221 bye"),
    )
    return dialogue(25, "220 mail.example.com ESMTP", mail)


def smtp_probing() -> Tape:
    users = ("root", "admin", "backup", "oracle", "test", "guest")
    lines = (("HELO x", "250 hi"), *((f"VRFY {user}", "252 maybe") for user in users))
    return dialogue(25, "220 mail.example.com ESMTP", lines)


def telnet(client: str, password: bytes, command: bytes) -> Tape:
    tape = Tape()
    talk = Tcp(tape, client, SERVER, (42023, 23)).open()
    talk.hear(b"\xff\xfd\x18\xff\xfd\x20\r\nrouter login: ")
    talk.say(b"root\r\n")
    talk.hear(b"Password: ")
    talk.say(password + b"\r\n")
    talk.hear(b"# ")
    talk.say(command + b"\r\n")
    talk.hear(b"EXAMPLE: applet not found\r\n# ")
    talk.close()
    return tape


def netbios(data: bytes) -> bytes:
    return b"\0" + len(data).to_bytes(3, "big") + data


def smb(old: bool) -> Tape:
    tape = Tape()
    talk = Tcp(tape, CLIENT, SERVER, (42445, 445)).open()
    if old:
        names = b"".join(b"\x02" + name + b"\0" for name in (b"PC NETWORK PROGRAM 1.0", b"NT LM 0.12"))
        negotiate = (
            b"\xffSMB\x72"
            + b"\0" * 4
            + b"\x18\x53\xc8"
            + b"\0" * 20
            + b"\0"
            + len(names).to_bytes(2, "little")
        )
        talk.say(netbios(negotiate + names))
    else:
        body = b"\x24\0\x02\0\x01\0\0\0\0\0\0\0" + noise("client guid", 16) + b"\0" * 8 + b"\x02\x02\x11\x03"
        talk.say(netbios(b"\xfeSMB\x40\0" + b"\0" * 58 + body))
    talk.hear(netbios((b"\xffSMB\x72" if old else b"\xfeSMB\x40") + b"\0" * 60))
    talk.close()
    return tape


def rdp(cookie: bytes) -> Tape:
    tape = Tape()
    talk = Tcp(tape, OUTSIDE, SERVER, (43389, 3389)).open()
    body = b"\xe0\0\0\0\0\0Cookie: mstshash=" + cookie + b"\r\n\x01\0\x08\0\x03\0\0\0"
    talk.say(b"\x03\0" + (len(body) + 5).to_bytes(2, "big") + bytes([len(body)]) + body)
    talk.hear(bytes.fromhex("0300001306d00000123400021f080002000000"))
    talk.close()
    return tape


def database_abuse() -> Tape:
    lines = (("CONFIG SET dir /var/spool/cron", "+OK"), ("SET x \\n* * * * * id\\n", "+OK"), ("SAVE", "+OK"))
    return dialogue(6379, "", lines)


def database() -> Tape:
    return dialogue(6379, "", (("PING", "+PONG"), ("GET config", "$-1"), ("SET dir config", "+OK")))


def modbus(*requests: bytes, client: str) -> Tape:
    """Modbus/TCP requests with their transaction number, protocol 0, length and unit before them."""
    tape = Tape()
    talk = Tcp(tape, client, PLC, (40502, 502)).open()
    for number, pdu in enumerate(requests, 1):
        head = number.to_bytes(2, "big") + b"\0\0" + (len(pdu) + 1).to_bytes(2, "big") + b"\x01"
        talk.say(head + pdu)
        talk.hear(head[:4] + b"\0\x06\x01" + pdu[:5].ljust(5, b"\0"))
    talk.close()
    return tape


READ_REGISTERS, READ_COILS = b"\x03\0\x10\0\x05", b"\x01\0\x00\0\x08"
WRITE_REGISTER, WRITE_COIL = b"\x06\0\x10\x01\xf4", b"\x05\0\x03\xff\0"
WRITE_MANY = b"\x10\0\x20\0\x7b\xf6" + b"\0" * 246


def modbus_write() -> Tape:
    return modbus(READ_REGISTERS, WRITE_REGISTER, WRITE_COIL, WRITE_MANY, b"\x08\0\x01\0\0", client=OUTSIDE)


def modbus_read() -> Tape:
    return modbus(READ_REGISTERS, READ_COILS, WRITE_REGISTER, client=STATION)


def snmp(community: bytes, client: str, request: int = 0xA0) -> Tape:
    """A GetRequest (or, with 0xA3, a SetRequest) for sysDescr."""
    tape = Tape()
    binding = bytes.fromhex("300e300c06082b060102010101000500")
    pdu = b"\x02\x01\x07\x02\x01\0\x02\x01\0" + binding
    body = b"\x02\x01\x01\x04" + bytes([len(community)]) + community + bytes([request, len(pdu)]) + pdu
    tape.udp(client, SERVER, (50161, 161), b"\x30" + bytes([len(body)]) + body)
    return tape


def netbios_name(client: str, target: str) -> Tape:
    """A NetBIOS node status query for the wildcard name (RFC 1002 section 4.2.17)."""
    tape = Tape()
    name = b"\x20CK" + b"A" * 30 + b"\0\0\x21\0\x01"
    tape.udp(client, target, (137, 137), b"\x80\xf0\0\x10\0\x01\0\0\0\0\0\0" + name)
    return tape


def time_abuse() -> Tape:
    tape = Tape()
    for _ in range(5):
        tape.udp(OUTSIDE, SERVER, (50123, 123), b"\x17\0\x03\x2a" + b"\0" * 4)
        tape.udp(SERVER, OUTSIDE, (123, 50123), b"\xd7\0\x03\x2a\0\x06\0\x48" + noise("monlist", 432))
    return tape


def time_client() -> Tape:
    tape = Tape()
    tape.udp(CLIENT, OUTSIDE, (50124, 123), b"\x23\0\x06\xec" + noise("time", 44))
    tape.udp(OUTSIDE, CLIENT, (123, 50124), b"\x24\x02\x06\xe9" + noise("time answer", 44))
    return tape


def discovery(client: str, target: str) -> Tape:
    tape = Tape()
    text = (
        f'M-SEARCH * HTTP/1.1\r\nHOST: {target}:1900\r\nMAN: "ssdp:discover"\r\nMX: 1\r\nST: ssdp:all\r\n\r\n'
    )
    tape.udp(client, target, (50190, 1900), text.encode())
    return tape


def cache_stats(client: str) -> Tape:
    tape = Tape()
    tape.udp(client, SERVER, (50211, 11211), b"\0\x01\0\0\0\x01\0\0stats\r\n")
    answer = b"\0\x01\0\0\0\x01\0\0STAT pid 1\r\n" + b"STAT x 1\r\n" * 80
    tape.udp(SERVER, client, (11211, 50211), answer)
    return tape


def voice() -> Tape:
    """Sixty RTP packets (RFC 3550) of one call, 20 ms apart."""
    tape = Tape()
    for number in range(60):
        header = b"\x80\x00" + number.to_bytes(2, "big") + (160 * number).to_bytes(4, "big") + b"CALL"
        tape.udp(OUTSIDE, CLIENT, (16384, 16386), header + noise(f"voice {number}", 80))
        tape.wait(0.02)
    return tape


def mining(port: int, method: str) -> Tape:
    tape = Tape()
    talk = Tcp(tape, CLIENT, MINER, (43333, port)).open()
    login = {"id": 1, "jsonrpc": "2.0", "method": method, "params": {"login": "wallet", "agent": "miner/1.0"}}
    talk.say(json.dumps(login).encode() + b"\n")
    talk.hear(b'{"id":1,"jsonrpc":"2.0","error":null,"result":{"id":"1","job":{},"status":"OK"}}\n')
    talk.close()
    return tape


def torrent() -> Tape:
    tape = Tape()
    talk = Tcp(tape, CLIENT, OUTSIDE, (46881, 6881)).open()
    talk.say(
        b"\x13BitTorrent protocol" + b"\0" * 8 + noise("info hash", 20) + b"-XX1000-" + noise("peer", 12)
    )
    talk.close()
    return tape


CAPTURES: dict[str, tuple[str, Callable[[], Tape]]] = {
    "ssh-session.pcap": ("banners and an opaque key exchange", ssh_session),
    "ssh-guessing.pcap": ("twelve connections in half a minute", ssh_guessing),
    "ftp-session.pcap": ("login and download", ftp),
    "ftp-abuse.pcap": ("anonymous login, guessed root passwords, a database dump stored outside", ftp_abuse),
    "smtp-mail.pcap": ("one mail whose text begins with VRFY", smtp),
    "smtp-probing.pcap": ("six VRFY commands", smtp_probing),
    "telnet-bot.pcap": (
        "from outside: root with a default password, then a busybox check",
        lambda: telnet(OUTSIDE, b"xc3511", b"/bin/busybox EXAMPLE"),
    ),
    "telnet-inside.pcap": (
        "from inside: root with another password, then busybox",
        lambda: telnet(CLIENT, b"xc3511-no-more", b"busybox example"),
    ),
    "smb1-negotiate.pcap": ("an SMB1 negotiate request", lambda: smb(True)),
    "smb2-negotiate.pcap": ("an SMB2 negotiate request", lambda: smb(False)),
    "rdp-administrator.pcap": ("a connection request with the cookie Administr", lambda: rdp(b"Administr")),
    "rdp-user.pcap": ("the same with a user's name", lambda: rdp(b"lan.tran")),
    "redis-abuse.pcap": ("CONFIG SET to a cron folder from outside", database_abuse),
    "redis-ordinary.pcap": ("PING, GET and SET with the same words", database),
    "modbus-write.pcap": ("reads, writes and a restart from outside", modbus_write),
    "modbus-read.pcap": ("reads and one write from the control station", modbus_read),
    "snmp-public.pcap": ("a get with community public from outside", lambda: snmp(b"public", OUTSIDE)),
    "snmp-set-private.pcap": ("a set with community private", lambda: snmp(b"private", OUTSIDE, 0xA3)),
    "snmp-other.pcap": ("a get with another community, from inside", lambda: snmp(b"publicity", CLIENT)),
    "netbios-outside.pcap": ("a node status query from outside", lambda: netbios_name(OUTSIDE, CLIENT)),
    "netbios-inside.pcap": ("the same inside", lambda: netbios_name(SERVER, CLIENT)),
    "ntp-monlist.pcap": ("five monlist requests with large answers", time_abuse),
    "ntp-client.pcap": ("an ordinary time request", time_client),
    "ssdp-outside.pcap": ("a discovery request from outside", lambda: discovery(OUTSIDE, SERVER)),
    "ssdp-inside.pcap": ("the same inside, to the group", lambda: discovery(CLIENT, "239.255.255.250")),
    "memcached-stats.pcap": ("a stats request over UDP from outside", lambda: cache_stats(OUTSIDE)),
    "memcached-inside.pcap": ("the same inside", lambda: cache_stats(CLIENT)),
    "rtp-call.pcap": ("sixty voice packets of one call", voice),
    "stratum-login.pcap": ("a miner's login", lambda: mining(3333, "login")),
    "stratum-near.pcap": ("JSON-RPC with another method", lambda: mining(3334, "logout")),
    "bittorrent.pcap": ("a peer handshake", torrent),
}
