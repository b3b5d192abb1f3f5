"""A capture without the people and machines in it: the same packets, lengths and times, with pseudonyms in
every place where an address, a name or a secret stood, and checksums as right or wrong as they were.

The output is a copy changed in place, so that it has the input's form to the byte. The packets are walked
twice: once to learn what must go, once to replace it. Encrypted payload stays; QUIC's first
packets, which anyone can decrypt, and what no rule looks into are blanked.
"""

from __future__ import annotations

import mmap
import os
import shutil
import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from sensor.errors import UserError, from_os_error
from sensor.pcap.control import blanked, is_control
from sensor.pcap.files import CaptureFile, Packet, options
from sensor.pcap.found import Flow, Payload, Sum
from sensor.pcap.http2_wire import PREFACE, blank_huffman, telling_values
from sensor.pcap.http2_wire import bodies as http2_bodies
from sensor.pcap.http_bodies import compressed_bodies, plain_of, rewritten
from sensor.pcap.internet import ICMPV6, TCP, UDP
from sensor.pcap.known import Known
from sensor.pcap.layers import is_known_link, layers_of
from sensor.pcap.pseudonyms import Pseudonyms
from sensor.pcap.quic_wire import initial_body
from sensor.pcap.scrub import Scrubber
from sensor.pcap.streams import Streams, Stretch, bytes_of, write_back
from sensor.pcap.wires import Message, messages_in

# Of pcapng's sections, interfaces, packets (old, simple, enhanced) and statistics: the bytes at their
# beginning that stay, and the options that stay by code, with their sizes (speed, units and shifts of time,
# flags, drops).
_KEPT_HEADS = {0x0A0D0D0A: 16, 1: 8, 2: 20, 3: 4, 5: 12, 6: 20}
_KEPT_OPTIONS: dict[int, dict[int, int]] = {
    0x0A0D0D0A: {},
    1: {8: 8, 9: 1, 14: 8},
    2: {2: 4, 4: 8},
    6: {2: 4, 4: 8},
}
_PACKETS = frozenset((2, 3, 6))
_FRAGMENT_BYTES = 20  # that stay of a datagram in pieces of a protocol that is blanked: its header
_SUM_FIELDS = {TCP: 16, UDP: 6, ICMPV6: 2, 1: 2}


@dataclass
class Outcome:
    """What was done."""

    packets: int = 0
    replaced: Counter[str] = field(default_factory=Counter)
    blanked: int = 0  # QUIC packets
    control: int = 0  # packets of routing, discovery and the like, blanked
    unknown_links: Counter[int] = field(default_factory=Counter)  # packets of each, blanked
    compressed: int = 0  # bodies that were compressed anew, or blanked
    http2: int = 0  # header values in Huffman code, blanked
    problems: list[str] = field(default_factory=list)


def sanitize(source: Path, target: Path, known: Known, pseudonyms: Pseudonyms) -> Outcome:
    """Write the sanitized copy of a capture. `known` grows by what the packets themselves name."""
    if not source.is_file():
        source.stat()  # absent or unreachable: the system says which
        raise UserError("not a regular file", where=source, fix="the capture is read twice: give a file")
    if target.exists() and target.samefile(source):
        raise UserError("input and output are the same file", where=target, fix="give another output")
    work = _Work(str(source), Scrubber(known, pseudonyms))
    with source.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        view = memoryview(whole)
        try:
            end = work.learn(view)
            if not end:
                raise UserError(
                    "nothing in it can be read: " + "; ".join(work.outcome.problems), where=source
                )
            part = target.with_name(f".{target.name}.part")
            try:
                shutil.copyfile(source, part)
                os.truncate(part, end)
                with part.open("r+b") as copy, mmap.mmap(copy.fileno(), 0) as changed:
                    out = memoryview(changed)
                    try:
                        work.rewrite(view, out)
                    finally:
                        out.release()
                part.replace(target)
            except OSError as error:
                raise from_os_error(error, where=target) from error
            finally:
                part.unlink(missing_ok=True)
        finally:
            view.release()
    work.outcome.replaced = work.scrubber.counts
    return work.outcome


