"""docs/keywords.md and docs/protocols.md, made from the engine's own tables: `haidang keywords --docs` and
`haidang protocols --docs` print them, `make docs` writes them, and a test holds the files to them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from typing import Any

from sensor.config.eve_schema import EVE_TYPES
from sensor.config.schema import KEYS

Entry = Mapping[str, Any]  # one object of the engine's JSON tables

_KINDS = {
    "meta": "What a rule is, and what becomes of a match",
    "payload": "Bytes",
    "content-modifier": "Modifiers of a content",
    "buffer": "Sticky buffers",
    "transform": "Transforms",
    "packet": "Packet headers",
    "flow": "Flow and state",
    "app": "Application protocols",
    "threshold": "Thresholds",
}

_KEYWORDS_INTRODUCTION = """\
# Keywords

Every name a rule may use in this build, made from the engine's own table (`haidang keywords --docs`). The
tests try everything that is listed as accepted or refused. How rules are written in general is told by
Suricata's user guide, which Hải Đăng follows; [differences.md](differences.md) says where not, and why.

- A **sticky buffer** says where the tests behind it look, a **transform** changes what they see, and a
  **modifier** belongs to the content before it.
- **Numbers** are written `5`, `!5`, `<5`, `<=5`, `>5`, `>=5`, `5-9` or `5<>9` (ends excluded), `!5-9`,
  `&0x40=0x40`, `&0x40!=0`; hexadecimal with `0x`. Words stand for some of them.
"""

_PROTOCOLS_INTRODUCTION = """\
# Application protocols

