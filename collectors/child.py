"""A process of ours beside the centre, kept running."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from pathlib import Path

log = logging.getLogger("haidang.centre")

_RESTART_SECONDS = 1.0


class Child(threading.Thread):
    """A child that ends when the pipe to its standard input does, and is started again when it ends alone."""

    def __init__(
        self, name: str, module: str, *arguments: object, end_seconds: float, announced: Path | None = None
    ) -> None:
        """announced: the file by which it says where it is; there while it runs."""
        super().__init__(name=name, daemon=True)
        self._command = [sys.executable, "-m", module, *map(str, arguments)]
        self._end_seconds = end_seconds
        self._announced = announced
        self._stop_asked = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        while not self._stop_asked.is_set():
            self._withdraw()
            self._child = subprocess.Popen(self._command, stdin=subprocess.PIPE)  # noqa: S603  (our own module)
            code = self._child.wait()
            if not self._stop_asked.is_set():
                log.warning("the %s ended with %d and is started again", self.name, code)
                self._stop_asked.wait(_RESTART_SECONDS)

    def stop(self) -> None:
        """End the child in good order; kill it when it takes too long."""
        self._stop_asked.set()
        if self._child is not None and self._child.stdin is not None:
            self._child.stdin.close()
            try:
                self._child.wait(self._end_seconds)
            except subprocess.TimeoutExpired:
                self._child.kill()
        self.join(self._end_seconds)
        self._withdraw()

    def _withdraw(self) -> None:
        if self._announced is not None:
            self._announced.unlink(missing_ok=True)
