"""When a log file is to be moved aside by the clock (`rotate-interval`; Suricata's manual, "EVE JSON Output",
"Rotate log file").
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from sensor.config.reading import Value
from sensor.config.values import Kind, show
from sensor.spans import UNITS

_CLOCK = {"minute": UNITS["m"], "hour": UNITS["h"], "day": UNITS["d"]}
_GIVEN = re.compile(r"(\d{1,9})\s*([smhdw]?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Interval:
    """Seconds between two files. is_by_clock: at the full minute, hour or day of local time."""

    seconds: int
    is_by_clock: bool = False

    def after(self, now: float) -> float:
        """The first moment after `now` (seconds since 1970) at which a new file is begun."""
        if not self.is_by_clock:
            return now + self.seconds
        local = time.localtime(now)
        if self.seconds == _CLOCK["day"]:
            return time.mktime((local.tm_year, local.tm_mon, local.tm_mday + 1, 0, 0, 0, 0, 0, -1))
        past = local.tm_sec if self.seconds == _CLOCK["minute"] else local.tm_min * 60 + local.tm_sec
        return int(now) - past + self.seconds


def read_interval(text: str) -> Interval:
    """`minute`, `hour`, `day`, or a time such as `90s`, `15m`, `1h`, `1d`, `1w`; seconds without a unit.

    Raises ValueError with what it is not and what to write.
    """
    given = text.strip().lower()
    if given in _CLOCK:
        return Interval(_CLOCK[given], is_by_clock=True)
    match = _GIVEN.fullmatch(given)
    if match is None or not int(match[1]):
        raise ValueError(f"{show(text)} is no interval; write minute, hour, day, or e.g. 15m")
    return Interval(int(match[1]) * UNITS[match[2] or "s"])


def _convert(value: Value) -> str:
    text = value if isinstance(value, str) else ""
    read_interval(text)
    return text


INTERVAL = Kind("interval", _convert, "hour")
