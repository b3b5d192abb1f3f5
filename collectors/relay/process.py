"""Keeps the relay's process running beside the centre, where the centre has joined a national one."""

from __future__ import annotations

import contextlib
import logging
import subprocess
import sys
import threading

from collectors.home import Home, Settings
from collectors.relay.backlog import Backlog
from collectors.relay.policy import Policy
from collectors.relay.uplink import is_joined, policy_file, relay_directory, status_file
from sensor.bus.enrol import load_enrolment

log = logging.getLogger("haidang.relay")

_RESTART_SECONDS = 1.0
_CHILD_SECONDS = 30.0


class RelayProcess(threading.Thread):
    """A child that ends when the pipe to its standard input does, and is started again when it ends alone."""

    def __init__(self, home: Home) -> None:
        super().__init__(name="relay-process", daemon=True)
        self._command = [sys.executable, "-m", "collectors.relay.daemon", str(home.directory)]
        self._stop_asked = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        while not self._stop_asked.is_set():
            self._child = subprocess.Popen(self._command, stdin=subprocess.PIPE)  # noqa: S603  (our own module)
            code = self._child.wait()
            if not self._stop_asked.is_set():
                log.warning("the relay ended with %d and is started again", code)
                self._stop_asked.wait(_RESTART_SECONDS)

    def stop(self) -> None:
        """End the child in good order; kill it when it takes too long."""
        self._stop_asked.set()
        if self._child is not None and self._child.stdin is not None:
            self._child.stdin.close()
            try:
                self._child.wait(_CHILD_SECONDS)
            except subprocess.TimeoutExpired:
                self._child.kill()
        self.join(_CHILD_SECONDS)


def start_relay(home: Home, settings: Settings, cleanup: contextlib.ExitStack) -> bool:
    """Start the relay, if this centre has one; whether it has. UserError for keys or a policy that are
    unusable: better now than in the child's log.
    """
    status_file(home).unlink(missing_ok=True)
    with contextlib.closing(Backlog(home.journal_file)) as backlog:
        if not settings.relay.enabled or not is_joined(home):
            backlog.release()
            return False
        load_enrolment(relay_directory(home))
        Policy.load(policy_file(home, settings))
        backlog.begin_hold(settings.relay.quota_bytes)
    process = RelayProcess(home)
    process.start()
    cleanup.callback(process.stop)
    return True
