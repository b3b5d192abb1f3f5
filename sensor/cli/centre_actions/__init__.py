"""Actions of `haidang centre`: each one file here and one word in `sensor.cli.centre.ACTIONS`.

This module holds what they share: the centre's directory, the form of the output, the filters of a question,
and the way to the store.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from sensor.cli.language import say
from sensor.errors import UserError
from sensor.spans import UNITS

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from collectors.home import Home
    from collectors.store.search import Question

DEFAULT_DIRECTORY = "/var/lib/haidang/centre"


def add_directory(parser: argparse.ArgumentParser) -> None:
    """-d, --dir: which centre."""
    parser.add_argument(
        "-d",
        "--dir",
        dest="directory",
        type=Path,
        default=Path(os.environ.get("HAIDANG_CENTRE", DEFAULT_DIRECTORY)),
        metavar="DIR",
        help=say(f"the centre (default: $HAIDANG_CENTRE or {DEFAULT_DIRECTORY})", "thư mục của trung tâm"),
    )


def add_format(parser: argparse.ArgumentParser, forms: tuple[str, ...] = ("table", "json", "csv")) -> None:
    """--format; the first of `forms` is the default."""
    parser.add_argument("--format", choices=forms, default=forms[0], help=say("how to print", "cách in ra"))


def add_span(parser: argparse.ArgumentParser) -> None:
    """--since and --until."""
    times = say("ISO time, seconds since 1970, or an age: 15m 24h 7d", "thời điểm ISO, hoặc 15m 24h 7d trước")
    parser.add_argument("--since", default="", metavar="TIME", help=times)
    parser.add_argument("--until", default="", metavar="TIME", help=times)


def add_filters(parser: argparse.ArgumentParser) -> None:
    """What an event must be, for `question`."""
    add = parser.add_argument
    add_span(parser)
    add("--type", default="", help=say("alert, flow, http, dns, tls, ...", "loại sự kiện"))
    add("--sid", type=natural, help=say("signature id", "mã luật"))
    add("--signature", default="", metavar="TEXT", help=say("text in the signature", "chữ trong tên luật"))
    ends = say("either end: address or network", "địa chỉ hoặc mạng")
    add("--ip", default="", metavar="ADDRESS", help=ends)
    names = say("HTTP, TLS or DNS name; *.example.org for all below", "tên miền")
    add("--host", default="", help=names)
    payload = say("text in the printable payload, any case", "chữ trong phần dữ liệu in được")
    add("--text", default="", metavar="TEXT", help=payload)
    add("--flow-id", type=natural, help=say("the flow", "luồng"))
    add("--sensor", default="", help=say("from this sensor", "từ cảm biến này"))


def add_limit(parser: argparse.ArgumentParser, default: int) -> None:
    """--limit."""
    text = say(f"at most so many ({default})", f"nhiều nhất ({default})")
    parser.add_argument("--limit", type=natural, default=default, help=text)


def question(args: argparse.Namespace, *, most: int, oldest_first: bool = False) -> Question:
    """What the arguments ask for. UserError when there is no such time, or the limit is not in 1..most."""
    from collectors.store.search import Question, parse_time

    limit = getattr(args, "limit", most)
    if not 1 <= limit <= most:
        raise UserError(f"--limit must be between 1 and {most}")
    return Question(
        since=parse_time(args.since) if args.since else None,
        until=parse_time(args.until) if args.until else None,
        sid=args.sid,
        signature=args.signature,
        address=args.ip,
        host=args.host,
        text=args.text,
        flow_id=args.flow_id,
        sensor=args.sensor,
        event_type=args.type,
        limit=limit,
        oldest_first=oldest_first,
    )


def open_store(home: Home) -> tuple[Client, str]:
    """A client of the centre's store, and the database. UserError when it does not answer."""
    from collectors.home import ANNOUNCE_SECONDS
    from collectors.store.client import connect, connect_embedded, server_address

    settings, _ = home.load()
    if settings.store_url:
        return connect(server_address(settings.store_url)), settings.store_database
    home.wait_for(home.store_endpoint)
    patience = ANNOUNCE_SECONDS if home.is_running() else 0.0
    return connect_embedded(home.store_endpoint, patience_seconds=patience), settings.store_database


def natural(text: str) -> int:
    """argparse type: a number from 0 to 2^64 - 1."""
    if not text.isascii() or not text.isdigit() or int(text) >= 2**64:
        raise argparse.ArgumentTypeError(say(f"{text!r} is no number", f"{text!r} không phải là số"))
    return int(text)


def span(text: str) -> int:
    """argparse type: a length of time such as 30s 5m 1h 1d 1w, in seconds."""
    number, unit = text[:-1], text[-1:]
    if unit not in UNITS or not number.isascii() or not number.isdigit() or not 0 < int(number) < 10**6:
        raise UserError(f"{text!r} is no span of time", fix="such as 30s, 5m, 1h, 1d")
    return int(number) * UNITS[unit]
