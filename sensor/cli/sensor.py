"""`haidang sensor enrol|run|status`: join a centre, carry captures or events to it, show what waits."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from sensor.cli.language import say
from sensor.errors import EXIT_FINDINGS, EXIT_INTERRUPTED, EXIT_OK, UserError

if TYPE_CHECKING:
    from sensor.bus.link import Link
    from sensor.bus.spool import Spool
    from sensor.run import Sink
    from sensor.source import Source

NAME = "sensor"
HELP = "join a centre and carry captures or events to it"
HELP_VI = "gia nhập một trung tâm và chuyển bản ghi gói tin hoặc sự kiện tới đó"

DEFAULT_DIRECTORY = "/var/lib/haidang/sensor"
SPOOL_FILE = "spool.sqlite"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar=say("ACTION", "VIỆC"))
    enrol = actions.add_parser(
        "enrol",
        help=say("make this sensor's keys and register them with a token", "tạo khóa và đăng ký bằng mã"),
        description=say(
            "Make this sensor's keys and register them at the centre that made the token (`haidang "
            "centre token`).",
            "Tạo khóa của cảm biến và đăng ký với trung tâm đã cấp mã (`haidang centre token`).",
        ),
    )
    _directory(enrol)
    enrol.add_argument(
        "token", metavar=say("TOKEN", "MÃ"), help=say("the token, or - to read it", "mã, hoặc - để đọc vào")
    )
    enrol.add_argument(
        "--name", default="", help=say("this sensor's name (default: the host's)", "tên cảm biến")
    )
    run_ = actions.add_parser(
        "run",
        help=say(
            "carry captures or events to the centre", "chuyển bản ghi gói tin hoặc sự kiện tới trung tâm"
        ),
        description=say(
            "Carry captures (-r) or EVE lines (--events) to the centre, each event once, also when "
            "either side is killed: "
            "begin again with the same command. Without input: ship what the spool still holds.",
            "Chuyển bản ghi gói tin (-r) hoặc dòng EVE (--events) tới trung tâm, mỗi sự kiện đúng một lần. "
            "Không có đầu vào: gửi nốt những gì còn trong vùng đệm.",
        ),
        epilog=say(
            "Exit codes: 0 the centre has everything; 1 something was lost or still waits in the spool; "
            "2 usage or input.",
            "Mã thoát: 0 trung tâm đã có đủ; 1 có mất mát hoặc còn chờ trong vùng đệm; 2 sai cách dùng.",
        ),
    )
    _directory(run_)
    _run_arguments(run_)
    status = actions.add_parser(
        "status", help=say("show what is delivered, waits and was lost", "xem tình trạng gửi")
    )
    _directory(status)
    status.add_argument("--json", action="store_true", help=say("as JSON", "dạng JSON"))


def _directory(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-d",
        "--dir",
        type=Path,
        default=Path(os.environ.get("HAIDANG_SENSOR", DEFAULT_DIRECTORY)),
        metavar=say("DIR", "THƯ_MỤC"),
        help=say(f"keys and spool (default: $HAIDANG_SENSOR or {DEFAULT_DIRECTORY})", "khóa và vùng đệm"),
    )


def _run_arguments(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "-r", "--read", nargs="+", default=[], metavar="PCAP", help=say("captures", "bản ghi gói tin")
    )
    source.add_argument(
        "--events",
        nargs="+",
        default=[],
        metavar="FILE",
        help=say("eve.json files, or - for standard input", "tệp eve.json, hoặc -"),
    )
    parser.add_argument(
        "-S",
        dest="only",
        nargs="+",
        default=[],
        metavar="RULES",
        help=say("these rules only", "chỉ dùng các luật này"),
    )
    parser.add_argument(
        "-s",
        dest="extra",
        nargs="+",
        default=[],
        metavar="RULES",
        help=say("these rules too", "thêm các luật này"),
    )
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help=say("configuration", "cấu hình"))
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help=say("override it", "đặt giá trị")
    )
    parser.add_argument(
        "-k",
        dest="checksums",
        default="",
        choices=("all", "none", "auto"),
        help=say("checksums", "tổng kiểm"),
    )
    parser.add_argument(
        "-l",
        dest="log_dir",
        type=Path,
        metavar="DIR",
        help=say("also write local output here", "ghi cả tại đây"),
    )
    parser.add_argument(
        "--again", action="store_true", help=say("send an input that was sent before", "gửi lại từ đầu")
    )
    parser.add_argument(
        "--when-full",
        choices=("wait", "shed"),
        default="wait",
        help=say(
            "spool full: wait for the centre, or give up the lowest lane", "vùng đệm đầy: chờ, hoặc bỏ bớt"
        ),
    )
    parser.add_argument(
        "--quota", default="10G", metavar="SIZE", help=say("bound of the spool (10G)", "giới hạn vùng đệm")
    )
    parser.add_argument(
        "--drain",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help=say(
            "at the end, give the centre this long without progress (60)",
            "cuối cùng, chờ trung tâm bao lâu (60)",
        ),
    )
    parser.add_argument(
        "--metrics",
        default="127.0.0.1:9477",
        metavar="HOST:PORT",
        help=say("Prometheus; '' for none", "địa chỉ số liệu"),
    )


def run(args: argparse.Namespace) -> int:
    if args.action == "enrol":
        return _enrol(args)
    return _run(args) if args.action == "run" else _status(args)


def _enrol(args: argparse.Namespace) -> int:
    import socket

    from sensor.bus.enrol import Token, enrol
    from sensor.bus.keys import SensorKeys, load_keys

    text = sys.stdin.readline() if args.token == "-" else args.token  # noqa: S105
    name = args.name or socket.gethostname().split(".")[0].lower()
    made = enrol(args.dir, Token.parse(text), name)
    own = load_keys(args.dir / "keys.json", SensorKeys).public().fingerprint
    print(say(f"{made.sensor} is enrolled at {made.address}", f"{made.sensor} đã đăng ký tại {made.address}"))
    print(f"  sensor {own}\n  centre {made.centre.fingerprint}")
    return EXIT_OK


def _run(args: argparse.Namespace) -> int:
    import signal

    from sensor import __version__
    from sensor.bus.enrol import load_enrolment
    from sensor.bus.link import Link
    from sensor.bus.seal import Sealer
    from sensor.bus.spool import Spool
    from sensor.run import drain, only_one
    from sensor.run import run as run_line

    keys, enrolment = load_enrolment(args.dir)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with only_one(args.dir):
        source, sinks = _source(args)
        spool = Spool(args.dir / SPOOL_FILE, enrolment.sensor, quota_bytes=_size(args.quota))
        link = Link(spool, keys, enrolment.centre, enrolment.address, software=f"haidang {__version__}")
        link.start()
        _metrics(args.metrics, spool, link)
        progress = _Progress(spool, link)
        try:
            if source is not None and not _is_done(spool, source, again=args.again):
                spooled = run_line(
                    source,
                    sinks,
                    spool,
                    Sealer(keys, enrolment.centre),
                    link,
                    shed=args.when_full == "shed",
                    stop=stop,
                    watch=progress.show,
                )
                for warning in source.warnings:
                    print(f"haidang: {say('warning', 'cảnh báo')}: {warning}", file=sys.stderr)
                progress.note(
                    say(
                        f"{spooled} events spooled from {source.what}",
                        f"đã nhận {spooled} sự kiện từ {source.what}",
                    )
                )
            delivered = drain(spool, link, seconds=args.drain, stop=stop, watch=progress.show)
        finally:
            progress.close()
            link.stop()
            link.join(5)
            for sink in sinks:
                getattr(sink, "close", lambda: None)()
        lost = _print_books(spool)
        spool.close()
    if stop.is_set():
        return EXIT_INTERRUPTED
    return EXIT_OK if delivered and not lost else EXIT_FINDINGS


def _source(args: argparse.Namespace) -> tuple[Source | None, list[Sink]]:
    from sensor.source import CaptureSource, EventsSource

    if not args.read and args.log_dir is None:
        return (EventsSource(args.events) if args.events else None), []
    from sensor.config import load as load_config
    from sensor.output import open_sinks

    config = load_config(args.config, args.set, checksums=args.checksums)
    sinks: list[Sink] = list(open_sinks(config, args.log_dir)) if args.log_dir is not None else []
    if args.events:
        return EventsSource(args.events), sinks
    if not args.read:
        return None, sinks
    from sensor.rules.loading import load as load_rules

    ruleset, _ = load_rules(config, only=args.only, extra=args.extra)
    return CaptureSource(args.read, config.engine_json(), ruleset), sinks


def _is_done(spool: Spool, source: Source, *, again: bool) -> bool:
    """Whether an earlier run read this input to its end; notes that the input is wanted again."""
    if not source.identity:
        return False
    if again:
        spool.forget_input(source.identity)
    finished, done = spool.begin_input(source.identity, source.what)
    if finished:
        print(
            say(
                f"{source.what}: all {sum(done)} events were spooled by an earlier run (--again sends "
                f"them once more)",
                f"{source.what}: cả {sum(done)} sự kiện đã được nhận ở lần chạy trước (--again để gửi lại)",
            ),
            file=sys.stderr,
        )
    elif any(done):
        print(
            say(
                f"{source.what}: going on after the {sum(done)} events that an earlier run spooled",
                f"{source.what}: tiếp tục sau {sum(done)} sự kiện của lần chạy trước",
            ),
            file=sys.stderr,
        )
    return finished


def _status(args: argparse.Namespace) -> int:
    import json

    import msgspec

    from sensor.bus.enrol import load_enrolment
    from sensor.bus.spool import Spool

    _, enrolment = load_enrolment(args.dir)
    spool = Spool(args.dir / SPOOL_FILE, enrolment.sensor)
    if args.json:
        told = {
            "sensor": enrolment.sensor,
            "address": enrolment.address,
            "epoch": spool.epoch,
            "spool_bytes": spool.used_bytes(),
            "books": msgspec.to_builtins(spool.books()),
        }
        print(json.dumps(told))
    else:
        print(f"{enrolment.sensor} > {enrolment.address}  ({spool.used_bytes() / 1e6:.1f} MB)")
        _print_books(spool)
    spool.close()
    return EXIT_OK


def _print_books(spool: Spool) -> int:
    """The account by lane; returns the events lost."""
    from rich.console import Console
    from rich.table import Table

    from sensor.bus import lanes

    table = Table(box=None, pad_edge=False)
    for title in (
        say("lane", "làn"),
        say("made", "tạo ra"),
        say("delivered", "đã giao"),
        say("pending", "còn chờ"),
        say("lost", "mất"),
    ):
        table.add_column(title, justify="left" if not table.columns else "right")
    total = 0
    for book in spool.books():
        lost = sum(book.lost.values())
        total += lost
        why = (
            " (" + ", ".join(f"{reason} {events}" for reason, events in sorted(book.lost.items())) + ")"
            if lost
            else ""
        )
        table.add_row(
            lanes.NAMES[book.lane], str(book.made), str(book.delivered), str(book.pending), f"{lost}{why}"
        )
    Console(highlight=False, markup=False).print(table)
    return total


def _metrics(address: str, spool: Spool, link: Link) -> None:
    if not address:
        return
    from prometheus_client import CollectorRegistry, start_http_server

    from sensor.bus.metrics import BusCollector

    host, _, port = address.rpartition(":")
    registry = CollectorRegistry()
    registry.register(BusCollector(spool, link))
    try:
        start_http_server(int(port), addr=host, registry=registry)
    except (OSError, ValueError, OverflowError) as error:
        print(f"haidang: {say('warning', 'cảnh báo')}: no metrics at {address}: {error}", file=sys.stderr)


def _size(text: str) -> int:
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
    number, unit = (text[:-1], units[text[-1].upper()]) if text[-1:].upper() in units else (text, 1)
    if not number.isascii() or not number.isdigit() or int(number) == 0:
        raise UserError(f"--quota: {text!r} is no size", fix="write 500M or 10G")
    return int(number) * unit


class _Progress:
    """A line on the terminal that says how far spool and centre are; nothing when standard error is no
    terminal.
    """

    def __init__(self, spool: Spool, link: Link) -> None:
        import time

        from rich.console import Console

        self._spool = spool
        self._link = link
        self._clock = time.monotonic
        self._due = 0.0
        self._console = Console(stderr=True, highlight=False, markup=False)
        self._status = self._console.status("") if self._console.is_terminal else None
        if self._status:
            self._status.start()

    def show(self) -> None:
        if self._status is None or self._clock() < self._due:
            return
        self._due = self._clock() + 0.25
        books = self._spool.books()
        made, delivered = sum(book.made for book in books), sum(book.delivered for book in books)
        link = (
            say("centre connected", "đã nối")
            if self._link.session.established
            else say("no centre yet", "chưa nối")
        )
        self._status.update(
            say(
                f"{made} events, {delivered} at the centre; {link}",
                f"{made} sự kiện, {delivered} đã giao; {link}",
            )
        )

    def note(self, text: str) -> None:
        if self._status is not None:
            self._console.print(text)

    def close(self) -> None:
        if self._status is not None:
            self._status.stop()