Every application protocol this build recognises, made from the engine's own registry (`haidang protocols
--docs`). Keywords are described in [keywords.md](keywords.md), configuration keys in
[configuration.md](configuration.md).

Each has the switches `app-layer.protocols.NAME.enabled` (`yes`, `no`, `detection-only`), the same under
`tcp` and `udp`, `detection-ports.dp` and `.sp` for ports to try it on first, and `stream-depth`. Every
protocol over TCP has the frame `stream`. Rules name an event with `app-layer-event:PROTOCOL.EVENT`, a frame
with `frame:PROTOCOL.FRAME`, and a stage that a transaction has reached with the hook `PROTOCOL:STAGE` in the
header.
"""


def keyword_pages(table: Sequence[Entry]) -> Iterator[str]:
    """The lines of docs/keywords.md from the engine's keyword table."""
    yield from _KEYWORDS_INTRODUCTION.splitlines()
    yield ""
    groups = {kind: [row for row in table if row["kind"] == kind] for kind in _KINDS}
    for kind, title in _KINDS.items():
        yield f"- [{title}](#{_anchor(title)}): {len(groups[kind])}"
    for kind, title in _KINDS.items():
        yield from ("", f"## {title}")
        rows = (
            sorted(groups[kind], key=lambda row: row["name"]) if kind in ("buffer", "app") else groups[kind]
        )
        for row in rows:
            yield from _keyword(row)


def example_rule(row: Entry) -> str:
    """A whole rule with the keyword's example."""
    protocols = row.get("protocols", [])
    header = protocols[0] if len(protocols) == 1 else "ip"
    options = str(row["example"])
    before = "" if re.match(r"msg:", options) else f'msg:"{row["name"]}"; '
    after = "" if re.search(r"(^|\s)sid:", options) else " sid:1;"
    return f"alert {header} any any -> any any ({before}{options}{after})"


def _keyword(row: Entry) -> Iterator[str]:
    yield from ("", f"### `{row['name']}`", "", _prose(row["doc"]), "")
    if row["aliases"]:
        yield f"- also called {_codes(row['aliases'])}"
    if row.get("protocols"):
        yield f"- of {', '.join(_link(name) for name in row['protocols'])}"
    if row.get("directions"):
        several = "; several in one transaction" if row["multi"] else ""
        yield f"- {' and '.join(name.replace('_', ' ') for name in row['directions'])}{several}"
    if row.get("words"):
        yield "- words: " + ", ".join(f"`{word}` {number}" for word, number in row["words"])
    if row["accepts"]:
        yield f"- accepted: {_codes(row['accepts'])}"
    if row["refuses"]:
        yield f"- refused: {_codes(row['refuses'])}"
    yield from ("", "```", example_rule(row), "```")


def protocol_pages(table: Sequence[Entry], keywords: Sequence[Entry]) -> Iterator[str]:
    """The lines of docs/protocols.md from the engine's registry of protocols and its keyword table."""
    words = {row["name"]: row.get("words", []) for row in keywords}
    yield from _PROTOCOLS_INTRODUCTION.splitlines()
    yield from (
        "",
        "| protocol | transport | event | buffers | integer keywords | events |",
        "|---|---|---|---|---|---|",
    )
    for row in table:
        record = f"`{row['record']}`" if row["record"] else ""
        transport = ", ".join(row["transport"])
        counts = " | ".join(str(len(row[key])) for key in ("buffers", "numbers", "events"))
        yield f"| [{row['name']}](#{_anchor(row['name'])}) | {transport} | {record} | {counts} |"
    for row in table:
        yield from ("", f"## {row['name']}", "", _prose(row["doc"]), "")
        if row["aliases"]:
            yield f"- In rules also {_codes(row['aliases'])}."
        transports = " and ".join(name.upper() for name in row["transport"])
        yield f"- Recognised over {transports}: {_recognition(row['recognise'])}."
        yield from _part("Sticky buffers", row["buffers"])
        if row["numbers"]:
            yield (
                "- Integer keywords: "
                + ", ".join(_number(name, words.get(name, [])) for name in row["numbers"])
                + "."
            )
        yield from _part("Events", row["events"])
        yield from _part("Frames", row["frames"])
        for direction, stages in row["hooks"].items():
            yield from _part(f"Stages {direction.replace('_', ' ')}", stages)
        yield from _record(row["record"])
        yield from _switches(row["name"])


def _recognition(how: Entry) -> str:
    said = [_pattern(pattern) for pattern in how["patterns"]]
    ports = [*(f"{port}/tcp" for port in how["tcp_ports"]), *(f"{port}/udp" for port in how["udp_ports"])]
    if ports and how["probe"]:
        said.append("by its first bytes on port " + ", ".join(ports))
    elif how["probe"] and not said:
        said.append("by its first bytes, where another protocol or the configuration points to it")
    if not said:
        return "where another flow or protocol announces it"
    return "; ".join(said) + (
        "; a pattern is confirmed by a look at the message" if how["probe"] and how["patterns"] else ""
    )


def _pattern(pattern: Entry) -> str:
    where = f"{pattern['direction'].replace('_', ' ')} in bytes {pattern['offset']} to {pattern['depth']}"
    return f"`{pattern['bytes']}` {where}{' in any case' if pattern['nocase'] else ''}"


def _number(name: str, words: Sequence[Sequence[Any]]) -> str:
    if not words:
        return f"`{name}`"
    return f"`{name}` ({', '.join(f'`{word}` {number}' for word, number in words)})"


def _part(title: str, names: Sequence[str]) -> Iterator[str]:
    if names:
        yield f"- {title}: {_codes(names)}."


def _record(record: str) -> Iterator[str]:
    if not record:
        yield "- Event: none of its own."
        return
    options = [name for name, _, _ in EVE_TYPES.get(record, ()) if name not in ("enabled", "**")]
    with_options = (
        f", with the options {_codes(options)} of `outputs.eve-log.types.{record}`" if options else ""
    )
    yield f"- Event: `{record}`{with_options}."


def _switches(name: str) -> Iterator[str]:
    prefix = f"app-layer.protocols.{name}."
    own = [key for key in KEYS if key.path.startswith(prefix) and key.reader != "none"]
    yield from _part("Configuration", [key.path for key in own if "server-config" not in key.path])


def _prose(text: str) -> str:
    """Free text as Markdown; `|` and `<` mean themselves."""
    return "`".join(
        part if inside else re.sub(r"([<|*_\[\]])", r"\\\1", part)
        for inside, part in zip(cycle((False, True)), " ".join(text.split()).split("`"), strict=False)
    )


def _codes(texts: Sequence[str]) -> str:
    return ", ".join(f"`` {text} ``" if "`" in text else f"`{text}`" for text in texts)


def _link(protocol: str) -> str:
    return f"[{protocol}](protocols.md#{_anchor(protocol)})"


def _anchor(title: str) -> str:
    """As code hosts make them from headings."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
