"""`haidang centre stats`: what the store and the journal hold."""

from __future__ import annotations

import argparse
from typing import Any

from sensor.cli.centre_actions import add_directory, add_format, open_store
from sensor.cli.language import say
from sensor.errors import EXIT_FINDINGS, EXIT_OK

NAME = "stats"
HELP = "what the store and the journal hold"
HELP_VI = "thống kê"
EPILOG = "Exit codes: 0 fine, 1 something is in quarantine, 2 usage or input."
EPILOG_VI = "Mã thoát: 0 tốt, 1 có dữ liệu bị cách ly, 2 sai cách dùng."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_directory(parser)
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    from collectors import show
    from collectors.home import Home
    from collectors.journal import Journal
    from collectors.store.search import by_type, size
    from sensor.bus import lanes
    from sensor.cli.relay_rows import gap_text, stats_rows

    home = Home(args.directory)
    client, database = open_store(home)
    rows: list[dict[str, Any]] = [
        {"sensor": sensor, "what": kind or "(no event)", "events": count, "first": first, "last": last}
        for sensor, kind, count, first, last in by_type(client, database)
    ]
    events, stored, parts = size(client, database)
    journal = Journal(home.journal_file)
    waiting = journal.backlog()[1]
    for sensor, lane, reason, gaps, lost in journal.gaps():
        what = gap_text(lanes.NAMES[lane], reason, gaps)
        rows.append({"sensor": sensor, "what": what, "events": lost, "first": "", "last": ""})
    for sensor, reason, count in journal.quarantined():
        rows.append(
            {"sensor": sensor, "what": f"quarantine: {reason}", "events": count, "first": "", "last": ""}
        )
    journal.close()
    rows += stats_rows(home)
    show.print_records(rows, form=args.format)
    if args.format == "table":
        each = f"{stored / events:.0f}" if events else "-"
        print(
            say(
                f"{events} events in {parts} parts, {stored / 1e6:.1f} MB ({each} bytes each); {waiting} "
                f"in the journal only",
                f"{events} sự kiện trong {parts} phần, {stored / 1e6:.1f} MB ({each} byte mỗi sự kiện); "
                f"{waiting} mới ở nhật ký",
            )
        )
    return EXIT_FINDINGS if any(str(row["what"]).startswith("quarantine") for row in rows) else EXIT_OK
