"""What may stand at a place of a rule, and what it means: all from the engine's tables."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import Any

from sensor.config import Config
from sensor.rules.lsp.document import Place, flowbits

ACTIONS = {
    "alert": "Alerts.",
    "pass": "Nothing more alerts on what it matches.",
    "drop": "Alerts, marked as a drop: the sensor is passive.",
    "reject": "Alerts, marked as a rejection: the sensor is passive.",
    "config": "Changes what is logged.",
}
TRANSPORTS = {
    "ip": "Any IP packet.", "tcp": "TCP, packets and streams.", "udp": "UDP.", "icmp": "ICMP, both versions.",
    "icmpv4": "ICMP of IPv4.", "icmpv6": "ICMP of IPv6.", "sctp": "SCTP.", "arp": "ARP.",
    "tcp-pkt": "TCP, single packets only.", "tcp-stream": "TCP, the reassembled stream only.",
    "pkthdr": "Any packet at all.", "ether": "Any packet with an Ethernet header.",
    "ipv4": "Any packet of IPv4.", "ipv6": "Any packet of IPv6.",
}  # fmt: skip
_COMMANDS = {
    "flowbits": ("set", "unset", "toggle", "isset", "isnotset", "noalert"),
    "flow": (
        "established", "not_established", "stateless", "to_server", "to_client", "from_client", "from_server",
        "only_stream", "no_stream", "only_frag", "no_frag",
    ),
    "threshold": ("type", "limit", "threshold", "both", "track", "by_src", "by_dst", "count", "seconds"),
}  # fmt: skip


@dataclass(frozen=True)
class Word:
    """What may be written. kind: "keyword", "buffer", "value", "protocol", "action" or "variable"."""

    text: str
    kind: str
    about: str = ""
    is_old: bool = False


@functools.cache
def _keywords() -> dict[str, dict[str, Any]]:
    from sensor import _engine

    return {entry["name"]: entry for entry in json.loads(_engine.keywords())}


@functools.cache
def _aliases() -> dict[str, str]:
    return {
        alias: name
        for name, entry in _keywords().items()
        for alias in entry["aliases"]
        if alias not in _keywords()
    }


@functools.cache
def _protocols() -> dict[str, dict[str, Any]]:
    from sensor import _engine

    return {entry["name"]: entry for entry in json.loads(_engine.protocols())}


def completions(place: Place, content: str, config: Config) -> list[Word]:
    """The words that may stand at a place, whatever was written of one so far."""
    match place.where:
        case "action":
            return [Word(name, "action", about) for name, about in ACTIONS.items()]
        case "protocol":
            own = [Word(name, "protocol", entry["doc"]) for name, entry in _protocols().items()]
            return [Word(name, "protocol", about) for name, about in TRANSPORTS.items()] + own
        case "arrow":
            return [
                Word("->", "value"),
                Word("<>", "value", "Either way."),
                Word("=>", "value", "Both ways of a transaction."),
            ]
        case "address" | "port":
            groups = config.get(f"vars.{place.where}-groups") or {}
            names = groups if isinstance(groups, dict) else {}
            return [Word("any", "value")] + [
                Word(f"${name}", "variable", str(value)) for name, value in names.items()
            ]
        case "keyword":
            return [
                *(
                    Word(name, "buffer" if entry["kind"] == "buffer" else "keyword", help_of(name))
                    for name, entry in _keywords().items()
                ),
                *(Word(alias, "keyword", help_of(alias), is_old=True) for alias in _aliases()),
            ]
        case "value":
            return _values(place.keyword, content)
    return []


def _values(keyword: str, content: str) -> list[Word]:
    name = _aliases().get(keyword, keyword)
    if name == "app-layer-protocol":
        return [Word(protocol, "protocol", entry["doc"]) for protocol, entry in _protocols().items()]
    if name == "app-layer-event":
        return [
            Word(f"{protocol}.{event}", "value")
            for protocol, entry in _protocols().items()
            for event in entry["events"]
        ]
    if name == "frame":
        return [
            Word(f"{protocol}.{frame}", "value")
            for protocol, entry in _protocols().items()
            for frame in entry["frames"]
        ]
    words = [Word(command, "value") for command in _COMMANDS.get(name, ())]
    if name == "flowbits":
        words += [Word(bit, "variable") for bit in flowbits(content)]
    entry = _keywords().get(name)
    if entry is not None:
        words += [Word(str(word), "value", str(number)) for word, number in entry.get("words", [])]
    return words


def help_of(word: str) -> str:
    """What a keyword or protocol means, as Markdown; '' for what is neither."""
    written = word.lower()
    name = written if written in _keywords() else _aliases().get(written, written)
    entry = _keywords().get(name)
    if entry is None:
        protocol = _protocols().get(name)
        if protocol is not None:
            return f"**{name}** ({protocol['transport']})\n\n{protocol['doc']}"
        about = TRANSPORTS.get(name) or ACTIONS.get(name)
        return f"**{name}**\n\n{about}" if about else ""
    lines = [f"**{name}** ({entry['kind']})", entry["doc"]]
    if entry["aliases"]:
        lines.append("Also: " + ", ".join(f"`{alias}`" for alias in entry["aliases"]))
    if entry.get("protocols"):
        lines.append("Protocols: " + ", ".join(entry["protocols"]))
    if entry.get("directions"):
        lines.append("Directions: " + ", ".join(entry["directions"]))
    if entry["example"]:
        lines.append(f"```\n{entry['example']}\n```")
    return "\n\n".join(lines)
