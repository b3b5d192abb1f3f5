"""Traffic from a short description: what passes the tap when somebody says HTTP, DNS, TLS, or bytes, in
segments, fragments, VLANs and tunnels as the test wants them. The same description gives the same bytes.

scapy builds the packets; protocols above TCP and UDP are written here as far as a rule needs them.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from sensor.errors import UserError

VERSION = 1  # of what a description turns into; part of the name under which captures are kept
MAX_PACKETS = 100_000
MAX_MESSAGE_BYTES = 16 << 20
EPOCH_US = 1_768_464_000 * 1_000_000  # 2026-01-15 08:00:00 UTC
STEP_US = 1_250
MSS = 1460
CLIENT, SERVER = "10.20.0.15", "198.51.100.23"  # within and outside of the stock HOME_NET

_HEX = re.compile(r"\|([0-9A-Fa-f \t]*)\|")
_COMMON = {"client", "server", "client_port", "server_port", "split", "reorder", "fragment", "vlan", "vxlan"}
_PORTS = {"http": 80, "dns": 53, "tls": 443, "tcp": 9000, "udp": 9000}

Message = tuple[bool, bytes]  # to the server?, bytes


def capture(description: list[Any], where: str) -> bytes:
    """The pcap of a description. Raises UserError for what it does not understand."""
    try:
        from scapy.layers import inet  # noqa: F401
    except ModuleNotFoundError:
        raise UserError(
            "traffic scripts need the package scapy", where=where, fix="pip install 'haidang[rules]'"
        ) from None
    tape = _Tape(where)
    for number, item in enumerate(description, 1):
        if not isinstance(item, Mapping):
            raise UserError(f"traffic {number} is not a mapping", where=where, fix="write - http: {...}")
        if "wait" in item:
            tape.now_us += round(_number(item["wait"], "wait", where) * 1e6)
            continue
        kinds = [kind for kind in item if kind not in _COMMON]
        if len(kinds) != 1 or kinds[0] not in _PORTS:
            raise UserError(
                f"traffic {number} is {', '.join(map(str, kinds)) or 'nothing'}", where=where,
                fix=f"one of {', '.join(_PORTS)}, wait, with {', '.join(sorted(_COMMON))}",
            )  # fmt: skip
        try:
            _play(tape, str(kinds[0]), item, number)
        except (TypeError, ValueError, AttributeError, LookupError, OverflowError, struct.error) as error:
            raise UserError(
                f"traffic {number} ({kinds[0]}) cannot be made: {error}",
                where=where,
                fix="see the guide for its form",
            ) from None
    return tape.pcap()


@dataclass
class _Tape:
    where: str
    now_us: int = EPOCH_US
    records: list[tuple[int, bytes]] = field(default_factory=list)

    def put(self, frame: bytes) -> None:
        if len(self.records) >= MAX_PACKETS:
            raise UserError(f"more than {MAX_PACKETS} packets", where=self.where, fix="split less")
        self.records.append((self.now_us, frame))
        self.now_us += STEP_US

    def pcap(self) -> bytes:
        head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)
        return head + b"".join(
            struct.pack("<IIII", *divmod(at, 1_000_000), len(frame), len(frame)) + frame
            for at, frame in self.records
        )


def _play(tape: _Tape, kind: str, item: Mapping[str, Any], number: int) -> None:
    body = item[kind]
    if kind in ("tcp", "udp"):
        messages = list(_plain(body, tape.where))
    else:
        if not isinstance(body, Mapping):
            raise UserError(f"{kind} is not a mapping", where=tape.where)
        messages = {"http": _http, "dns": _dns, "tls": _tls}[kind](body, tape.where)
    is_udp = kind == "udp" or (kind == "dns" and not body.get("tcp"))
    if kind == "dns" and not is_udp:
        messages = [(to_server, len(data).to_bytes(2, "big") + data) for to_server, data in messages]
    talk = _Talk(tape, item, number, _PORTS[kind])
    if is_udp:
        for to_server, data in messages:
            talk.datagram(to_server, data)
    else:
        talk.open()
        for to_server, data in messages:
            talk.say(to_server, data)
        talk.close()


class _Talk:
    """One conversation. Each has ports of its own, so that equal ones are flows of their own."""

    def __init__(self, tape: _Tape, item: Mapping[str, Any], number: int, port: int) -> None:
        self.tape = tape
        # Checked here: scapy would ask a name server about what is no address.
        self.hosts = (
            str(ip_address(item.get("client", CLIENT))), str(ip_address(item.get("server", SERVER))),
        )  # fmt: skip
        own, other = item.get("client_port", 40_000 + number), item.get("server_port", port)
        self.ports = (_within(own, 65_535), _within(other, 65_535))
        self.split = self._count(item, "split") or MSS
        self.fragment = self._count(item, "fragment")
        self.is_reordered = bool(item.get("reorder"))
        vlan, vxlan = item.get("vlan"), item.get("vxlan")
        tags = vlan if isinstance(vlan, list) else [] if vlan is None else [vlan]
        self.vlans = [_within(tag, 4095) for tag in tags]
        self.vxlan = None if vxlan is None else _within(vxlan, 0xFFFFFF)
        self.seq = [0x10000000, 0x50000000]  # the next of client and server
        self.ip_id = number << 8

    def _count(self, item: Mapping[str, Any], name: str) -> int:
        value = item.get(name, 0)
        if not isinstance(value, int) or value < 0:
            raise UserError(f"{name} is no number of bytes", where=self.tape.where)
        return value

    def open(self) -> None:
        self._segment(True, "S")
        self.seq[0] += 1
        self._segment(False, "SA")
        self.seq[1] += 1
        self._segment(True, "A")

    def say(self, to_server: bool, data: bytes) -> None:
        """A message in segments, last one first when reordered, and the other side's acknowledgement."""
        side = 0 if to_server else 1
        start = self.seq[side]
        cuts = range(0, len(data), self.split)
        for at in reversed(cuts) if self.is_reordered else cuts:
            self.seq[side] = start + at
            self._segment(to_server, "PA", data[at : at + self.split])
        self.seq[side] = start + len(data)
        self._segment(not to_server, "A")

    def close(self) -> None:
        self._segment(True, "FA")
        self.seq[0] += 1
        self._segment(False, "FA")
        self.seq[1] += 1
        self._segment(True, "A")

    def datagram(self, to_server: bool, data: bytes) -> None:
        from scapy.layers.inet import UDP
        from scapy.packet import Raw

        ports = self.ports if to_server else self.ports[::-1]
        self._send(to_server, UDP(sport=ports[0], dport=ports[1]) / Raw(data))

    def _segment(self, to_server: bool, flags: str, data: bytes = b"") -> None:
        from scapy.layers.inet import TCP
        from scapy.packet import Raw

        own, other = (0, 1) if to_server else (1, 0)
        ports = self.ports if to_server else self.ports[::-1]
        header = TCP(
            sport=ports[0], dport=ports[1], flags=flags, seq=self.seq[own] & 0xFFFFFFFF,
            ack=self.seq[other] & 0xFFFFFFFF if "A" in flags else 0, window=64_240,
        )  # fmt: skip
        self._send(to_server, header / Raw(data) if data else header)

    def _send(self, to_server: bool, payload: Any) -> None:
        from scapy.layers.inet import IP, fragment
        from scapy.layers.inet6 import IPv6

        source, destination = self.hosts if to_server else self.hosts[::-1]
        self.ip_id = (self.ip_id + 1) & 0xFFFF
        if ":" in source:
            packets = [IPv6(src=source, dst=destination) / payload]
        else:
            whole = IP(src=source, dst=destination, id=self.ip_id) / payload
            packets = [whole]
            if self.fragment:
                packets = fragment(whole, self.fragment)  # type: ignore[no-untyped-call]  # scapy's
        for packet in packets:
            self.tape.put(bytes(self._framed(packet)))

    def _framed(self, packet: Any) -> Any:
        from scapy.layers.inet import IP, UDP
        from scapy.layers.l2 import Dot1Q, Ether
        from scapy.packet import Raw

        def ethernet() -> Any:
            return Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")

        if self.vxlan is not None:
            outer = IP(src="10.99.0.1", dst="10.99.0.2", id=self.ip_id) / UDP(sport=50_000, dport=4789)
            header = struct.pack(">II", 0x08000000, self.vxlan << 8)  # RFC 7348: flag I, and the number
            packet = outer / Raw(header + bytes(ethernet() / packet))
        frame = ethernet()
        for tag in self.vlans:
            frame = frame / Dot1Q(vlan=tag)
        return frame / packet


