"""`haidang centre timeline`: how many events, and alerts among them, step by step over time."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sensor.cli.centre_actions import add_directory, add_filters, add_format, open_store, question, span
from sensor.cli.language import say
from sensor.errors import EXIT_FINDINGS, EXIT_OK

if TYPE_CHECKING:
    from collectors.store.figures import Step

NAME = "timeline"
HELP = "count events over time"
HELP_VI = "đếm sự kiện theo thời gian"
EPILOG = (
    "Example: haidang centre timeline --type alert --since 7d --step 1h. Exit codes: 0 counted, 1 nothing "
    "found, 2 usage or input."
)
EPILOG_VI = (
    "Ví dụ: haidang centre timeline --type alert --since 7d --step 1h. Mã thoát: 0 có kết quả, "
    "1 không có gì, 2 sai cách dùng."
)

_BAR = 50  # characters of the highest step


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_directory(parser)
    add_filters(parser)
    step = say("length of a step, such as 30s 5m 1h 1d (chosen to fit)", "độ dài mỗi bước: 30s 5m 1h 1d")
    parser.add_argument("--step", type=span, default=0, metavar=say("SPAN", "BƯỚC"), help=step)
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    from collectors.home import Home
    from collectors.store.figures import timeline
    from collectors.store.search import MAX_LIMIT

    asked = question(args, most=MAX_LIMIT)
    client, database = open_store(Home(args.directory))
    seconds, steps = timeline(client, database, asked, args.step)
    if args.format == "table":
        _draw(seconds, steps)
    else:
        _write(steps, args.format)
    return EXIT_OK if steps else EXIT_FINDINGS


def _draw(seconds: int, steps: Sequence[Step]) -> None:
    if not steps:
        return
    print(
        say(
            f"steps of {seconds} s; # alerts, = other events",
            f"mỗi bước {seconds} giây; # cảnh báo, = sự kiện khác",
        )
    )
    highest = max(step.events for step in steps)
    for step in steps:
        # Whatever is there is seen, however high the highest step is.
        length = -(-step.events * _BAR // highest)
        marked = -(-step.alerts * length // step.events) if step.events else 0
        bar = "#" * marked + "=" * (length - marked)
        print(f"{step.begin:%Y-%m-%d %H:%M:%S}  {step.events:>12,}  {step.alerts:>10,}  {bar}".rstrip())


def _write(steps: Sequence[Step], form: str) -> None:
    if form == "csv":
        sys.stdout.write("begin,events,alerts\n")
    for step in steps:
        begin = f"{step.begin:%Y-%m-%dT%H:%M:%SZ}"
        if form == "csv":
            sys.stdout.write(f"{begin},{step.events},{step.alerts}\n")
        else:
            told = {"begin": begin, "events": step.events, "alerts": step.alerts}
            sys.stdout.write(json.dumps(told) + "\n")
