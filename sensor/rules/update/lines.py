"""Published rule files line by line, commented rules included, as suricata-update takes them in: what is
tuned is text, so a rule that no engine knows can be disabled, enabled and modified as well. It must not judge
a rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

ACTIONS = frozenset(
    (
        *("alert", "log", "pass", "activate", "dynamic", "drop", "reject", "sdrop"),
        *(
            "rejectsrc",
            "rejectdst",
            "rejectboth",
            "config",
        ),  # newer actions; a comment is no rule without one
    )
)

MAX_LINE_CHARACTERS = 65_536  # as the rule reader has it

_FORM = re.compile(r"^(#)*[\s#]*(?P<raw>(?P<header>[^()]+)\((?P<options>.*)\)$)")
_OPTION_END = re.compile(r"(?<!\\);")
_HEADER_WORDS = 7
_SID = re.compile(r"( *sid: *[0-9]+;)")

RuleId = tuple[int, int]  # gid, sid


@dataclass(slots=True)
class Line:
    """One rule as it stands in a file. raw: its text without the comment sign. group: the file it came from,
    "" when that is forgotten. says_noalert: it has noalert, or must get it when it is written.
    """

    raw: str
    is_enabled: bool
    action: str
    protocol: str
    group: str
    gid: int = 1
    sid: int = 0
    rev: int = 0
    msg: str = ""
    says_noalert: bool = False
    flowbits: list[str] = field(default_factory=list)
    metadata: list[str] = field(default_factory=list)

    @property
    def id(self) -> RuleId:
        return self.gid, self.sid

    @property
    def name(self) -> str:
        """How reports name it: `[gid:sid] msg`."""
        return f"[{self.gid}:{self.sid}] {self.msg}"

    @property
    def text(self) -> str:
        """Its text without the comment sign, with noalert where it is needed."""
        if self.says_noalert and "noalert;" not in self.raw:
            return _SID.sub(r" noalert;\1", self.raw, count=1)
        return self.raw

    def __str__(self) -> str:
        return self.text if self.is_enabled else f"# {self.text}"


def parse(text: str, group: str) -> Line | None:
    """The rule of one line, or None when it holds none."""
    text = text.strip()
    if len(text) > MAX_LINE_CHARACTERS:
        return None
    form = _FORM.match(text)
    if form is None:
        return None
    header = form["header"].strip()
    words = _words(header)
    if words[0] not in ACTIONS or 1 < len(words) < _HEADER_WORDS:
        return None
    line = Line(
        raw=form["raw"].strip(), is_enabled=not text.startswith("#"), action=words[0],
        protocol=words[1] if len(words) > 1 else "", group=group,
    )  # fmt: skip
    return line if _read_options(line, form["options"]) and line.sid else None


def read(content: bytes, group: str) -> Iterator[Line]:
    """The rules of one file's bytes, in order."""
    before = ""
    for piece in _decoded(content).split("\n"):
        bare = piece.rstrip()
        if bare.endswith("\\"):
            before += f"{bare[:-1]} "
            if len(before) > MAX_LINE_CHARACTERS:
                before = ""
            continue
        line = parse(before + piece, group)
        before = ""
        if line is not None:
            yield line


def one_of_each(lines: Iterable[Line]) -> tuple[dict[RuleId, Line], list[str]]:
    """By gid and sid the line with the highest rev, the first of equals; and remarks on the others."""
    kept: dict[RuleId, Line] = {}
    remarks: list[str] = []
    for line in lines:
        earlier = kept.setdefault(line.id, line)
        if earlier is line:
            continue
        if line.rev > earlier.rev:
            kept[line.id] = line
        winner = kept[line.id]
        remarks.append(f"{line.name}: twice; rev {winner.rev} of {winner.group} is kept")
    return kept, remarks


def _words(header: str) -> list[str]:
    """The first seven words; a list in brackets is one, blanks and all."""
    words: list[str] = []
    while header and len(words) < _HEADER_WORDS:
        if header[0] == "[":
            end = header.find("]") + 1
            if not end:
                break
        else:
            end = header.find(" ")
            if end < 0:
                end = len(header)
        words.append(header[:end].strip())
        header = header[end:].strip()
    return words or [""]


def _read_options(line: Line, options: str) -> bool:
    """Whether the options can be read; what matters here is put into the line."""
    *pieces, rest = _OPTION_END.split(options)
    if rest.strip():
        return False
    for piece in pieces:
        name, colon, value = piece.partition(":")
        name, value = name.strip(), value.strip()
        if name in ("gid", "sid", "rev"):
            if not (value.isascii() and value.isdigit() and len(value) <= 18):
                return False
            setattr(line, name, int(value))
        elif name == "metadata":
            line.metadata += [part.strip() for part in value.split(",")]
        elif name == "flowbits":
            line.flowbits.append(value)
            line.says_noalert |= "noalert" in value
        elif name == "noalert":
            line.says_noalert = True
        elif name == "msg" and colon:
            line.msg = value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
    return True


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")
