"""`haidang centre rotate`: a new hybrid key that sensors seal to; the old one is kept to open what was sealed
to it. With --transport a new CURVE key, served at an address of its own beside the old one.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from sensor.cli.centre_actions import add_directory
from sensor.cli.key_age import add_older_than, is_kept
from sensor.cli.language import say
from sensor.errors import EXIT_OK, UserError

if TYPE_CHECKING:
    from collectors.home import Home, Settings

NAME = "rotate"
HELP = "make a new key for batches to be sealed to; sensors learn it by themselves"
HELP_VI = "tạo khóa niêm phong mới; các cảm biến tự biết khóa mới"
EPILOG = (
    "A centre that runs takes it up within a second, and each sensor at its next session. The old key still "
    "opens what was sealed to it: `haidang centre keys` shows it, `--drop` forgets it. Tokens that were not "
    "used yet are void. --transport makes a new key for the connection instead: it is served at --listen "
    "beside the old one, and sensors that find it served there turn to it by themselves. The old one is "
    "served until --end-transport, which names the sensors that have not followed. Exit codes: 0 done, 2 "
    "usage or input."
)
EPILOG_VI = (
    "Trung tâm đang chạy dùng khóa mới trong một giây, mỗi cảm biến ở phiên kế tiếp. Khóa cũ vẫn mở được "
    "những gì đã niêm phong cho nó: xem bằng `haidang centre keys`, xóa bằng `--drop`. Mã đăng ký chưa dùng "
    "sẽ mất hiệu lực. --transport tạo khóa mới cho kết nối: khóa ấy được phục vụ tại --listen bên cạnh khóa "
    "cũ, cảm biến thấy nó ở đó thì tự chuyển sang. Khóa cũ được phục vụ tới khi có --end-transport, lệnh này "
    "nêu tên các cảm biến chưa chuyển. Mã thoát: 0 xong, 2 sai cách dùng."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_directory(parser)
    add_older_than(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--transport",
        action="store_true",
        help=say("a new key for the connection (CURVE) instead", "khóa mới cho kết nối (CURVE)"),
    )
    which.add_argument(
        "--end-transport",
        action="store_true",
        help=say("serve the connection's older key no longer", "thôi phục vụ khóa kết nối cũ"),
    )
    parser.add_argument(
        "--listen",
        default="",
        metavar="tcp://HOST:PORT",
        help=say("where the new transport key is served", "nơi phục vụ khóa kết nối mới"),
    )
    parser.add_argument(
        "--address",
        default="",
        help=say("how sensors reach that from outside (as bound)", "địa chỉ ấy nhìn từ ngoài (như đã mở)"),
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help=say("end it although sensors have not followed", "kể cả khi còn cảm biến chưa chuyển"),
    )


def run(args: argparse.Namespace) -> int:
    from collectors.home import Home
    from collectors.keyring import renew

    home = Home(args.directory)
    settings, keys = home.load()
    if (args.listen or args.address) and not args.transport:
        raise UserError("--listen and --address go with --transport")
    if args.transport:
        return _begin_transport(args, home, settings)
    if args.end_transport:
        return _end_transport(args, home)
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


def _begin_transport(args: argparse.Namespace, home: Home, settings: Settings) -> int:
    from collectors.transport import begin_transport, read_transports

    present = read_transports(home.keys_file, settings.listen, settings.address)[0]
    if is_kept(args, present.created):
        return EXIT_OK
    old, new = begin_transport(home.keys_file, settings.listen, settings.address, args.listen, args.address)
    print(
        say(
            f"new transport key at {new.listen}; the old one stays at {old.listen} until --end-transport",
            f"khóa kết nối mới tại {new.listen}; khóa cũ vẫn ở {old.listen} tới khi có --end-transport",
        )
    )
    print(f"  {home.load()[1].public().fingerprint}")
    return EXIT_OK


def _end_transport(args: argparse.Namespace, home: Home) -> int:
    from collectors.registry import Registry
    from collectors.transport import end_transport, read_transports

    serving = read_transports(home.keys_file)
    registry = Registry(home.registry_file)
    behind = registry.behind(serving[0].curve_public) if len(serving) > 1 else []
    registry.close()
    if behind and not args.force:
        raise UserError(
            f"{len(behind)} sensors have not followed to the new transport key: {', '.join(behind[:20])}"
            + (", ..." if len(behind) > 20 else ""),
            fix="wait for them; with --force each of them needs a new enrolment",
        )
    old = end_transport(home.keys_file)
    print(
        say(
            f"the old transport key at {old.listen} is served no longer",
            f"khóa kết nối cũ tại {old.listen} không còn được phục vụ",
        )
    )
    return EXIT_OK
