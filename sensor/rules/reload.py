"""Other rules for an engine that is running: read and compiled beside it, on a thread that gives way to all
others, and handed over when they are ready. Whatever goes wrong, the rules in force stay.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from sensor.cli.language import say
from sensor.config import Config
from sensor.errors import UserError, one_line
from sensor.rules.findings import RuleReport

if TYPE_CHECKING:
    from sensor._engine import InForce, Ruleset

NICENESS = 10  # of 0 to 19: half-way, so that a busy machine still comes to an end with it
LOOK_SECONDS = 0.05


def _tell(text: str) -> None:
    print(f"haidang: {text}", file=sys.stderr, flush=True)


class Engine(Protocol):
    """What takes other rules while it runs (sensor._engine.Replay)."""

    def reload(self, config: str, ruleset: Ruleset) -> None: ...
    @property
    def in_force(self) -> InForce: ...
    def free_retired(self) -> list[str]: ...
    @property
    def reloads(self) -> tuple[int, bool]: ...


class Asked:
    """One request, and what became of it."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._failure = ""

    def end(self, failure: str = "") -> None:
        """It is over; failure: why the old rules stay."""
        self._failure = failure
        self._done.set()

    def wait(self) -> None:
        """Until the rules are exchanged. UserError: the old ones stay."""
        self._done.wait()
        if self._failure:
            raise UserError(self._failure)


class Reloader:
    """Reloads when asked. Asked again during a reload it does one more behind it, however often.

    config: that of the start; what is not of the rules stays as it was.
    """

    def __init__(
        self,
        engine: Engine,
        config: Config,
        load: Callable[[InForce], tuple[Ruleset, RuleReport]],
    ) -> None:
        self._engine, self._config, self._load = engine, config, load
        self.reloaded_at = time.time()
        """When the rules in force came into force, seconds since the epoch."""
        self._asked: queue.SimpleQueue[Asked] = queue.SimpleQueue()
        self._open: list[Asked] = []
        self._starting = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reload", daemon=True)
        self._thread.start()

    def ask(self) -> Asked:
        """Ask for a reload; may be called from a signal handler."""
        asked = Asked()
        self._open.append(asked)
        self._asked.put(asked)
        return asked

    def start(self) -> Asked:
        """The same, unless one is under way: then UserError, in Suricata's words."""
        with self._starting:
            if self._open:
                raise UserError("Reload already in progress")
            return self.ask()

    def close(self) -> None:
        """No more reloads; one in hand is given up at its next step."""
        self._ended.set()
        self._asked.put(Asked())
        self._thread.join()
        for asked in self._open:
            asked.end(say("the capture has ended", "việc bắt gói đã kết thúc"))

    def _run(self) -> None:
        with contextlib.suppress(OSError):  # priority is a courtesy
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        while (these := self._next()) and not self._ended.is_set():
            failure = ""
            try:
                text, is_in_force = self._reload()
                _tell(text)
                failure = "" if is_in_force else text
            except Exception as error:  # whatever it is, the engine goes on
                failed = say("reload failed, the old rules stay", "nạp lại thất bại, giữ nguyên luật cũ")
                failure = f"{failed}: {one_line(str(error)) or type(error).__name__}"
                _tell(failure)
            for asked in these:
                self._open.remove(asked)
                asked.end(failure)

    def _next(self) -> list[Asked]:
        """Wait until asked; all who asked until now get the same reload."""
        these = [self._asked.get()]
        with contextlib.suppress(queue.Empty):
            while True:
                these.append(self._asked.get_nowait())
        return these

    def _reload(self) -> tuple[str, bool]:
        """What to tell, and whether the new rules are in force."""
        from sensor._engine import return_memory  # here, as the help of commands does without the engine

        ruleset, report = self._load(self._engine.in_force)
        if not report.loaded and (report.warnings or report.findings):
            reason = next(iter([*report.first_reasons(1), *report.warnings]))
            raise UserError(f"no rule loads: {reason}", fix="see haidang rules check")
        before, _ = self._engine.reloads
        self._engine.reload(self._config.engine_json(), ruleset)
        del ruleset  # from now on the engine's alone
        while self._engine.reloads[0] == before:
            if self._ended.wait(LOOK_SECONDS):
                if self._engine.reloads[0] > before:
                    break
                return say(
                    "the capture ended before the reloaded rules came into force",
                    "tệp bắt gói đã hết trước khi luật mới có hiệu lực",
                ), False
        for warning in self._engine.free_retired():
            _tell(warning)
        return_memory()
        self.reloaded_at = time.time()
        counts = f"{report.loaded:,} loaded, {report.quarantined:,} quarantined, {report.skipped:,} skipped"
        counts_vi = f"đã nạp {report.loaded:,}, loại {report.quarantined:,}, bỏ qua {report.skipped:,}"
        return say(f"rules reloaded: {counts}", f"đã nạp lại luật: {counts_vi}"), True
