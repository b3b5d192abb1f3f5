"""`haidang keywords`: the rule keywords this build knows, as the engine itself lists them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence

from sensor.cli.language import say
from sensor.errors import EXIT_OK, UserError

NAME = "keywords"
HELP = "list the rule keywords this build understands"
HELP_VI = "liệt kê các từ khóa luật mà bản này hiểu"


_FIELDS = ("name", "aliases", "kind", "doc", "example", "accepts", "refuses")  # the order to read them in


def add_arguments(parser: argparse.ArgumentParser) -> None:
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help=say("as JSON, everything", "dạng JSON, đầy đủ"))
    form.add_argument(
        "--csv", action="store_true", help=say("as CSV, one line each", "dạng CSV, mỗi từ một dòng")
    )
    form.add_argument(
        "--docs",
        action="store_true",
        help=say("the manual page, in Markdown", "trang tài liệu, dạng Markdown"),
    )
    parser.add_argument(
        "keyword",
        nargs="?",
        metavar=say("KEYWORD", "TỪ_KHÓA"),
        help=say("tell everything about this one", "nói hết về từ khóa này"),
    )


def run(args: argparse.Namespace) -> int:
    from sensor import _engine

    table: list[dict[str, object]] = json.loads(_engine.keywords())
    if args.keyword:
        table = [entry for entry in table if args.keyword in _names(entry)]
        if not table:
            raise UserError(
                f"no keyword {args.keyword!r} in this build",
                fix="`haidang keywords` lists them",
            )
    if args.json:
        json.dump(table, sys.stdout, ensure_ascii=False, indent=2)
        sys.stdout.write("\n")
    elif args.csv:
        _write_csv(table)
    elif args.docs:
        from sensor.cli.manual import keyword_pages

        sys.stdout.writelines(f"{line}\n" for line in keyword_pages(table))
    elif args.keyword:
        _describe(table[0])
    else:
        print_columns([(_text(entry, "name"), _text(entry, "kind"), _text(entry, "doc")) for entry in table])
    return EXIT_OK


def print_columns(rows: Sequence[tuple[str, ...]]) -> None:
    """Rows as aligned columns; only the first line of the last column is shown."""
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(len(rows[0]) - 1)] if rows else []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        sys.stdout.write("  ".join([*cells, row[-1].partition("\n")[0]]).rstrip() + "\n")


def _write_csv(table: Sequence[Mapping[str, object]]) -> None:
    import csv

    fields = ("name", "kind", "doc", "example")
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(fields)
    writer.writerows([_text(entry, field) for field in fields] for entry in table)


def _describe(entry: Mapping[str, object]) -> None:
    fields = [field for field in _FIELDS if field in entry] + [
        field for field in entry if field not in _FIELDS
    ]
    for field in fields:
        value = entry[field]
        if isinstance(value, list):
            sys.stdout.write(f"{field}:\n" + "".join(f"  {item}\n" for item in value))
        else:
            sys.stdout.write(f"{field}: {value}\n")


def _names(entry: Mapping[str, object]) -> list[object]:
    aliases = entry.get("aliases")
    return [entry["name"], *(aliases if isinstance(aliases, list) else [])]


def _text(entry: Mapping[str, object], field: str) -> str:
    value = entry.get(field)
    return "" if value is None else str(value)
