"""Search results for people and programs: a table, JSON lines, CSV. Every string here may have been written
by an attacker.

On its way to a terminal no byte of theirs may act: control characters, bidirectional overrides and line ends
are shown as escapes. JSON keeps the event as the sensor wrote it, with those characters as \\u escapes,
which mean the same. CSV cells that a spreadsheet would run as a formula get an apostrophe in front.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterable
from datetime import datetime
from ipaddress import IPv6Address
from itertools import islice
from typing import Any

from collectors.store.search import COLUMNS, Found

# C0 and C1 controls, DEL, line separators, and what reorders or hides text (Unicode TR36, TR9).
_ACTIVE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_PIECE_ROWS = 1_000  # laid out together
_FORMULA = ("=", "+", "-", "@")


def safe(text: str) -> str:
    """The text with every character that could act on a terminal shown as an escape."""
    return _ACTIVE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def cell(value: Any) -> str:
    """A column's value as people read it: RFC 3339 times in UTC, IPv4 addresses as such, text made safe."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds").replace("+00:00", "") + "Z"
    if isinstance(value, IPv6Address):
        return "" if int(value) == 0 else str(value.ipv4_mapped or value)
    return safe(str(value))


def print_json(found: Iterable[Found]) -> int:
    """One event a line, as the sensor wrote it; how many."""
    count = 0
    for event in found:
        # A raw control character cannot be in valid JSON but as white space between tokens, where its escape
        # could not stand.
        line = event.raw.translate({9: " ", 10: " ", 13: " "})
        sys.stdout.write(safe(line) + "\n")
        count += 1
    return count


def print_csv(found: Iterable[Found]) -> int:
    """A heading and one event a line; how many."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    count = 0
    for event in found:
        row = [cell(value) for value in event.columns]
        writer.writerow([f"'{text}" if text.startswith(_FORMULA) else text for text in row])
        count += 1
    return count


def print_table(found: Iterable[Found]) -> int:
    """A table for people, with the addresses of each event in one column; how many. Written piece by piece,
    so that it begins at once and is never held whole.
    """
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 220)
    count = 0
    events = iter(found)
    while piece := list(islice(events, _PIECE_ROWS)):
        table = Table(box=None, pad_edge=False, header_style="bold", show_header=count == 0)
        for title in ("time (UTC)", "sensor", "type", "sid", "what", "from", "to", "flow"):
            table.add_column(title, overflow="fold", no_wrap=title in ("time (UTC)", "sid"))
        for event in piece:
            values = dict(zip(COLUMNS, event.columns, strict=True))
            table.add_row(
                cell(values["ts"]).replace("T", " ").rstrip("Z"),
                cell(values["sensor"]),
                cell(values["event_type"]),
                str(values["sid"] or ""),
                cell(values["signature"] or values["host"]),
                endpoint(values["src_ip"], values["src_port"]),
                endpoint(values["dest_ip"], values["dest_port"]),
                str(values["flow_id"] or ""),
            )
        console.print(table)
        count += len(piece)
    return count


def print_records(rows: Iterable[dict[str, Any]], *, form: str) -> None:
    """Small summaries: the same rows as JSON lines, CSV or a table."""
    told = list(rows)
    if form == "json":
        for row in told:
            sys.stdout.write(json.dumps(row, ensure_ascii=True, default=cell) + "\n")
    elif told and form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(told[0])
        writer.writerows([cell(value) for value in row.values()] for row in told)
    elif told:
        from rich.console import Console
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="bold")
        for title, value in told[0].items():
            table.add_column(title, justify="right" if isinstance(value, int) else "left")
        for row in told:
            table.add_row(*(cell(value) for value in row.values()))
        Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 220).print(table)


def endpoint(address: Any, port: Any) -> str:
    """address:port, with an IPv6 address in brackets; the address alone when there is no port."""
    text = cell(address)
    return f"[{text}]:{port}" if ":" in text and port else f"{text}:{port}" if port else text
