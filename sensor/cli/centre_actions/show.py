"""`haidang centre show FLOW_ID`: everything the store holds of one flow, oldest first."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from sensor.cli.centre_actions import add_directory, add_format, add_limit, add_span, natural, open_store
from sensor.cli.language import say
from sensor.errors import EXIT_FINDINGS, EXIT_OK, UserError

NAME = "show"
HELP = "show one flow: its alerts, records and payload"
HELP_VI = "xem một luồng: cảnh báo, bản ghi và dữ liệu"
EPILOG = (
    "FLOW_ID is the flow_id of any event, as `haidang centre search` prints it. Exit codes: 0 shown, 1 no "
    "such flow, 2 usage or input."
)
EPILOG_VI = "MÃ_LUỒNG là flow_id của một sự kiện bất kỳ. Mã thoát: 0 đã hiện, 1 không có, 2 sai cách dùng."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "flow_id", type=natural, metavar=say("FLOW_ID", "MÃ_LUỒNG"), help=say("which", "luồng")
    )
    add_directory(parser)
    add_span(parser)
    parser.add_argument("--sensor", default="", help=say("at this sensor only", "chỉ tại cảm biến này"))
    add_limit(parser, 1000)
    add_format(parser, ("text", "json"))


def run(args: argparse.Namespace) -> int:
    from collectors import conversation
    from collectors.home import Home
    from collectors.show import print_json
    from collectors.store.figures import flow
    from collectors.store.search import MAX_LIMIT, Question, parse_time, search

    if not 1 <= args.limit <= MAX_LIMIT:
        raise UserError(f"--limit must be between 1 and {MAX_LIMIT}")
    asked = Question(
        since=parse_time(args.since) if args.since else None,
        until=parse_time(args.until) if args.until else None,
        flow_id=args.flow_id,
        sensor=args.sensor,
        limit=args.limit,
        oldest_first=True,
    )
    client, database = open_store(Home(args.directory))
    found = flow(client, database, asked)
    for entry in found:
        events = search(client, database, replace(asked, sensor=entry.sensor))
        if args.format == "json":
            print_json(events)
            continue
        conversation.print_heading(entry, args.flow_id)
        shown = conversation.print_events(events)
        if shown < entry.events:
            left = entry.events - shown
            print(say(f"  ... {left:,} more (--limit)", f"  ... còn {left:,} (--limit)"))
    if not found:
        print(say("no such flow", "không có luồng này"), file=sys.stderr)
    return EXIT_OK if found else EXIT_FINDINGS
