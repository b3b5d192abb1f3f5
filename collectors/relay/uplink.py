"""The running relay of a province: gathers what the journal gets, ships it to the nation, tells the journal
what it still needs.

Runs in a process of its own (`daemon`). Neither ingest nor the store wait for it, and it needs neither:
without a nation only the journal grows, up to the relay's quota.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from collectors.home import Home, Settings
from collectors.registry import Registry
from collectors.relay.backlog import Backlog
from collectors.relay.ledger import OUTBOX_FILE
from collectors.relay.outbox import Outbox
from collectors.relay.policy import Policy
from collectors.relay.sealing import Forwarder
from sensor.bus.durable import write_whole
from sensor.bus.enrol import CENTRE_FILE, Enrolment, load_enrolment, save_centre
from sensor.bus.keys import CentrePublic, SensorKeys
from sensor.bus.link import Link
from sensor.bus.renewal import Renewal
from sensor.bus.seal import Opener
from sensor.bus.session import Conflict

log = logging.getLogger("haidang.relay")

_GATHER_SECONDS = 0.1
_HOLD_SECONDS = 2.0
_FIRST_RETRY_SECONDS = 5.0  # of what the nation refused for its origin: a sensor's new key, not shown yet
_RETRY_SECONDS = 600.0  # what is refused again and again: once somebody may have mended it
_RESTART_SECONDS = 5.0
_END_SECONDS = 10.0


def relay_directory(home: Home) -> Path:
    """Where a centre keeps its keys, policy and numbers as a relay."""
    return home.directory / "relay"


def policy_file(home: Home, settings: Settings) -> Path:
    """The policy in force: as configured, from the centre's directory, else the one that joining made."""
    return home.directory / (settings.relay.policy or "relay/policy.yaml")


def status_file(home: Home) -> Path:
    """What a running relay says of its link."""
    return home.run_directory / "relay.json"


class Status(msgspec.Struct, frozen=True):
    """Whether the nation answers, and batches that it refused since the relay began."""

    is_up: bool = False
    refused: int = 0


def read_status(home: Home) -> Status:
    """The running relay's status; one that is down when none runs."""
    try:
        return msgspec.json.decode(status_file(home).read_bytes(), type=Status)
    except (OSError, msgspec.DecodeError):
        return Status()


def is_joined(home: Home) -> bool:
    """Whether this centre is enrolled at a national one."""
    return (relay_directory(home) / CENTRE_FILE).exists()


class Uplink(threading.Thread):
    """The relay, until `stop`. UserError from the constructor when keys or policy are unusable."""

    def __init__(
        self,
        home: Home,
        settings: Settings,
        registry: Registry,
        opener: Opener,
        *,
        software: str,
        refresh: Callable[[], object] = lambda: None,
    ) -> None:
        """refresh: called several times a second, to take up what has changed on the disk."""
        super().__init__(name="relay", daemon=True)
        directory = relay_directory(home)
        self.enrolment: Enrolment
        self._keys: SensorKeys
        self._keys, self.enrolment = load_enrolment(directory)
        self.policy = Policy.load(policy_file(home, settings))
        self._status_file = status_file(home)
        self._told = Status()
        self._refused = 0  # by links that ended
        self._quota_bytes = settings.relay.quota_bytes
        self._software = software
        self._refresh = refresh
        self._directory = directory
        self._stop_asked = threading.Event()
        self._backlog = Backlog(home.journal_file)
        self._forwarder = Forwarder(opener, self._keys, self.enrolment.centre, self.policy)
        self.outbox = Outbox(
            directory / OUTBOX_FILE,
            self.enrolment.sensor,
            self._backlog,
            self._forwarder,
            registry.public_keys,
            registry.path,
        )
        self.outbox.hold(self._quota_bytes)
        self.link = self._new_link()

    def stop(self) -> None:
        """End in good order."""
        self._stop_asked.set()
        if self.is_alive():
            self.join(_END_SECONDS)
        self.outbox.close()
        self._backlog.close()

    def run(self) -> None:
        log.info("relaying to %s as %s", self.enrolment.address, self.enrolment.sensor)
        self.link.start()
        hold_due = restart_due = retry_due = 0.0
        patience = _FIRST_RETRY_SECONDS
        while not self._stop_asked.wait(_GATHER_SECONDS):
            now = time.monotonic()
            self._refresh()
            try:
                while self.outbox.gather() and not self._stop_asked.is_set():
                    pass
                if now >= hold_due:
                    hold_due = now + _HOLD_SECONDS
                    self.outbox.hold(self._quota_bytes)
                    self._tell()
                if now >= retry_due:
                    patience = (
                        min(2 * patience, _RETRY_SECONDS) if self.outbox.retry() else _FIRST_RETRY_SECONDS
                    )
                    retry_due = now + patience
                if self.link.failure is not None and now >= restart_due:
                    restart_due = now + _RESTART_SECONDS
                    self._begin_again()
            except (
                sqlite3.OperationalError,
                OSError,
            ) as error:  # a full disk, or a journal that is busy for long
                log.warning("the relay waits: %s", error)
                self._stop_asked.wait(_RESTART_SECONDS)
        self.link.stop()
        self.link.join(_END_SECONDS)

    def _tell(self) -> None:
        told = Status(self.link.session.established, self._refused + self.link.session.refused)
        if told != self._told or not self._status_file.exists():
            write_whole(self._status_file, msgspec.json.encode(told))
            self._told = told

    def _begin_again(self) -> None:
        if isinstance(self.link.failure, Conflict):
            log.warning("numbers were lost: all that waits is offered under new ones")
            self.outbox.renumber()
        self._refused += self.link.session.refused
        self.link = self._new_link()
        self.link.start()

    def _new_link(self) -> Link:
        return Link(
            self.outbox,
            self._keys,
            self.enrolment.centre,
            self.enrolment.address,
            software=self._software,
            origins=self.outbox,
            renewal=Renewal(self.enrolment.sensor, self.enrolment.centre, self._keep_nation),
        )

    def _keep_nation(self, centre: CentrePublic, address: str) -> None:
        address = address or self.enrolment.address
        self.enrolment = msgspec.structs.replace(self.enrolment, centre=centre, address=address)
        save_centre(self._directory, self.enrolment)
        self._forwarder.turn_to(centre)
        log.warning("the national centre has a new key: %s", centre.fingerprint)