def data_of(value: Any, where: str) -> bytes:
    """Bytes as a test writes them: text, with |0d 0a| for bytes in hex."""
    text = str(value)
    out, after = b"", 0
    for found in _HEX.finditer(text):
        out += text[after : found.start()].encode() + bytes.fromhex(found[1])
        after = found.end()
    out += text[after:].encode()
    if len(out) > MAX_MESSAGE_BYTES:
        raise UserError(f"a message of {len(out)} bytes", where=where, fix="shorten it")
    return out


def _plain(body: Any, where: str) -> Iterator[Message]:
    for step in body if isinstance(body, list) else [body]:
        if isinstance(step, Mapping) and len(step) == 1 and next(iter(step)) in ("to_server", "to_client"):
            ((side, value),) = step.items()
            yield side == "to_server", data_of(value, where)
        elif isinstance(step, str):
            yield True, data_of(step, where)
        else:
            raise UserError(
                f"{step!r} is no message", where=where, fix='write - to_server: "..." or to_client'
            )


def _http(body: Mapping[str, Any], where: str) -> list[Message]:
    messages = []
    for exchange in body.get("exchanges", [body]):
        request = exchange.get("request", exchange)
        headers = {"Host": request.get("host", "example.test"), **(request.get("headers") or {})}
        method, uri = request.get("method", "GET"), request.get("uri", "/")
        messages.append(
            (True, _http_message(f"{method} {uri} HTTP/1.1", headers, request.get("body"), where))
        )
        response = exchange.get("response", {"status": 200})
        if response is not None:
            status = response.get("status", 200)
            line = f"HTTP/1.1 {status} {response.get('reason', 'OK')}"
            content = response.get("body", "")
            messages.append((False, _http_message(line, response.get("headers") or {}, content, where)))
    return messages


