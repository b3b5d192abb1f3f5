"""The option that the actions about bundles share: the folder they live in."""

from __future__ import annotations

import argparse
from pathlib import Path

from sensor.cli.language import say

DEFAULT_OUTPUT = Path("/var/lib/haidang/rules")


def add_output(parser: argparse.ArgumentParser) -> None:
    """-o, the output folder of `haidang rules update`."""
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=DEFAULT_OUTPUT,
        metavar="DIR",
        help=say(f"folder of bundles ({DEFAULT_OUTPUT})", f"thư mục chứa các gói ({DEFAULT_OUTPUT})"),
    )
