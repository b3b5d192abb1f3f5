"""Addresses written as text in payload: dotted quads, FTP's commas, IPv6, MAC addresses. Finds them and says
what they become, at the same length.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from sensor.pcap.known import Known
from sensor.pcap.pseudonyms import Pseudonyms

QUAD = re.compile(rb"(?<![\d.])(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?!\d|\.\d)")
_COMMAS = re.compile(rb"(?<![\d,])(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3})(?=,\d{1,3},\d{1,3}(?![\d,]))")
_COLONS = re.compile(rb"(?<![0-9A-Za-z:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,8}(?![0-9A-Za-z:])")
MAC = re.compile(
    rb"(?<![0-9A-Fa-f:-])[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}(?![0-9A-Fa-f]|[:-][0-9A-Fa-f])"
)
_VERSION_BEFORE = re.compile(rb"(?i)(?:[/a-z]|version[ =:]{1,3}|[a-z][ _-]v?)$")


class AddressText:
    """Text addresses of one capture."""

    def __init__(self, known: Known, pseudonyms: Pseudonyms) -> None:
        self.known, self.pseudonyms = known, pseudonyms

    def found(self, data: bytes) -> Iterator[tuple[int, bytes, str]]:
        """(where, what it becomes, kind) of every address in text."""
        if b"." in data or b"," in data:
            for pattern in (QUAD, _COMMAS):
                for found in pattern.finditer(data):
                    address = packed(found.groups())
                    if address is None or self.pseudonyms.address(address) == address:
                        continue
                    if (
                        pattern is QUAD
                        and address not in self.known.addresses
                        and is_version(data, found.start())
                    ):
                        continue
                    octets = self.fitted(address, list(found.groups()))
                    separator = b"." if pattern is QUAD else b","
                    yield found.start(), separator.join(octets), "address"
        if b":" not in data and b"-" not in data:
            return
        for found in MAC.finditer(data):
            mac = bytes.fromhex(found[0].replace(found[1], b"").decode())
            text = found[1].join(b"%02x" % byte for byte in self.pseudonyms.mac(mac))
            yield found.start(), text.upper() if found[0].upper() == found[0] else text, "mac"
        for found in _COLONS.finditer(data):
            image = self._colons(found[0])
            if image is not None:
                yield found.start(), image, "address"

    def _colons(self, text: bytes) -> bytes | None:
        try:
            address = ipaddress.IPv6Address(text.decode())
        except ValueError:
            return None
        image = self.pseudonyms.address(address.packed)
        if image == address.packed or sum(map(bool, text.split(b":"))) < 3:
            return None
        turned = ipaddress.IPv6Address(image)
        spellings = [str(turned).encode(), turned.exploded.encode()]
        made = next((s for s in spellings if len(s) == len(text)), None)
        if made is None:  # no spelling fits: digits of its own, the first group stays
            keyed = self.pseudonyms.raw(address.packed, "colons") * 3
            made = bytes(
                byte if byte == 0x3A or at < text.find(b":") else b"123456789abcdef"[keyed[at] % 15]
                for at, byte in enumerate(text)
            )
        return made.upper() if text.upper() == text else made

    def fitted(self, address: bytes, octets: list[bytes]) -> list[bytes]:
        """The pseudonym's octets as text of the same lengths: with zeros in front, or of their own where it
        needs more room than there is."""
        image = self.pseudonyms.address(address)
        fitted = []
        for number, octet in enumerate(octets):
            text = b"%d" % image[number]
            if len(text) > len(octet):
                value = self.pseudonyms.raw(address[: number + 1], "octet")[0]
                text = b"%d" % (1 + value % 9 if len(octet) == 1 else 10 + value % 90)
            fitted.append(text.rjust(len(octet), b"0"))
        return fitted


def packed(octets: tuple[bytes, ...] | tuple[bytes | None, ...]) -> bytes | None:
    """Four decimal numbers as an address; None when they are none."""
    numbers = [int(octet) for octet in octets if octet is not None and octet.isdigit()]
    return bytes(numbers) if len(numbers) == 4 and max(numbers) < 256 else None


def is_version(data: bytes, at: int) -> bool:
    """Whether what stands before says that four numbers are a version."""
    return bool(_VERSION_BEFORE.search(data[max(0, at - 12) : at]))
