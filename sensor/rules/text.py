"""Rule files as text: lines into rules, rules into headers and options, each with its place. What a keyword
means is not known here.

The grammar is Suricata's (user guide, "Rules Format"): `action protocol source port direction destination
port (option; keyword:value; ...)`, `#` begins a comment line, a trailing backslash continues a rule on the
next line, and `;` inside a value is written `\\;`. What is wrong with one rule becomes a finding; the other
rules are read.

40,000 rules must take well under a second and a half, so text is cut by whole-string operations, never by
character.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from sensor.rules.findings import Finding
from sensor.rules.variables import VariableError, Variables

if TYPE_CHECKING:  # rule text is read without the engine
    from sensor._engine import RawOption, RawRule

MAX_RULE_CHARACTERS = (
    65_536  # the longest published rule has 8 kB; a file without line ends must not become one rule
)

_DIRECTIONS = frozenset({"->", "<>", "=>"})
_HEADER_FORM = "action protocol source port -> destination port (options)"
_OPEN_QUOTE = ("the quoted text has no end", 'write " at its end, and \\" within it')
_SEMICOLON = ("a ; within quotes, where Suricata would end the option", "write \\; instead")
_MAY_BE_OPEN = frozenset({'"', "!"})
_SID = re.compile(r"[;(]\s*sid\s*:\s*(\d{1,10})", re.ASCII)


class _Bad(Exception):
    """This rule cannot be read: offset in its text, keyword, reason, fix."""

    def __init__(self, offset: int, keyword: str, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.offset, self.keyword, self.reason, self.fix = offset, keyword, reason, fix


@dataclass(slots=True)
class _Line:
    """One rule's text with continued lines joined; `breaks` are the offsets where its later lines begin."""

    number: int
    text: str
    breaks: Sequence[int]

    def place(self, offset: int) -> tuple[int, int]:
        """(line, column) of an offset, both from 1."""
        later = bisect_right(self.breaks, offset)
        return self.number + later, offset - (self.breaks[later - 1] if later else 0) + 1


@dataclass(slots=True)
class RuleText:
    """What was read: rules as the engine takes them, and what could not be read."""

    rules: list[RawRule] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def parse(data: bytes, name: str, variables: Variables) -> RuleText:
    """The rules of one file's bytes. Never raises."""
    result = RuleText()
    result.rules += each([data], name, variables, result.findings)
    return result


def each(pieces: list[bytes], name: str, variables: Variables, findings: list[Finding]) -> Iterator[RawRule]:
    """As `parse`, one rule at a time: all of a large file take eight times its size. pieces: what is in the
    file, each but the last up to the end of a line; they are taken out of the list as they are read.
    """
    for line in _logical_lines(_decoded(pieces, name, findings)):
        try:
            yield _rule(line, name, variables, findings)
        except _Bad as bad:
            number, column = line.place(bad.offset)
            finding = Finding(
                name, number, column, "error", sid_of(line.text), bad.keyword, bad.reason, bad.fix
            )
            findings.append(finding)


def sid_of(text: str) -> int:
    """The sid as it stands in a rule's text, or 0: for rules that cannot be read in full."""
    found = _SID.search(text)
    return int(found[1]) if found else 0


def _decoded(pieces: list[bytes], name: str, findings: list[Finding]) -> Iterator[str]:
    encoding = "utf-8-sig" if _is_utf8(pieces, name, findings) else "latin-1"
    pieces.reverse()
    while pieces:
        yield pieces.pop().decode(encoding)
        encoding = encoding.removesuffix("-sig")


def _is_utf8(pieces: list[bytes], name: str, findings: list[Finding]) -> bool:
    for number, piece in enumerate(pieces):
        try:
            piece.decode("utf-8")
        except UnicodeDecodeError as error:
            before = sum(earlier.count(b"\n") for earlier in pieces[:number])
            line = before + piece.count(b"\n", 0, error.start) + 1
            column = error.start - (piece.rfind(b"\n", 0, error.start) + 1) + 1
            findings.append(
                Finding(name, line, column, "warning", 0, "", "not UTF-8; the file is read as Latin-1",
                        "save it as UTF-8, or write such bytes in content as |E9|")
            )  # fmt: skip
            return False
    return True


def _logical_lines(texts: Iterable[str]) -> Iterator[_Line]:
    lines = enumerate((line for text in texts for line in _lines(text)), 1)
    for number, line in lines:
        if not line or line[0] == "#" or line.isspace() or line.lstrip().startswith("#"):
            continue
        joined, breaks = line.rstrip("\r"), cast(Sequence[int], ())
        if joined.endswith("\\"):
            parts = [joined[:-1]]
            length = len(parts[0])
            breaks = starts = list[int]()
            for _, following in lines:
                starts.append(length)
                bare = following.rstrip("\r")
                parts.append(bare.removesuffix("\\"))
                length += len(parts[-1])
                if not bare.endswith("\\"):
                    break
            joined = "".join(parts)
        yield _Line(number, joined, breaks)


def _lines(text: str) -> Iterator[str]:
    """As text.split("\\n"), without all of them at once, and without what is behind the last line's end."""
    start = 0
    while (end := text.find("\n", start)) >= 0:
        yield text[start:end]
        start = end + 1
    if start < len(text):
        yield text[start:]


