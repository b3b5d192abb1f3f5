"""`haidang centre restore BACKUP DIR`: a centre made again from a backup; or only the backup checked."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from sensor.cli.language import say
from sensor.errors import EXIT_OK, UserError

NAME = "restore"
HELP = "make a centre again from a backup, or check one"
HELP_VI = "dựng lại trung tâm từ bản sao, hoặc kiểm tra bản sao"
EPILOG = (
    "What sensors delivered after the backup was made is stated by them as missing. Example: haidang centre "
    "restore /mnt/backup/2026-01-31 /var/lib/haidang/centre. Exit codes: 0 done, 2 usage or input, or the "
    "backup is not whole."
)
EPILOG_VI = (
    "Những gì cảm biến đã gửi sau khi sao lưu sẽ được chúng báo là thiếu. Ví dụ: haidang centre restore "
    "/mnt/backup/2026-01-31 /var/lib/haidang/centre. Mã thoát: 0 xong, 2 sai cách dùng hoặc bản sao không "
    "nguyên vẹn."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("backup", type=Path, metavar=say("BACKUP", "BẢN_SAO"), help=say("the backup", "thư mục bản sao"))
    new = say("where the centre is made; there must be nothing", "nơi dựng trung tâm; phải còn trống")
    add("target", type=Path, nargs="?", metavar="DIR", help=new)
    add("--check", action="store_true", help=say("only read and check it all", "chỉ đọc và kiểm tra"))


def run(args: argparse.Namespace) -> int:
    from collectors.backup import check, restore
    from collectors.home import Home

    if (args.target is None) != args.check:
        raise UserError("give a directory for the centre, or --check")
    index = check(args.backup) if args.check else restore(args.backup, Home(args.target))
    made = f"{datetime.fromtimestamp(index.made, UTC):%Y-%m-%d %H:%M:%S}"
    events = sum(file.rows for name, file in index.files.items() if name.startswith("store/events-"))
    if args.check:
        print(
            say(
                f"{args.backup} is whole: of {made} UTC, {events:,} events of the store",
                f"{args.backup} nguyên vẹn: lúc {made} UTC, {events:,} sự kiện của kho",
            )
        )
    else:
        print(
            say(
                f"{args.target} is as it was at {made} UTC, with {events:,} events in the store\n"
                f"next: haidang centre serve -d {args.target}",
                f"{args.target} như lúc {made} UTC, kho có {events:,} sự kiện\n"
                f"tiếp: haidang centre serve -d {args.target}",
            )
        )
    return EXIT_OK
