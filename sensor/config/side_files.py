"""classification.config, reference.config and threshold.config: the files a configuration points to.

Their lines become data for the engine's document; a line that cannot be read is a warning and the rest
counts.
"""

from __future__ import annotations

import re
from pathlib import Path

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


def thresholds(path: Path, warnings: list[str]) -> list[tuple[int, str]]:
    """(line number, text) of each directive, continued lines joined; the engine reads them."""
    joined: list[tuple[int, str]] = []
    pending: tuple[int, str] | None = None
    for number, line in _lines(path, warnings):
        start, text = (number, line) if pending is None else (pending[0], f"{pending[1]} {line}")
        if text.endswith("\\"):
            pending = (start, text[:-1].rstrip())
        else:
            joined.append((start, text))
            pending = None
    if pending is not None:
        joined.append(pending)
    return joined


def _lines(path: Path, warnings: list[str]) -> list[tuple[int, str]]:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            warnings.append(f"{path}: larger than {MAX_FILE_BYTES} bytes; left out")
            return []
        text = path.read_bytes().decode("utf-8", "replace").removeprefix("\ufeff")
    except OSError as error:
        warnings.append(str(from_os_error(error, where=path)))
        return []
    stripped = ((number, line.strip()) for number, line in enumerate(text.split("\n"), 1))
    return [(number, line) for number, line in stripped if line and not line.startswith("#")]