def _http_message(line: str, headers: Mapping[str, Any], body: Any, where: str) -> bytes:
    content = b"" if body is None else data_of(body, where)
    told = dict(headers)
    if body is not None and not {name.lower() for name in told} & {"content-length", "transfer-encoding"}:
        told["Content-Length"] = len(content)
    head = [data_of(line, where), *(data_of(f"{name}: {value}", where) for name, value in told.items())]
    return b"\r\n".join([*head, b"", content])


def _dns(body: Mapping[str, Any], where: str) -> list[Message]:
    from scapy.layers.dns import DNS, DNSQR, DNSRR

    kind = str(body.get("type", "A"))
    name = str(body.get("query", "example.test"))
    number = int(body.get("id", 0x1D0C))
    try:
        question = DNSQR(qname=name, qtype=kind)
        messages = [(True, bytes(DNS(id=number, rd=1, qd=question)))]
        answers = body.get("answer", [])
        answers = answers if isinstance(answers, list) else [answers]
        if "rcode" in body or answers:
            records = None
            for value in answers:
                record = DNSRR(rrname=name, type=kind, ttl=int(body.get("ttl", 300)), rdata=value)
                records = record if records is None else records / record
            reply = DNS(id=number, qr=1, rd=1, ra=1, qd=question, an=records, rcode=int(body.get("rcode", 0)))
            messages.append((False, bytes(reply)))
    except Exception as error:  # scapy raises what its fields raise
        raise UserError(f"dns: {error}", where=where, fix="check query, type and answer") from None
    return messages


def _tls(body: Mapping[str, Any], where: str) -> list[Message]:
    """A ClientHello, and with `server: true` a ServerHello."""
    extensions = b""
    if body.get("sni"):
        extensions += _extension(0, _sized(b"\0" + _sized(data_of(body["sni"], where), 2), 2))
    extensions += _extension(10, _sized(bytes.fromhex("001d0017"), 2))
    extensions += _extension(11, b"\x01\x00")
    extensions += _extension(13, _sized(bytes.fromhex("040308040401"), 2))
    alpn = body.get("alpn", ["h2", "http/1.1"])
    if alpn:
        words = b"".join(_sized(data_of(word, where), 1) for word in alpn)
        extensions += _extension(16, _sized(words, 2))
    ciphers = b"".join(
        int(cipher).to_bytes(2, "big") for cipher in body.get("ciphers", [0x1301, 0xC02F, 0x009C])
    )
    hello = b"\x03\x03" + bytes(range(32)) + b"\0" + _sized(ciphers, 2) + b"\x01\x00" + _sized(extensions, 2)
    messages = [(True, b"\x16\x03\x01" + _sized(b"\x01" + _sized(hello, 3), 2))]
    if body.get("server"):
        reply = b"\x03\x03" + bytes(range(32, 64)) + b"\0" + bytes.fromhex("c02f00") + _sized(b"", 2)
        messages.append((False, b"\x16\x03\x03" + _sized(b"\x02" + _sized(reply, 3), 2)))
    return messages


def _extension(number: int, data: bytes) -> bytes:
    return number.to_bytes(2, "big") + _sized(data, 2)


def _within(value: Any, most: int) -> int:
    number = int(value)
    if not 0 <= number <= most:
        raise ValueError(f"{number} is not from 0 to {most}")
    return number


def _sized(data: bytes, width: int) -> bytes:
    return len(data).to_bytes(width, "big") + data


def _number(value: Any, name: str, where: str) -> float:
    if not isinstance(value, int | float) or not 0 <= value <= 1e6:
        raise UserError(f"{name} is no number of seconds", where=where)
    return float(value)
