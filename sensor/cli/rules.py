"""`haidang rules`: finds the action asked for. One action is one file in rule_actions/ and one word in
ACTIONS.
"""

from __future__ import annotations

import argparse
import importlib
from typing import Protocol, cast

from sensor.cli.language import say

NAME = "rules"
HELP = "check, lint, update and ship rules"
HELP_VI = "kiểm tra, soát, cập nhật và phát hành luật"

ACTIONS = (
    "check",
    "explain",
    "profile",
    "diff",
    "tune",
    "test",
    "new",
    "update",
    "verify",
    "rollback",
    "lsp",
)
"""The actions, in the order of the help: each is the module of that name in rule_actions/."""


class Action(Protocol):
    """What every action module offers."""

    NAME: str
    HELP: str
    HELP_VI: str
    EPILOG: str
    EPILOG_VI: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...
    def run(self, args: argparse.Namespace) -> int: ...


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar=say("ACTION", "VIỆC"), required=True, dest="action")
    for name in ACTIONS:
        action = cast(Action, importlib.import_module(f"sensor.cli.rule_actions.{name}"))
        text = say(action.HELP, action.HELP_VI)
        sub = actions.add_parser(
            action.NAME,
            aliases=getattr(action, "ALIASES", ()),
            help=text,
            description=text,
            epilog=say(action.EPILOG, action.EPILOG_VI),
        )
        action.add_arguments(sub)
        sub.set_defaults(run_action=action.run)


def run(args: argparse.Namespace) -> int:
    return cast(int, args.run_action(args))
