"""fast.log: one line per alert, in the form that operators have grepped for twenty years (Suricata user
guide, "Fast log"). Made from the alert lane alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sensor.config.values import Json
from sensor.errors import one_line
from sensor.output.file import LogFile

if TYPE_CHECKING:
    from sensor.output.alert_lines import Alert
    from sensor.source import Events

ALERT_LANE = 0


class FastSink:
    """Writes `filename` of a fast section."""

    def __init__(self, section: Mapping[str, Json], folder: Path) -> None:
        self._file = LogFile.of(section, folder, "fast.log")

    @property
    def files(self) -> list[LogFile]:
        return [self._file]

    def open(self) -> None:
        self._file.open()

    def write(self, batch: Events) -> None:
        count, lines = batch.lane(ALERT_LANE)
        if count:
            from sensor.output.alert_lines import decoded

            self._file.write("".join(map(fast_line, decoded(lines))).encode())

    def reopen(self) -> None:
        self._file.reopen()

    def close(self) -> None:
        self._file.close()


def fast_line(found: Alert) -> str:
    """One alert event as one line, e.g. `05/01/2024-10:00:00.000000 [**] [1:2:3] text [**] [Classification:
    ...`.
    """
    alert = found.alert
    date = found.timestamp
    when = f"{date[5:7]}/{date[8:10]}/{date[0:4]}-{date[11:26]}"
    mark = "[wDrop] " if found.haidang.rule_action else ""  # would drop: the sensor is passive
    source, destination = found.src_port, found.dest_port
    if found.icmp_type is not None:  # type and code stand where ports would
        source, destination = found.icmp_type, found.icmp_code or 0
    return (
        f"{when}  {mark}[**] [{alert.gid}:{alert.signature_id}:{alert.rev}] {one_line(alert.signature)} [**] "
        f"[Classification: {one_line(alert.category) or '(null)'}] [Priority: {alert.severity}] "
        f"{{{found.proto}}} {found.src_ip}:{source} -> {found.dest_ip}:{destination}\n"
    )
