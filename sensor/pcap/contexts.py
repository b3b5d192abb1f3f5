"""Places in payload that hold names and secrets by what stands before them: header fields, commands, forms,
URLs, mail addresses, certificates' names, NTLM messages.

A place is (start, end, kind). The same places serve to learn what is in a capture and to rewrite it. Every
repetition is bounded, for the bytes are hostile.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple


class Place(NamedTuple):
    """Bytes that are a name or a secret. kind: host, user, secret, cookie, authorization, base64, name, mail,
    digest (binary), utf16, netbios, address (binary)."""

    start: int
    end: int
    kind: str


_LINE = rb"[^\r\n\0]{1,4096}"
_SASL = rb"^(?:[!-~]{1,64}[ \t])?AUTH(?:ENTICATE)?[ \t](?:PLAIN|LOGIN|CRAM-MD5|NTLM)"
_WORD = rb"[^\s\0]{1,512}"
_KEYS = rb"(?:pass(?=[\"']?[=:])|passw(?:or)?d?|passphrase|pwd|secret|token|api_?key|sess(?:ion)?_?id|sessid)"
_USERS = rb"(?:user_?(?:name|id)?|account(?:_?id)?|uname|login|log|email|e-mail)"
_BEFORE_KEY = rb"(?:^|[?&;\s\"'{,])[\"']?"
_VALUE = rb"[\"']?[=:][ ]{0,2}[\"']?([^&\s;#\"'<>\0,}]{1,512})"
_SCHEME = rb"(?<![A-Za-z])[a-z][a-z0-9+.-]{1,15}://"
_QUOTED_OR_WORD = rb"(?:\"[^\"\r\n\0]{1,256}\"|[^\s\0]{1,256})"

_IDENTITY = rb"\x44\x01\x01[\s\S]{2}\0\0[\s\S]\0\0\0[ -~]{1,64}?[\x01-\x40]\0\0\0"

_TABLE: tuple[tuple[str, bytes, bytes], ...] = (
    ("cookie", rb"cookie", rb"^(?:set-)?cookie2?:[ \t]{0,8}(" + _LINE + rb")"),
    (
        "authorization",
        rb"auth",
        rb"^(?:proxy-)?(?:authorization|authenticate):[ \t]{0,8}(" + _LINE + rb")",
    ),
    (
        "authorization",
        rb"www-authenticate",
        rb"^www-authenticate:[ \t]{0,8}((?:NTLM|Negotiate)[ \t]" + _LINE + rb")",
    ),
    (
        "secret",
        rb"x-",
        rb"^x-(?:[a-z]{1,16}-){0,3}(?:token|key|secret|password|session)[a-z-]{0,16}:[ \t]{0,8}("
        + _LINE
        + rb")",
    ),
    ("host", rb"host:", rb"^host:[ \t]{0,8}(" + _WORD + rb")"),
    ("host", rb"x-forwarded", rb"^x-forwarded-(?:host|server):[ \t]{0,8}(" + _WORD + rb")"),
    ("host", rb"lo ", rb"^(?:HELO|EHLO)[ \t]{1,8}(" + _WORD + rb")"),
    ("host", b"220", rb"^220[ -]([A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8})"),
    ("host", b"250", rb"^250[ -]([A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8})"),
    ("host", b"hello ", rb"\bHello[ ]([A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8})"),
    ("user", rb"user ", rb"^USER[ \t]{1,8}([^\s\0]{1,256})"),
    ("user", rb"nick ", rb"^NICK[ \t]{1,8}([^\s\0]{1,256})"),
    ("user", rb"apop ", rb"^APOP[ \t]{1,8}([^\s\0]{1,256})"),
    ("secret", rb"pass ", rb"^PASS[ \t]{1,8}(" + _LINE + rb")"),
    ("secret", rb"acct ", rb"^ACCT[ \t]{1,8}(" + _LINE + rb")"),
    ("secret", rb"apop ", rb"^APOP[ \t]{1,8}[^\s\0]{1,256}[ \t]{1,8}(" + _WORD + rb")"),
    ("user", rb" login ", rb"^[!-~]{1,64}[ \t]LOGIN[ \t]\"?([^\s\"\0]{1,256})"),
    (
        "secret",
        rb" login ",
        rb"^[!-~]{1,64}[ \t]LOGIN[ \t]" + _QUOTED_OR_WORD + rb"[ \t]\"?([^\s\"\0]{1,256})",
    ),
    ("base64", rb"auth", _SASL + rb"[ \t]([A-Za-z0-9+/=]{4,1024})\r?$"),
    ("base64", rb"auth", _SASL + rb"[^\r\n\0]{0,256}\r?\n([A-Za-z0-9+/=]{4,2048})\r?$"),
    (
        "base64",
        rb"auth login",
        rb"^AUTH[ \t]LOGIN\r?\n[A-Za-z0-9+/=]{0,1024}\r?\n([A-Za-z0-9+/=]{4,1024})\r?$",
    ),
    # MySQL's handshake response and change of user, PostgreSQL's start of a session.
    ("user", b"\0" * 23, rb"\x01[\s\S]{9}\x00{23}([!-~]{1,64})(?=\x00)"),
    ("user", rb"_password", rb"\x00{3}\x11([!-~]{1,64})(?=\x00[\s\S]{1,256}?_password)"),
    ("user", b"user\0", rb"\x00user\x00([!-~]{1,64})(?=\x00)"),
    # OPC UA's identity token: the policy, the user, the password, each behind its length.
    ("user", b"d\1\1", _IDENTITY + rb"([ -~]{1,64}?)(?=[\s\S]\0\0\0|\xff{4})"),
    ("secret", b"d\1\1", _IDENTITY + rb"[ -~]{1,64}?[\x01-\x40]\0\0\0([ -~]{1,64}?)(?=[\s\S]\0\0\0|\xff{4})"),
    (
        "host",
        rb"<",
        rb"^<\d{1,3}>(?:\d[ ])?[A-Z][a-z]{2}[ ]{1,2}\d{1,2}[ ][0-9:.]{8,15}[ ]([A-Za-z0-9._-]{1,64})[ :]",
    ),
    ("user", b"o=", rb"^o=([^\s\0]{1,64}) \d{1,20} \d{1,20} IN IP"),
    ("name", b"user ", rb"^USER [^\s\0]{1,128} [^\s\0]{1,128} [^\s\0]{1,128} :([^\r\n\0]{1,256})"),
    ("host", b":", rb"^:([A-Za-z0-9._-]{1,64}) (?:NOTICE|PRIVMSG|JOIN|PART|MODE|QUIT|\d{3}) "),
    ("user", b"!", rb"^:[A-Za-z0-9._|`^-]{1,64}!([^@\s\0]{1,64})@"),
    ("host", b"!", rb"^:[A-Za-z0-9._|`^-]{1,64}![^@\s\0]{1,64}@([A-Za-z0-9._-]{1,255})"),
    ("host", rb"<", rb"^<\d{1,3}>\d[ ]\d{4}-[0-9TZ:.+-]{10,40}[ ]([A-Za-z0-9._-]{1,64})[ ]"),
    ("user", rb"mstshash=", rb"\bmstshash=([^\s\0]{1,64})"),
    ("user", rb"username=", rb"\busername=\"([^\"\r\n\0]{1,256})\""),
    ("secret", rb"nonce=", rb"\b(?:response|cnonce)=\"([^\"\r\n\0]{1,256})\""),
    ("name", rb"sip", rb"\"([^\"\r\n\0]{1,128})\"[ ]{0,2}<sips?:"),
    ("name", rb"sip", rb"^(?:From|To|Contact|[ftm]):[ ]{0,4}([^\"<>\r\n\0]{1,128}?)[ ]{0,4}<sips?:"),
    ("user", rb"sip", rb"\bsips?:([^@>\s;:\0\"]{1,128})@"),
    *(
        ("secret", word, _BEFORE_KEY + rb"[a-z0-9_\[-]{0,24}" + _KEYS + rb"[a-z0-9_\]-]{0,16}" + _VALUE)
        for word in (rb"pass", rb"pwd", rb"secret", rb"token", rb"key", rb"sess")
    ),
    *(
        ("user", word, _BEFORE_KEY + _USERS + _VALUE)
        for word in (rb"user", rb"uname", rb"account", rb"log", rb"mail")
    ),
    ("host", rb"://", _SCHEME + rb"(?:[^/@\s\0]{1,256}@)?([A-Za-z0-9._-]{1,255})"),
    ("user", rb"://", _SCHEME + rb"([^/@:\s\0]{1,128})(?::[^/@\s\0]{0,128})?@"),
    ("secret", rb"://", _SCHEME + rb"[^/@:\s\0]{1,128}:([^/@\s\0]{1,128})@"),
    ("name", b"@", rb"\b((?:[A-Z][A-Z.'-]{0,40}[ ]){1,4}[A-Z][A-Z.'-]{1,40})[ ]<[^<>@\s\0]{1,128}@"),
    ("mail", rb"from:", rb"^From:[ \t]{0,8}(" + _LINE + rb")"),
    ("mail", rb"to:", rb"^(?:To|Reply-To|Delivered-To):[ \t]{0,8}(" + _LINE + rb")"),
    ("mail", rb"cc:", rb"^B?cc:[ \t]{0,8}(" + _LINE + rb")"),
    ("mail", rb"path:", rb"^Return-Path:[ \t]{0,8}(" + _LINE + rb")"),
    ("mail", rb"sender:", rb"^Sender:[ \t]{0,8}(" + _LINE + rb")"),
    ("secret", rb"message-id", rb"^Message-ID:[ \t]{0,8}<([^>\r\n\0@]{1,512})"),
    ("secret", rb"in-reply-to", rb"^In-Reply-To:[ \t]{0,8}<([^>\r\n\0@]{1,512})"),
    ("secret", rb"references", rb"^References:[ \t]{0,8}<([^>\r\n\0@]{1,512})"),
    ("host", rb"\\", rb"\\\\([A-Za-z0-9._-]{1,255})\\"),
)
_TEXT_PLACES: dict[bytes, list[tuple[str, re.Pattern[bytes]]]] = {}
"""By a word in lower case without which none of the patterns can match: most payload has none of them."""
for _kind, _needed, _pattern in _TABLE:
    compiled = re.compile(_pattern, re.IGNORECASE | re.MULTILINE)
    _TEXT_PLACES.setdefault(_needed, []).append((_kind, compiled))
_IN_MAIL = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._%+=-"
_MAIL_HOST = re.compile(rb"(?:@|%40)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63}){1,8}")
MAX_MAIL_USER_BYTES = 128
_NAME_OF_CERTIFICATE = re.compile(
    rb"\x06(?:\x03\x55\x04[\x03\x04\x05\x07-\x0d\x2a-\x2e\x41]|\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09[\x01\x02]"
    rb"|\x0a\x09\x92\x26\x89\x93\xf2\x2c\x64\x01[\x01\x19])([\x0c\x13\x14\x16\x1a\x1c\x1e])([\x01-\x7f])",
    re.DOTALL,
)
# Distinguished names in text (RFC 4514), of two parts at least.
_RDN = rb"(?:cn|uid|ou|o|dc|sn|userid|mail)=[^,\0\r\n=&]{1,64}"
_DISTINGUISHED = re.compile(rb"(?i)(?<![A-Za-z])" + _RDN + rb"(?:,[ ]?" + _RDN + rb"){1,16}")
_RDN_VALUE = re.compile(rb"=([^,\0\r\n=&]{1,64})")
# Kerberos: host addresses (RFC 4120, 7.5.3), strings; SunRPC's machine (RFC 5531, appendix A); NDR's strings.
_HOST_ADDRESS = re.compile(
    rb"\xa0\x03\x02\x01(?:\x02\xa1\x06\x04\x04([\s\S]{4})|\x18\xa1\x12\x04\x10([\s\S]{16}))"
)
_HOST_NAME = re.compile(rb"\xa0\x03\x02\x01\x14\xa1\x12\x04\x10([!-~]{1,15})")
_KERBEROS = re.compile(rb"[\xa0-\xad\x30][\x03-\x7f]\x1b[\x02-\x7f]")
_LDAP_BIND = re.compile(rb"\x02\x01[\x02\x03]\x04([\0-\x7f])")  # RFC 4511, 4.2
_SMB_SETUP = re.compile(rb"\xffSMB\x73")
_MACHINE = re.compile(rb"\0\0\0\x01\0\0[\s\S]{6}\0\0\0([\x02-\xff])(?=[A-Za-z0-9])")
_IN_MACHINE = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_NDR_STRING = re.compile(rb"([\x03-\xff])\0{7}(?=([\s\S])\0{3})")
# Host names behind a length of four bytes (XDR, RFC 4506), of domains that are no endings of files.
_XDR = re.compile(rb"\0\0\0([\x04-\x7f])(?=[A-Za-z0-9])")
_XDR_HOST = re.compile(
    rb"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63}){0,8}\.(?:com|org|net|edu|gov|mil|local|arpa|info|biz)"
)
_NAME_OF_SERVER = re.compile(rb"[\x81\x82]([\x04-\x7f])(?=[*A-Za-z0-9])")  # subjectAltName (RFC 5280)
_IN_NAME_OF_SERVER = re.compile(rb"(?:\*\.)?[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63}){1,16}")
# A server's name in a TLS or QUIC ClientHello (RFC 6066), in whatever carries it.
_SNI = re.compile(rb"\0\0\0[\x05-\xff]\0[\x04-\xfd]\0\0([\x01-\xfa])")
# Socket addresses with their padding, in both orders of bytes; IPv6 addresses of a link.
_SOCKET = re.compile(rb"(?:\x02\0|\0\x02)[\s\S]{2}([\s\S]{4})\0{8}")
_OF_LINK = re.compile(rb"(?:\xfe\x80\0{6}[\s\S]{8}|(?<=\x17\0\0\0\0\0\0\0)[\s\S]{16})")
_NETBIOS = re.compile(rb"\x20([A-P]{32})(?=[\0\x20\xc0-\xff\x01-\x3f])")
_NTLM = re.compile(rb"NTLMSSP\0([\x01-\x03])\0\0\0", re.DOTALL)
# SOCKS 4 and 5 (RFC 1928): the IPv4 address of a request or an answer; of version 4 at a stream's start.
_SOCKS = re.compile(
    rb"\A\x04[\x01\x02][\s\S]{2}([\s\S]{4})[^\0]{0,255}\0|\A\0[\x5a-\x5d][\s\S]{2}([\s\S]{4})"
    rb"|\x05[\0-\x08]\0\x01([\s\S]{4})(?=[\s\S]{2})"
)
MAX_NTLM_BYTES = 8192


def places(data: bytes) -> Iterator[Place]:
    """Every place in a stretch of payload."""
    lower = data.lower()
    for needed, patterns in _TEXT_PLACES.items():
        if needed in lower:
            for kind, pattern in patterns:
                for found in pattern.finditer(data):
                    yield Place(*found.span(1), kind)
    if b"@" in data or b"%40" in data:
        for found in _MAIL_HOST.finditer(data):
            before = data[max(0, found.start() - MAX_MAIL_USER_BYTES) : found.start()]
            user_bytes = len(before) - len(before.rstrip(_IN_MAIL))
            if user_bytes:
                yield Place(found.start() - user_bytes, found.end(), "mail")
    for found in _NAME_OF_CERTIFICATE.finditer(data):
        start = found.end()
        length = found[2][0]
        if start + length <= len(data):
            yield Place(start, start + length, "utf16" if found[1] == b"\x1e" else "name")
    yield from _behind_length(data, _NAME_OF_SERVER, _IN_NAME_OF_SERVER, "host")
    yield from _binary(data)
    yield from _behind_length(data, _SNI, _IN_NAME_OF_SERVER, "host")
    for found in _SOCKET.finditer(data):
        if any(found[1]):
            yield Place(*found.span(1), "address")
    for found in _OF_LINK.finditer(data):
        yield Place(*found.span(), "address")
    if data[:1] == b"\x05":
        yield from _socks_login(data)
    for found in _SOCKS.finditer(data):
        yield Place(*found.span(found.lastindex or 1), "address")
    for found in _NETBIOS.finditer(data):
        yield Place(*found.span(1), "netbios")
    for found in _NTLM.finditer(data):
        yield from _ntlm(data, found.start(), found[1][0])


def _behind_length(
    data: bytes, length: re.Pattern[bytes], name: re.Pattern[bytes], kind: str
) -> Iterator[Place]:
    """What is a name, of as many bytes as the one says that stands last before it."""
    for found in length.finditer(data):
        start, end = found.end(), found.end() + found[1][0]
        if name.fullmatch(data, start, end):
            yield Place(start, end, kind)


def _binary(data: bytes) -> Iterator[Place]:
    """Names and addresses by the binary forms they stand in."""
    if b"=" in data:
        for found in _DISTINGUISHED.finditer(data):
            for value in _RDN_VALUE.finditer(data, *found.span()):
                yield Place(*value.span(1), "host" if b"." in value[1] and b" " not in value[1] else "name")
    for found in _HOST_ADDRESS.finditer(data):
        yield Place(*found.span(found.lastindex or 1), "address")
    yield from _behind_length(data, _XDR, _XDR_HOST, "host")
    for found in _HOST_NAME.finditer(data):
        yield Place(*found.span(1), "name")
    for found in _KERBEROS.finditer(data):
        yield from _kerberos_strings(data, found.end() - 2)
    for found in _LDAP_BIND.finditer(data):
        at = found.end() + found[1][0]
        if data[at : at + 1] == b"\x80" and at + 1 < len(data) and 0 < data[at + 1] < 128:
            yield Place(at + 2, min(at + 2 + data[at + 1], len(data)), "secret")
    for found in _SMB_SETUP.finditer(data):
        yield from _smb_setup(data, found.start())
    yield from _behind_length(data, _MACHINE, _IN_MACHINE, "name")
    for found in _NDR_STRING.finditer(data):
        start = found.end() + 4
        end = start + 2 * found[2][0]
        text = data[start:end:2].rstrip(b"\0")
        if found[2] <= found[1] and end <= len(data) and not any(data[start + 1 : end : 2]):
            if text.startswith(b"\\\\"):
                yield Place(start + 4, start + 2 * (text + b"\\").index(b"\\", 2), "utf16")
            elif text.endswith(b"$") and len(text) > 1:
                yield Place(start, start + 2 * len(text) - 2, "utf16")
    at = data.find(b"CHLO") if b"SNI\0" in data else -1
    if at >= 0:
        yield from _google_hello(data, at)


def _smb_setup(data: bytes, start: int) -> Iterator[Place]:
    """The account and the domain in SMB 1's setup of a session (MS-SMB, 2.2.4.6), in UTF-16."""
    if start + 33 > len(data) or not data[start + 11] & 0x80:
        return
    words, at = data[start + 32], start + 33
    blob = {4: 6, 12: 14}.get(words)
    skip = int.from_bytes(data[at + blob : at + blob + 2], "little") if blob is not None else 0
    if words == 13:
        skip = sum(int.from_bytes(data[at + i : at + i + 2], "little") for i in (14, 16))
    at += 2 * words + 2 + skip
    at += (at - start) % 2
    wanted = {13: (0, 1), 12: (2,), 4: (2,), 3: (2,)}.get(words, ())
    for number in range(4):
        end = at
        while end + 1 < len(data) and data[end : end + 2] != b"\0\0":
            end += 2
        if number in wanted and at < end <= at + 512:
            yield Place(at, end, "utf16")
        at = end + 2


