"""What identifies people and machines in a capture by tshark's account of it, and where any of it is left in
another capture: in the bytes of the file, in its streams put together, in what tshark reads out of it.

tshark names every field; here is said which of them bear names. Nothing is taken from the sanitizer but the
images of addresses, to know an image from an original.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote

from dissection import Dissection

MIN_NAME_CHARACTERS = 3  # one or two tell nobody
MIN_BYTES = 4  # shorter values are compared field by field, where tshark says that they are names
_NAMING = re.compile(
    r"(?i)host|fqdn|domain|realm|server_?name|computer|machine|device_?id|deviceid|system\.name|sysname"
    r"|station|nbns\.name|nbdgm\.\w+_name|nbss\.\w+_name|browser\.(?:mb_)?server|search_list|signers|authority"
    r"|\bsni\b|remote_name|dns_name|dNSName|rfc822Name|uniformResource|user|uname|login|acct|account|passw"
    r"|passwd|\bpwd\b|secret|cookie|authbasic|auth_data|community|identity|client_?id|[cs]namestring"
    r"|addr_nb|dns\.(?:qry|resp)\.name|dns\.(?:cname|ns|ptr|mx|soa|srv|rp)\b|nsec\.next|imf\.(?:address|from|to|cc"
    r"|bcc|sender|reply_to|display_name|message_id)|x509sat|pkix1explicit\.Dir|ldap\.(?:name|simple|baseObject"
    r"|entry|delRequest|objectName|object|newrdn|newSuperior|matchedDN|LDAPURL)|server_unc|\btree\b|smb\.path"
    r"|peer_id|peer-id|ac_name|netlogon\.handle|imsi|irc\.(?:request|response\.prefix)|imap\.request$"
    r"|(?:ftp|pop)\.request\.\w+:(?:USER|PASS|ACCT|APOP)|smtp\.req\.parameter:(?:EHLO|HELO|MAIL|RCPT)"
    r"|sip\.(?:contact|from|to|r-uri|Via|Record)|sip\.auth\.(?:username|realm)|display\.info|sdp\.owner\.(?:us|ad)"
    r"|sdp\.connection_info\.address$|x_forwarded|opcua\.(?:EndpointUrl|transport\.endpoint)"
    r"|mailbox|initiator|ident\b|nickname|syslog\.hostname|lldp\.\w*sys|chassis"
)
_NOT_NAMING = re.compile(
    r"(?i)user.?agent|_resolved$|\.oui|version|^ip\.|^ipv6\.|^eth\.|\.port|rport|transport|branch|\.tag$|\.params?\b"
    r"|parameter$|ja3|algorithm|expires|CountryName|UTCTime|nonce|opaque|server_capab|ServerCap|domain_search_op"
    r"|type_str|vendor|user_?role|servicename|browser\.server_|\.command$|server_host_key|http\.server"
    r"|address_type|rdp\.client\.|smb\.(?:server|user)_|uds\.diag|service_?name$|server\.(?:type|comment)"
    r"|http\.cookie$|radius\.\w*Server_|dns\.(?:srv\.(?:proto|name)|mx\.pref)|hostkey|security\.spu|accountLockout"
    r"|^ssh\.|irc\.\w+\.(?:command_parameter|trailer)|sip\.Via$|dhcp\.cookie|subnet_mask|krb4|opt\.chain|opcua\.(?:Server|Mdns|Discovery)|nt\.sid|domain_sid|auth\.realm|json\.path_with_value$"
    r"|smb2\.acct_|SecurityPolicy|userTokenType|session_authentication|is_superuser"
)
_SECRETS = re.compile(
    r"(?i)passw|passwd|pwd|pass$|token|secret|api_?key|sess(?:ion)?_?id|user|login|e-?mail|account"
)
_MAIL = re.compile(r"([\w.%+=-]{1,64})@([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)")
_URL = re.compile(
    r"(?i)\b[a-z][a-z0-9+.-]{1,15}://(?:([^/@\s:]+)(?::([^/@\s]+))?@)?([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)"
)
_RDN = re.compile(r"(?:^|[,+/])\s*([A-Za-z][A-Za-z0-9.]*)=([^,+/]+)")
_QUAD = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])")
_LABELS = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)+")

KEPT = {
    "names of nobody (RFC 2606, 6761, 6762) and what OpenSSL proposes": (
        "example.com example.net example.org localhost localdomain localhost.localdomain local.localdomain "
        "local test test.local null (null) anonymous guest nobody|internet widgits pty ltd|some-state"
        "|default company ltd|default city|some organization"
    ),
    "accounts, communities, services and passwords that everybody uses, which rules ask for": (
        "root admin administrator sa postgres public private krbtgt user users username default mail www ftp "
        "oracle password passwd pass client system schema noreply support wellknown domain service cifs ldap "
        "kadmin changepw host http https rpcss termsrv version.bind administr server initial "
        "configuration subschemasubentry"
    ),
    "groups of machines that Windows proposes, and a word of tshark's own": "workgroup mshome workstation",
    "registries' labels": "com org net arpa edu gov info home lan internal corp",
    "values of cookies that are switches": "true false",
}
KEPT_WORDS = {
    word
    for words in KEPT.values()
    for number, part in enumerate(words.split("|"))
    for word in (part.split() if number == 0 else [part])
}
# Names in documents and of reverse zones, tshark's <Root>, what was made nameless before (xxx, aaa0001).
_KEPT_FORMS = re.compile(
    r"(?:.*\.)?example(?:\.(?:com|org|net))?|.*\.(?:in-addr|ip6)\.arpa|<[a-z ]+>|[x.@ _\"'<>-]+|(.)\1*\d*"
)
_BINARY = re.compile(r"\ufffd|\\x|\\0")
# CVE-2020-16898: what fills an exploit, and tshark's reading of half an address with the next option.
NO_ADDRESSES = re.compile(r"(?:4141|aaaa|18a0):(?:4141|aaaa|18a0):.*")


@dataclass
class Names:
    """texts: what is told of (in lower case) and by which field; addresses and macs: their bytes."""

    texts: dict[str, str] = field(default_factory=dict)
    addresses: dict[bytes, str] = field(default_factory=dict)
    macs: dict[bytes, str] = field(default_factory=dict)
    fields: set[bytes] = field(default_factory=set)  # the addresses that are fields of their own

    def add(self, text: str, by: str) -> None:
        text = text.strip("\"' \t\r\n\0.").lower()
        if (
            len(text) < MIN_NAME_CHARACTERS
            or not text.isprintable()
            or _BINARY.search(text)
            or _address(text)
        ):
            return
        if text not in KEPT_WORDS and not _KEPT_FORMS.fullmatch(text):
            self.texts.setdefault(text, by)


def names_of(found: Dissection) -> Names:
    """Everything the fields tell, and what people typed into terminals."""
    names = Names()
    for by, values in found.fields.items():
        kind = found.kinds[by]
        for value in values:
            if kind in ("FT_IPv4", "FT_IPv6"):
                if len(value) in (8, 32) and not re.search("cookie$|mask", by):
                    names.addresses.setdefault(bytes.fromhex(value), by)
                    names.fields.add(bytes.fromhex(value))
            elif kind in ("FT_ETHER", "FT_EUI64"):
                if len(value) == 12:
                    names.macs.setdefault(bytes.fromhex(value), by)
            else:
                _take(names, by, value)
    for turns in found.turns.values():
        for text in typed(turns):
            names.add(text, "typed")
    return names


def _take(names: Names, by: str, value: str) -> None:
    if by.startswith("ssh."):  # algorithms, named name@owner
        return
    for user, host in _MAIL.findall(value):
        names.add(user, by)
        names.add(host, by)
    for user, password, host in _URL.findall(value):
        for text in (user, password, host):
            names.add(text, by)
    for quad in _QUAD.findall(value):
        address = _address(quad)
        if address and not re.search(r"(?i)agent|server$|version|software|content_type|cookie$", by):
            names.addresses.setdefault(address, by)
    if by.startswith(("http.request.uri.query.parameter", "urlencoded-form.value:", "json.path_with_value")):
        key, _, told = value.partition(":" if by.startswith("json") else "=")
        if by.startswith("urlencoded"):
            key, told = by.partition(":")[2], value
        key = key.rpartition("/")[2]
        if _SECRETS.search(key) and not re.search("(?i)agent", key) and not told.startswith(("{", "[")):
            names.add(unquote(told), by)
            names.add(told, by)
    elif "cookie_pair" in by or "set_cookie" in by or by.endswith("headers.cookie"):
        for pair in value.split(";")[:1] if "set_cookie" in by else value.split(";"):
            names.add(pair.partition("=")[2], by)
    elif by == "http.authbasic":
        for part in value.split(":", 1):
            names.add(part, by)
    elif by.startswith("smtp.auth"):
        for part in re.split(r"[\0:]", _base64(value) or value):
            names.add(part, by)
    elif by == "imap.request":
        login = re.match(r'(?i)\S+ LOGIN "?([^\s"]+)"? "?([^"\r\n]+)', value)
        for part in login.groups() if login else ():
            names.add(part, by)
    elif by == "irc.request":
        command = re.match(r"(?i)(NICK|USER|PASS|OPER) (\S+)", value)
        if command:
            names.add(command[2], by)
        person = re.match(r"(?i)USER \S+ \S+ \S+ :(.+)", value)
        if person:
            names.add(person[1], by)
    elif _NAMING.search(by) and not _NOT_NAMING.search(by):
        _take_name(names, by, value)


def _take_name(names: Names, by: str, value: str) -> None:
    """A field that is a name: without what tshark and the protocol put around it."""
    value = re.sub(
        r"<[0-9a-f]{2}>.*$|\s*\((?:.*browser|.*server.*|workstation.*|group.*)\)$",
        "",
        value.strip(),
        flags=re.I,
    )
    if re.match(r"(?i)(?:sips?|ldaps?|https?|opc\.tcp|rtsp|tcp|urn):", value) or _MAIL.search(value):
        value = re.sub(r"(?i)^(?:sips?|urn):", "", value)
        person = re.match(r'\s*"?([^"<>@:/]{4,}?)"?\s*<', value)
        if person:
            names.add(person[1], by)
        if "@" in value and "://" not in value and "<" not in value:
            user, _, rest = value.partition("@")
            names.add(user, by)
            names.add(re.split(r"[:;>/ ]", rest)[0], by)
        return
    if by.startswith("smtp.req") and ":" in value:
        return
    if _RDN.match(value):
        is_schema = "cn=schema" in value.lower()  # of its attributes' names every directory has the same
        for kind, part in _RDN.findall(value):
            if kind.upper() not in ("C", "ST") and (kind.upper() == "DC" or not is_schema):
                names.add(part, by)
        return
    if value.startswith("\\\\"):
        names.add(value.strip("\\").split("\\")[0], by)
        return
    value = value.strip("\\")
    if "mstshash=" in value:
        value = value.partition("mstshash=")[2]
    if by.startswith("dns.") or "host" in by.lower():
        value = re.sub(r":\d+$", "", value.removeprefix("*.").strip("\\"))
        if value.startswith("_"):  # a kind of service
            return
        name = value.lower().strip(".")
        if re.search(r"(?:in-addr|ip6)\.arpa$", name):
            return
        labels = name.split(".")
        if len(labels) > 2 and len(labels[-2]) > 3:
            names.add(".".join(labels[-2:]), by)
    if not (by.startswith("x509sat") and (len(value) < MIN_BYTES or value.isdigit())):  # states
        names.add(value, by)


def typed(turns: list[tuple[str, bytes]]) -> Iterator[str]:
    """What was typed after the prompts of a terminal session (telnet, rlogin): names and passwords."""
    ports = {port for port, _ in turns}
    if not ports & {"23", "2323", "513"}:
        return
    asked, answer, server = False, b"", next(iter(ports & {"23", "2323", "513"}))
    for port, data in turns:
        data = re.sub(rb"\xff(?:[\xfb-\xfe].|\xfa.*?\xff\xf0|.)", b"", data, flags=re.DOTALL)
        if port == server:
            if re.search(rb"(?i)(?:login|username|password|passwd)\s*:\s*$", data):
                asked, answer = True, b""
        elif asked:
            answer += data
            if b"\r" in answer or b"\n" in answer:
                text = re.split(rb"[\r\n\0]", answer)[0].decode("latin-1")
                asked = False
                if text.isprintable():
                    yield text


# Where it is left


@dataclass
class Pair:
    """One haystack: a piece of the original and the same piece of the other capture."""

    where: str
    before: bytes
    after: bytes


def left_in(
    names: Names,
    original: Path,
    other: Path,
    then: Dissection,
    now: Dissection,
    image: Callable[[bytes], bytes],
) -> list[str]:
    """What the original names and the other capture still has. then, now: tshark's account of both; image:
    what becomes of an address."""
    pairs = [
        Pair("file", original.read_bytes()[: other.stat().st_size], other.read_bytes()),
        *_streams(then, now),
    ]
    told, after = _told(now), names_of(now)
    left: list[str] = []
    whole = [(pair.where, pair.after.lower()) for pair in pairs] + [("dissection", told)]
    for text, by in sorted(names.texts.items()):
        places = [
            f"{where} {form}"
            for form, spelled in spellings(text)
            for where, data in whole
            if _stands_in(data, spelled, form)
        ]
        if text in after.texts and after.texts[text] == by:
            places.append("field")
        if places:
            left.append(f"{by} {text!r}: {', '.join(sorted(set(places))[:3])}")
    images = {image(address) for address in names.addresses}
    for address, by in sorted(names.addresses.items()):
        if is_everybodys(address) or NO_ADDRESSES.fullmatch(str(ipaddress.ip_address(address))):
            continue
        shown = ipaddress.ip_address(address)
        places = [f"{pair.where} {form}" for pair in pairs for form in _at_the_same_place(address, pair)]
        if address in after.fields and address not in images:
            places.append(f"field {after.addresses[address]}")
        if places:
            left.append(f"{by} {shown}: {', '.join(sorted(set(places))[:3])}")
    for mac, by in sorted(names.macs.items()):
        if mac[0] & 1 or not any(mac):
            continue
        places = [f"{pair.where} {form}" for pair in pairs for form in _mac_in(mac, pair)]
        if places:
            left.append(f"{by} {mac.hex(':')}: {', '.join(sorted(set(places))[:3])}")
    return left


def _streams(then: Dissection, now: Dissection) -> Iterator[Pair]:
    """The directions of all TCP streams, side by side."""
    before = then.directions()
    for (stream, port), data in now.directions().items():
        padded = bytes(before.get((stream, port), b"")).ljust(len(data))
        yield Pair(f"stream {stream} from {port}", padded, bytes(data))


def _told(found: Dissection) -> bytes:
    """Every text that tshark reads out of a capture, in lower case."""
    texts = {text for by, values in found.fields.items() if "FT_STRING" in found.kinds[by] for text in values}
    return "\n".join(sorted(texts)).lower().encode("utf-8", "surrogateescape")


def is_everybodys(address: bytes) -> bool:
    """Loopback, multicast, broadcast, unspecified: they mean the same everywhere."""
    shown = ipaddress.ip_address(address)
    if shown.version == 6 and shown.ipv4_mapped:
        shown = shown.ipv4_mapped
    return (
        shown.is_loopback
        or shown.is_multicast
        or shown.is_unspecified
        or (shown.version == 4 and (address[0] == 0 or address[0] >= 240))
        or shown == ipaddress.ip_address("169.254.169.254")
    )


def is_distinctive(address: bytes) -> bool:
    """Whether bytes mean an address where no field says so. Small numbers and text are everywhere: of an
    address of theirs only what tshark names a field of an address is evidence, and what stands as text."""
    return sum(byte >= 0x20 for byte in address) >= 2 and len(set(address)) >= 3 and not address.isascii()


def spellings(text: str) -> Iterator[tuple[str, bytes]]:
    """The forms a text can take in bytes, all in lower case."""
    raw = text.encode("utf-8", "surrogateescape")
    if len(raw) < MIN_BYTES:
        return
    yield "text", raw
    if text.isascii():
        yield "UTF-16", text.encode("utf-16-le")
        yield "UTF-16", text.encode("utf-16-be")
    if _LABELS.fullmatch(text):
        yield "labels", b"".join(bytes([len(label) & 255]) + label.encode() for label in text.split("."))
    if quote(text, safe="").lower() != text:
        yield "percent", quote(text, safe="").lower().encode()
    if len(raw) >= 6:
        yield "hexadecimal", raw.hex().encode()
    if len(raw) <= 15:
        yield "NetBIOS", bytes(x for b in raw.upper() for x in (0x61 + (b >> 4), 0x61 + (b & 15)))
    if len(raw) >= 8:
        for skip in range(
            3
        ):  # base64 of both usual cases; of the middle, which does not depend on neighbours
            made = base64.b64encode(bytes(skip) + raw)[4 if skip else 0 :]
            yield "base64", made[: len(made) - 4].lower()


def _stands_in(data: bytes, spelled: bytes, form: str) -> bool:
    """Whether it is there; a short one as a word of its own."""
    at = data.find(spelled)
    if form == "base64" and len(spelled) < 8:
        return False
    while at >= 0:
        end = at + len(spelled)
        if (
            len(spelled) > 7
            or form != "text"
            or not (data[max(0, at - 1) : at].isalnum() or data[end : end + 1].isalnum())
        ):
            return True
        at = data.find(spelled, at + 1)
    return False


def _at_the_same_place(address: bytes, pair: Pair) -> set[str]:
    """Forms of an address that stand where they stood: elsewhere they are another one's image, or chance."""
    shown = ipaddress.ip_address(address)
    forms = [("bytes", address)] if is_distinctive(address) else []
    if shown.version == 4:
        # A stream has the bytes of two packets side by side: four of them are soon an address by chance.
        is_telling = pair.where == "file" and is_distinctive(address)
        forms = [("bytes", address), ("reversed bytes", address[::-1])] if is_telling else []
        texts = {str(shown), ".".join(str(shown).split(".")[::-1]), str(shown).replace(".", ",")}
        labels = [bytes([len(x)]) + x.encode() for x in str(shown).split(".")[::-1]]
        forms += [("labels", b"".join(labels))]
    else:
        texts = {str(shown), shown.exploded}
        forms += [("nibbles", b"".join(b"\1" + x.encode() for x in address.hex()[::-1]))]
    found = {form for form, spelled in forms if _same(pair, spelled)}
    for text in texts:
        pattern = re.compile(rb"(?<![0-9a-f.:,])" + re.escape(text.encode()) + rb"(?![0-9a-f:,]|\.\d)", re.I)
        if any(pair.before[m.start() : m.end()] == m[0] for m in pattern.finditer(pair.after)):
            found.add("text")
    return found


def _mac_in(mac: bytes, pair: Pair) -> set[str]:
    plain, found = mac.hex().encode(), set()
    eui64 = bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]
    for form, spelled in (("bytes", mac), ("EUI-64", eui64)):
        if len(set(mac)) > 2 and _same(pair, spelled):
            found.add(form)
    texts = [
        mac.hex(":").encode(),
        mac.hex("-").encode(),
        b".".join(plain[i : i + 4] for i in (0, 4, 8)),
        plain,
    ]
    lower = pair.after.lower()
    found |= {"text" for text in texts if len(set(mac)) > 2 and text in lower}
    return found


def _same(pair: Pair, spelled: bytes) -> bool:
    at = pair.after.find(spelled)
    while at >= 0:
        if pair.before[at : at + len(spelled)] == spelled:
            return True
        at = pair.after.find(spelled, at + 1)
    return False


def _address(text: str) -> bytes | None:
    try:
        return ipaddress.ip_address(text.partition("%")[0].strip("[]")).packed
    except ValueError:
        return None


def _base64(text: str) -> str | None:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return None
