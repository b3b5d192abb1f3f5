"""`haidang centre rotate`: a new hybrid key that sensors seal to; the old one is kept to open what was sealed
to it.
"""

from __future__ import annotations

import argparse

from sensor.cli.centre_actions import add_directory
from sensor.cli.key_age import add_older_than, is_kept
from sensor.cli.language import say
from sensor.errors import EXIT_OK

NAME = "rotate"
HELP = "make a new key for batches to be sealed to; sensors learn it by themselves"
HELP_VI = "tạo khóa niêm phong mới; các cảm biến tự biết khóa mới"
EPILOG = (
    "A centre that runs takes it up within a second, and each sensor at its next session. The old key still "
    "opens what was sealed to it: `haidang centre keys` shows it, `--drop` forgets it. Tokens that were not "
    "used yet are void. Exit codes: 0 done, 2 usage or input."
)
EPILOG_VI = (
    "Trung tâm đang chạy dùng khóa mới trong một giây, mỗi cảm biến ở phiên kế tiếp. Khóa cũ vẫn mở được "
    "những gì đã niêm phong cho nó: xem bằng `haidang centre keys`, xóa bằng `--drop`. Mã đăng ký chưa dùng "
    "sẽ mất hiệu lực. Mã thoát: 0 xong, 2 sai cách dùng."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_directory(parser)
    add_older_than(parser)


def run(args: argparse.Namespace) -> int:
    from collectors.home import Home
    from collectors.keyring import renew

    home = Home(args.directory)
    _, keys = home.load()
    if is_kept(args, keys.created):
        return EXIT_OK
    old, new = renew(home.keys_file)
    print(
        say(
            f"new key {new.recipient.hex()}; {old.recipient.hex()} still opens what was sealed to it",
            f"khóa mới {new.recipient.hex()}; {old.recipient.hex()} vẫn mở được những gì đã niêm phong",
        )
    )
    print(f"  {new.fingerprint}")
    return EXIT_OK