def _kerberos_strings(data: bytes, at: int) -> Iterator[Place]:
    """Strings one after the other: a realm, or the parts of a principal."""
    while data[at : at + 1] == b"\x1b" and at + 1 < len(data):
        start, end = at + 2, at + 2 + data[at + 1]
        text = data[start:end]
        if end > len(data) or not text.isascii() or not text.decode().isprintable():
            return
        yield Place(start, end, "host" if b"." in text else "name")
        at = end


def _google_hello(data: bytes, at: int) -> Iterator[Place]:
    """The server's name in the hello of Google's QUIC: tags with the ends of their values."""
    count = int.from_bytes(data[at + 4 : at + 6], "little")
    base, before = at + 8 + 8 * count, 0
    for tag in range(at + 8, min(base, len(data) - 8), 8):
        end = int.from_bytes(data[tag + 4 : tag + 8], "little")
        if data[tag : tag + 4] == b"SNI\0" and base + before < base + end <= len(data):
            yield Place(base + before, base + end, "host")
        before = end


def _socks_login(data: bytes) -> Iterator[Place]:
    """The user and the password (RFC 1929) that follow the methods a client offers."""
    at = 2 + data[1] if len(data) > 2 else 0
    if data[at : at + 1] != b"\x01":
        return
    for kind in ("user", "secret"):
        size = data[at + 1] if at + 1 < len(data) else 0
        if not size or at + 2 + size > len(data):
            return
        yield Place(at + 2, at + 2 + size, kind)
        at += 1 + size


