"""Mail with too many commands, recipients, parts and boundaries."""

from __future__ import annotations

import base64

from .wire import Packet, Registry, Talk


def _mail() -> Talk:
    talk = Talk(25)
    talk.server(b"220 h ESMTP\r\n")
    talk.client(b"EHLO c\r\n")
    talk.server(b"250 h\r\n")
    return talk


def _letter(talk: Talk, body: bytes) -> list[Packet]:
    talk.client(b"MAIL FROM:<a@b>\r\n")
    talk.server(b"250 ok\r\n")
    talk.client(b"RCPT TO:<c@d>\r\n")
    talk.server(b"250 ok\r\n")
    talk.client(b"DATA\r\n")
    talk.server(b"354 go\r\n")
    talk.client(body + b"\r\n.\r\n")
    talk.server(b"250 ok\r\n")
    return talk.packets()


def smtp_commands(n: int) -> list[Packet]:
    """Commands one after another, unanswered."""
    talk = _mail()
    for _ in range(n):
        talk.client(b"NOOP\r\n")
    return talk.packets()


def smtp_recipients(n: int) -> list[Packet]:
    """A letter to very many."""
    talk = _mail()
    talk.client(b"MAIL FROM:<a@b>\r\n")
    talk.server(b"250 ok\r\n")
    for i in range(n):
        talk.client(b"RCPT TO:<u%d@d>\r\n" % i)
        talk.server(b"250 ok\r\n")
    return talk.packets()


def mime_deep(n: int) -> list[Packet]:
    """Parts within parts within parts."""
    body = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i) for i in range(n)
    )
    return _letter(_mail(), b"Subject: s\r\n" + body)


def mime_many_parts(n: int) -> list[Packet]:
    """Many small attachments."""
    part = b"--b\r\nContent-Disposition: attachment; filename=a\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    text = base64.b64encode(b"hello world") + b"\r\n"
    return _letter(
        _mail(), b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + (part + text) * n + b"--b--"
    )


def mime_headers(n: int) -> list[Packet]:
    """A letter of headers, folded ones among them."""
    return _letter(_mail(), b"X-A: =?utf-8?q?a?=\r\n b\r\n" * n + b"\r\nx")


def mime_boundaries(n: int) -> list[Packet]:
    """A body of lines that almost are a boundary, and of addresses."""
    body = b"--bbbbbb\r\nhttp://a.b/c\r\n" * n
    return _letter(
        _mail(), b"Content-Type: multipart/mixed; boundary=bbbbbbb\r\n\r\n--bbbbbbb\r\n\r\n" + body
    )


def pop3_commands(n: int) -> list[Packet]:
    """Commands, not one answered."""
    talk = Talk(110)
    talk.server(b"+OK ready\r\n")
    for _ in range(n):
        talk.client(b"NOOP\r\n")
    return talk.packets()


GENERATORS: Registry = {
    "smtp-commands": (smtp_commands, 250),
    "smtp-recipients": (smtp_recipients, 125),
    "mime-deep": (mime_deep, 250),
    "mime-many-parts": (mime_many_parts, 16),
    "mime-headers": (mime_headers, 250),
    "mime-boundaries": (mime_boundaries, 500),
    "pop3-commands": (pop3_commands, 250),
}
