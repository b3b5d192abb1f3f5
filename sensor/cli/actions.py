"""What the actions of a command share: how those in files of their own are found, a parser with example and
exit codes, and a look at the input.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from sensor.cli.language import say
from sensor.errors import UserError


class Action(Protocol):
    """What every action in a file of its own offers. It may have ALIASES, too."""

    NAME: str
    HELP: str
    HELP_VI: str
    EPILOG: str
    EPILOG_VI: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...
    def run(self, args: argparse.Namespace) -> int: ...


def add_actions(actions: Any, package: str, names: Sequence[str]) -> None:
    """A parser for each action, the modules of these names in sensor.cli.PACKAGE; `run_action` runs it."""
    for name in names:
        found = cast(Action, importlib.import_module(f"sensor.cli.{package}.{name}"))
        text = say(found.HELP, found.HELP_VI)
        parser = actions.add_parser(
            found.NAME,
            aliases=getattr(found, "ALIASES", ()),
            help=text,
            description=text,
            epilog=say(found.EPILOG, found.EPILOG_VI),
        )
        found.add_arguments(parser)
        parser.set_defaults(run_action=found.run)


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
