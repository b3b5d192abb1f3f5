"""`haidang centre retain`: forget what the settings say, now; or show what is there and what would go."""

from __future__ import annotations

import argparse
from typing import Any

from sensor.cli.centre_actions import add_directory, add_format, open_store
from sensor.cli.language import say
from sensor.errors import EXIT_OK

NAME = "retain"
HELP = "forget what is older or more than the settings keep"
HELP_VI = "xóa những gì quá hạn hoặc quá mức cho phép"
EPILOG = (
    "A running centre does this every ten minutes by `retention-days` and `store-bytes` of centre.yaml. "
    "Example: haidang centre retain --dry-run. Exit codes: 0 done, 2 usage or input."
)
EPILOG_VI = (
    "Trung tâm đang chạy tự làm việc này mười phút một lần theo `retention-days` và `store-bytes` trong "
    "centre.yaml. Ví dụ: haidang centre retain --dry-run. Mã thoát: 0 xong, 2 sai cách dùng."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_directory(parser)
    text = say("only show what is there and what would go", "chỉ xem có gì và gì sẽ bị xóa")
    parser.add_argument("--dry-run", action="store_true", help=text)
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    from datetime import UTC, datetime

    from collectors.home import Home
    from collectors.show import print_records
    from collectors.store.retain import doomed, held, retain
    from sensor.bus import lanes

    home = Home(args.directory)
    settings, _ = home.load()
    client, database = open_store(home)
    today = datetime.now(UTC).date()
    if args.dry_run:
        pieces = held(client, database, settings.cluster())
        going = {
            (piece.day, piece.lane): piece.reason
            for piece in doomed(pieces, settings.retention(), settings.store_bytes, today)
        }
        shown = [piece._replace(reason=going.get((piece.day, piece.lane), "")) for piece in pieces]
    else:
        days, quota_bytes, cluster = settings.retention(), settings.store_bytes, settings.cluster()
        shown = retain(client, database, days, quota_bytes, today=today, cluster=cluster)
    rows: list[dict[str, Any]] = [
        {
            "day": piece.day.isoformat(),
            "class": lanes.NAMES[piece.lane],
            "events": piece.events,
            "bytes": piece.bytes,
            "goes" if args.dry_run else "reason": piece.reason,
        }
        for piece in shown
    ]
    print_records(rows, form=args.format)
    return EXIT_OK
