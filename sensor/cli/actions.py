"""What the actions of a command share: a parser with example and exit codes, and a look at the input."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from sensor.cli.language import say
from sensor.errors import UserError


def action(
    actions: Any, name: str, text: tuple[str, str], example: str, codes: tuple[str, str]
) -> argparse.ArgumentParser:
    """A parser for one action. text, codes: in English and Vietnamese."""
    parser: argparse.ArgumentParser = actions.add_parser(name, help=say(*text), description=say(*text))
    parser.epilog = say(
        f"Example: {example}. Exit codes: {codes[0]}.", f"Ví dụ: {example}. Mã thoát: {codes[1]}."
    )
    return parser


def must_be_capture(path: Path) -> None:
    """UserError with the reason when a path is no capture."""
    from sensor.cli.inputs import find_captures

    if path.is_dir():
        raise UserError("this is a directory", where=path, fix="give one capture")
    for refusal in find_captures([str(path)]).refused:
        raise refusal
