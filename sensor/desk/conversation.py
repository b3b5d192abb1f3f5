"""What two hosts said to each other, in turns: the payload of a flow in order, each direction's stretch until
the other one speaks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from sensor.pcap.choose import Pair, pair_of
from sensor.pcap.files import Packet
from sensor.pcap.found import Payload
from sensor.pcap.layers import layers_of

MAX_TURNS = 10_000
MAX_HELD_PIECES = 1_000  # TCP segments that came too early, per direction
MAX_TURN_BYTES = 1 << 20
_32_BITS = 1 << 32


@dataclass
class Turn:
    """What one side said without being answered."""

    is_first_side: bool
    time_ns: int
    packet: int
    data: bytearray = field(default_factory=bytearray)
    missing_before: int = 0  # bytes that were never seen
    is_cut: bool = False


@dataclass
class _Direction:
    next: int | None = None
    held: dict[int, tuple[bytes, Packet]] = field(default_factory=dict)


class Conversation:
    """Takes the packets of one flow; the side that speaks first is the first side."""

    def __init__(self, pair: Pair) -> None:
        self.turns: list[Turn] = []
        self.first_side: tuple[bytes, int] | None = None
        self.is_cut = False
        self._pair = pair
        self._directions = {True: _Direction(), False: _Direction()}

    def take(self, packets: Iterable[Packet]) -> None:
        """All packets, in the order of the capture."""
        for packet in packets:
            for payload in layers_of(packet.link, packet.data).payloads:
                self._payload(packet, payload)
        for is_first, direction in self._directions.items():
            for position, (data, packet) in sorted(direction.held.items()):
                if direction.next is not None:
                    missing = (position - direction.next) % _32_BITS
                    self._say(is_first, packet, data, missing)
                    direction.next = (position + len(data)) % _32_BITS

    def _payload(self, packet: Packet, payload: Payload) -> None:
        flow = payload.flow
        if flow is None or payload.kind not in ("tcp", "udp") or pair_of(flow) != self._pair:
            return
        side = (flow.source, flow.source_port)
        if self.first_side is None:
            self.first_side = side
        is_first = side == self.first_side
        data = packet.data[payload.start : payload.end]
        if payload.kind == "udp":
            self._say(is_first, packet, data, 0, is_whole=True)
            return
        direction = self._directions[is_first]
        position = (payload.position + payload.starts_stream) % _32_BITS
        if direction.next is None:
            direction.next = position
        ahead = (position - direction.next + _32_BITS // 2) % _32_BITS - _32_BITS // 2
        if ahead > 0:
            if len(direction.held) < MAX_HELD_PIECES:
                direction.held.setdefault(position, (data, packet))
            else:
                self.is_cut = True
            return
        self._new_part(is_first, direction, packet, data, -ahead)
        while (early := direction.held.pop(direction.next, None)) is not None:
            self._new_part(is_first, direction, early[1], early[0], 0)

    def _new_part(
        self, is_first: bool, direction: _Direction, packet: Packet, data: bytes, skip: int
    ) -> None:
        if skip < len(data) and direction.next is not None:
            self._say(is_first, packet, data[skip:], 0)
            direction.next = (direction.next + len(data) - skip) % _32_BITS

    def _say(self, is_first: bool, packet: Packet, data: bytes, missing: int, is_whole: bool = False) -> None:
        last = self.turns[-1] if self.turns else None
        if last is None or last.is_first_side != is_first or missing or is_whole:
            if len(self.turns) >= MAX_TURNS:
                self.is_cut = True
                return
            last = Turn(is_first, packet.time_ns, packet.number, missing_before=missing)
            self.turns.append(last)
        room = MAX_TURN_BYTES - len(last.data)
        last.is_cut |= room < len(data)
        last.data += data[:room]


def is_text(data: bytes | bytearray) -> bool:
    """Whether a stretch is better read as text than as hexadecimal."""
    sample = bytes(data[:2048])
    odd = sum(byte < 32 and byte not in (9, 10, 13) for byte in sample) + sample.count(b"\x7f")
    try:
        sample.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(sample) - 4:
            odd += sum(byte >= 128 for byte in sample)
    return odd * 20 <= len(sample)


def contents_of(rule_options: Iterable[tuple[str, str | None, int, int]]) -> list[tuple[bytes, bool]]:
    """(pattern, whether case does not matter) of the contents a rule wants to see."""
    found: list[tuple[bytes, bool]] = []
    for name, value, *_ in rule_options:
        if name == "content" and value and not value.startswith("!"):
            found.append((_unquoted(value), False))
        elif name == "nocase" and found:
            found[-1] = found[-1][0], True
    return [(pattern, nocase) for pattern, nocase in found if pattern]


def _unquoted(value: str) -> bytes:
    text = value.strip().removeprefix('"').removesuffix('"')
    made = bytearray()
    for number, part in enumerate(text.split("|")):
        if number % 2:
            try:
                made += bytes.fromhex(part)
            except ValueError:
                return b""
        else:
            made += re.sub(r"\\(.)", r"\1", part).encode()
    return bytes(made)


def marks(data: bytes, patterns: Iterable[tuple[bytes, bool]]) -> set[int]:
    """Offsets of all bytes that belong to an occurrence of a pattern. Where it has a dot may be the length of
    a DNS label."""
    found: set[int] = set()
    for pattern, nocase in patterns:
        flags = re.DOTALL | (re.IGNORECASE if nocase else 0)
        for hit in re.finditer(re.escape(pattern).replace(rb"\.", rb"[.\x00-\x3f]"), data, flags):
            found.update(range(*hit.span()))
    return found


def hex_lines(data: bytes, marked: set[int], mark: Callable[[str], str] | None) -> Iterator[str]:
    """A hex dump: offset, bytes, characters. Marked bytes go through `mark`; without it a star follows."""
    for start in range(0, len(data), 16):
        shown, characters = [], []
        for at, byte in enumerate(data[start : start + 16], start):
            is_marked = at in marked
            char = chr(byte) if 32 <= byte < 127 else "."
            gap = " " if at - start == 7 else ""
            plain = f"{byte:02x}"
            told = mark(plain) + " " if mark else f"{plain}*"
            shown.append(told if is_marked else f"{plain} ")
            shown.append(gap)
            characters.append(mark(char) if is_marked and mark else char)
        missing = 16 - len(characters)
        room = "   " * missing + (" " if missing > 8 else "")
        yield f"{start:06x}  {''.join(shown)}{room} {''.join(characters)}"
