"""A sensor's keys and its centre's as its files say now: a rotation takes effect in a sensor that runs."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from sensor.bus.enrol import (
    ALTERNATES_FILE,
    CENTRE_FILE,
    KEYS_FILE,
    Enrolment,
    load_alternates,
    load_enrolment,
    save_alternates,
    save_centre,
)
from sensor.bus.keys import CentrePublic, SensorKeys
from sensor.bus.link import FAILOVER_SECONDS, Endpoint, Link
from sensor.bus.renewal import Renewal
from sensor.bus.seal import Sealer
from sensor.bus.spool import Spool
from sensor.errors import UserError

log = logging.getLogger("haidang.bus")


class Identity:
    """Loaded once, and again when a file has changed. For one thread."""

    def __init__(self, directory: Path) -> None:
        """UserError when this directory is no enrolled sensor's."""
        self._files = (directory / KEYS_FILE, directory / CENTRE_FILE, directory / ALTERNATES_FILE)
        self._directory = directory
        self._seen = self._look()
        self.keys, self.enrolment = load_enrolment(directory)
        self._alternates = load_alternates(directory)

    @property
    def centre(self) -> CentrePublic:
        return self.enrolment.centre

    @property
    def centres(self) -> list[CentrePublic]:
        """All that batches are sealed to: the centre, then its alternates."""
        return [self.centre, *(other.centre for other in self._alternates)]

    def changed(self) -> bool:
        """Whether keys or centres are others than at the last look. Cheap: three stat calls."""
        seen = self._look()
        if seen == self._seen:
            return False
        self._seen = seen
        try:
            keys, enrolment = load_enrolment(self._directory)
            alternates = load_alternates(self._directory)
        except UserError as error:
            log.warning("the keys were not read anew: %s", error)
            return False
        if (keys, enrolment, alternates) == (self.keys, self.enrolment, self._alternates):
            return False
        self.keys, self.enrolment, self._alternates = keys, enrolment, alternates
        return True

    def fresh(self) -> tuple[SensorKeys, CentrePublic] | None:
        """The keys when they changed, for a link."""
        return (self.keys, self.centre) if self.changed() else None

    def link(
        self,
        spool: Spool,
        *,
        software: str,
        bytes_per_second: float = 0,
        failover_seconds: float = FAILOVER_SECONDS,
    ) -> Link:
        """A link that follows these files; from here on this object is the link's. An alternate that is
        enrolled later is turned to after the next start.
        """
        renewal = Renewal(self.enrolment.sensor, self.centre, self._keep_centre)
        return Link(
            spool,
            self.keys,
            self.centre,
            self.enrolment.address,
            software=software,
            alternates=[self._endpoint(other) for other in self._alternates],
            failover_seconds=failover_seconds,
            renewal=renewal,
            fresh=self.fresh,
            bytes_per_second=bytes_per_second,
        )

    def _endpoint(self, alternate: Enrolment) -> Endpoint:
        known = alternate.centre.curve

        def keep(centre: CentrePublic, address: str) -> None:
            nonlocal known
            made = msgspec.structs.replace(alternate, centre=centre, address=address or alternate.address)
            found = load_alternates(self._directory)
            is_it = [one.centre.curve == known for one in found]
            save_alternates(
                self._directory, [made if it else one for it, one in zip(is_it, found, strict=True)]
            )
            known = centre.curve
            log.warning("the centre at %s has a new key: %s", made.address, centre.fingerprint)

        renewal = Renewal(alternate.sensor, alternate.centre, keep)
        return Endpoint(alternate.address, alternate.centre.curve, renewal)

    def _keep_centre(self, centre: CentrePublic, address: str) -> None:
        _, found = load_enrolment(self._directory)
        if found.centre != self.enrolment.centre:
            return  # enrolled anew in the meantime: that counts
        made = msgspec.structs.replace(found, centre=centre, address=address or found.address)
        save_centre(self._directory, made)
        log.warning("the centre has a new key: %s", centre.fingerprint)

    def _look(self) -> list[tuple[int, int]]:
        seen = []
        for path in self._files:
            try:
                status = path.stat()
                seen.append((status.st_mtime_ns, status.st_ino))
            except OSError:
                seen.append((0, 0))
        return seen


class FreshSealer(Sealer):
    """Seals with the keys as the files say. `refresh` is for the thread that appends, between two batches: a
    batch is numbered, signed and sealed with one set of keys.
    """

    def __init__(self, directory: Path) -> None:
        """UserError when this directory is no enrolled sensor's."""
        self._identity = Identity(directory)
        super().__init__(self._identity.keys, *self._identity.centres)

    def refresh(self) -> None:
        """Take up keys that were changed."""
        if self._identity.changed():
            super().__init__(self._identity.keys, *self._identity.centres)
