"""A token on the command line, and the name it enrols."""

from __future__ import annotations

import argparse
import socket
import sys
from typing import TYPE_CHECKING

from sensor.cli.language import say

if TYPE_CHECKING:
    from sensor.bus.enrol import Token


def add_token(parser: argparse.ArgumentParser, name: str) -> None:
    """TOKEN and --name; name: the help of the latter."""
    parser.add_argument(
        "token", metavar=say("TOKEN", "MÃ"), help=say("the token, or - to read it", "mã, hoặc - để đọc vào")
    )
    parser.add_argument("--name", default="", help=name)


def token_of(args: argparse.Namespace) -> Token:
    """The token; `-` reads it. UserError when it is none."""
    from sensor.bus.enrol import Token

    is_read = args.token == "-"  # noqa: S105  (standard input, not a secret)
    return Token.parse(sys.stdin.readline() if is_read else args.token)


def name_of(args: argparse.Namespace) -> str:
    """The name asked for, or this host's."""
    return args.name or socket.gethostname().split(".")[0].lower()
