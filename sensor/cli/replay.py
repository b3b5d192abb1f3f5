"""`haidang replay`: captures through the engine into eve.json and fast.log, as Suricata's hands know it from
-r.

This file reads arguments and drives the loop; rules, configuration, sinks and summary are made elsewhere.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from sensor.cli.language import say
from sensor.errors import EXIT_FINDINGS, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, UserError

if TYPE_CHECKING:
    from sensor._engine import Batch, InForce, Replay, Ruleset
    from sensor.config import Config
    from sensor.config.values import Json
    from sensor.rules.findings import RuleReport

NAME = "replay"
TAKES_REST = True  # words after the options belong to the capture filter
HELP = "run captures through the engine; write eve.json and fast.log"
HELP_VI = "chạy tệp bắt gói qua bộ máy; ghi eve.json và fast.log"

BATCH_WAIT_SECONDS = 0.2  # how often the progress bar moves when no events come
MAX_WORKERS = 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from sensor.cli.configured import add_config_arguments, add_output_arguments, add_rule_arguments

    file, folder = say("FILE", "TỆP"), say("DIR", "THƯ_MỤC")
    add = parser.add_argument
    add(
        "paths",
        nargs="*",
        metavar=f"{file}|{folder}",
        help=say(
            "captures (pcap, pcapng), directories of them, patterns; - is standard input",
            "tệp bắt gói (pcap, pcapng), thư mục, mẫu tên; - là đầu vào chuẩn",
        ),
    )
    add(
        "-r",
        dest="reads",
        action="append",
        default=[],
        metavar=file,
        help=say(
            "the same, as Suricata writes it; may be repeated", "như trên, theo kiểu Suricata; có thể lặp lại"
        ),
    )
    add_rule_arguments(parser)
    add_output_arguments(parser)
    add(
        "-T",
        dest="test",
        action="store_true",
        help=say("only test configuration and rules", "chỉ thử cấu hình và luật"),
    )
    add(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help=say("threads (default: 1)", "số luồng xử lý (mặc định: 1)"),
    )
    add(
        "--report",
        metavar=say("FILE.html", "TỆP.html"),
        help=say(
            "write a page about the replay: one file, no network",
            "ghi một trang báo cáo: một tệp, không cần mạng",
        ),
    )
    add(
        "--evidence",
        metavar=folder,
        help=say(
            "write each alert's flow from its first packet as a pcapng of its own",
            "ghi luồng của mỗi cảnh báo, từ gói đầu, thành một tệp pcapng riêng",
        ),
    )
    add("--no-random", action="store_true", help=say("nothing at random", "không dùng ngẫu nhiên"))
    add("--disable-detection", action="store_true", help=say("no rules", "không dùng luật"))
    add(
        "--init-errors-fatal",
        action="store_true",
        help=say("leave when a rule is bad", "dừng khi có luật hỏng"),
    )
    for option in ("--runmode", "--pcap-file-recursive", "--simulate-ips"):
        value = {"metavar": "X"} if option == "--runmode" else {"action": "store_true"}
        add(option, **value, help=say("accepted; has no effect here", "được chấp nhận; không có tác dụng"))  # type: ignore[arg-type]  # **value is one of three shapes
    add(
        "-F",
        dest="filter_file",
        metavar=file,
        help=say(
            "file with a capture filter; one may also follow the captures as words",
            "tệp chứa bộ lọc bắt gói; cũng có thể viết bộ lọc sau các tệp bắt gói",
        ),
    )
    add_config_arguments(parser)
    parser.epilog = say(
        "Example: haidang replay day/*.pcap -l out --report day.html. Exit codes: 0 fine, 1 a rule is bad "
        "(-T), 2 usage or input, 130 interrupted. SIGUSR2 reloads the rules.",
        "Ví dụ: haidang replay ngay/*.pcap -l out --report ngay.html. Mã thoát: 0 tốt, 1 có luật hỏng (-T), "
        "2 sai cách dùng hoặc đầu vào, 130 bị ngắt. SIGUSR2 nạp lại luật.",
    )


def run(args: argparse.Namespace) -> int:
    from sensor.cli.configured import tell_warnings
    from sensor.cli.summary import rule_lines
    from sensor.rules.loading import load

    _refuse_what_cannot_be(args)
    if args.no_random:
        args.settings.append("stream.reassembly.randomize-chunk-size=no")
    capture_filter = _take_filter(args)
    config = _configure(args, capture_filter)
    paths, all_usable = _captures(args)
    if not (paths or args.test):
        return EXIT_USAGE
    ruleset, report = load(config, only=args.only, extra=args.extra, validate_only=args.test)
    tell_warnings([*config.warnings, *report.warnings])
    if args.test or (args.init_errors_fatal and report.is_bad):
        print(*rule_lines(report), sep="\n")
        if report.is_bad:
            return EXIT_FINDINGS
        print(say("configuration and rules are fine", "cấu hình và luật đều tốt"))
        return EXIT_OK
    rulesets = [ruleset]
    del ruleset  # the engine's alone, so that a reload frees it
    code = _replay(args, config, rulesets, report, paths, capture_filter)
    return code or (EXIT_OK if all_usable else EXIT_USAGE)


def _configure(args: argparse.Namespace, capture_filter: str) -> Config:
    from sensor.cli.configured import load_config

    config = load_config(args)
    if capture_filter:
        from sensor.cli.bpf import compile_filter

        config.tree["capture-filter"] = cast("Json", compile_filter(capture_filter))
    if args.log_dir is not None:
        config.tree["default-log-dir"] = args.log_dir
    if args.data_dir is not None:
        config.tree["default-data-dir"] = args.data_dir
    if args.disable_detection:
        config.tree["rule-files"], args.only, args.extra = [], [], []
    return config


@contextmanager
def _reloading(
    args: argparse.Namespace, config: Config, replay: Replay, capture_filter: str
) -> Iterator[None]:
    """Until it is left, SIGUSR2 has the rules and what belongs to them read again, as in Suricata."""
    from sensor.rules.loading import load
    from sensor.rules.reload import Reloader

    def read(in_force: InForce) -> tuple[Ruleset, RuleReport]:
        config = _configure(args, capture_filter)
        ruleset, report = load(config, only=args.only, extra=args.extra, in_force=in_force)
        if args.init_errors_fatal and report.is_bad:
            raise UserError(report.first_reasons(1)[0], fix="see haidang rules check")
        return ruleset, report

    reloader = Reloader(replay, config, read)
    before = signal.signal(signal.SIGUSR2, lambda *_: reloader.ask())
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR2, before)
        reloader.close()


def _refuse_what_cannot_be(args: argparse.Namespace) -> None:
    if not 1 <= args.workers <= MAX_WORKERS:
        raise UserError(
            f"{args.workers} is no number of threads", where="--workers", fix=f"give 1 to {MAX_WORKERS}"
        )
    if not (args.paths or args.reads or args.test):
        raise UserError("no capture given", fix="haidang replay FILE, or a directory of captures")


def _take_filter(args: argparse.Namespace) -> str:
    """The capture filter, taken out of the positional arguments: as Suricata reads its command line, words
    after the last capture are a filter in tcpdump's language. What is called .pcap is a capture even
    when it is not there.
    """
    names = [*args.paths, *args.rest]
    captures = [
        name == "-" or "*" in name or Path(name).exists() or name.endswith((".pcap", ".pcapng", ".cap"))
        for name in names
    ]
    end = max((at + 1 for at, is_capture in enumerate(captures) if is_capture), default=0)
    words = names[end:] if end or args.reads else []
    args.paths = names[: len(names) - len(words)]
    if args.filter_file is None:
        return " ".join(words)
    if words:
        raise UserError("a capture filter is given twice", where="-F", fix="give -F or words, not both")
    return Path(args.filter_file).read_text(encoding="utf-8").strip()


def _captures(args: argparse.Namespace) -> tuple[list[str], bool]:
    """The captures to read, and whether nothing was refused; each refusal is told in one line."""
    from sensor.cli.inputs import find_captures

    captures = find_captures([*args.paths, *args.reads])
    for refusal in captures.refused:
        print(f"haidang: {say('error', 'lỗi')}: {refusal}", file=sys.stderr)
    return captures.paths, not captures.refused


def _replay(
    args: argparse.Namespace,
    config: Config,
    rulesets: list[Ruleset],
    report: RuleReport,
    paths: Sequence[str],
    capture_filter: str,
) -> int:
    from sensor._engine import Replay
    from sensor.cli.configured import tell_warnings
    from sensor.cli.desk import Desk
    from sensor.cli.summary import Tally, replay_lines
    from sensor.output import close_sinks, open_sinks

    desk = Desk(args, paths)
    sinks = open_sinks(config, config.log_dir(), also=["stdout"] if args.stdout else [])
    tally, begin = Tally(), time.monotonic()
    try:
        replay = Replay(config.engine_json(), rulesets.pop(), paths, args.workers)
        with _progress_bar() as bar, _reloading(args, config, replay, capture_filter):
            is_whole = _drain(replay, [*(sink.write for sink in sinks), tally.add, *desk.takers], bar)
    finally:
        close_sinks(sinks)
    tell_warnings(replay.warnings)
    seconds = time.monotonic() - begin
    lines = [
        *replay_lines(tally, replay.counters(), report, files=len(paths), seconds=seconds),
        *desk.finish(config, replay.counters(), report),
    ]
    print(*lines, sep="\n", file=sys.stderr if args.stdout else sys.stdout)
    return EXIT_OK if is_whole else EXIT_INTERRUPTED


def _drain(replay: Replay, takers: Sequence[Callable[[Batch], None]], bar: Bar) -> bool:
    """Bring every batch to everyone; False when the user interrupted, and what was pending is written."""
    is_whole = True
    while True:
        try:
            batch = replay.next_batch(BATCH_WAIT_SECONDS)
            if batch is None:
                if replay.finished:
                    return is_whole
            else:
                for take in takers:
                    take(batch)
            bar.show(*replay.progress)
        except KeyboardInterrupt:
            if not is_whole:
                raise  # twice: leave at once
            is_whole = False
            replay.stop()
        except BaseException:
            replay.stop()  # nobody takes its batches any more
            raise


class Bar(Protocol):
    """What shows how far the replay is."""

    def show(self, done_bytes: int, total_bytes: int) -> None: ...


class _NoBar:
    def show(self, done_bytes: int, total_bytes: int) -> None:
        """Nobody is looking."""


def _progress_bar() -> AbstractContextManager[Bar]:
    """A bar on a terminal; nothing in a pipe."""
    if not sys.stderr.isatty():
        return nullcontext(_NoBar())
    from sensor.cli.progress import ProgressBar

    return ProgressBar()
