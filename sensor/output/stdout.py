"""Standard output: the events for the next program of a pipe (`haidang replay --stdout x.pcap | jq`)."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sensor.config.values import Json
from sensor.output.file import LogFile

if TYPE_CHECKING:
    from sensor.source import Events


class StdoutSink:
    """Writes every event; a reader that goes away ends the command quietly."""

    def __init__(self, section: Mapping[str, Json], folder: Path) -> None:
        del section, folder  # it has no options and no file

    @property
    def files(self) -> list[LogFile]:
        return []

    def open(self) -> None:
        sys.stdout.flush()

    def write(self, batch: Events) -> None:
        rest = memoryview(batch.data)
        while rest:
            rest = rest[os.write(sys.stdout.fileno(), rest) :]

    def reopen(self) -> None:
        sys.stdout.flush()

    def close(self) -> None:
        sys.stdout.flush()
