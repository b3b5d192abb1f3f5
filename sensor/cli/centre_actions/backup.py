"""`haidang centre backup DIR`: a centre, running or not, in a directory that can be carried away."""

from __future__ import annotations

import argparse
from pathlib import Path

from sensor.cli.centre_actions import add_directory
from sensor.cli.language import say
from sensor.errors import EXIT_OK

NAME = "backup"
HELP = "copy a centre, running or not, into a new directory"
HELP_VI = "sao lưu trung tâm, đang chạy hay không, vào một thư mục mới"
EPILOG = (
    "The copy holds the centre's keys: keep it as safe as the centre. Example: haidang centre backup "
    "/mnt/backup/2026-01-31. Exit codes: 0 done, 2 usage or input."
)
EPILOG_VI = (
    "Bản sao có cả khóa của trung tâm: hãy giữ an toàn như trung tâm. Ví dụ: haidang centre backup "
    "/mnt/backup/2026-01-31. Mã thoát: 0 xong, 2 sai cách dùng."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    where = say("a new directory", "một thư mục mới")
    parser.add_argument("target", type=Path, metavar=say("TARGET", "ĐÍCH"), help=where)
    add_directory(parser)


def run(args: argparse.Namespace) -> int:
    from collectors.backup import back_up
    from collectors.home import Home

    index = back_up(Home(args.directory), args.target)
    size = sum(file.size for file in index.files.values())
    events = sum(file.rows for name, file in index.files.items() if name.startswith("store/events-"))
    print(
        say(
            f"{args.target}: {len(index.files)} files, {size / 1e6:.1f} MB, {events:,} events of the store",
            f"{args.target}: {len(index.files)} tệp, {size / 1e6:.1f} MB, {events:,} sự kiện của kho",
        )
    )
    return EXIT_OK