def _rule(line: _Line, name: str, variables: Variables, findings: list[Finding]) -> RawRule:
    text = line.text
    if len(text) > MAX_RULE_CHARACTERS:
        raise _Bad(0, "", f"longer than {MAX_RULE_CHARACTERS} characters", "is this a rules file?")
    start = text.find("(")
    if start < 0:
        raise _Bad(
            0, "", "not a rule: no options in parentheses", f"write {_HEADER_FORM}, or # before a comment"
        )
    action, protocol, source, source_port, direction, destination, destination_port = _header(text, start)
    end = len(text.rstrip()) - 1
    if text[end] != ")" or end <= start:
        raise _Bad(end, "", "the options are not closed", "end the rule with )")
    if direction not in _DIRECTIONS:
        fix = "swap source and destination and write ->" if direction == "<-" else "write ->, <> or =>"
        raise _Bad(text.find(direction), "", f"{direction!r} is no direction", fix)
    try:
        source = variables.address(source)
        destination = variables.address(destination)
        source_port = variables.port(source_port)
        destination_port = variables.port(destination_port)
    except VariableError as error:
        raise _Bad(max(text.find(f"${error.name}"), 0), "", error.reason, error.fix) from None
    options = _options(line, text, start + 1, end, name, findings)
    return (
        name, line.number, action, protocol, source, source_port, direction, destination, destination_port,
        options, text,
    )  # fmt: skip


def header_words(text: str) -> list[str]:
    """The seven words of a header that was read before, as they are written."""
    return _header(text, text.find("("))


def _header(text: str, end: int) -> list[str]:
    words = text[:end].split()
    if len(words) != 7 and ("[" in text[:end] or "!" in words):
        words = _join_lists(words)
    if len(words) != 7:
        offset = len(text) - len(text.lstrip())
        raise _Bad(offset, "", f"the header has {len(words)} parts instead of 7", f"write {_HEADER_FORM}")
    return words


def _join_lists(words: list[str]) -> list[str]:
    """Put lists that hold blanks, `[1.1.1.1, 2.2.2.2]`, and a negation apart from its word together again."""
    joined: list[list[str]] = []
    depth = 0
    for word in words:
        if depth > 0 or (joined and joined[-1][-1] == "!"):
            joined[-1].append(word)
        else:
            joined.append([word])
        depth += word.count("[") - word.count("]")
    return ["".join(parts) for parts in joined]


def _options(
    line: _Line, text: str, start: int, end: int, name: str, findings: list[Finding]
) -> list[RawOption]:
    options: list[RawOption] = []
    add = options.append
    number, single = line.number, not line.breaks
    pieces = text[start:end].split(";")
    final = len(pieces) - 1  # what stands between the last ; and the closing parenthesis
    offset, i = start, 0
    while i < final:
        piece = pieces[i]
        at = offset
        i += 1
        if piece[-1:] == "\\":  # `\;` is part of the value
            piece, i = _take_while_escaped(pieces, i - 1)
        keyword, colon, rest = piece.partition(":")
        bare = keyword.strip()
        value: str | None = None
        if colon:
            value = rest.strip()
            if value[:1] in _MAY_BE_OPEN and not _is_closed(value.removeprefix("!")):
                piece, i = _take_until_quote(pieces, piece, i, _Bad(at, bare, *_OPEN_QUOTE))
                value = piece.partition(":")[2].strip()
                findings.append(Finding(name, *line.place(at), "warning", sid_of(text), bare, *_SEMICOLON))
        offset += len(piece) + 1
        at += keyword.find(bare)
        if not bare:
            raise _Bad(at + len(keyword), "", "an empty option", "remove the ; too many")
        if single:
            add((bare, value, number, at + 1))
        else:
            add((bare, value, *line.place(at)))
    if i > final or pieces[final].strip():
        keyword = pieces[final].partition(":")[0].strip() if i == final else options[-1][0] if options else ""
        raise _Bad(end, keyword, "no ; after the last option", "write ; before the closing )")
    if not options:
        raise _Bad(start, "", "no options", "write at least msg and sid")
    return options


def _take_while_escaped(pieces: list[str], first: int) -> tuple[str, int]:
    """The pieces from `first` on up to one that does not end in a backslash, and the index after them."""
    i = first
    while i < len(pieces) and pieces[i].endswith("\\"):
        i += 1
    return ";".join(pieces[first : i + 1]), i + 1


def _take_until_quote(pieces: list[str], piece: str, following: int, bad: _Bad) -> tuple[str, int]:
    """The piece with what follows up to the closing quote, and the index after it."""
    for i in range(following, len(pieces) - 1):
        if _is_closed('"' + pieces[i].rstrip()):
            return ";".join([piece, *pieces[following : i + 1]]), i + 1
    raise bad


def _is_closed(value: str) -> bool:
    """Whether a value that begins with a quote ends with another; values without one are closed. As in
    Suricata a backslash before the last quote does not matter here; the keyword has to make sense of it.
    """
    return value[:1] != '"' or (len(value) > 1 and value[-1] == '"')
