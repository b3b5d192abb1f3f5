"""What tshark says is in a capture: every address and text of every field, and the streams put together.
Nothing here knows what the sanitizer looks for.
"""

from __future__ import annotations

import functools
import html
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

TIMEOUT_SECONDS = 300
_ADDRESSES = frozenset(("FT_ETHER", "FT_EUI64", "FT_IPv4", "FT_IPv6"))
_TEXTS = frozenset(("FT_STRING", "FT_STRINGZ", "FT_UINT_STRING", "FT_STRINGZPAD", "FT_STRINGZTRUNC"))
_FIELD = re.compile(r'<(?:field|proto) name="([^"]*)"')
_SHOW, _VALUE = re.compile(r' show="([^"]*)"'), re.compile(r' value="([0-9a-f]*)"')
# A text whose meaning is told by the field before it: the command of an argument.
_TOLD_BY = {
    "ftp.request.arg": "ftp.request.command",
    "smtp.req.parameter": "smtp.req.command",
    "smtp.rsp.parameter": "smtp.response.code",
    "pop.request.parameter": "pop.request.command",
    "irc.request.command_parameter": "irc.request.command",
    "irc.response.command_parameter": "irc.response.command",
    "urlencoded-form.value": "urlencoded-form.key",
}
_TELLING = frozenset(_TOLD_BY.values())


@dataclass
class Dissection:
    """fields: of each name the texts, or for addresses the bytes in hexadecimal; turns: which port said
    what in each TCP stream."""

    kinds: dict[str, str] = field(default_factory=dict)
    fields: dict[str, set[str]] = field(default_factory=dict)
    turns: dict[str, list[tuple[str, bytes]]] = field(default_factory=dict)

    def directions(self) -> dict[tuple[str, str], bytearray]:
        """The payload of each direction of each connection, by stream and source port."""
        made: dict[tuple[str, str], bytearray] = {}
        for stream, turns in self.turns.items():
            for port, data in turns:
                made.setdefault((stream, port), bytearray()).extend(data)
        return made


@functools.cache
def kinds() -> dict[str, str]:
    """tshark's fields and their types, of addresses and texts."""
    listed = subprocess.run(["tshark", "-G", "fields"], capture_output=True, text=True, check=True).stdout
    rows = (line.split("\t") for line in listed.splitlines() if line.startswith("F\t"))
    return {row[2]: row[3] for row in rows if row[3] in _ADDRESSES | _TEXTS}


def dissect(capture: Path) -> Dissection:
    """Read a capture with tshark, without looking any name up."""
    known, found = kinds(), Dissection()
    command = ["tshark", "-n", "-r", str(capture), "-T", "pdml"]
    run = subprocess.run(command, capture_output=True, timeout=TIMEOUT_SECONDS, check=False)
    told, stream, port = "", "", ""
    for line in run.stdout.decode("utf-8", "replace").splitlines():
        named = _FIELD.search(line)
        if named is None:
            continue
        name = named[1]
        if name == "tcp.srcport":
            port = _text(_SHOW, line)
        elif name == "tcp.stream":
            stream = _text(_SHOW, line)
        elif name == "tcp.payload":
            found.turns.setdefault(stream, []).append((port, bytes.fromhex(_text(_VALUE, line))))
        elif name in _TELLING:
            told = _text(_SHOW, line).upper()
        kind = known.get(name)
        if kind is None or name.startswith("frame."):
            continue
        if kind in _ADDRESSES:
            shown = _text(_VALUE, line)
        else:
            shown = html.unescape(_text(_SHOW, line))
            name += f":{told}" if _TOLD_BY.get(name) else ""
        if shown:
            found.kinds[name] = kind
            found.fields.setdefault(name, set()).add(shown)
    return found


def _text(pattern: re.Pattern[str], line: str) -> str:
    got = pattern.search(line)
    return got[1] if got else ""
