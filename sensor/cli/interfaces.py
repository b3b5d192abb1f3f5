"""What the live commands share: the arguments of Suricata's live mode, and the capture they ask for."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from sensor.cli.language import say
from sensor.errors import UserError

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

    from sensor._engine import Ruleset
    from sensor.bus.spool import Spool
    from sensor.config import Config
    from sensor.config.values import Json
    from sensor.live.capture import LiveCapture
    from sensor.live.control import ControlSocket
    from sensor.live.gate import Gate
    from sensor.live.heartbeat import Heart
    from sensor.live.veth import OwnPair
    from sensor.output import Sink
    from sensor.rules.findings import RuleReport
    from sensor.rules.reload import Reloader

SILENT_SECONDS_MAX = 15.0
"""Without a word from a worker for so long, systemd's watchdog is no longer fed."""
MAX_WORKERS = 1024
ETHERNET = "1"


def add_live_arguments(parser: argparse.ArgumentParser) -> None:
    """-i, -F, --workers, --exclude, --user and --group."""
    add = parser.add_argument
    name = say("IFACE", "GIAO_DIỆN")
    add(
        "-i",
        "--af-packet",
        dest="interfaces",
        action="append",
        nargs="?",
        const="",
        default=[],
        metavar=name,
        help=say(
            "capture on this interface; may be repeated; without a name: those of af-packet",
            "bắt gói trên giao diện này; có thể lặp lại; không tên: theo af-packet",
        ),
    )
    add(
        "-F",
        dest="filter_file",
        metavar=say("FILE", "TỆP"),
        help=say("file with a capture filter in tcpdump's language", "tệp chứa bộ lọc bắt gói"),
    )
    add(
        "--workers",
        type=int,
        default=0,
        metavar="N",
        help=say(
            "rings and threads of each interface (default: af-packet.threads)", "số luồng mỗi giao diện"
        ),
    )
    add(
        "--exclude",
        action="append",
        default=[],
        metavar="NET|vlan:N",
        help=say(
            "never look at this network or VLAN; only count; may be repeated",
            "không bao giờ xem mạng hoặc VLAN này; chỉ đếm; có thể lặp lại",
        ),
    )
    add(
        "--user",
        default="",
        metavar=say("USER", "NGƯỜI_DÙNG"),
        help=say("become this user once the interfaces are open", "chuyển sang người dùng này sau khi mở"),
    )
    add(
        "--unix-socket",
        default="",
        metavar=say("PATH", "ĐƯỜNG_DẪN"),
        help=say("command socket, as for suricatasc", "socket lệnh, như cho suricatasc"),
    )
    add("--group", default="", metavar=say("GROUP", "NHÓM"), help=say("and this group", "và nhóm này"))


def open_capture(
    args: argparse.Namespace, config: Config, words: list[str], *, own: OwnPair | None = None
) -> tuple[LiveCapture, RuleReport]:
    """The capture the arguments ask for, opened but not begun. words: a filter that follows the options. own:
    where heartbeats come in.

    Raises UserError and EngineError.
    """
    from sensor.cli.bpf import compile_filter
    from sensor.cli.configured import tell_warnings
    from sensor.live.capture import LiveCapture
    from sensor.live.interfaces import live_document
    from sensor.rules.loading import load

    if not 0 <= args.workers <= MAX_WORKERS:
        raise UserError(
            f"{args.workers} is no number of threads", where="--workers", fix=f"give 1 to {MAX_WORKERS}"
        )
    _exclude(config, args.exclude)
    capture_filter = " ".join(words)
    if args.filter_file is not None:
        if words:
            raise UserError("a capture filter is given twice", where="-F", fix="give -F or words, not both")
        capture_filter = Path(args.filter_file).read_text(encoding="utf-8").strip()
    config.tree["live"] = cast(
        "Json",
        live_document(
            config,
            [name for name in args.interfaces if name],
            workers=args.workers,
            capture_filter=capture_filter,
            compile_filter=lambda text: _for_ethernet(compile_filter(text), text),
        ),
    )
    own_rules: list[str] = []
    if own is not None:
        from sensor.live.heartbeat import RULES_FILE, interface_document

        live = cast("dict[str, Json]", config.tree["live"])
        interfaces = cast("list[dict[str, int]]", live["interfaces"])
        live["heartbeat"] = interface_document(own.captures, max(one["threads"] for one in interfaces))
        own_rules = [str(RULES_FILE)]
    ruleset, report = load(config, only=args.only, extra=args.extra, own=own_rules)
    tell_warnings([*config.warnings, *report.warnings])
    return LiveCapture(config, ruleset), report


