"""Rewrites a stretch of payload: every name, secret and address that is known, by a pseudonym of the same
length, whatever the spelling: upper or lower case, UTF-16, base64, label form, text or binary addresses.

Offsets, lengths and everything else stay as they are. Learning and rewriting look at the same places.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from sensor.pcap.address_text import MAC, QUAD, AddressText, is_version, packed
from sensor.pcap.contexts import Place, netbios_letters, netbios_name, places
from sensor.pcap.dns_wire import WirePlace
from sensor.pcap.generic import generic_labels, is_generic
from sensor.pcap.known import MIN_NAME_BYTES, Known
from sensor.pcap.needles import Needles
from sensor.pcap.pseudonyms import Pseudonyms
from sensor.pcap.wires import Message, wire_places
from sensor.pcap.words import Words

MAX_DEPTH = 3  # base64 in UTF-16 in base64 ...

_DOTTED = re.compile(rb"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63}){1,16}")
_WIDE = re.compile(rb"(?:[\x20-\x7e]\x00){3,}")
_WIDE_BIG = re.compile(rb"(?:\x00[\x20-\x7e]){4,}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/=_-]{8,}")
_IS_REPLY = re.compile(rb"\d{3}-")
_BETWEEN_MARKS = re.compile(rb"[^:/]+")
_PAIR = re.compile(rb"([^=;,\s]{1,256})=([^;\r\n\0]*)")
_COOKIE_ATTRIBUTES = frozenset(b"expires path domain max-age samesite version priority".split())
_REVERSE_V4, _REVERSE_V6 = (b"in-addr", b"arpa"), (b"ip6", b"arpa")


class Scrubber:
    """Rewrites with one key what one capture is known to hold."""

    def __init__(self, known: Known, pseudonyms: Pseudonyms) -> None:
        self.known, self.pseudonyms = known, pseudonyms
        self.words = Words(known, pseudonyms)
        self._addresses = AddressText(known, pseudonyms)
        self.counts: Counter[str] = Counter()
        self._needles: list[Needles] = []

    def prepare(self) -> None:
        """Make the tables, once everything is known."""
        self.words.prepare()
        images: dict[int, dict[bytes, bytes]] = {4: {}, 6: {}, 16: {}}
        for address in self.known.addresses:
            image = self.pseudonyms.address(address)
            if image != address and (len(address) == 16 or _is_distinctive(address)):
                images[len(address)][address] = image
        for mac in self.known.macs:
            if self.pseudonyms.mac(mac) != mac and len(set(mac)) >= 3:
                images[6][mac] = self.pseudonyms.mac(mac)
        self._needles = [Needles(table) for table in images.values()]

    # Learning

    def learn(self, data: bytes, messages: Sequence[Message] = (), depth: int = 0) -> None:
        """Take what a stretch names. messages: where DNS messages lie in it."""
        for place in places(data):
            self._learn_place(data[place.start : place.end], place.kind, depth)
        for found in wire_places(data, messages):
            value = data[found.start : found.end]
            if found.kind == "address":
                self.known.addresses.add(value)
            elif found.kind == "mac":
                self.known.macs.add(value)
            elif found.kind == "name":
                labels = [data[start:end] for start, end in found.labels]
                if len(labels) > 1 and labels[1].startswith(b"_"):  # an instance of a service
                    self.known.add_name(labels[0], "host")
            elif found.kind == "text":
                self.known.add_host(value.decode("latin-1"))
            elif found.kind == "secret":
                self.known.add_name(value, "secret")
        for quad in QUAD.finditer(data):
            address = packed(quad.groups())
            if address and not is_version(data, quad.start()):
                self.known.addresses.add(address)
        for mac in MAC.finditer(data):
            self.known.add_mac(mac[0].decode())
        if depth < MAX_DEPTH:
            for wide in _WIDE.finditer(data):
                self.learn(wide[0][::2], depth=MAX_DEPTH)

    def _learn_place(self, value: bytes, kind: str, depth: int) -> None:
        known = self.known
        if kind == "host":
            known.add_host(value.decode("latin-1"))
        elif kind == "address":
            known.addresses.add(value)
        elif kind in ("user", "secret", "name"):
            known.add_name(value.strip(b"\"' \t"), kind)
        elif kind == "mail":
            known.add_mail(value.replace(b"%40", b"@").decode("latin-1"))
        elif kind == "cookie":
            for _, value_of in _cookie_values(value):
                known.add_name(value_of, "cookie")
        elif kind == "utf16":
            known.add_name(value[::2] if not any(value[1::2]) else value, "name")
        elif kind == "netbios":
            known.add_name(netbios_name(value)[:15].rstrip(b" \0"), "host")
        elif kind in ("authorization", "base64") and depth < MAX_DEPTH:
            for found in _BASE64.finditer(value):
                plain = _decoded(found[0])
                if plain is None:
                    continue
                if plain.startswith(b"NTLMSSP"):
                    self.learn(plain, depth=depth + 1)
                for part in re.split(rb"[\0:]", plain):
                    if part.isascii() and part.decode().isprintable():
                        known.add_name(part, "user")

    # Rewriting

    def rewrite(self, data: bytes, messages: Sequence[Message] = (), depth: int = 0) -> bytes:
        """The stretch with everything replaced; the same length."""
        out = bytearray(data)
        for found in wire_places(data, messages):
            self._wire_place(data, out, found)
        for place in places(data):
            self._place(data, out, place, depth)
        self._dotted_names(data, out)
        for at, image in self.words.found(data):
            self._put(out, at, image, "name")
        for at, image, kind in self._addresses.found(data):
            self._put(out, at, image, kind)
        if depth < MAX_DEPTH and b"\0" in data:
            for pattern, first in ((_WIDE, 0), (_WIDE_BIG, 1)):
                for wide in pattern.finditer(data):
                    narrow = wide[0][first::2]
                    image = self.words.unbound(narrow, self.rewrite(narrow, depth=MAX_DEPTH))
                    for at, (new, old) in enumerate(zip(image, narrow, strict=True)):
                        if new != old:  # the rest may have been replaced as what it is
                            out[wide.start() + first + 2 * at] = new
        self._binary(data, out)
        return bytes(out)

    def labels(self, labels: list[bytes]) -> list[bytes]:
        """The labels of one host name."""
        kept = generic_labels([label.lower() for label in labels])
        return [
            label if is_kept or label.lower() in self.known.kept else self.words.text(label)
            for label, is_kept in zip(labels, kept, strict=True)
        ]

    def _secret(self, value: bytes) -> bytes:
        """A secret where it stands; a word of everybody's (public) tells nothing."""
        return value if is_generic(value.lower()) or value.lower() in self.known.kept else self._hidden(value)

    def _hidden(self, value: bytes) -> bytes:
        text = self.words.text(value)
        return text if text != value or not value.strip(b"\0") else self.pseudonyms.raw(value, "secret")

    def _part(self, text: bytes) -> bytes:
        """One part of something that has several: what is generic stays."""
        return text if is_generic(text.lower()) or text.lower() in self.known.kept else self.words.text(text)

    def _put(self, out: bytearray, start: int, image: bytes, kind: str) -> None:
        if out[start : start + len(image)] != image:
            out[start : start + len(image)] = image
            self.counts[kind] += 1

    def _place(self, data: bytes, out: bytearray, place: Place, depth: int) -> None:
        start, end, kind = place
        value = data[start:end]
        if kind == "host":
            self._host(value, out, start)
        elif kind == "address":
            self._put(out, start, self.pseudonyms.address(value), "address")
        elif kind in ("user", "secret", "name"):
            if not is_generic(value.lower()) and value.lower() not in self.known.kept:
                self._put(out, start, self.words.text(value), kind)
        elif kind == "mail":
            at = max(value.find(b"@"), value.find(b"%40"))
            if (
                at > 0
                and not is_generic(value[:at].lower())
                and b" " not in value[:at]
                and b"<" not in value[:at]
            ):
                self._put(out, start, self.words.text(value[:at]), "user")
                self._host(
                    value[at + (3 if value[at : at + 1] == b"%" else 1) :],
                    out,
                    end - len(value[at + (3 if value[at : at + 1] == b"%" else 1) :]),
                )
        elif kind == "cookie":
            for offset, cookie in _cookie_values(value):
                self._put(out, start + offset, self.words.text(cookie), "cookie")
        elif kind == "digest":
            self._put(out, start, self.pseudonyms.raw(value, "digest"), "secret")
        elif kind == "utf16":
            image = self.words.text(value[::2]) if not any(value[1::2]) else None
            if image is not None and not is_generic(value[::2].lower()):
                self._put(out, start, _interleaved(image), "name")
        elif kind == "netbios":
            name = netbios_name(value)
            padded = name[:15].rstrip(b" \0")
            if padded and not is_generic(padded.lower().strip(b"\1\2_")):
                image = self.words.text(padded) + name[len(padded) :]
                self._put(out, start, netbios_letters(image), "host")
        elif kind in ("authorization", "base64"):
            self._authorization(value, out, start, kind, depth)

    def _authorization(self, value: bytes, out: bytearray, start: int, kind: str, depth: int) -> None:
        scheme, _, rest = value.partition(b" ")
        if kind == "base64":
            scheme, rest = b"", value
        at = start + len(value) - len(rest)
        if scheme.lower() == b"digest":
            return  # its names and answers are places of their own
        plain = _decoded(rest.strip())
        if plain is not None and plain.startswith(b"NTLMSSP") and depth < MAX_DEPTH:
            image = base64.b64encode(self.rewrite(plain, depth=depth + 1))
        elif plain is not None and plain.isascii() and plain.replace(b"\0", b" ").decode().isprintable():
            parts = re.split(rb"([\0:])", plain)
            image = base64.b64encode(b"".join(map(self._part, parts)))
        else:
            image = self.words.text(rest)
        if len(image) == len(rest.strip()):
            self._put(out, at + len(rest) - len(rest.lstrip()), image, "secret")
        elif len(image) == len(rest):
            self._put(out, at, image, "secret")
        else:
            self._put(out, at, self.words.text(rest), "secret")

    def _host(self, value: bytes, out: bytearray, start: int) -> None:
        if QUAD.match(value) or value.startswith(b"["):
            return  # an address: done with all others
        for part in _BETWEEN_MARKS.finditer(value):  # a host and its port, a service and its host
            at = start + part.start()
            if part[0].isdigit() and part.start():
                continue
            labels = [label for label in part[0].split(b".") if label]
            for label, image in zip(labels, self.labels(labels), strict=True):
                at = value.index(label, at - start) + start
                self._put(out, at, image, "host")
                at += len(image)

    def _wire_place(self, data: bytes, out: bytearray, found: WirePlace) -> None:
        if found.kind == "address":
            address = data[found.start : found.end]
            self._put(out, found.start, self.pseudonyms.address(address), "address")
        elif found.kind == "subnet":
            family, room = data[found.start + 1], data[found.start + 4 : found.end]
            width = {1: 4, 2: 16}.get(family, 0)
            if 0 < len(room) <= width:
                image = self.pseudonyms.address(room + bytes(width - len(room)))[: len(room)]
                self._put(out, found.start + 4, image, "address")
        elif found.kind == "name":
            self._labels(data, out, found.labels)
        elif found.kind == "mac":
            self._put(out, found.start, self.pseudonyms.mac(data[found.start : found.end]), "mac")
        elif found.kind == "digest":
            value = data[found.start : found.end]
            self._put(out, found.start, self.pseudonyms.raw(value, "digest"), "secret")
        elif found.kind == "secret":
            value = data[found.start : found.end]
            self._put(out, found.start, self._secret(value), "secret")
        elif found.kind == "id":
            self._put(out, found.start, self._machine_id(data[found.start : found.end]), "host")
        else:
            self._host(data[found.start : found.end], out, found.start)

    def _machine_id(self, value: bytes) -> bytes:
        text = self.words.text(value[1:])
        return value[:1] + (text if text != value[1:] else self.pseudonyms.raw(value[1:], "id"))

    def _labels(self, data: bytes, out: bytearray, labels: tuple[tuple[int, int], ...]) -> None:
        texts = [data[start:end] for start, end in labels]
        images = self._reverse([text.lower() for text in texts])
        if not texts:
            return
        names = self.labels(texts)
        for number, (start, end) in enumerate(labels):
            if images is not None and number < len(images):
                self._put(out, start, images[number], "address")
            elif not (end - start == 32 and _is_netbios(texts[number])):
                self._put(out, start, names[number], "host")

    def _reverse(self, labels: list[bytes]) -> list[bytes] | None:
        """The labels of a reverse name (4.3.2.1.in-addr.arpa) that stand for the address."""
        if tuple(labels[-2:]) == _REVERSE_V4 and 1 < len(labels) <= 6:
            octets = labels[:-2][::-1]
            address = packed(tuple(octets) + (b"0",) * (4 - len(octets)))
            return None if address is None else self._addresses.fitted(address, octets)[::-1]
        if tuple(labels[-2:]) == _REVERSE_V6 and len(labels) == 34:
            try:
                address = bytes.fromhex(b"".join(labels[:-2][::-1]).decode())
            except (ValueError, UnicodeDecodeError):
                return None
            nibbles = self.pseudonyms.address(address).hex().encode()
            return [nibbles[at : at + 1] for at in range(31, -1, -1)]
        return None

    def _dotted_names(self, data: bytes, out: bytearray) -> None:
        suffixes = self.known.suffixes
        if not suffixes:
            return
        for found in _DOTTED.finditer(data):
            start, end = found.span()
            if start and data[start - 1] == 0x25:  # %2F and the like
                start += 2
            elif _IS_REPLY.match(data, start) and (not start or data[start - 1] == 0x0A):  # 250-host
                start += 4
            before = data[start - 1] if start else 0
            ends = [start + before] if MIN_NAME_BYTES <= before < end - start else []
            for stop in (*ends, end):
                labels = data[start:stop].lower().split(b".")
                size = 0 if self._is_known(labels) else self._what_hangs_on(labels)
                if size or self._is_known(labels):
                    self._host(data[start : stop - size], out, start)
                    rest = data[stop - size : stop]
                    if rest.lower() in self.known.names:  # Kerberos' salts: a realm and a name in one
                        self._put(out, stop - size, self.words.text(rest), "name")
                    break

    def _is_known(self, labels: list[bytes]) -> bool:
        return any(b".".join(labels[at:]) in self.known.suffixes for at in range(len(labels) - 1))

    def _what_hangs_on(self, labels: list[bytes]) -> int:
        """How many bytes at the end are no part of the name (the next field's tag, in binary protocols)."""
        last = labels[-1]
        if len(labels) < 2:
            return 0
        if labels[-2] in self.known.labels or b".".join(labels[:-1]) in self.known.suffixes:
            for size in range(len(last) - 1, 1, -1):
                if self._is_known([*labels[:-1], last[:size]]):
                    return len(last) - size
        return 0

    def _binary(self, data: bytes, out: bytearray) -> None:
        for needles in self._needles:
            for at, image in needles.found(data):
                self._put(out, at, image, "address" if len(image) != 6 else "mac")


def _cookie_values(value: bytes) -> Iterator[tuple[int, bytes]]:
    """(offset, value) of the cookies in a header field; attributes and names stay."""
    found_any = False
    for pair in _PAIR.finditer(value):
        found_any = True
        if pair[1].lower() not in _COOKIE_ATTRIBUTES and pair[2]:
            yield pair.start(2), pair[2]
    if not found_any:
        yield 0, value


def _is_distinctive(address: bytes) -> bool:
    """Whether four bytes are unlikely to be there by chance: neither small numbers nor text."""
    return sum(byte >= 0x20 for byte in address) >= 2 and len(set(address)) >= 3 and not address.isascii()


def _is_netbios(label: bytes) -> bool:
    return all(65 <= byte <= 80 for byte in label)


def _interleaved(text: bytes) -> bytes:
    wide = bytearray(2 * len(text))
    wide[::2] = text
    return bytes(wide)


def _decoded(text: bytes) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
