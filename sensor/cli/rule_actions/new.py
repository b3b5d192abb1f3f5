"""`haidang rules new`: a rule with its test, from a flow of a capture."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sensor.cli.language import say
from sensor.errors import EXIT_OK, UserError

NAME = "new"
HELP = "make a rule with its test from a flow of a capture"
HELP_VI = "tạo luật kèm bài kiểm tra từ một luồng trong tệp bắt gói"
EPILOG = (
    "Example: haidang rules new -r x.pcap lists the flows; haidang rules new -r x.pcap --flow 3 -o gate "
    "--sid 1000001 makes the folder gate. Exit codes: 0 done, 1 no rule made from the flow fires, 2 usage or "
    "input error."
)
EPILOG_VI = (
    "Ví dụ: haidang rules new -r x.pcap liệt kê các luồng; haidang rules new -r x.pcap --flow 3 -o gate "
    "--sid 1000001 tạo thư mục gate. Mã thoát: 0 xong, 1 không luật nào tạo từ luồng khớp, 2 sai cách dùng "
    "hoặc dữ liệu vào."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from sensor.cli.configured import add_config_arguments

    add = parser.add_argument
    add("-r", "--read", type=Path, required=True, metavar="PCAP", help=say("the capture", "tệp bắt gói"))
    add(
        "--flow",
        type=int,
        metavar=say("NUMBER", "SỐ"),
        help=say("the flow, by its number in the list", "luồng, theo số trong danh sách"),
    )
    add(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help=say("the new folder (default: the sid)", "thư mục mới"),
    )
    add(
        "--sid",
        type=int,
        default=1_000_001,
        metavar="SID",
        help=say("of the rule (1000001)", "của luật (1000001)"),
    )
    add_config_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from sensor.cli.configured import load_config
    from sensor.rules.testing import new

    if not args.read.is_file():
        raise UserError("no such capture", where=args.read, fix="check the name")
    if not 0 < args.sid < 2**32:
        raise UserError(f"{args.sid} is no sid", where="--sid", fix="give 1 to 4294967295")
    config = load_config(args)
    found = new.flows(args.read, config)
    if args.flow is None:
        for number, flow in enumerate(found, 1):
            sys.stdout.write(f"{number:5} {flow.packets:6} {say('packets', 'gói')}  {flow.name}\n")
        return EXIT_OK
    if not 1 <= args.flow <= len(found):
        raise UserError(
            f"no flow {args.flow}", where=args.read, fix=f"there are {len(found)}; leave --flow out"
        )
    folder = args.output or Path(str(args.sid))
    rule, count = new.write(folder, args.read, found[args.flow - 1], args.sid, config)
    sys.stdout.write(f"{rule}\n")
    sys.stdout.write(
        say(
            f"{folder}: fires {count} time{'s' * (count != 1)}; try `haidang rules test {folder}`\n",
            f"{folder}: khớp {count} lần; `haidang rules test {folder}` chạy bài kiểm tra\n",
        )
    )
    return EXIT_OK
