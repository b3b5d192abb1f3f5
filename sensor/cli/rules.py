"""`haidang rules`: finds the action asked for. One action is one file in rule_actions/ and one word in
ACTIONS.
"""

from __future__ import annotations

import argparse
from typing import cast

from sensor.cli.actions import add_actions
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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar=say("ACTION", "VIỆC"), required=True, dest="action")
    add_actions(actions, "rule_actions", ACTIONS)


def run(args: argparse.Namespace) -> int:
    return cast(int, args.run_action(args))
