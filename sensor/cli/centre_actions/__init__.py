"""Actions of `haidang centre`: each one file here and one word in `sensor.cli.centre.ACTIONS`.

This module holds what they share: the centre's directory and the form of the output.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from sensor.cli.language import say

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
