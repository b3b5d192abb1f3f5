"""classification.config, reference.config and threshold.config: the files a configuration points to.

Their lines become data for the engine's document; a line that cannot be read is a warning and the rest
counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from sensor.config import exceptions
from sensor.config.exceptions import Note
from sensor.errors import from_os_error

MAX_FILE_BYTES = 16 << 20  # Emerging Threats' have under 100 kB

_CLASSIFICATION = re.compile(r"config\s+classification\s*:\s*([^,]+?)\s*,\s*(.*?)\s*,\s*(\d{1,3})\s*")
_REFERENCE = re.compile(r"config\s+reference\s*:\s*(\S+)\s+(\S.*?)\s*")

Classification = dict[str, str | int]


def classifications(path: Path, warnings: list[str]) -> list[Classification]:
    """[{name, description, priority}] in file order; names in lower case."""
    found: dict[str, Classification] = {}
    for number, line in _lines(path, warnings):
        match = _CLASSIFICATION.fullmatch(line)
        if match is None or not 1 <= int(match[3]) <= 255:
            warnings.append(
                f"{path}:{number}: not of the form `config classification: NAME,TEXT,PRIORITY`; left out"
            )
            continue
        name = match[1].lower()
        found.setdefault(name, {"name": name, "description": match[2], "priority": int(match[3])})
    return list(found.values())


def references(path: Path, warnings: list[str]) -> dict[str, str]:
    """{"cve": "https://..."}; what a reference's text is put behind."""
    found: dict[str, str] = {}
    for number, line in _lines(path, warnings):
        match = _REFERENCE.fullmatch(line)
        if match is None:
            warnings.append(f"{path}:{number}: not of the form `config reference: NAME URL`; left out")
            continue
        found.setdefault(match[1].lower(), match[2])
    return found


@dataclass(frozen=True)
class Directive:
    """A directive of threshold.config, continued lines joined; note: of an exception."""

    line: int
    text: str
    note: Note | None = None


def thresholds(path: Path, warnings: list[str]) -> list[tuple[int, str]]:
    """(line number, text) of each directive that holds; the engine reads them."""
    found = []
    for directive in directives(path, warnings):
        note = directive.note
        if note is not None and note.is_over:
            warnings.append(
                f"{path}:{directive.line}: the exception of {note.owner} ({note.reason}) was good until "
                f"{note.expires} and holds no more; renew or remove it: haidang rules tune --list"
            )
        else:
            found.append((directive.line, directive.text))
    return found


def directives(path: Path, warnings: list[str]) -> list[Directive]:
    """Every directive, those of exceptions whose day is over among them."""
    joined: list[Directive] = []
    pending: Directive | None = None
    note: Note | None = None
    for number, line in _lines(path, warnings, also=exceptions.MARK):
        if line.startswith(exceptions.MARK) and pending is None:
            note = exceptions.read_note(line)
            if note is None:
                warnings.append(f"{path}:{number}: the note of an exception cannot be read; it never ends")
            continue
        one = Directive(number, line, note) if pending is None else pending
        text = line if pending is None else f"{pending.text} {line}"
        note = None
        if text.endswith("\\"):
            pending = Directive(one.line, text[:-1].rstrip(), one.note)
        else:
            joined.append(Directive(one.line, text, one.note))
            pending = None
    if pending is not None:
        joined.append(pending)
    return joined


def _lines(path: Path, warnings: list[str], also: str = "") -> list[tuple[int, str]]:
    """Lines with something on them, without comments but those that begin with `also`."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            warnings.append(f"{path}: larger than {MAX_FILE_BYTES} bytes; left out")
            return []
        text = path.read_bytes().decode("utf-8", "replace").removeprefix("\ufeff")
    except OSError as error:
        warnings.append(str(from_os_error(error, where=path)))
        return []
    stripped = ((number, line.strip()) for number, line in enumerate(text.split("\n"), 1))
    return [
        (number, line)
        for number, line in stripped
        if line and (not line.startswith("#") or (also and line.startswith(also)))
    ]
