"""eve.json: every event as the engine made it, one JSON object a line. It must not look into events, except
to leave out types when several eve-logs share the work.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from sensor.config import output_types
from sensor.config.values import Json
from sensor.output.file import LogFile

if TYPE_CHECKING:
    from sensor.source import Events

_EVENT_TYPES_OF = {
    "files": {"fileinfo"},
    "ftp": {"ftp", "ftp_data"},
}  # where they differ from the type's name


class EveSink:
    """Writes `filename` of an eve-log section; with no types at all (`[]`) it writes every event."""

    def __init__(self, section: Mapping[str, Json], folder: Path) -> None:
        self._file = LogFile.of(section, folder, "eve.json")
        self._wanted = event_types(section) if section.get("types") != [] else None

    @property
    def files(self) -> list[LogFile]:
        return [self._file]

    def open(self) -> None:
        self._file.open()

    def write(self, batch: Events) -> None:
        if self._wanted is None:
            self._file.write(batch.data)
        else:
            self._file.write(batch.only(self._wanted))

    def reopen(self) -> None:
        self._file.reopen()

    def close(self) -> None:
        self._file.close()


def event_types(section: Mapping[str, Json]) -> frozenset[str]:
    """The values of `event_type` that an eve-log section lets through."""
    names: set[str] = set()
    for name in output_types(cast(dict[str, Json], section)):
        names |= _EVENT_TYPES_OF.get(name, {name.replace("-", "_")})
    return frozenset(names)
