"""A sensor's keys and its centre's as its files say now: a rotation takes effect in a sensor that runs."""

from __future__ import annotations

import logging
from pathlib import Path

from sensor.bus.enrol import CENTRE_FILE, KEYS_FILE, load_enrolment
from sensor.bus.keys import CentrePublic, SensorKeys
from sensor.errors import UserError

log = logging.getLogger("haidang.bus")


class Identity:
    """Loaded once, and again when a file has changed. Each thread has one of its own."""

    def __init__(self, directory: Path) -> None:
        """UserError when this directory is no enrolled sensor's."""
        self._files = (directory / KEYS_FILE, directory / CENTRE_FILE)
        self._directory = directory
        self._seen = self._look()
        self.keys, self.enrolment = load_enrolment(directory)

    @property
    def centre(self) -> CentrePublic:
        return self.enrolment.centre

    def changed(self) -> bool:
        """Whether keys or centre are others than at the last look. Cheap: two stat calls."""
        seen = self._look()
        if seen == self._seen:
            return False
        self._seen = seen
        try:
            keys, enrolment = load_enrolment(self._directory)
        except UserError as error:
            log.warning("the keys were not read anew: %s", error)
            return False
        if (keys, enrolment) == (self.keys, self.enrolment):
            return False
        self.keys, self.enrolment = keys, enrolment
        return True

    def fresh(self) -> tuple[SensorKeys, CentrePublic] | None:
        """The keys when they changed, for a link."""
        return (self.keys, self.centre) if self.changed() else None

    def _look(self) -> list[tuple[int, int]]:
        seen = []
        for path in self._files:
            try:
                status = path.stat()
                seen.append((status.st_mtime_ns, status.st_ino))
            except OSError:
                seen.append((0, 0))
        return seen
