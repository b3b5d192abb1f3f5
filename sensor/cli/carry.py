"""`haidang sensor run`: the parts of a run put together from the command line, and its progress shown.

The line itself is `sensor.run`.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from sensor.cli.language import say
from sensor.errors import EXIT_FINDINGS, EXIT_INTERRUPTED, EXIT_OK, UserError

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

    from sensor.bus.link import Link
    from sensor.bus.spool import Spool
    from sensor.cli.live_run import LiveRun
    from sensor.run import Sink
    from sensor.source import Source

MIN_QUOTA_BYTES = 32 * 1024 * 1024  # one step of the line, four full batches, must fit
MIN_BANDWIDTH_BYTES = 1024  # a second; below, heartbeats alone would take most of it
_LINK_END_SECONDS = 5.0


def carry(args: argparse.Namespace) -> int:
    """Run the sensor as asked; the exit code."""
    from sensor import __version__
    from sensor.bus.identity import FreshSealer, Identity
    from sensor.bus.metrics import BusCollector
    from sensor.bus.spool import SPOOL_FILE, Spool
    from sensor.cli.books import print_books
    from sensor.cli.configured import tell_warnings
    from sensor.run import drain, only_one
    from sensor.run import run as run_line

    logging.basicConfig(level=logging.WARNING, format="haidang: %(message)s")
    quota_bytes = _size("--quota", args.quota, at_least=MIN_QUOTA_BYTES)
    bytes_per_second = _size("--bandwidth", args.bandwidth) if args.bandwidth else 0
    identity = Identity(args.dir)
    enrolment = identity.enrolment
    if args.failover <= 0:
        raise UserError("--failover must be more than 0 seconds")
    stop = _stop_on_signals()
    # Interfaces are opened first: what comes after needs no privileges, and has none.
    capture = _live(args) if args.interfaces else None
    if capture is None and (words := [*args.filter, *args.rest]):
        raise UserError(f"unknown arguments: {' '.join(words)}", fix="a capture filter goes with -i")
    with contextlib.ExitStack() as cleanup:
        cleanup.enter_context(only_one(args.dir))
        source: Source | None
        sinks: list[Sink]
        if capture is None:
            source, sinks = _source(args)
        else:
            source, sinks = capture.source, cast("list[Sink]", capture.sinks())
        for sink in sinks:
            cleanup.callback(sink.close)
        spool = Spool(
            args.dir / SPOOL_FILE,
            enrolment.sensor,
            quota_bytes=quota_bytes,
            mend=True,
            has_alternates=len(identity.centres) > 1,
        )
        cleanup.callback(spool.close)
        lost_before = _lost(spool)
        link = identity.link(
            spool,
            software=f"haidang {__version__}",
            bytes_per_second=bytes_per_second,
            failover_seconds=args.failover,
        )
        link.start()
        cleanup.callback(link.join, _LINK_END_SECONDS)
        cleanup.callback(link.stop)
        collectors: list[Collector] = [BusCollector(spool, link)]
        if capture is not None:
            if capture.heart is not None:
                link.session.proof = capture.heart.proof
            collectors += cleanup.enter_context(capture.serve(spool, again=stop.set))
        serve_metrics(args.metrics, collectors)
        progress = _Progress(spool, link)
        cleanup.callback(progress.close)
        if source is not None and not _is_done(spool, source, again=args.again):
            sealer = FreshSealer(args.dir)

            def watch() -> None:
                progress.show()
                sealer.refresh()

            # A wire does not wait.
            shed = (args.when_full or ("wait" if capture is None else "shed")) == "shed"
            if capture is not None:
                capture.begin()
            run_line(source, sinks, spool, sealer, link, shed=shed, stop=stop, watch=watch)
            tell_warnings(source.warnings)
        delivered = drain(spool, link, seconds=args.drain, stop=stop, watch=progress.show)
        progress.close()
        print_books(spool)
        if not delivered:
            tell_warnings([_why_not_delivered(link)])
        lost = _lost(spool) - lost_before
    if stop.is_set():
        return EXIT_INTERRUPTED
    is_whole = delivered and not lost and (capture is None or not capture.keeper.has_lost)
    return EXIT_OK if is_whole else EXIT_FINDINGS


def _stop_on_signals() -> threading.Event:
    """Set by SIGTERM and Ctrl-C: the line ends after the batch in hand, and what is spooled stays."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _lost(spool: Spool) -> int:
    return sum(sum(book.lost.values()) for book in spool.books())