def _ntlm(data: bytes, start: int, kind: int) -> Iterator[Place]:
    """The names and answers of an NTLM message: fields of (length, room, offset)."""
    end = min(len(data), start + MAX_NTLM_BYTES)
    message = data[start:end]
    if kind == 1:
        if len(message) >= 32:
            yield from _ntlm_field(message, start, 16, "name")
            yield from _ntlm_field(message, start, 24, "name")
        return
    if kind == 2:
        if len(message) >= 24:
            is_unicode = message[20] & 1
            yield from _ntlm_field(message, start, 12, "utf16" if is_unicode else "name")
        if len(message) >= 48:
            for place in _ntlm_field(message, start, 40, "digest"):
                yield from _target_info(data, place.start, place.end)
        return
    if len(message) < 64:
        return
    is_unicode = message[60] & 1
    text = "utf16" if is_unicode else "name"
    for at in (28, 36, 44):
        yield from _ntlm_field(message, start, at, text)
    yield from _ntlm_field(message, start, 12, "digest")
    for place in _ntlm_field(message, start, 20, "digest"):
        yield place._replace(end=min(place.end, place.start + 16))
        yield from _target_info(data, place.start + 44, place.end)


def _ntlm_field(message: bytes, base: int, at: int, kind: str) -> Iterator[Place]:
    length, _, offset = struct.unpack_from("<HHI", message, at)
    if length and offset < len(message):  # the length may lie
        yield Place(base + offset, base + min(offset + length, len(message)), kind)


def _target_info(data: bytes, at: int, end: int) -> Iterator[Place]:
    """The attributes of an NTLM target: names of hosts, domains and the forest."""
    while at + 4 <= end:
        kind, length = struct.unpack_from("<HH", data, at)
        at += 4
        if kind == 0 or at + length > end:
            return
        if kind in (1, 2, 3, 4, 5, 9):
            yield Place(at, at + length, "utf16")
        at += length


def netbios_name(encoded: bytes) -> bytes:
    """A NetBIOS name from its 32 letters (RFC 1001, 14.1)."""
    return bytes((encoded[i] - 65) << 4 | encoded[i + 1] - 65 for i in range(0, 32, 2))


def netbios_letters(name: bytes) -> bytes:
    """The 32 letters of a NetBIOS name."""
    return bytes(letter for byte in name for letter in ((byte >> 4) + 65, (byte & 15) + 65))