class _Work:
    def __init__(self, path: str, scrubber: Scrubber) -> None:
        self.path, self.scrubber = path, scrubber
        self.outcome = Outcome()
        self._streams = Streams()
        self._http2: set[Flow] = set()

    def learn(self, view: memoryview) -> int:
        """The first walk; where the last whole record ends."""
        known = self.scrubber.known
        with CaptureFile(self.path) as capture:
            for packet in capture:
                if not is_known_link(packet.link):
                    self.outcome.unknown_links[packet.link] += 1
                found = layers_of(packet.link, packet.data)
                for at, length in found.addresses:
                    known.addresses.add(packet.data[at : at + length])
                for at in found.macs:
                    known.macs.add(packet.data[at : at + 6])
                for payload in found.payloads:
                    if payload.kind == "opaque" or is_control(payload.flow):
                        if payload.kind == "tcp":
                            self._streams.add(payload, packet.offset)
                    elif payload.kind in ("tcp", "fragment"):
                        self._streams.add(payload, packet.offset)
                    else:
                        data = packet.data[payload.start : payload.end]
                        self.scrubber.learn(data, messages_in(payload.flow, data))
            self.outcome.problems = capture.problems
            end = capture.end
        for stretch in self._streams.tcp(view):
            if is_control(stretch.flow):
                continue
            data = bytes_of(stretch, view)
            self.scrubber.learn(data, messages_in(stretch.flow, data))
            for body in compressed_bodies(data):
                plain = plain_of(body.bytes_in(data), body.coding)
                if plain is not None:
                    self.scrubber.learn(plain)
            if data.startswith(PREFACE):
                self._http2 |= {stretch.flow, _back(stretch.flow)}
        for stretch in self._streams.fragments(view):
            data = bytes_of(stretch, view)
            self.scrubber.learn(data, _fragment_messages(stretch, data))
        self.scrubber.prepare()
        return end

    def rewrite(self, view: memoryview, out: memoryview) -> None:
        """The second walk."""
        for stretch in self._streams.tcp(view):
            data = bytes_of(stretch, out)
            if is_control(stretch.flow):
                image = blanked(stretch.flow, data)
            else:
                image = self._bodies(
                    stretch.flow, data, self.scrubber.rewrite(data, messages_in(stretch.flow, data))
                )
            if image != data:
                write_back(stretch, image, out)
        for stretch in self._streams.fragments(view):
            data = bytes_of(stretch, view)
            write_back(stretch, self._fragment(stretch, data), out)
        sizes: dict[int, int] = {}
        with CaptureFile(self.path) as capture:
            for packet in capture:
                self.outcome.packets += 1
                self._packet(packet, out)
                if capture.kind == "pcapng":
                    sizes[packet.offset] = len(packet.data)
            is_pcapng = capture.kind == "pcapng"
        if is_pcapng:
            self._blocks(out, sizes)

    def _packet(self, packet: Packet, out: memoryview) -> None:
        found, base, data = layers_of(packet.link, packet.data), packet.offset, packet.data
        self.outcome.control += any(
            (payload.kind == "opaque" and any(data[payload.start : payload.end])) or is_control(payload.flow)
            for payload in found.payloads
        )
        for payload in found.payloads:
            if payload.kind == "opaque":
                out[base + payload.start : base + payload.end] = bytes(payload.end - payload.start)
            elif payload.kind in ("udp", "other"):
                image = self._datagram(payload, data[payload.start : payload.end])
                out[base + payload.start : base + payload.end] = image
        for at, length in found.addresses:
            out[base + at : base + at + length] = self.scrubber.pseudonyms.address(data[at : at + length])
        for at in found.macs:
            out[base + at : base + at + 6] = self.scrubber.pseudonyms.mac(data[at : at + 6])
        changed = bytearray(out[base : base + len(data)])
        if changed != data:
            for one in reversed(found.sums):  # inner ones first: outer ones cover them
                _mend(one, data, changed)
            out[base : base + len(data)] = changed

    def _bodies(self, flow: Flow, data: bytes, image: bytes) -> bytes:
        """The compressed bodies of a stretch, read, rewritten and compressed anew."""
        made = bytearray(image)
        found = compressed_bodies(data)
        if flow in self._http2:
            found = chain(found, http2_bodies(data))
            for start, end in telling_values(data):
                made[start:end] = blank_huffman(end - start)
                self.outcome.http2 += 1
        for body in found:
            before = body.bytes_in(data)
            after = rewritten(before, body.coding, self.scrubber.rewrite)
            self.outcome.compressed += after != before
            body.put(after, made)
        return bytes(made)

    def _datagram(self, payload: Payload, data: bytes) -> bytes:
        if payload.flow is not None and is_control(payload.flow):
            return blanked(payload.flow, data)
        if payload.kind == "udp":
            body = initial_body(data)
            if body is not None:
                self.outcome.blanked += 1
                blank = self.scrubber.pseudonyms.raw(data[body:], "blank")
                return self.scrubber.rewrite(data[:body]) + blank
        return self.scrubber.rewrite(data, messages_in(payload.flow, data))

    def _fragment(self, stretch: Stretch, data: bytes) -> bytes:
        """A datagram in pieces: its checksum lies in the first of them."""
        flow = _flow_of(stretch, data)
        if flow.protocol not in _SUM_FIELDS or is_control(flow):
            image = bytearray(data[:_FRAGMENT_BYTES].ljust(len(data), b"\0"))
        else:
            image = bytearray(self.scrubber.rewrite(data, _fragment_messages(stretch, data)))
        at = _SUM_FIELDS.get(stretch.flow.protocol)
        if stretch.position == 0 and at is not None and at + 2 <= len(data):
            ends = stretch.flow.source, stretch.flow.destination
            before, after = _residue(data), _residue(image)
            if stretch.flow.protocol != 1:
                before += sum(map(_residue, ends))
                after += sum(_residue(self.scrubber.pseudonyms.address(end)) for end in ends)
            image[at : at + 2] = _moved(data[at : at + 2], after - before, stretch.flow.protocol == UDP)
        return bytes(image)

    def _blocks(self, out: memoryview, sizes: dict[int, int]) -> None:
        """pcapng: everything that is no packet is blanked, but for what its reader needs: comments, names of
        interfaces and hosts and keys go. sizes: of the packets' data, by where they begin."""
        with CaptureFile(self.path) as capture:
            capture.skip_magic()
            for block in capture.blocks():
                kept, start = _KEPT_HEADS.get(block.kind, 0), len(block.body)
                if block.kind in _PACKETS:
                    size = sizes.get(block.offset + kept)
                    kept += size or 0
                    start = kept + -kept % 4 if size is not None else start
                elif block.kind in _KEPT_OPTIONS:
                    start = kept
                changed = bytearray(kept).ljust(len(block.body), b"\0")
                changed[:kept] = out[block.offset : block.offset + kept]
                if block.kind in _KEPT_OPTIONS:
                    for code, at, size in options(block.body, start, block.order):
                        is_kept = _KEPT_OPTIONS[block.kind].get(code) == size
                        changed[at - 4 : at + size * is_kept] = block.body[at - 4 : at + size * is_kept]
                out[block.offset : block.offset + len(block.body)] = changed


