"""Known names where they stand as words in payload: plain, behind their length, in hexadecimal, with percent
signs; and what they become.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from urllib.parse import quote

from sensor.pcap.known import MIN_NAME_BYTES, Known
from sensor.pcap.pseudonyms import Pseudonyms

MAX_SHAPES = 64  # different (offset, length) of names that share their first word
MIN_SPELLED_BYTES = 6  # of names that are also looked for in hexadecimal and with percent signs
MIN_HEX_BYTES = 16  # of names that are nothing but digits in hexadecimal
MAX_UNBOUND = 2000  # names that are looked for inside words of UTF-16 and of hexadecimal digits

_WORD = re.compile(rb"[A-Za-z0-9]+")
_HEX_RUN = re.compile(rb"[0-9A-Fa-f]{12,}")


class Words:
    """The names of one capture, under one key."""

    def __init__(self, known: Known, pseudonyms: Pseudonyms) -> None:
        self.known, self.pseudonyms = known, pseudonyms
        self._shapes: dict[bytes, list[tuple[int, int]]] = {}
        self._spelled: dict[bytes, bytes] = {}  # other spellings of names and MACs -> what they become
        self._longest = 0

    def prepare(self) -> None:
        """Make the tables, once everything is known."""
        shapes: dict[bytes, set[tuple[int, int]]] = defaultdict(set)
        for mac in self.known.macs:
            image = self.pseudonyms.mac(mac)
            if image != mac:
                plain, turned = mac.hex().encode(), image.hex().encode()
                self._spelled[plain] = turned
                self._spelled[_cisco(plain)] = _cisco(turned)
        for name in self.known.names:
            image = self.text(name)
            if len(name) >= MIN_HEX_BYTES and _HEX_RUN.fullmatch(name):
                self._spelled[name] = image
            for spell in (quote, _hexadecimal):
                spelled = spell(name).lower().encode()
                if spelled != name and len(name) >= MIN_SPELLED_BYTES:
                    self._spelled.setdefault(spelled, spell(image).lower().encode())
        for name in [*self.known.names, *self._spelled]:
            word = _WORD.search(name)
            if word:
                shapes[word[0]].add((word.start(), len(name)))
                self._longest = max(self._longest, len(name))
        self._shapes = {
            word: sorted(found, key=lambda shape: -shape[1])[:MAX_SHAPES] for word, found in shapes.items()
        }

    def text(self, text: bytes) -> bytes:
        """The pseudonym of one name."""
        image = self._spelled.get(text.lower())
        if image is not None:
            return image if text.islower() or text.isdigit() else image.upper()
        return self.pseudonyms.text(text, avoid=self.known.names)

    def found(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """(where, what it becomes) of every known name that stands as a word, or behind its length."""
        yield from self._words(data)
        yield from self._hex_runs(data)

    def _words(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        shapes, names, spelled_names = self._shapes, self.known.names, self._spelled
        labels, longest, size = self.known.labels, self._longest, len(data)
        if not shapes and not labels:
            return
        for found in _WORD.finditer(data):
            start = found.start()
            before = data[start - 1] if start else 0
            if MIN_NAME_BYTES <= before < 128 and start + before <= size:
                text = data[start : start + before].lower()
                if text in names or text in labels:
                    yield start, self.text(data[start : start + before])
            first = data[start]
            if longest >= first >= 48 and data[start + 1 : start + 1 + first].lower() in names:
                yield start + 1, self.text(data[start + 1 : start + 1 + first])
            key = found[0].lower()
            if before == 0x25 and key[2:] in shapes:  # %3D and the like stand before it
                start, key = start + 2, key[2:]
            for offset, length in shapes.get(key, ()):
                begin = start - offset
                stop = begin + length
                if begin < 0 or stop > size:
                    continue
                text = data[begin:stop].lower()
                if (text in names or text in spelled_names) and not _goes_on(data, begin, stop):
                    yield begin, self.text(data[begin:stop])
                    break

    def _hex_runs(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Names written in hexadecimal with more digits around them."""
        if len(self._spelled) > MAX_UNBOUND:
            return
        for run in _HEX_RUN.finditer(data):
            text = run[0].lower()
            for spelled, image in self._spelled.items():
                at = text.find(spelled) if len(spelled) >= 2 * MIN_SPELLED_BYTES else -1
                while at >= 0:
                    yield run.start() + at, image
                    at = text.find(spelled, at + 1)

    def unbound(self, data: bytes, image: bytes) -> bytes:
        """Names that stand against each other with nothing between them, as in NTLM's messages."""
        if len(self.known.names) > MAX_UNBOUND:
            return image
        made, lower = bytearray(image), data.lower()
        for name in self.known.names:
            at = lower.find(name) if len(name) > MIN_NAME_BYTES else -1
            while at >= 0:
                if made[at : at + len(name)] == data[at : at + len(name)]:
                    made[at : at + len(name)] = self.text(data[at : at + len(name)])
                at = lower.find(name, at + len(name))
        return bytes(made)


def _hexadecimal(name: bytes) -> str:
    return name.hex()


def _goes_on(data: bytes, begin: int, stop: int) -> bool:
    """Whether a word goes on before or after, so that this is a part of another one."""
    if begin and data[begin - 1] == stop - begin:
        return False  # its length stands before it
    if begin > 2 and data[begin - 3] == 0x25:  # %3D and the like
        return data[stop - 1 : stop].isalnum() and data[stop : stop + 1].isalnum()
    is_in_word = data[stop - 1 : stop].isalnum() and data[stop : stop + 1].isalnum()
    return is_in_word or (data[begin : begin + 1].isalnum() and data[max(begin - 1, 0) : begin].isalnum())


def _cisco(plain: bytes) -> bytes:
    return b".".join(plain[at : at + 4] for at in (0, 4, 8))
