"""`haidang centre search`: events that answer a question, as a table, JSON lines or CSV."""

from __future__ import annotations

import argparse
import sys

from sensor.cli.centre_actions import add_directory, add_filters, add_format, add_limit, open_store, question
from sensor.cli.language import say
from sensor.errors import EXIT_OK

NAME = "search"
HELP = "find events"
HELP_VI = "tìm sự kiện"
EPILOG = (
    "Example: haidang centre search --type alert --since 24h --ip 10.20.0.0/16. Exit codes: 0 answered, "
    "2 usage or input."
)
EPILOG_VI = (
    "Ví dụ: haidang centre search --type alert --since 24h --ip 10.20.0.0/16. Mã thoát: 0 đã trả lời, "
    "2 sai cách dùng."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_directory(parser)
    add_filters(parser)
    add_limit(parser, 100)
    parser.add_argument("--oldest", action="store_true", help=say("oldest first", "cũ nhất trước"))
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    from collectors import show
    from collectors.home import Home
    from collectors.store.search import MAX_LIMIT, search

    asked = question(args, most=MAX_LIMIT, oldest_first=args.oldest)
    client, database = open_store(Home(args.directory))
    print_found = {"table": show.print_table, "json": show.print_json, "csv": show.print_csv}[args.format]
    count = print_found(search(client, database, asked))
    if args.format == "table":
        more = say(" (--limit gives more)", " (--limit để xem thêm)") if count == args.limit else ""
        print(say(f"{count} events{more}", f"{count} sự kiện{more}"), file=sys.stderr)
    return EXIT_OK