def _why_not_delivered(link: Link) -> str:
    address = link.collector.address
    if link.session.hold_reason:
        return say(
            f"the centre refuses our batches ({link.session.hold_reason}): enrol this sensor again",
            f"trung tâm từ chối ({link.session.hold_reason}): hãy đăng ký lại cảm biến",
        )
    if not link.session.was_welcome:
        return say(
            f"no centre answered at {address}: is it running, is this sensor still enrolled?",
            f"không có trung tâm nào trả lời tại {address}: có đang chạy, còn được đăng ký không?",
        )
    return say(
        "the centre does not have everything yet: what is pending goes out with the next run",
        "trung tâm chưa có đủ: phần còn chờ sẽ được gửi ở lần chạy sau",
    )


def _source(args: argparse.Namespace) -> tuple[Source | None, list[Sink]]:
    """What the arguments ask to read, and the local outputs."""
    from sensor.source import CaptureSource, EventsSource

    if not args.read and args.log_dir is None:
        return (EventsSource(args.events) if args.events else None), []
    from sensor.cli.configured import load_config, tell_warnings
    from sensor.cli.inputs import find_captures
    from sensor.output import open_sinks
    from sensor.rules.loading import load as load_rules

    # A run that is resumed must make the same events in the same order.
    args.settings.append("stream.reassembly.randomize-chunk-size=no")
    config = load_config(args)
    # Sinks read data and lanes of a batch, which every source's batches have.
    sinks = cast("list[Sink]", open_sinks(config, args.log_dir)) if args.log_dir is not None else []
    if not args.read:
        return (EventsSource(args.events) if args.events else None), sinks
    captures = find_captures(args.read)
    if captures.refused:
        raise captures.refused[0]
    ruleset, report = load_rules(config, only=args.only, extra=args.extra)
    tell_warnings([*config.warnings, *report.warnings])
    return CaptureSource(captures.paths, config.engine_json(), ruleset), sinks


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


def _live(args: argparse.Namespace) -> LiveRun:
    """The interfaces of -i, open, and privileges gone."""
    from sensor.cli.configured import load_config
    from sensor.cli.live_run import LiveRun

    if args.read or args.events:
        raise UserError("captures and interfaces at once", where="-i", fix="give -i, -r or --events")
    config = load_config(args)
    if args.log_dir is not None:
        config.tree["default-log-dir"] = str(args.log_dir)
    return LiveRun(args, config, log_dir=args.log_dir, directory=args.dir)


def serve_metrics(address: str, collectors: Sequence[Collector]) -> None:
    """Prometheus at HOST:PORT; '' for none. What cannot be served is a warning."""
    if not address:
        return
    from prometheus_client import CollectorRegistry, start_http_server

    host, _, port = address.rpartition(":")
    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    try:
        start_http_server(int(port), addr=host, registry=registry)
    except (OSError, ValueError, OverflowError) as error:
        print(f"haidang: {say('warning', 'cảnh báo')}: no metrics at {address}: {error}", file=sys.stderr)


def _size(option: str, text: str, *, at_least: int = MIN_BANDWIDTH_BYTES) -> int:
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
    number, unit = (text[:-1], units[text[-1].upper()]) if text[-1:].upper() in units else (text, 1)
    if not number.isascii() or not number.isdigit():
        raise UserError(f"{option}: {text!r} is no size", fix="write 64K, 500M or 10G")
    size = int(number) * unit
    if size < at_least:
        least = f"{at_least >> 20}M" if at_least >= 1 << 20 else f"{at_least >> 10}K"
        raise UserError(f"{option}: {text} is too small", fix=f"give at least {least}")
    return size


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

    def close(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