def _beat_seconds(config: Config) -> float:
    from sensor.live.heartbeat import SECONDS

    given = config.get("haidang.heartbeat.interval")
    return float(given) if isinstance(given, int) else SECONDS


def _for_ethernet(programs: dict[str, list[list[int]]], text: str) -> list[list[int]]:
    program = programs.get(ETHERNET)
    if program is None:
        raise UserError(f"`{text}` makes no sense on Ethernet", fix="see pcap-filter(7) for the language")
    return program


def _exclude(config: Config, zones: list[str]) -> None:
    if not zones:
        return
    haidang = cast("dict[str, Json]", config.tree.setdefault("haidang", {}))
    exclude = cast("dict[str, Json]", haidang.setdefault("exclude", {}))
    for zone in zones:
        kind, value = ("vlans", zone[5:]) if zone.startswith("vlan:") else ("networks", zone)
        exclude[kind] = [*cast("list[Json]", exclude.get(kind) or []), value]


class LiveRun:
    """A live capture with everything around it. Made, its interfaces are open and its privileges gone."""

    def __init__(
        self,
        args: argparse.Namespace,
        config: Config,
        *,
        log_dir: Path | None,
        directory: Path | None = None,
    ) -> None:
        """directory: keys, spool and status of a sensor; with it there is a gate (sensor.live.gate)."""
        from sensor.live.keeper import Keeper
        from sensor.live.notify import Notifier
        from sensor.live.privileges import drop

        # The other user may not be able to read what is not loaded yet.
        for name in ("output", "live.status", "live.commands", "live.control", "live.gate", "rules.reload"):
            importlib.import_module(f"sensor.{name}")
        self._own = self._make_own_pair(config, directory)
        words = [*args.filter, *args.rest]
        self.source, self.report = open_capture(args, config, words, own=self._own)
        self.heart = self._make_heart(config)
        live = cast("dict[str, list[dict[str, Json]]]", config.tree["live"])
        names = [str(entry["interface"]) for entry in live["interfaces"]]
        interval = config.get("stats.interval")
        seconds = float(interval) if isinstance(interval, int) and interval > 0 else 8.0
        self.keeper = Keeper(self.source, names, seconds=seconds, warn=lambda text: self._warn([text]))
        self._args, self._config, self._log_dir = args, config, log_dir
        self._directory = directory
        self._gate = self._make_gate(names)
        drop(args.user, args.group)
        self._sinks: list[Sink] = []
        self._wanted: list[Callable[[], None]] = []
        self._notifier = Notifier()

    def sinks(self, *, also: tuple[str, ...] = ()) -> list[Sink]:
        """The local outputs, opened; none without a log directory."""
        from sensor.output import open_sinks

        if self._log_dir is not None:
            self._sinks = open_sinks(self._config, self._log_dir, also=also)
        return self._sinks

    @contextmanager
    def serve(self, spool: Spool | None, *, again: Callable[[], None]) -> Iterator[list[Collector]]:
        """Signals, command socket, books and systemd, until the block ends.

        again: called when it is asked to end a second time.
        """
        self.keeper.spool = spool
        if self.heart is not None:
            self.heart.books = spool
        self.source.more_counters = self.keeper.counters
        reloader = self._reloader()
        self._on_signals(again, reloader.ask)
        control = self._control(reloader)

        def tick() -> None:
            while self._wanted:
                self._wanted.pop(0)()
            self._warn(self.source.warnings)
            self.source.warnings.clear()
            self.keeper.look()
            if self.heart is not None and not self.source.stopping:
                self.heart.tick()
            if self._gate is not None and self._gate.look():
                self._notifier.tell(f"STATUS={self._gate.summary()}")
            self._write_status(is_running=True)
            if self._notifier.wants_watchdog and self.source.live.silent_seconds < SILENT_SECONDS_MAX:
                self._notifier.tell("WATCHDOG=1")

        self.source.on_tick.append(tick)
        try:
            yield self._collectors(reloader)
        finally:
            self._notifier.tell("STOPPING=1")
            self.source.on_tick.clear()
            self.keeper.look(is_final=self.source.live.finished)
            self._write_status(is_running=False)
            self._warn(self.source.warnings)
            if control is not None:
                control.close()
            reloader.close()
            if self._own is not None:
                self._own.close()

    def _make_own_pair(self, config: Config, directory: Path | None) -> OwnPair | None:
        from sensor.live.veth import OwnPair

        if directory is None or not _beat_seconds(config):
            return None
        try:
            return OwnPair(directory)
        except (UserError, OSError) as error:
            no_heartbeat = say("no heartbeat", "không có nhịp tim")
            self._warn([f"{no_heartbeat}: {error}"])
            return None

    def _make_heart(self, config: Config) -> Heart | None:
        if self._own is None:
            return None
        from sensor.live.heartbeat import Heart

        self.source.heart = Heart(self._own, self.source.live, seconds=_beat_seconds(config))
        return self.source.heart

    def _make_gate(self, interfaces: list[str]) -> Gate | None:
        if self._directory is None:
            return None
        from sensor.live.fitness import SILENCE_SECONDS, Examination, Facts
        from sensor.live.gate import RECORD_FILE, SECONDS, Gate

        def number(name: str, default: float) -> float:
            value = self._config.get(f"haidang.commissioning.{name}")
            return float(value) if isinstance(value, int) else default

        silence = number("silence", SILENCE_SECONDS)
        facts = Facts(interfaces, self.keeper, lambda: self.report.loaded, silence, self.heart)
        rules = Path(self._config.text("default-rule-path", "/var/lib/haidang/rules"))
        gate = Gate(
            Examination(facts, self._directory, rules).answers,
            required=cast("list[str]", self._config.get("haidang.commissioning.required") or []),
            accepted=self._args.accept_failing,
            seconds=number("interval", SECONDS),
            record=self._directory / RECORD_FILE,
            tell=lambda text: print(f"haidang: {text}", file=sys.stderr, flush=True),
        )
        self.keeper.more.append(gate.counters)
        if self.heart is not None:
            self.keeper.more.append(self.heart.counters)
        return gate

    def _write_status(self, *, is_running: bool) -> None:
        from sensor.live.status import write_status

        if self._directory is not None:
            write_status(self._directory, self.keeper, is_running=is_running, gate=self._gate)

    def _reloader(self) -> Reloader:
        from sensor.live.heartbeat import RULES_FILE
        from sensor.rules.loading import load
        from sensor.rules.reload import Reloader

        def read() -> tuple[Ruleset, RuleReport]:
            own = [] if self.heart is None else [str(RULES_FILE)]
            ruleset, report = load(self._config, only=self._args.only, extra=self._args.extra, own=own)
            self.report = report
            return ruleset, report

        return Reloader(self.source.live, self._config, read)

    def _collectors(self, reloader: Reloader) -> list[Collector]:
        if not self._args.metrics:
            return []
        from sensor.live.metrics import CaptureCollector
        from sensor.live.suricata_metrics import SuricataCollector

        return [
            CaptureCollector(self.source, self.keeper, self._gate, self.heart),
            SuricataCollector(self.source, lambda: self.report, reloader),
        ]

    def begin(self) -> None:
        """Let packets in."""
        self.keeper.begin()
        self.source.begin()
        self._notifier.tell("READY=1")
        print(say("capturing", "đang bắt gói"), file=sys.stderr, flush=True)

    def _reopen(self) -> None:
        def reopen() -> None:
            for sink in self._sinks:
                sink.reopen()

        self._wanted.append(reopen)

    def _control(self, reloader: Reloader) -> ControlSocket | None:
        from sensor.live.commands import live_commands
        from sensor.live.control import ControlSocket, default_path

        given = self._args.unix_socket or self._config.text("unix-command.filename")
        enabled = self._config.text("unix-command.enabled", "auto")
        if not self._args.unix_socket and enabled == "no":
            return None
        path = Path(given) if given and (self._args.unix_socket or enabled == "yes") else default_path()
        if path is None:
            return None
        service = self._gate.told if self._gate is not None else None
        commands = live_commands(
            self.source, self._config, lambda: self.report, self._reopen, reloader, service
        )
        return ControlSocket(path, commands)

    def _on_signals(self, again: Callable[[], None], reload: Callable[[], object]) -> None:
        """SIGTERM and SIGINT end the capture cleanly, SIGHUP reopens logs, SIGUSR2 reloads rules."""

        def end(*_: object) -> None:
            if self.source.stopping:
                again()
            self.source.stop()

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        signal.signal(signal.SIGHUP, lambda *_: self._reopen())
        signal.signal(signal.SIGUSR2, lambda *_: reload())

    def _warn(self, texts: list[str]) -> None:
        from sensor.cli.configured import tell_warnings

        tell_warnings(texts)
