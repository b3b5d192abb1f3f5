"""`haidang bus`: finds the action asked for. One action is one file in bus_actions/ and one word in
ACTIONS.
"""

from __future__ import annotations

import argparse
import importlib
from typing import cast

from sensor.cli.language import say
from sensor.cli.rules import Action

NAME = "bus"
HELP = "the bus between sensors and centres: keys, sticks"
HELP_VI = "kênh giữa cảm biến và trung tâm: khóa, chuyển bằng USB"

ACTIONS = ("keys", "rotate", "export", "import_")
"""The actions, in the order of the help: each is the module of that name in bus_actions/."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar=say("ACTION", "VIỆC"), required=True, dest="action")
    for name in ACTIONS:
        action = cast(Action, importlib.import_module(f"sensor.cli.bus_actions.{name}"))
        text = say(action.HELP, action.HELP_VI)
        sub = actions.add_parser(
            action.NAME, help=text, description=text, epilog=say(action.EPILOG, action.EPILOG_VI)
        )
        action.add_arguments(sub)
        sub.set_defaults(run_action=action.run)


def run(args: argparse.Namespace) -> int:
    return cast(int, args.run_action(args))
