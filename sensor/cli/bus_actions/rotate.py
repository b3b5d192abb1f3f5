"""`haidang bus rotate`: new keys for this sensor, registered at its centre by the old ones."""

from __future__ import annotations

import argparse

from sensor.cli.key_age import add_older_than, is_kept
from sensor.cli.language import say
from sensor.errors import EXIT_OK

NAME = "rotate"
HELP = "make new keys for this sensor and have its centre honour them"
HELP_VI = "tạo khóa mới cho cảm biến và đăng ký với trung tâm"
EPILOG = (
    "The old keys sign the new ones; no token is needed. A sensor that runs takes them up within seconds and "
    "loses nothing. The centre honours the old keys for a week after the new ones were first used, and "
    "batches they signed for ever. Exit codes: 0 rotated, 2 refused, unreachable or usage."
)
EPILOG_VI = (
    "Khóa cũ ký cho khóa mới, không cần mã. Cảm biến đang chạy dùng khóa mới trong vài giây, không mất gì. "
    "Trung tâm còn nhận khóa cũ một tuần sau khi khóa mới được dùng lần đầu. Mã thoát: 0 xong, 2 bị từ chối, "
    "không tới được hoặc sai cách dùng."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from sensor.cli.sensor import add_directory

    add_directory(parser)
    add_older_than(parser)


def run(args: argparse.Namespace) -> int:
    from sensor.bus.enrol import load_enrolment
    from sensor.bus.rotation import rotate

    keys, _ = load_enrolment(args.dir)
    if is_kept(args, keys.created):
        return EXIT_OK
    old, new = rotate(args.dir)
    print(say("the centre honours the new keys", "trung tâm đã nhận khóa mới"))
    print(f"  {say('old', 'cũ')}  {old.fingerprint}\n  {say('new', 'mới')}  {new.fingerprint}")
    return EXIT_OK
