"""Looks in a sanitized capture for what the original names: by means of its own, not those that removed it.

Names come from the engine's events of the original and from patterns over its packets' bytes; addresses and
MACs from dpkt. Each is searched in every byte of the output, as ASCII in any case, UTF-16, DNS labels, text.
What is one word of everybody's language (sensor.pcap.generic) is no name.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dpkt

from sensor.desk.replaying import events, everything
from sensor.pcap.files import packets_of
from sensor.pcap.generic import is_generic
from sensor.pcap.pseudonyms import Pseudonyms

MIN_BYTES = 4
HOSTS = {"hostname", "rrname", "sni", "machine_name", "helo", "client_name", "ptr", "subjectaltname", "host"}
USERS = {"user", "username", "cname", "community", "password"}
SECRETS = re.compile(
    rb"(?im)^(?:cookie:[ \t]*[^=;\s]+=([^;\s]{6,})|pass ([^\r\n\0]{4,})|user ([^\s\0]{4,})"
    rb"|authorization:[ \t]*(?:basic|bearer)[ \t]+(\S{6,}))"
)


def names_of(capture: Path) -> set[bytes]:
    """Host names, user names, cookies and passwords of a capture, in lower case."""
    config, no_rules = everything()
    found: set[bytes] = set()
    for event in events(config, no_rules, [str(capture)]):
        for key, value in _texts(event):
            text = value.lower().rstrip(".").removeprefix("*.").encode()
            if key in HOSTS and _tells(text) and not text.endswith(b".arpa"):
                found.add(text.rsplit(b":", 1)[0] if re.search(rb":\d+$", text) else text)
            elif key in USERS and not text.startswith(b"<"):
                found.add(text)
        ftp = event.get("ftp", {})
        if ftp.get("command") == "USER":
            found.add(str(ftp.get("command_data", "")).lower().encode())
    for secret in SECRETS.finditer(capture.read_bytes()):
        found |= {part.lower() for part in secret.groups()[:3] if part}
        if secret[4]:
            found |= {secret[4].lower()} if any(map(_tells, _basic(secret[4]))) else set()
    return {name for name in found if len(name) >= MIN_BYTES and _tells(name) and not _is_address(name)}


def _tells(name: bytes) -> bool:
    return any(not is_generic(label) for label in re.split(rb"[.@ ]", name)) and bool(
        re.search(rb"[a-z\x80-\xff]|\d{6}", name)
    )


def _basic(value: bytes) -> list[bytes]:
    try:
        return base64.b64decode(value).lower().split(b":")
    except ValueError:
        return [value]


def _is_address(name: bytes) -> bool:
    try:
        ipaddress.ip_address(name.decode("latin-1"))
    except ValueError:
        return False
    return True


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, below in value.items():
            yield from _texts(below, name)
    elif isinstance(value, list):
        for below in value:
            yield from _texts(below, key)
    elif isinstance(value, str):
        yield key, value


def frames_of(capture: Path) -> list[bytes]:
    """The frames of an Ethernet capture as dpkt reads it; none of other captures."""
    if {packet.link for packet in packets_of(str(capture))} != {dpkt.pcap.DLT_EN10MB}:
        return []
    try:
        with capture.open("rb") as file:
            return [frame for _, frame in dpkt.pcap.UniversalReader(file)]
    except (ValueError, dpkt.dpkt.Error, OverflowError, KeyError, IndexError):
        return []


def ends_of(frames: list[bytes]) -> tuple[set[bytes], set[bytes]]:
    """IP addresses and MACs in the headers."""
    addresses: set[bytes] = set()
    macs: Counter[bytes] = Counter()
    for frame in frames:
        if len(frame) < 14:
            continue
        macs.update((frame[:6], frame[6:12]))
        if frame[12:14] == b"\x08\x00" and len(frame) >= 34:
            addresses |= {frame[26:30], frame[30:34]}
        elif frame[12:14] == b"\x86\xdd" and len(frame) >= 54:
            addresses |= {frame[22:38], frame[38:54]}
    # One frame alone may have been shifted by a fuzzer, its header taken for addresses.
    return addresses, {mac for mac, count in macs.items() if count > 1 or len(frames) == 1}


def left_in(original: Path, sanitized: Path, pseudonyms: Pseudonyms) -> list[str]:
    """What of the original is still in the sanitized capture."""
    data = sanitized.read_bytes()
    lower = data.lower()
    left = []
    for name in names_of(original):
        spellings = [name, bytes(b for byte in name for b in (byte, 0)), _labels(name)]
        if any(_whole_word(lower, spelling) for spelling in spellings):
            left.append(name.decode("utf-8", "replace"))
    addresses, macs = ends_of(frames_of(original))
    after, macs_after = ends_of(frames_of(sanitized))
    images = {pseudonyms.address(address) for address in addresses}
    for address in addresses:
        if pseudonyms.address(address) == address or address in images:
            continue  # loopback, multicast; or the pseudonym of another one
        text = str(ipaddress.ip_address(address))
        in_text = re.search(rb"(?<![\d.:])" + re.escape(text.encode()) + rb"(?![\d.:])", data)
        if address in after or in_text or (len(address) == 16 and address in data):
            left.append(text)
    for mac in macs:
        image = pseudonyms.mac(mac)
        is_turned = image != mac and len(set(mac)) >= 3 and mac not in map(pseudonyms.mac, macs)
        if is_turned and (mac in macs_after or mac in data):
            left.append(mac.hex(":"))
    return left


def _labels(name: bytes) -> bytes:
    return b"".join(bytes([len(label)]) + label for label in name.split(b".") if len(label) < 64)


def _whole_word(data: bytes, spelling: bytes) -> bool:
    """Whether it is there and is not a part of a longer word."""
    at = data.find(spelling) if spelling else -1
    while at >= 0:
        before, after = data[at - 1 : at], data[at + len(spelling) : at + len(spelling) + 1]
        if len(spelling) > 10 or not (before.isalnum() or after.isalnum()):
            return True
        at = data.find(spelling, at + 1)
    return False
