"""What identifies people and machines in a capture: host names, user names, secrets, addresses.

They are taken from the engine's events, which know every protocol, and from the packets' own bytes
(sensor.pcap.contexts). What is one word of everybody's language (www, admin, com) identifies nobody and is
left.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Any

from sensor.desk.events import leaves
from sensor.pcap.generic import generic_labels, is_generic

MIN_NAME_BYTES = 4  # shorter ones are only replaced where their place says that they are names
MAX_NAME_BYTES = 512
MAX_NAMES = 200_000

_PORT = re.compile(r":\d{1,5}$")
_URL_HOST = re.compile(r"(?i)\b(?:[a-z][a-z0-9+.-]*)://(?:[^/@\s]*@)?([^/:?#\s\"'<>]+)")
_MAIL = re.compile(r"([^\s<>\"@,;:()\[\]\\]+)@([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)")
_UNC = re.compile(r"^\\{1,2}([^\\]+)\\")
_RDN = re.compile(r"(?:^|[,+/])\s*([A-Za-z][A-Za-z0-9.]*)=((?:[^,+\\]|\\.)*)")
_LIKE_A_MACHINE = re.compile(rb"[0-9-]")
_LETTER = re.compile(rb"[A-Za-z\x80-\xff]")

_HOSTS = frozenset(
    ("hostname", "rrname", "sni", "subjectaltname", "host", "machine_name", "helo", "client_name")
)
_HOSTS |= {"realm", "mname", "rname", "ptr", "CNAME", "NS", "PTR", "MX", "domain", "snames"}
_USERS = frozenset(("user", "username", "cname", "client_id", "community", "usm", "cookie", "database"))
_USERS |= {"session_authorization", "login", "account"}
_SECRETS = frozenset(["password", "challenge_data", "auth", "secret", "md5_password", "cleartext_password"])
_MAILS = frozenset(["mail_from", "rcpt_to", "from", "to", "cc", "bcc"])
_NAMES = frozenset(["subject", "issuerdn", "base_object", "entry", "matched_dn"])  # distinguished names
_URLS = frozenset(["url", "http_refer", "redirect", "uri", "request_line", "value", "message"])
_SHARES = frozenset(["share", "named_pipe"])
_OF_TYPE_NAME = frozenset(["NS", "CNAME", "PTR", "MX", "DNAME", "SOA"])
_NO_NAMES = frozenset(
    ("email.subject", "ftp_data.command", "krb5.encryption", "smb.request", "stream.from", "nfs.rename.from")
)


class Known:
    """Everything to be replaced, in lower case."""

    def __init__(self) -> None:
        self.suffixes: set[bytes] = set()  # of host names, with at least two labels and one that tells
        self.labels: set[bytes] = set()  # of those names, without what is generic
        self.names: dict[bytes, str] = {}  # what stands alone -> kind
        self.addresses: set[bytes] = set()
        self.macs: set[bytes] = set()
        self.kept: set[bytes] = set()  # names that must stay, by the caller's wish
        self.is_cut = False

    def add_event(self, event: dict[str, Any]) -> None:
        """Take what one event names."""
        for path, value in leaves(event):
            if isinstance(value, str) and value:
                self._leaf(path, value)
        dns = event.get("dns") or event.get("mdns")
        if isinstance(dns, dict):
            for section in ("answers", "authorities", "additionals"):
                for record in dns.get(section) or ():
                    is_name = str(record.get("rrtype", "")).upper() in _OF_TYPE_NAME
                    if is_name and isinstance(record.get("rdata"), str):
                        self.add_host(record["rdata"])
        ftp = event.get("ftp")
        if isinstance(ftp, dict) and ftp.get("command") in ("USER", "ACCT", "PASS"):
            self.add_name(str(ftp.get("command_data", "")), "user")
        http = event.get("http")
        for header in (http or {}).get("request_headers", ()) if isinstance(http, dict) else ():
            if str(header.get("name", "")).lower() in ("host", ":authority"):
                self.add_host(str(header.get("value", "")))

    def _leaf(self, path: str, value: str) -> None:
        last = path.rpartition(".")[2]
        if path in _NO_NAMES or path.startswith(("alert", "anomaly", "flow.", "frame.")) or last in _TIMES:
            return
        if last == "mac" or last.endswith("_mac"):
            self.add_mac(value)
        elif last in _HOSTS or path.endswith(("srv.name", "SRV.name")):
            self.add_host(value)
        elif last == "sname":
            for part in value.split("/"):
                self.add_host(part)
        elif path == "tls.subject" or last in _NAMES:
            self.add_distinguished_name(value)
        elif last in _MAILS:
            self.add_mail(value)
        elif last in _USERS and not path.startswith(("tls.", "http.")):
            self.add_user(value)
        elif last in _SECRETS:
            self.add_name(value, "secret")
        elif path == "ldap.request.bind_request.name":
            self.add_distinguished_name(value) if "=" in value else self.add_user(value)
        elif last in _SHARES:
            found = _UNC.match(value)
            if found:
                self.add_host(found[1])
        elif last == "pop3.request.args":
            self.add_user(value)
        elif last in _URLS:
            for host in _URL_HOST.findall(value):
                self.add_host(host)
            self.add_mail(value)
        elif last.endswith("ip") or last in ("a", "aaaa", "A", "AAAA", "rdata", "routers", "dns_servers"):
            self.add_address(value)

    def add_host(self, text: str) -> None:
        """A host name, with or without dots, port or wildcard; or an address."""
        text = _PORT.sub("", text.strip().strip("[]").rstrip(".").removeprefix("*."))
        if not text or self.add_address(text):
            return
        name = _bytes(text).lower()
        if not 0 < len(name) <= MAX_NAME_BYTES:
            return
        labels = name.split(b".")
        if labels[-2:] in ([b"in-addr", b"arpa"], [b"ip6", b"arpa"]):
            return  # an address, turned as one where it lies
        if len(labels) == 1 or b" " in name or any(not label for label in labels):
            self.add_name(text, "host")
            return
        if len(self.suffixes) >= MAX_NAMES:
            self.is_cut = True
            return
        kept = generic_labels(labels)
        for start in range(len(labels) - 1):
            if not all(kept[start:]):
                self.suffixes.add(b".".join(labels[start:]))
        telling = [label for label, is_kept in zip(labels, kept, strict=True) if not is_kept]
        self.labels.update(x for x in telling if len(x) >= MIN_NAME_BYTES and not is_generic(x))
        if (
            len(labels[0]) >= MIN_NAME_BYTES
            and _LIKE_A_MACHINE.search(labels[0])
            and _LETTER.search(labels[0])
        ):
            self.add_name(labels[0], "host")  # its short name
        if b"@" in name or any(byte >= 0x80 for byte in name):  # a service's own name in mDNS
            self.add_name(text.split("._")[0], "host")

    def add_user(self, text: str) -> None:
        """A user name: plain, DOMAIN\\user or user@domain."""
        if "@" in text:
            self.add_mail(text)
        for part in re.split(r"[\\/]", text):
            self.add_name(part, "user")

    def add_mail(self, text: str) -> None:
        """Mail addresses, and the names of people beside them."""
        for user, host in _MAIL.findall(text):
            self.add_name(user, "user")
            self.add_host(host)
        person = re.match(r"\s*\"?([^\"<>@]{4,80}?)\"?\s*<", text)
        if person:
            self.add_name(person[1], "user")
            for word in re.split(r"[\s,;.]+", person[1]):
                self.add_name(word, "user")

    def add_distinguished_name(self, text: str) -> None:
        """The values of CN=..., O=...; not of C=."""
        for kind, value in _RDN.findall(text):
            value = value.strip()
            if kind.upper() == "C":
                continue
            if "." in value and " " not in value and "@" not in value:
                self.add_host(value)
            elif "@" in value:
                self.add_mail(value)
            else:
                self.add_name(value, "name")

    def add_name(self, text: str | bytes, kind: str) -> None:
        """What stands for one thing as a whole."""
        name = (text if isinstance(text, bytes) else _bytes(text)).strip().rstrip(b"\0").lower()
        if not MIN_NAME_BYTES <= len(name) <= MAX_NAME_BYTES or is_generic(name) or name.startswith(b"<"):
            return
        is_number = not _LETTER.search(name) and len(name) < 6
        if is_number and kind not in ("secret", "user"):
            return
        if self.add_address(name.decode("latin-1")):
            return
        if len(self.names) >= MAX_NAMES:
            self.is_cut = True
        elif name not in self.kept:
            self.names.setdefault(name, kind)

    def add_address(self, text: str) -> bool:
        """An address in text; whether it was one."""
        try:
            address = ipaddress.ip_address(text.partition("%")[0].strip("[]"))
        except ValueError:
            return False
        self.addresses.add(address.packed)
        return True

    def add_mac(self, text: str) -> None:
        """A MAC address with colons or dashes."""
        try:
            mac = bytes.fromhex(text.replace(":", "").replace("-", ""))
        except ValueError:
            return
        if len(mac) == 6:
            self.macs.add(mac)


_TIMES = frozenset(("timestamp", "start", "end", "notbefore", "notafter"))


def known_from(events: Iterable[dict[str, Any]], kept: Iterable[bytes] = ()) -> Known:
    """What a capture's events name; `kept` are names that stay."""
    known = Known()
    known.kept |= set(kept)
    for event in events:
        known.add_event(event)
    return known


def _bytes(text: str) -> bytes:
    """The bytes an event's text was made from: escapes of other bytes are undone."""
    raw = text.encode("utf-8", "surrogatepass")
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), raw) if b"\\x" in raw else raw


_ESCAPE = re.compile(rb"\\x([0-9a-fA-F]{2})")
