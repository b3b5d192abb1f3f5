"""The captures that the actions of the bench are tried on: -r, and what there is below folders."""

from __future__ import annotations

import argparse

from sensor.cli.language import say
from sensor.errors import UserError


def add_captures(parser: argparse.ArgumentParser) -> None:
    """-r, which takes several and may be repeated."""
    file = say("FILE", "TỆP")
    parser.add_argument(
        "-r",
        "--read",
        dest="reads",
        action="extend",
        nargs="+",
        default=[],
        metavar=file,
        help=say(
            "captures (pcap, pcapng), directories of them, patterns; may be repeated",
            "tệp bắt gói (pcap, pcapng), thư mục, mẫu tên; có thể lặp lại",
        ),
    )


def captures_of(args: argparse.Namespace) -> list[str]:
    """The captures asked for. Raises UserError when none is given, or one cannot be read."""
    from sensor.cli.inputs import find_captures

    if not args.reads:
        raise UserError("no capture given", where="-r", fix="give -r FILE, or a directory of captures")
    found = find_captures(args.reads)
    if found.refused:
        raise found.refused[0]
    return found.paths
