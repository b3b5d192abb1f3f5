"""`haidang centre top`: the most frequent signatures, addresses, names, ... among the events found."""

from __future__ import annotations

import argparse
from typing import Any

from sensor.cli.centre_actions import add_directory, add_filters, add_format, add_limit, open_store, question
from sensor.cli.language import say
from sensor.errors import EXIT_FINDINGS, EXIT_OK, UserError

NAME = "top"
HELP = "count events by signature, address, name, ..."
HELP_VI = "đếm sự kiện theo luật, địa chỉ, tên miền, ..."
EPILOG = (
    "What can be counted: signature category severity action src dest ip port host url app proto type "
    "sensor. Example: haidang centre top src --sid 2024897 --since 7d. Exit codes: 0 counted, 1 nothing "
    "found, 2 usage or input."
)
EPILOG_VI = (
    "Có thể đếm: signature category severity action src dest ip port host url app proto type sensor. "
    "Ví dụ: haidang centre top src --sid 2024897 --since 7d. Mã thoát: 0 có kết quả, 1 không có gì, "
    "2 sai cách dùng."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "column",
        nargs="?",
        default="signature",
        metavar=say("WHAT", "MỤC"),
        help=say("what to count (signature)", "đếm theo gì (signature)"),
    )
    add_directory(parser)
    add_filters(parser)
    add_limit(parser, 10)
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    from collectors import show
    from collectors.home import Home
    from collectors.store.figures import COUNTS, MAX_TOP, top

    if args.column not in COUNTS:
        raise UserError(f"{args.column!r} cannot be counted", fix=f"one of: {' '.join(COUNTS)}")
    asked = question(args, most=MAX_TOP)
    client, database = open_store(Home(args.directory))
    found = top(client, database, args.column, asked)
    rows: list[dict[str, Any]] = []
    for entry in found:
        row: dict[str, Any] = {} if entry.sid is None else {"sid": entry.sid}
        row |= {
            args.column: entry.value,
            "events": entry.events,
            "percent": round(entry.share * 100, 2),
            "first": entry.first,
            "last": entry.last,
        }
        rows.append(row)
    show.print_records(rows, form=args.format)
    return EXIT_OK if rows else EXIT_FINDINGS
