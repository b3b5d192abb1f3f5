"""`haidang capture`: interfaces through the engine into eve.json and fast.log, as Suricata's hands know it
from -i; no centre is needed.
"""

from __future__ import annotations

import argparse
import sys
import time

from sensor.cli.language import say
from sensor.errors import EXIT_FINDINGS, EXIT_OK

NAME = "capture"
TAKES_REST = True  # words after the options belong to the capture filter
HELP = "run interfaces through the engine; write eve.json and fast.log"
HELP_VI = "chạy giao diện mạng qua bộ máy; ghi eve.json và fast.log"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from sensor.cli.configured import add_config_arguments, add_rule_arguments
    from sensor.cli.interfaces import add_live_arguments

    parser.add_argument(
        "filter",
        nargs="*",
        metavar=say("FILTER", "BỘ_LỌC"),
        help=say("a capture filter in tcpdump's language", "bộ lọc bắt gói theo ngôn ngữ của tcpdump"),
    )
    add_live_arguments(parser)
    add_rule_arguments(parser)
    folder = say("DIR", "THƯ_MỤC")
    parser.add_argument(
        "-l",
        dest="log_dir",
        metavar=folder,
        help=say("where output goes (default: here)", "nơi ghi kết quả (mặc định: tại đây)"),
    )
    parser.add_argument(
        "--data-dir",
        dest="data_dir",
        metavar=folder,
        help=say("where data sets are kept (default: here)", "nơi giữ các tập dữ liệu (mặc định: tại đây)"),
    )
    parser.add_argument(
        "--stdout",
        action="store_true",
        help=say("write events to standard output too", "ghi sự kiện ra cả đầu ra chuẩn"),
    )
    add_config_arguments(parser)
    parser.epilog = say(
        "Example: haidang capture -i eth1 -l /var/log/haidang. Ctrl-C or SIGTERM ends it cleanly, SIGHUP "
        "reopens its logs. Exit codes: 0 fine, 1 packets were lost, 2 usage or input.",
        "Ví dụ: haidang capture -i eth1 -l /var/log/haidang. Ctrl-C hoặc SIGTERM để kết thúc, SIGHUP mở lại "
        "nhật ký. Mã thoát: 0 tốt, 1 có gói bị mất, 2 sai cách dùng hoặc đầu vào.",
    )


def run(args: argparse.Namespace) -> int:
    from sensor.cli.configured import load_config, tell_warnings
    from sensor.cli.interfaces import on_signals, open_capture
    from sensor.cli.summary import Tally, capture_lines
    from sensor.live.privileges import drop
    from sensor.output import close_sinks, open_sinks, reopen_sinks

    config = load_config(args)
    if args.log_dir is not None:
        config.tree["default-log-dir"] = args.log_dir
    if args.data_dir is not None:
        config.tree["default-data-dir"] = args.data_dir
    capture, report = open_capture(args, config, [*args.filter, *args.rest])
    drop(args.user, args.group)
    sinks = open_sinks(config, config.log_dir(), also=["stdout"] if args.stdout else [])
    tally, begin = Tally(), time.monotonic()
    try:
        on_signals(capture, lambda: reopen_sinks(sinks))
        capture.begin()
        print(say("capturing", "đang bắt gói"), file=sys.stderr, flush=True)
        for batch in capture.batches():
            if batch is not None:
                for sink in sinks:
                    sink.write(batch)
                tally.add(batch)
    finally:
        close_sinks(sinks)
    tell_warnings(capture.warnings)
    counters = capture.live.counters()
    lines = capture_lines(tally, counters, report, seconds=time.monotonic() - begin)
    print(*lines, sep="\n", file=sys.stderr if args.stdout else sys.stdout)
    return EXIT_FINDINGS if counters.get("capture.kernel_drops") else EXIT_OK
