"""`haidang protocols`: the application protocols this build parses, as the engine itself lists them."""

from __future__ import annotations

import argparse
import json
import sys

from sensor.cli.keywords import print_columns
from sensor.cli.language import say
from sensor.errors import EXIT_OK

NAME = "protocols"
HELP = "list the application protocols this build parses"
HELP_VI = "liệt kê các giao thức ứng dụng mà bản này phân tích"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--json",
        action="store_true",
        help=say("as JSON, with sticky buffers and events", "dạng JSON, kèm bộ đệm và sự kiện"),
    )
    form.add_argument(
        "--docs",
        action="store_true",
        help=say("the manual page, in Markdown", "trang tài liệu, dạng Markdown"),
    )


def run(args: argparse.Namespace) -> int:
    from sensor import _engine

    table: list[dict[str, object]] = json.loads(_engine.protocols())
    if args.json:
        json.dump(table, sys.stdout, ensure_ascii=False, indent=2)
        sys.stdout.write("\n")
    elif args.docs:
        from sensor.cli.manual import protocol_pages

        keywords = json.loads(_engine.keywords())
        sys.stdout.writelines(f"{line}\n" for line in protocol_pages(table, keywords))
    else:
        print_columns([(str(p["name"]), _transport(p["transport"]), str(p["doc"])) for p in table])
    return EXIT_OK


def _transport(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
