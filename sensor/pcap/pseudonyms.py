"""Keyed pseudonyms of the same length: addresses, MAC addresses, text. The same key gives the same ones.

Addresses are turned by Crypto-PAn's construction (Xu, Fan, Ammar, Moon 2002): bit i is flipped as a cipher
says of the bits before it, so that two addresses share as long a prefix afterwards as before. A bit is left
alone where flipping it would move addresses into or out of a range that means something (RFC 1918,
multicast, HOME_NET ...), so that every such range holds afterwards what it held before.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Container, Iterable

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from sensor.errors import UserError

KEY_BYTES = 32
MAX_NAME_TRIES = 16
MACHINE_MADE_BYTES = 16

_KEPT = ("0.0.0.0/8", "127.0.0.0/8", "169.254.169.254/32", "224.0.0.0/4", "240.0.0.0/4", "::/127", "ff00::/8")
_STAY_INSIDE = (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10",
    "fe80::/10", "fe80::/64", "fc00::/8", "fd00::/8", "2001::/32", "2002::/16", "64:ff9b::/96", "::/96",
    "::ffff:0:0/96",
)  # fmt: skip
_KEPT_MACS = (b"\x01\x80\xc2", b"\x01\x00\x0c", b"\x01\x00\x5e", b"\x33\x33")
_LOWER, _UPPER, _DIGITS = b"abcdefghijklmnopqrstuvwxyz", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"0123456789"

_Ranges = dict[int, list[tuple[int, int]]]
_CONSONANTS = b"bcdfghjklmnpqrstvwxz"
_HEX = re.compile(rb"[0-9a-f]+")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Pseudonyms:
    """All pseudonyms of one key."""

    def __init__(self, key: bytes, ranges: Iterable[Network] = ()) -> None:
        if len(key) != KEY_BYTES:
            raise UserError(f"a key has {KEY_BYTES} bytes", fix="make one with `--new-key FILE`")
        cipher = Cipher(algorithms.AES(key[:16]), modes.ECB())  # noqa: S305  # Crypto-PAn's block function
        self._cipher = cipher.encryptor()
        self._pad = self._cipher.update(key[16:])
        self._key = hashlib.blake2b(key, person=b"haidang text", digest_size=32).digest()
        self._kept: _Ranges = {4: [], 6: []}
        self._inside: _Ranges = {4: [], 6: []}
        for text in _KEPT:
            _add_range(self._kept, ipaddress.ip_network(text))
        for network in [*map(ipaddress.ip_network, _STAY_INSIDE), *ranges]:
            _add_range(self._inside, network)
        self._addresses: dict[bytes, bytes] = {}
        self._macs: dict[bytes, bytes] = {}
        self._texts: dict[tuple[str, bytes], bytes] = {}

    def address(self, address: bytes) -> bytes:
        """The pseudonym of an address of 4 or 16 bytes."""
        found = self._addresses.get(address)
        if found is None:
            found = self._addresses[address] = self._turned(address)
        return found

    def is_kept(self, address: bytes) -> bool:
        """Whether an address means the same everywhere and stays: loopback, multicast, broadcast."""
        return self.address(address) == address and any(
            int.from_bytes(address, "big") >> (len(address) * 8 - bits) == value
            for value, bits in self._kept[4 if len(address) == 4 else 6]
        )

    def _turned(self, address: bytes) -> bytes:
        width = len(address) * 8
        version = 4 if width == 32 else 6
        number = int.from_bytes(address, "big")
        if version == 6 and address[:13] == _SOLICITED_NODE:
            return address[:13] + self._keyed("node", address[13:], 3)
        if any(number >> (width - bits) == value for value, bits in self._kept[version]):
            return address
        ranges = self._kept[version] + self._inside[version]
        flips = self._flips(number, width)
        turned = 0
        for i in range(width):
            bit = number >> (width - 1 - i) & 1
            before = number >> (width - i)
            leads_to_a_range = any(bits > i and value >> (bits - i) == before for value, bits in ranges)
            turned = turned << 1 | (bit if leads_to_a_range else bit ^ flips[i])
        return self._with_inner(address, turned.to_bytes(len(address), "big"))

    def _flips(self, number: int, width: int) -> list[int]:
        """The cipher's word on each bit, from the bits before it and the pad."""
        pad = int.from_bytes(self._pad, "big")
        blocks = bytearray()
        for i in range(width):
            prefix = number >> (width - i) << (128 - i) if i else 0
            blocks += (prefix | pad & (1 << 128 - i) - 1).to_bytes(16, "big")
        turned = self._cipher.update(bytes(blocks))
        return [turned[16 * i] >> 7 for i in range(width)]

    def _with_inner(self, address: bytes, turned: bytes) -> bytes:
        """IPv4 addresses inside IPv6 ones (6to4, mapped, NAT64, Teredo) get their own pseudonym there."""
        if len(address) == 4:
            return turned
        if address[:2] == b"\x20\x02":
            return address[:2] + self.address(address[2:6]) + turned[6:]
        if address[:12] in _V4_BEHIND and address[12:] > b"\x00\x00\xff\xff":
            return address[:12] + self.address(address[12:])
        # Teredo, of a server that can be
        if address[:4] == b"\x20\x01\x00\x00" and address[4] not in (0, 127):
            client = bytes(byte ^ 255 for byte in self.address(bytes(byte ^ 255 for byte in address[12:])))
            return address[:4] + self.address(address[4:8]) + address[8:12] + client
        return turned

    def mac(self, mac: bytes) -> bytes:
        """The pseudonym of a MAC address; whether it is a group's stays, as do the well-known ones."""
        if mac in (b"\xff" * 6, bytes(6)) or mac[:3] in _KEPT_MACS[:3]:
            return mac
        if mac[:2] == _KEPT_MACS[3]:  # an IPv6 group: its last four bytes are the group's
            return mac if mac[2] != 0xFF else mac[:3] + self._keyed("node", mac[3:], 3)
        found = self._macs.get(mac)
        if found is None:
            turned = self._keyed("mac", mac, 6)
            found = self._macs[mac] = bytes([turned[0] & 0xFC | mac[0] & 3]) + turned[1:]
        return found

    def text(self, text: bytes, kind: str = "text", avoid: Container[bytes] = ()) -> bytes:
        """Text of the same length and look: letters for letters in their case, digits for digits, the rest as
        it is. Upper and lower case of one text have one pseudonym. It is none of `avoid`."""
        key = kind, text.lower()
        found = self._texts.get(key)
        if found is None:
            tries = (self._keyed(f"{kind} {number}", key[1], len(text)) for number in range(MAX_NAME_TRIES))
            images = [_like(key[1], keyed) for keyed in tries]
            found = next((made for made in images if made != key[1] and made not in avoid), images[-1])
            self._texts[key] = found
        return _in_case(found, text)

    def raw(self, value: bytes, kind: str) -> bytes:
        """Bytes that are no text."""
        return self._keyed(kind, value, len(value))

    def _keyed(self, kind: str, value: bytes, length: int) -> bytes:
        made = bytearray()
        for block in range((length + 63) // 64):
            message = f"{kind}\0{block}\0".encode() + value
            made += hmac.digest(self._key, message, "sha512")
        return bytes(made[:length])


_SOLICITED_NODE = bytes.fromhex("ff0200000000000000000001ff")
_V4_BEHIND = (bytes(12), bytes(10) + b"\xff\xff", bytes.fromhex("0064ff9b0000000000000000"))


def _add_range(table: _Ranges, network: Network) -> None:
    bits = network.prefixlen
    table[network.version].append((int(network.network_address) >> (network.max_prefixlen - bits), bits))


def _like(text: bytes, keyed: bytes) -> bytes:
    """Lower-case text in the image of lower-case text. What a machine has made stays recognizable as such:
    long text of hexadecimal digits, or without vowels."""
    letters = _LOWER
    if len(text) >= MACHINE_MADE_BYTES:
        used = set(text) & set(_LOWER)
        letters = b"abcdef" if _HEX.fullmatch(text) else _LOWER if used & set(b"aeiou") else _CONSONANTS
    made = bytearray(text)
    for at, byte in enumerate(text):
        if byte in _LOWER:
            made[at] = letters[keyed[at] % len(letters)]
        elif byte in _DIGITS:
            made[at] = _DIGITS[keyed[at] % 10]
        elif 0x80 <= byte < 0xC0:  # what follows in a character of UTF-8; its first byte stays
            made[at] = 0xA0 | keyed[at] % 32 if at and text[at - 1] != 0xED else 0x80 | keyed[at] % 32
    return bytes(made)


def _in_case(pseudonym: bytes, text: bytes) -> bytes:
    if text.islower() or text == text.lower():
        return pseudonym
    upper = pseudonym.upper()
    return bytes(upper[at] if byte in _UPPER else pseudonym[at] for at, byte in enumerate(text))
