"""`haidang capture`: interfaces through the engine into eve.json and fast.log, as Suricata's hands know it
from -i; no centre is needed.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time

from sensor.cli.language import say
from sensor.errors import EXIT_FINDINGS, EXIT_INTERRUPTED, EXIT_OK

NAME = "capture"
TAKES_REST = True  # words after the options belong to the capture filter
HELP = "run interfaces through the engine; write eve.json and fast.log"
HELP_VI = "chạy giao diện mạng qua bộ máy; ghi eve.json và fast.log"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from sensor.cli.configured import add_config_arguments, add_output_arguments, add_rule_arguments
    from sensor.cli.interfaces import add_live_arguments

    parser.add_argument(
        "filter",
        nargs="*",
        metavar=say("FILTER", "BỘ_LỌC"),
        help=say("a capture filter in tcpdump's language", "bộ lọc bắt gói theo ngôn ngữ của tcpdump"),
    )
    add_live_arguments(parser)
    add_rule_arguments(parser)
    add_output_arguments(parser)
    parser.add_argument(
        "--metrics",
        default="",
        metavar="HOST:PORT",
        help=say("serve Prometheus metrics there", "phục vụ số liệu Prometheus tại đây"),
    )
    add_config_arguments(parser)
    parser.epilog = say(
        "Example: haidang capture -i eth1 -l /var/log/haidang. Ctrl-C or SIGTERM ends it cleanly, SIGHUP "
        "reopens its logs. Exit codes: 0 fine, 1 packets were lost, 2 usage or input.",
        "Ví dụ: haidang capture -i eth1 -l /var/log/haidang. Ctrl-C hoặc SIGTERM để kết thúc, SIGHUP mở lại "
        "nhật ký. Mã thoát: 0 tốt, 1 có gói bị mất, 2 sai cách dùng hoặc đầu vào.",
    )


def run(args: argparse.Namespace) -> int:
    from sensor.cli.carry import serve_metrics
    from sensor.cli.configured import load_config
    from sensor.cli.live_run import LiveRun
    from sensor.cli.summary import Tally, capture_lines
    from sensor.output import close_sinks

    config = load_config(args)
    if args.log_dir is not None:
        config.tree["default-log-dir"] = args.log_dir
    if args.data_dir is not None:
        config.tree["default-data-dir"] = args.data_dir
    live = LiveRun(args, config, log_dir=config.log_dir())
    sinks = live.sinks(also=("stdout",) if args.stdout else ())
    tally, begin, stop = Tally(), time.monotonic(), threading.Event()
    try:
        with live.serve(None, again=stop.set) as collectors:
            serve_metrics(args.metrics, collectors)
            live.begin()
            for batch in live.source.batches():
                if stop.is_set():
                    return EXIT_INTERRUPTED
                if batch is not None:
                    for sink in sinks:
                        sink.write(batch)
                    tally.add(batch)
    finally:
        close_sinks(sinks)
    counters = live.source.live.counters()
    lines = capture_lines(tally, counters, live.report, seconds=time.monotonic() - begin)
    print(*lines, sep="\n", file=sys.stderr if args.stdout else sys.stdout)
    return EXIT_FINDINGS if live.keeper.has_lost else EXIT_OK
