"""--older-than, for rotation by a timer."""

from __future__ import annotations

import argparse
import time

from sensor.cli.language import say

_DAY_SECONDS = 86_400


def add_older_than(parser: argparse.ArgumentParser) -> None:
    """--older-than."""
    parser.add_argument(
        "--older-than",
        type=int,
        default=0,
        metavar="DAYS",
        help=say(
            "only when the present key is older (0); for a timer",
            "chỉ khi khóa hiện tại cũ hơn số ngày này (0); dùng cho bộ hẹn giờ",
        ),
    )


def is_kept(args: argparse.Namespace, created: float) -> bool:
    """Whether the key that was made then (seconds since 1970) is not old enough; it is told when so."""
    days = (time.time() - created) / _DAY_SECONDS
    if args.older_than <= 0 or days >= args.older_than:
        return False
    print(say(f"the key is {days:.0f} days old: kept", f"khóa mới {days:.0f} ngày: giữ nguyên"))
    return True
