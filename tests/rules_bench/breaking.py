"""Breaks one condition of a rule: for tests of whether the condition that is named is that one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sensor._engine import RawRule

NOWHERE = "|fe|zQ9~xJ7^"
"""Bytes that no test capture has in this order."""

HEADER = ("action", "protocol", "source", "source port", "arrow", "destination", "destination port")
_NUMBERS = {
    "dsize": ">65000", "bsize": ">65000", "urilen": ">65000", "itype": "231", "icode": "231", "ttl": "253",
    "tcp.window": "64321", "window": "64321", "icmp_seq": "64321", "icmp_id": "64321", "id": "64321",
    "fragoffset": "8190", "tcp.seq": "4294967293", "seq": "4294967293", "tcp.ack": "4294967293",
    "ack": "4294967293", "tcp.mss": "65530", "filesize": ">4000000000", "igmp.type": "253",
    "dns.opcode": "14", "dns.rcode": "14", "dns.rrtype": "65333", "mqtt.protocol_version": "253",
    "stream_size": "client,>,4000000000", "snmp.version": "77", "tls.cert_chain_len": ">4000",
}  # fmt: skip


@dataclass(frozen=True)
class Broken:
    """A rule of which one condition was broken.

    options: indices of the options that say the condition; empty: `part` of the header. held: it matches, but
    an alert is held back for this reason.
    """

    rule: RawRule
    what: str
    options: frozenset[int]
    part: str = ""
    held: str = ""


def broken(rule: RawRule) -> Iterator[Broken]:
    """The rule in as many ways as there are conditions that can be broken alone."""
    yield from _headers(rule)
    options = rule[9]
    for at, (keyword, value, *_) in enumerate(options):
        for what, new in _options(keyword, value):
            changed = list(options)
            changed[at] = (keyword, new, *options[at][2:])
            yield Broken((*rule[:9], changed, rule[10]), f"{keyword} {what}", frozenset([at]))
    place = options[-1][2:]
    names = {option[0] for option in options}
    if not names & {"threshold", "detection_filter"}:
        threshold = ("threshold", "type threshold, track by_src, count 1000000, seconds 60", *place)
        yield Broken((*rule[:9], [*options, threshold], rule[10]), "threshold", frozenset(), held="threshold")
    if "noalert" not in names:
        noalert = ("noalert", None, *place)
        yield Broken((*rule[:9], [*options, noalert], rule[10]), "noalert", frozenset(), held="noalert")


def _headers(rule: RawRule) -> Iterator[Broken]:
    for index, part, values in (
        (1, "protocol", {"tcp": "udp", "udp": "tcp", "icmp": "tcp", "ip": "sctp"}.get(rule[3].lower(), "")),
        (2, "source", "203.0.113.253"),
        (3, "source port", "64999"),
        (5, "destination", "203.0.113.253"),
        (6, "destination port", "64999"),
    ):
        if not values or (part.endswith("port") and rule[3].lower() in ("icmp", "ip")) or rule[7] == "=>":
            continue
        changed = list(rule)
        changed[2 + index] = values
        yield Broken(tuple(changed), f"header {part}", frozenset(), part)  # type: ignore[arg-type]  # as it came


def _options(keyword: str, value: str | None) -> Iterator[tuple[str, str]]:
    name = keyword.lower()
    if name in _NUMBERS and value is not None:
        yield "number", _NUMBERS[name]
    if value is None:
        return
    match name:
        case "content" | "uricontent":
            if value.startswith("!"):
                yield "negation", value[1:]
            else:
                yield "bytes", f'"{NOWHERE}"'
        case "pcre":
            if not value.startswith("!"):
                yield "pattern", re.sub(r'^"(/).*(/\w*)"$', r'"\1zQ9xJ7zQ9\2"', value)
        case "distance":
            yield "distance", "30000"
        case "offset":
            yield "offset", "30000"
        case "isdataat" | "byte_test" if name == "isdataat":
            yield "negation", value[1:] if value.startswith("!") else f"!{value}"
        case "byte_test":
            number, operator, rest = value.split(",", 2)
            operator = operator.strip()
            yield (
                "negation",
                f"{number},{operator[1:] if operator.startswith('!') else '!' + operator},{rest}",
            )
        case "flow":
            words = [word.strip() for word in value.split(",")]
            turned = {
                "to_server": "to_client", "to_client": "to_server",
                "from_server": "from_client", "from_client": "from_server",
            }  # fmt: skip
            if any(word in turned for word in words):
                yield "direction", ",".join(turned.get(word, word) for word in words)
            if "established" in words:
                yield "state", ",".join("not_established" if w == "established" else w for w in words)
        case "flowbits":
            command, _, bits = value.partition(",")
            if command.strip() == "isset":
                yield "bit", "isset,never.set"
            elif command.strip() == "isnotset":
                yield "bit", f"isset,{bits.strip()}"
        case "app-layer-protocol":
            yield "negation", value[1:] if value.startswith("!") else f"!{value}"
        case "tcp.flags" | "flags":
            yield "flags", "FSRPAU"
        case "filename" | "fileext" if not value.startswith("!"):
            yield "name", '"zQ9xJ7"'
