"""A rule with its test from one flow of a capture: what the flow says becomes the conditions, its packets the
test. The rule is a start for a person, not a detection: it is tried, and what fires is kept.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensor.bus.durable import write_whole
from sensor.config import Config
from sensor.errors import EXIT_FINDINGS, UserError
from sensor.rules import text
from sensor.rules.testing.matching import Event
from sensor.rules.testing.run import replay

if TYPE_CHECKING:
    from sensor._engine import Ruleset

MAX_FLOW_PACKETS = 10_000  # a test is small; longer flows are cut
FIRST_BYTES = 16
_LONGEST_CONTENT = 64
_PLAIN = frozenset(range(0x20, 0x7F)) - frozenset(b'";:|\\')


@dataclass
class Flow:
    """A flow of a capture, with the protocol events the engine wrote of it."""

    event: Event
    events: list[Event] = field(default_factory=list)

    @property
    def name(self) -> str:
        flow = self.event
        said = next((word for event in self.events for word in _said(event)), "")
        source, destination = (
            f"{flow.get(f'{side}_ip')}:{flow.get(f'{side}_port', '')}" for side in ("src", "dest")
        )
        ends = f"{source} > {destination}"
        return f"{flow.get('proto')} {ends} {flow.get('app_proto', '')} {said}".rstrip()

    @property
    def packets(self) -> int:
        counts = self.event.get("flow", {})
        return int(counts.get("pkts_toserver", 0) + counts.get("pkts_toclient", 0))


def flows(capture: Path, config: Config) -> list[Flow]:
    """The flows of a capture, in the order of their first packets."""
    events = replay(config, _compiled([], config), capture)
    found = {event["flow_id"]: Flow(event) for event in events if event.get("event_type") == "flow"}
    for event in events:
        if event.get("event_type") not in ("flow", "alert", "stats") and event.get("flow_id") in found:
            found[event["flow_id"]].events.append(event)
    return sorted(found.values(), key=lambda flow: str(flow.event["flow"].get("start", "")))


def write(folder: Path, capture: Path, flow: Flow, sid: int, config: Config) -> tuple[str, int]:
    """Write rule, test and capture into a new folder; the rule and how often it fires. Raises UserError."""
    link_type, packets = _packets_of(flow.event, capture)
    if not packets:
        raise UserError("no packet of this flow can be cut out", where=capture, fix="choose another flow")
    if folder.exists() and any(folder.iterdir()):
        raise UserError("is not empty", where=folder, fix="name a new folder with -o")
    folder.mkdir(parents=True, exist_ok=True)
    cut = folder / "flow.pcap"
    write_whole(cut, _pcap(link_type, packets), mode=0o644)
    for rule in _candidates(flow, packets, sid):
        events = replay(config, _compiled([rule], config), cut)
        count = sum(event.get("event_type") == "alert" for event in events)
        if count:
            write_whole(folder / f"{sid}.rules", f"{rule}\n".encode(), mode=0o644)
            test = f"# {flow.name}\npcap: {cut.name}\nalerts: {{{sid}: {count}}}\n"
            write_whole(folder / "test.yaml", test.encode(), mode=0o644)
            return rule, count
    cut.unlink()
    folder.rmdir()
    raise UserError(
        "no rule made from this flow fires on it",
        where=capture,
        fix="choose another flow",
        exit_code=EXIT_FINDINGS,
    )


def _compiled(rules: Sequence[str], config: Config) -> Ruleset:
    from sensor._engine import Ruleset

    found = text.parse("\n".join(rules).encode(), "new.rules", config.variables)
    return Ruleset.compile(config.engine_json(), found.rules)


def _said(event: Event) -> Iterator[str]:
    http, dns, tls = (event.get(name) or {} for name in ("http", "dns", "tls"))
    if http:
        yield f"{http.get('http_method', '')} {http.get('hostname', '')}{http.get('url', '')}"
    names = [dns.get("rrname"), *(query.get("rrname") for query in dns.get("queries") or ())]
    yield from (name for name in [*names, tls.get("sni")] if name)


@dataclass
class _Packet:
    seconds: int
    microseconds: int
    frame: bytes
    to_server: bool
    payload: bytes


def _candidates(flow: Flow, packets: Sequence[_Packet], sid: int) -> Iterator[str]:
    """Rules from the most telling to the least."""
    tail = f"sid:{sid}; rev:1;)"
    for event in flow.events:
        http, tls = event.get("http") or {}, event.get("tls") or {}
        host = _content("http.host", str(http.get("hostname", "")).lower())
        uri = _content("http.uri", str(http.get("url", "")).partition("?")[0])
        method = _content("http.method", str(http.get("http_method", "")))
        for conditions in ((method, uri, host), (uri, host), (host,), (uri,)):
            if http and all(conditions):
                yield _rule("http", "any", "HTTP request", True, "".join(conditions), tail)
        dns = event.get("dns") or {}
        for name in [dns.get("rrname"), *(query.get("rrname") for query in dns.get("queries") or ())]:
            if name:
                yield _rule("dns", "any", "DNS lookup", None, _content("dns.query", str(name)), tail)
        if tls.get("sni"):
            yield _rule("tls", "any", "TLS server name", True, _content("tls.sni", str(tls["sni"])), tail)
    proto = str(flow.event.get("proto", "")).lower()
    if proto not in ("tcp", "udp"):
        return
    port = str(flow.event.get("dest_port", "any"))
    for to_server in (True, False):
        first = next((p.payload for p in packets if p.payload and p.to_server is to_server), b"")
        if first:
            start = first[:FIRST_BYTES]
            content = f'content:"{_escaped(start)}"; depth:{len(start)}; '
            yield _rule(proto, port, "first bytes", to_server, content, tail)
            yield _rule(proto, port, "first bytes", None, content, tail)


def _rule(proto: str, port: str, what: str, to_server: bool | None, conditions: str, tail: str) -> str:
    ends = f"any any -> any {port}" if to_server is not False else f"any {port} -> any any"
    side = "" if to_server is None else f"flow:established,{'to_server' if to_server else 'to_client'}; "
    return f'alert {proto} {ends} (msg:"LOCAL NEW {what}"; {side}{conditions}{tail}'


def _content(buffer: str, value: str) -> str:
    data = value.encode()[:_LONGEST_CONTENT]
    return f'{buffer}; content:"{_escaped(data)}"; ' if data else ""


def _escaped(data: bytes) -> str:
    out, run = "", b""
    for byte in data:
        if byte in _PLAIN:
            out += f"|{run.hex(' ')}|" if run else ""
            run = b""
            out += chr(byte)
        else:
            run += bytes([byte])
    return out + (f"|{run.hex(' ')}|" if run else "")


def _packets_of(flow: Event, capture: Path) -> tuple[int, list[_Packet]]:
    """The link type, and the packets of a flow in either direction, tunnelled and in fragments too."""
    try:
        from scapy.error import Scapy_Exception
        from scapy.layers.inet import IP, TCP, UDP
        from scapy.layers.inet6 import IPv6
        from scapy.utils import PcapReader
    except ModuleNotFoundError:
        raise UserError("this needs the package scapy", fix="pip install 'haidang[rules]'") from None
    from ipaddress import ip_address

    ends = [(ip_address(flow[f"{side}_ip"]), flow.get(f"{side}_port", 0)) for side in ("src", "dest")]
    hosts = {ends[0][0], ends[1][0]}
    found: list[_Packet] = []

    def place(packet: Any) -> _Packet | None:
        layer = packet
        while layer:
            if isinstance(layer, IP | IPv6) and {ip_address(layer.src), ip_address(layer.dst)} == hosts:
                inner = layer.payload
                is_from_client = ip_address(layer.src) == ends[0][0]
                if isinstance(inner, TCP | UDP):
                    if ends[0][0] == ends[1][0]:
                        is_from_client = inner.sport == ends[0][1]
                    ports = {ends[0][1], ends[1][1]}
                    if {inner.sport, inner.dport} == ports:
                        return made(packet, is_from_client, bytes(inner.payload))
                elif not flow.get("src_port") or (isinstance(layer, IP) and (layer.frag or layer.flags.MF)):
                    return made(packet, is_from_client, b"")
            layer = layer.payload
        return None

    def made(packet: Any, to_server: bool, payload: bytes) -> _Packet:
        micros = round(float(packet.time) * 1e6)
        return _Packet(*divmod(micros, 1_000_000), bytes(packet.original), to_server, payload)

    try:
        with PcapReader(str(capture)) as reader:
            link_type = 1
            for packet in reader:
                one = place(packet)
                if one is not None:
                    link_type = getattr(reader, "linktype", None) or link_type
                    found.append(one)
                    if len(found) >= MAX_FLOW_PACKETS:
                        break
    except (Scapy_Exception, EOFError, struct.error) as error:
        raise UserError(f"cannot be cut: {error}", where=capture, fix="is it a pcap or pcapng?") from None
    return link_type, found


def _pcap(link_type: int, packets: Sequence[_Packet]) -> bytes:
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, link_type)
    return head + b"".join(
        struct.pack("<IIII", p.seconds, p.microseconds, len(p.frame), len(p.frame)) + p.frame for p in packets
    )
