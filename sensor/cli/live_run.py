"""A live capture with everything around it: heartbeat, gate, local outputs, signals, command socket, books
and systemd.
"""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from sensor.cli.interfaces import open_capture
from sensor.cli.language import say
from sensor.errors import UserError

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

    from sensor._engine import InForce, Ruleset
    from sensor.bus.spool import Spool
    from sensor.config import Config
    from sensor.config.values import Json
    from sensor.live.control import ControlSocket
    from sensor.live.gate import Gate
    from sensor.live.heartbeat import Heart
    from sensor.live.memory import Ceiling
    from sensor.live.veth import OwnPair
    from sensor.output import Sink
    from sensor.output.quota import Quota
    from sensor.rules.findings import RuleReport
    from sensor.rules.reload import Reloader

SILENT_SECONDS_MAX = 15.0
"""Without a word from a worker for so long, systemd's watchdog is no longer fed."""


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
        for name in (
            "rich.console",
            "rich.table",
            "sensor.output",
            "sensor.live.status",
            "sensor.live.commands",
            "sensor.live.control",
            "sensor.live.gate",
            "sensor.live.sandbox",
            "sensor.output.quota",
            "sensor.rules.reload",
        ):
            importlib.import_module(name)
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
        self._ceiling = self._make_ceiling()
        self._gate = self._make_gate(names)
        drop(args.user, args.group)
        self.confined = self._confine()
        self._sinks: list[Sink] = []
        self._quota: Quota | None = None
        self._wanted: list[Callable[[], None]] = []
        self._notifier = Notifier()

    def sinks(self, *, also: tuple[str, ...] = ()) -> list[Sink]:
        """The local outputs, opened; none without a log directory."""
        from sensor.output import open_sinks
        from sensor.output.quota import Bounds, Quota

        if self._log_dir is not None:
            self._sinks = open_sinks(self._config, self._log_dir, also=also)
            self._quota = Quota(
                Bounds.of(self._config), [f for s in self._sinks for f in s.files], self._stores()
            )
            self.keeper.more.append(self._quota.counters)
        return self._sinks

    def _stores(self) -> list[Path]:
        sections = self._config.outputs("file-store")
        return [self._config.log_dir() / str(section.get("dir", "filestore")) for section in sections]

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
            self._ceiling.look()
            self.keeper.look()
            if self.heart is not None and not self.source.stopping:
                self.heart.tick()
            if self._gate is not None and self._gate.look():
                self._notifier.tell(f"STATUS={self._gate.summary()}")
            self._write_status(is_running=True)
            if self._notifier.wants_watchdog and self.source.live.silent_seconds < SILENT_SECONDS_MAX:
                self._notifier.tell("WATCHDOG=1")

        self.source.on_tick.append(tick)
        if self._quota is not None:
            self._quota.start()
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
            if self._quota is not None:
                self._quota.close()

    def _confine(self) -> list[str]:
        """Nothing but what this run needs can be reached from here on."""
        import contextlib

        from sensor.live.sandbox import confine, rule_places
        from sensor.rules import cache

        config, args = self._config, self._args
        write = [Path(config.text("default-data-dir", ".")), config.log_dir()]
        if (kept := cache.folder(config)) is not None:
            write.append(kept)
        for folder in (self._log_dir, self._directory):
            if folder is not None:
                with contextlib.suppress(OSError):  # whoever opens files there says what is wrong
                    folder.mkdir(exist_ok=True)
                write.append(folder)
        write += self._stores()
        for name in ("eve-log", "fast"):
            named = (str(section.get("filename", "")) for section in config.outputs(name))
            write += [Path(text).parent for text in named if Path(text).is_absolute()]
        if (socket := self._socket_path()) is not None:
            write.append(socket.parent)
        read = rule_places([*args.only, *args.extra, *config.rule_patterns()])
        for key in (
            "classification-file",
            "reference-config-file",
            "threshold-file",
            "geoip-database",
            "haidang.rules-publisher",
        ):
            if given := config.text(key):
                read += rule_places([given])
        read += rule_places(name for name in (args.config, args.filter_file) if name)
        return confine(config, read=read, write=write, warn=lambda text: self._warn([text]))

    def _make_ceiling(self) -> Ceiling:
        from sensor._engine import return_memory
        from sensor.live.memory import DEFAULT_SHARE, Ceiling, available_bytes

        given = self._config.get("haidang.memory.limit")
        limit = given if isinstance(given, int) else int(available_bytes() * DEFAULT_SHARE)
        ceiling = Ceiling(self.source.live, limit, lambda text: self._warn([text]), give_back=return_memory)
        self.keeper.more.append(ceiling.counters)
        return ceiling

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
            write_status(
                self._directory, self.keeper, is_running=is_running, gate=self._gate, heart=self.heart
            )

    def _reloader(self) -> Reloader:
        from sensor.live.heartbeat import RULES_FILE
        from sensor.rules.loading import load
        from sensor.rules.reload import Reloader

        def read(in_force: InForce) -> tuple[Ruleset, RuleReport]:
            own = [] if self.heart is None else [str(RULES_FILE)]
            ruleset, report = load(
                self._config, only=self._args.only, extra=self._args.extra, own=own, in_force=in_force
            )
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

    def _socket_path(self) -> Path | None:
        from sensor.live.control import default_path

        given = self._args.unix_socket or self._config.text("unix-command.filename")
        enabled = self._config.text("unix-command.enabled", "auto")
        if not self._args.unix_socket and enabled == "no":
            return None
        return Path(given) if given and (self._args.unix_socket or enabled == "yes") else default_path()

    def _control(self, reloader: Reloader) -> ControlSocket | None:
        from sensor.live.commands import live_commands
        from sensor.live.control import ControlSocket

        path = self._socket_path()
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


def _beat_seconds(config: Config) -> float:
    from sensor.live.heartbeat import SECONDS

    given = config.get("haidang.heartbeat.interval")
    return float(given) if isinstance(given, int) else SECONDS
