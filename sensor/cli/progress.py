"""The progress bar over captures, on standard error; loaded only on a terminal."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from sensor.cli.language import say


class ProgressBar:
    """Bytes of capture read, speed, time left; it disappears at the end."""

    def __init__(self, title: str = "") -> None:
        self._progress = Progress(
            title or say("replay", "chạy lại"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> ProgressBar:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, done_bytes: int, total_bytes: int) -> None:
        """Move the bar."""
        self._progress.update(self._task, completed=done_bytes, total=total_bytes)
