"""EVE lines as a stream of events: read from files of any size, checked, and put into a form in which two
sensors' ways of writing the same fact are equal. It keeps nothing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from sensor.errors import UserError, from_os_error

MAX_LINE_BYTES = 16 << 20  # an event with payload and packets; more is not an eve file
MAX_DEPTH = 24  # deeper nesting than any record has
_decoder = msgspec.json.Decoder()

Event = dict[str, Any]
Leaf = str | int | float | bool | None


def read_events(path: Path) -> Iterator[Event]:
    """The events of an eve file in order. UserError with file and line for the first that is none."""
    try:
        if not path.is_file():
            path.stat()  # absent or unreachable: the system says which
            raise UserError("not a regular file", where=path, fix="give an eve file; it is read twice")
        with path.open("rb") as file:
            number = 0
            while line := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    raise UserError(f"line longer than {MAX_LINE_BYTES} bytes", where=f"{path}:{number}")
                if line.isspace():
                    continue
                yield _event(line, f"{path}:{number}")
    except OSError as error:
        raise from_os_error(error, where=path) from error


def _event(line: bytes, where: str) -> Event:
    try:
        event = _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        event = None
    if not (isinstance(event, dict) and isinstance(event.get("event_type"), str)):
        raise UserError(
            "not an event (a JSON object with event_type)", where=where, fix="give eve.json files"
        )
    return event


def leaves(event: Event, left_out: Collection[str] = ()) -> Iterator[tuple[str, Leaf]]:
    """(dotted path, value) of every leaf, members of lists under the list's path; without the paths left out
    and what is below them."""
    yield from _leaves("", event, left_out, 0)


def _leaves(path: str, value: object, left_out: Collection[str], depth: int) -> Iterator[tuple[str, Leaf]]:
    if depth > MAX_DEPTH:
        yield path, "..."
    elif isinstance(value, dict):
        for key, below in value.items():
            deeper = f"{path}.{key}" if path else str(key)
            if deeper not in left_out:
                yield from _leaves(deeper, below, left_out, depth + 1)
    elif isinstance(value, list):
        for below in value:
            yield from _leaves(path, below, left_out, depth + 1)
    else:
        yield path, plain(path, value)  # type: ignore[arg-type]  # JSON has no other leaves


def plain(path: str, value: Leaf) -> Leaf:
    """A value in the form in which both sensors' spellings are equal: times in UTC, addresses short,
    protocols in capitals."""
    if not isinstance(value, str):
        return value
    last = path.rpartition(".")[2]
    if last in _TIMES:
        return _utc(value)
    if last in _ADDRESSES and ":" in value:
        return _short_address(value)
    return value.upper() if path == "proto" else value


_TIMES = {"timestamp", "start", "end"}
_ADDRESSES = {"src_ip", "dest_ip"}


def _utc(text: str) -> str:
    try:
        return datetime.fromisoformat(text).astimezone(_UTC).isoformat(timespec="microseconds")
    except (ValueError, OverflowError):
        return text


_UTC = datetime.fromisoformat("1970-01-01T00:00:00+00:00").tzinfo


@lru_cache(maxsize=65536)
def _short_address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text
