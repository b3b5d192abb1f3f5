"""Sinks: where events go at this end of the line. A sink is one file here and one entry in SINKS.

A sink is made from its section of `outputs` and the log directory. `open` makes it ready, `write` takes one
batch, `reopen` lets go of a file that logrotate has moved, `close` may be called twice. All raise UserError
when the disk or the directory refuses; nothing that was written before is lost, and files hold whole lines
only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sensor.config import Config
from sensor.config.values import Json
from sensor.errors import UserError, from_os_error
from sensor.output.eve import EveSink
from sensor.output.fast import FastSink
from sensor.output.file import LogFile
from sensor.output.stdout import StdoutSink

if TYPE_CHECKING:
    from sensor.source import Events


class Sink(Protocol):
    """What every sink does."""

    @property
    def files(self) -> list[LogFile]:
        """The files it writes."""

    def open(self) -> None:
        """Make ready to write."""

    def write(self, batch: Events) -> None:
        """Write what belongs here of one batch, whole."""

    def reopen(self) -> None:
        """Write to a new file of the same name from now on."""

    def close(self) -> None:
        """Flush and let go."""


SINKS: Mapping[str, Callable[[Mapping[str, Json], Path], Sink]] = {
    "eve-log": EveSink,
    "fast": FastSink,
    "stdout": StdoutSink,
}
"""Each sink by its name in `outputs`."""


def open_sinks(config: Config, folder: Path, *, also: Sequence[str] = ()) -> list[Sink]:
    """Open every enabled sink of the configuration, and those of `also` with their defaults.

    The folder is made if its parent exists. Raises UserError, with nothing left open.
    """
    try:
        folder.mkdir(exist_ok=True)
    except FileExistsError:
        raise UserError("this is a file", where=folder, fix="give a directory with -l") from None
    except OSError as error:
        raise from_os_error(error, where=folder, fix="make the directory, or give another with -l") from None
    opened: list[Sink] = []
    try:
        for name, make in SINKS.items():
            sections = config.outputs(name) + ([{}] if name in also else [])
            for section in sections:
                if (
                    len(sections) == 1
                ):  # the engine makes what all sections together want: nothing to leave out
                    section = {**section, "types": []}
                sink = make(section, folder)
                sink.open()
                opened.append(sink)
    except UserError:
        close_sinks(opened)
        raise
    return opened


def reopen_sinks(sinks: Sequence[Sink]) -> None:
    """Let go of files that were moved, in all of them."""
    for sink in sinks:
        sink.reopen()


def close_sinks(sinks: Sequence[Sink]) -> None:
    """Close them all."""
    for sink in sinks:
        sink.close()