def _flow_of(stretch: Stretch, data: bytes) -> Flow:
    """The flow of a datagram in pieces, with ports if its first piece is here."""
    if stretch.position or stretch.flow.protocol not in (TCP, UDP) or len(data) < 8:
        return stretch.flow
    source, destination = struct.unpack_from(">HH", data)
    return stretch.flow._replace(source_port=source, destination_port=destination)


def _fragment_messages(stretch: Stretch, data: bytes) -> Sequence[Message]:
    flow = _flow_of(stretch, data)
    if flow.protocol != UDP or not flow.source_port:
        return ()
    return [(kind, start + 8, end + 8) for kind, start, end in messages_in(flow, data[8:])]


def _back(flow: Flow) -> Flow:
    """The other direction."""
    return Flow(flow.protocol, flow.destination, flow.destination_port, flow.source, flow.source_port)


def _residue(data: bytes | bytearray | memoryview) -> int:
    """The one's complement sum of 16-bit words, as a number modulo 65535."""
    return int.from_bytes(bytes(data) + b"\0" * (len(data) % 2), "big") % 0xFFFF


def _moved(field_bytes: bytes, difference: int, is_udp: bool) -> bytes:
    """A checksum after what it covers has changed by so much: right if it was right, as wrong if not."""
    old = int.from_bytes(field_bytes, "big")
    if (is_udp and old == 0) or difference % 0xFFFF == 0:
        return field_bytes
    new = 0xFFFF - ((0xFFFF - old) + difference) % 0xFFFF
    return new.to_bytes(2, "big")


def _mend(one: Sum, data: bytes, changed: bytearray) -> None:
    if one.is_crc32c:
        return _mend_crc32c(one, data, changed)
    if one.field + 2 > min(one.end, len(data)):
        return None
    before, after = _residue(data[one.start : one.end]), _residue(changed[one.start : one.end])
    for at, length in one.pseudo:
        before += _residue(data[at : at + length])
        after += _residue(changed[at : at + length])
    is_udp = one.field - one.start == 6 and bool(one.pseudo)
    place = slice(one.field, one.field + 2)
    changed[place] = _moved(data[place], after - before, is_udp)
    return None


def _mend_crc32c(one: Sum, data: bytes, changed: bytearray) -> None:
    """SCTP's checksum (RFC 9260): made anew where it was right, else left."""
    place = slice(one.field, one.field + 4)
    zeroed = data[one.start : one.field] + bytes(4) + data[one.field + 4 : one.end]
    if _crc32c(zeroed) == data[place]:
        changed[place] = bytes(4)
        changed[place] = _crc32c(bytes(changed[one.start : one.end]))


def _crc32c(data: bytes) -> bytes:
    value = 0xFFFFFFFF
    for byte in data:
        value = _CRC32C[(value ^ byte) & 0xFF] ^ value >> 8
    return (value ^ 0xFFFFFFFF).to_bytes(4, "little")


def _crc_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_CRC32C = _crc_table()
