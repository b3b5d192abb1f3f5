"""A rule as checks look at it: its header as written, its options by keyword, its contents with the buffer
each looks into. It must not judge.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from sensor.rules.lint.tables import keywords
from sensor.rules.text import header_words

if TYPE_CHECKING:
    from sensor._engine import RawRule

PAYLOAD = ""  # the name of the buffer that contents look into when no other is selected

_HEX = re.compile(r"\|([^|]*)\|")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_WORD = re.compile(r"\w+")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_IGNORE = re.compile(r'(?:^|,)\s*(?:haidang_ignore|suricata-check)\s+(?:"([^"]*)"|([^,]*))')


_Value = TypeVar("_Value")


class once(Generic[_Value]):
    """A property that is worked out at its first use. functools.cached_property takes a lock each time, which
    is a tenth of the time of linting a large set.
    """

    def __init__(self, work: Callable[[Rule], _Value]) -> None:
        self._work, self._name = work, work.__name__

    def __get__(self, rule: Rule, owner: type[Rule]) -> _Value:
        value = rule.__dict__[self._name] = self._work(rule)
        return value


@dataclass(slots=True)
class Content:
    """One content: the bytes, and its modifiers by name (as written)."""

    index: int
    data: bytes
    is_negated: bool
    buffer: str
    transforms: tuple[str, ...]
    modifiers: dict[str, str | None] = field(default_factory=dict)

    @property
    def is_relative(self) -> bool:
        return "distance" in self.modifiers or "within" in self.modifiers

    @property
    def is_only_prefilter(self) -> bool:
        return self.modifiers.get("fast_pattern") == "only"


class Rule:
    """One rule that was read. options: (keyword, value, line, column); spelled: indexes by keyword as
    written; named: the same by the engine's own name.
    """

    def __init__(self, raw: RawRule) -> None:
        (
            self.file, self.line, self.action, self.protocol, self.source, self.source_port,
            self.direction, self.destination, self.destination_port, self.options, self.text,
        ) = raw  # fmt: skip
        self.spelled: dict[str, list[int]] = {}
        spelled = self.spelled
        for index, option in enumerate(self.options):
            if option[0] in spelled:
                spelled[option[0]].append(index)
            else:
                spelled[option[0]] = [index]

    @once
    def named(self) -> dict[str, list[int]]:
        canonical = keywords().canonical
        found: dict[str, list[int]] = {}
        for name, indexes in self.spelled.items():
            name = canonical.get(name, name)
            found[name] = found[name] + indexes if name in found else indexes
        return found

    def value(self, name: str) -> str | None:
        """The value of the first option of this name (as written), or None."""
        indexes = self.spelled.get(name)
        return self.options[indexes[0]][1] if indexes else None

    def values(self, name: str) -> Iterator[tuple[int, str]]:
        """(index, value) of every option of this name (as written)."""
        for index in self.spelled.get(name, ()):
            yield index, self.options[index][1] or ""

    def first(self, name: str) -> int:
        """The index of the first option of this name (as written), or -1."""
        indexes = self.spelled.get(name)
        return indexes[0] if indexes else -1

    def repeated(self, modifier: str) -> Iterator[int]:
        """The index of each content with this modifier behind another one with it in the same buffer."""
        seen: set[str] = set()
        for content in self.contents:
            if modifier in content.modifiers and not content.is_negated:
                if content.buffer in seen:
                    yield content.index
                seen.add(content.buffer)

    @once
    def sid(self) -> int:
        value = self.value("sid")
        return int(value) if value and value.isascii() and value.isdigit() else 0

    @once
    def msg(self) -> str:
        return unquote(self.value("msg") or "")

    @once
    def msg_words(self) -> frozenset[str]:
        """The words of the message in lower case."""
        return frozenset(_WORD.findall(self.msg.lower()))

    @once
    def metadata(self) -> dict[str, list[str]]:
        """Keys in lower case, each with its values."""
        found: dict[str, list[str]] = {}
        for _, value in self.values("metadata"):
            for part in value.split(","):
                key, _, rest = part.strip().partition(" ")
                key = key.lower()
                if key in found:
                    found[key].append(rest)
                else:
                    found[key] = [rest]
        return found

    @once
    def flow(self) -> frozenset[str]:
        """The words of every flow option."""
        return frozenset(word.strip() for _, value in self.values("flow") for word in value.split(","))

    @property
    def ignored(self) -> list[str]:
        """The codes that `metadata` tells the linter not to speak of; a trailing * stands for any ending."""
        codes: list[str] = []
        for _, value in self.values("metadata"):
            if "haidang_ignore" in value or "suricata-check" in value:
                for quoted, bare in _IGNORE.findall(value):
                    codes += (quoted or bare).replace(".*", "*").replace(",", " ").split()
        return codes

    @once
    def header(self) -> list[str]:
        """The seven words of the header as written, variables and all."""
        return header_words(self.text)

    @once
    def bare(self) -> str:
        """What stands between the outer parentheses, with quoted text left out and tabs as blanks."""
        inside = self.text[self.text.find("(") + 1 : self.text.rstrip().rfind(")")]
        return _QUOTED.sub('""', inside).replace("\t", " ")

    @once
    def contents(self) -> list[Content]:
        table = keywords()
        found: list[Content] = []
        buffer, transforms = PAYLOAD, ()  # type: tuple[str, tuple[str, ...]]
        for index, (written, value, _, _) in enumerate(self.options):
            if written == "content" or written == "uricontent":
                negated, data = content_bytes(value or "")
                where = "http.uri" if written == "uricontent" else buffer
                found.append(Content(index, data, negated, where, transforms))
                continue
            name = table.canonical.get(written, written)
            kind = table.kind.get(name)
            if kind == "buffer":
                buffer, transforms = (PAYLOAD if name == "pkt_data" else name), ()
            elif kind == "transform":
                transforms = (*transforms, name)
            elif kind == "content-modifier" and found:
                found[-1].modifiers[name] = value
                if name in table.buffer_of_modifier:
                    found[-1].buffer = table.buffer_of_modifier[name]
        return found

    @once
    def fast_pattern(self) -> Content | None:
        """The content the prefilter goes by: the one marked, else the longest that must occur, among contents
        of buffers before those of the payload.
        """
        marked = [content for content in self.contents if "fast_pattern" in content.modifiers]
        if marked:
            return marked[0]
        positive = [content for content in self.contents if not content.is_negated]
        in_buffers = [content for content in positive if content.buffer != PAYLOAD]
        return max(in_buffers or positive, key=lambda content: len(content.data), default=None)

    @once
    def buffers(self) -> dict[str, int]:
        """The sticky buffers the rule selects in any form, with the option that does it first."""
        table = keywords()
        found: dict[str, int] = {}
        for name, indexes in self.named.items():
            target = table.buffer_of_modifier.get(name, name)
            if target in table.sticky and target != "pkt_data":
                found[target] = min(indexes[0], found.get(target, indexes[0]))
        return found

    @property
    def transports(self) -> frozenset[str]:
        """tcp and udp as far as the protocol of the header says; empty when it says neither."""
        base = self.protocol.split(":")[0]
        if base in ("tcp", "tcp-pkt", "tcp-stream"):
            return frozenset({"tcp"})
        if base == "udp":
            return frozenset({"udp"})
        return keywords().app_protocols.get(base, frozenset())


def unquote(value: str) -> str:
    """A value without its quotes."""
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value


def content_bytes(value: str) -> tuple[bool, bytes]:
    """Whether a content is negated, and its bytes. What the engine refuses gives bytes as good as any."""
    value = value.strip()
    negated = value.startswith("!")
    text = unquote(value[1:].strip() if negated else value)
    if "|" not in text and "\\" not in text:
        return negated, text.encode("utf-8")
    data, after = b"", 0
    for found in _HEX.finditer(text):
        data += _literal(text[after : found.start()]) + _from_hex(found[1])
        after = found.end()
    return negated, data + _literal(text[after:])


def _literal(text: str) -> bytes:
    return (_ESCAPED.sub(r"\1", text) if "\\" in text else text).encode("utf-8")


def _from_hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def pcre_parts(value: str) -> tuple[bool, str, str]:
    """Whether a pcre is negated, its expression, and its flags."""
    value = value.strip()
    negated = value.startswith("!")
    text = unquote(value[1:].strip() if negated else value)
    body, slash, flags = text[1:].rpartition("/")
    return (negated, body, flags.split(",")[0]) if slash else (negated, text, "")
