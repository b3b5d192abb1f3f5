"""`haidang bus`: finds the action asked for. One action is one file in bus_actions/ and one word in
ACTIONS.
"""

from __future__ import annotations

import argparse
from typing import cast

from sensor.cli.actions import add_actions
from sensor.cli.language import say

NAME = "bus"
HELP = "the bus between sensors and centres: keys, sticks"
HELP_VI = "kênh giữa cảm biến và trung tâm: khóa, chuyển bằng USB"

ACTIONS = ("keys", "rotate", "export", "import_")
"""The actions, in the order of the help: each is the module of that name in bus_actions/."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar=say("ACTION", "VIỆC"), required=True, dest="action")
    add_actions(actions, "bus_actions", ACTIONS)


def run(args: argparse.Namespace) -> int:
    return cast(int, args.run_action(args))
