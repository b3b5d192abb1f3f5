"""A centre's directory: where its keys, registry, journal and store are, and its settings. It holds no
behaviour.

centre.yaml      what the operator sets
keys.json        the centre's secrets, mode 0600
transport.json   its CURVE keys and where each is served, once they were rotated
keys.old/        its older hybrid keys, which still open what was sealed to them
registry.sqlite  sensors, their keys, tokens
journal.sqlite   every batch received, sealed and numbered
store/           the embedded engine's data
relay/           keys, policy and numbers towards a national centre
run/             of the running centre: lock, store endpoint, bound addresses
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import yaml

from collectors.outlets.settings import Outlet, check
from collectors.store.schema import Cluster
from collectors.transport import as_served
from sensor.bus.durable import make_private_directory, write_whole
from sensor.bus.keys import CentreKeys, load_keys, save_keys
from sensor.errors import UserError, from_os_error

DEFAULT_DIRECTORY = "/var/lib/haidang/centre"

_LOOK_SECONDS = 0.05
_START_SECONDS = 3.0
ANNOUNCE_SECONDS = 15.0  # the embedded engine opens millions of rows within a few seconds

CONNECTIONS_PER_KEY = 8
"""A sensor has one, two while it turns back to its first centre, more after a cut line."""
_HEAD = """\
# Settings of this centre. Restart `haidang centre serve` after a change.
# listen          where sensors connect; port 0 takes a free one
# address         how sensors reach it from outside, written into tokens (empty: as bound)
# metrics         Prometheus, loopback unless you say otherwise
# store-url       empty: the embedded store; else http[s]://user:password@host:port of a ClickHouse server
# store-cluster   its name in the server's remote_servers, when it is one of a cluster: tables are replicated
#                 and distributed then
# store-database, store-port
# journal-bytes   what is filled is kept for rebuilding and relaying; oldest dropped beyond this
# connections-per-key  how many connections one sensor's or token's key may hold at once
# retention-days  days of receipt that the store keeps, by class: {alert: 400, evidence: 180, health: 30,
#                 logs: 90}; what is left out or 0 stays for ever
# store-bytes     beyond this the store forgets the oldest logs, then evidence, health and alerts; 0: no bound
# outlet-bytes    ... or beyond this, while an outlet has not had it
# outlets         where events are handed on to: docs/guide/en/outlets.md
# relay           once this centre has joined a national one (`haidang relay join`): enabled; policy (empty:
#                 relay/policy.yaml); quota-bytes: how far the journal grows while the nation is away
"""


Class = Literal["alert", "health", "evidence", "logs"]
Natural = Annotated[int, msgspec.Meta(ge=0)]


class RelaySettings(msgspec.Struct, frozen=True, rename="kebab", forbid_unknown_fields=True):
    """`relay` in centre.yaml: how this centre hands on to a national one, once it has joined it."""

    enabled: bool = True
    policy: str = ""
    quota_bytes: Annotated[int, msgspec.Meta(ge=1_000_000)] = 100 * 1024**3


class Settings(msgspec.Struct, frozen=True, rename="kebab", forbid_unknown_fields=True):
    """centre.yaml."""

    listen: str = "tcp://0.0.0.0:5514"
    address: str = ""
    metrics: str = "127.0.0.1:9478"
    store_url: str = ""
    store_database: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}\Z")] = "haidang"
    store_cluster: Annotated[str, msgspec.Meta(pattern=r"^([A-Za-z_][A-Za-z0-9_]{0,62})?\Z")] = ""
    store_port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0
    journal_bytes: Annotated[int, msgspec.Meta(ge=1_000_000)] = 50 * 1024**3
    connections_per_key: Annotated[int, msgspec.Meta(ge=2, le=1024)] = CONNECTIONS_PER_KEY
    relay: RelaySettings = RelaySettings()
    retention_days: dict[Class, Natural] = {}
    store_bytes: Natural = 0
    outlet_bytes: Annotated[int, msgspec.Meta(ge=1_000_000)] = 100 * 1024**3
    outlets: tuple[Outlet, ...] = ()

    def cluster(self) -> Cluster | None:
        """The ClickHouse cluster that the store is, if it is one."""
        return Cluster(self.store_cluster) if self.store_url and self.store_cluster else None

    def retention(self) -> dict[str, int]:
        """Days by class; 0 or none: for ever."""
        return {str(name): days for name, days in self.retention_days.items()}


@dataclass(frozen=True)
class Home:
    """The paths under one centre's directory."""

    directory: Path

    @property
    def settings_file(self) -> Path:
        return self.directory / "centre.yaml"

    @property
    def keys_file(self) -> Path:
        return self.directory / "keys.json"

    @property
    def registry_file(self) -> Path:
        return self.directory / "registry.sqlite"

    @property
    def journal_file(self) -> Path:
        return self.directory / "journal.sqlite"

    @property
    def store_directory(self) -> Path:
        return self.directory / "store"

    @property
    def run_directory(self) -> Path:
        return self.directory / "run"

    @property
    def store_endpoint(self) -> Path:
        return self.run_directory / "store.json"

    @property
    def bound_file(self) -> Path:
        return self.run_directory / "bound.json"

    @property
    def lock_file(self) -> Path:
        return self.run_directory / "lock"

    @contextlib.contextmanager
    def hold(self, *, seconds: float) -> Iterator[None]:
        """Have this centre for oneself. UserError when another process still has it after so many seconds."""
        make_private_directory(self.run_directory)
        descriptor = os.open(self.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            deadline = time.monotonic() + seconds
            while not _take(descriptor):
                if time.monotonic() > deadline:
                    raise UserError("this centre is running", where=self.directory, fix="stop it first")
                time.sleep(_LOOK_SECONDS)
            yield
        finally:
            os.close(descriptor)

    def is_running(self) -> bool:
        """Whether a process holds this centre."""
        try:
            descriptor = os.open(self.lock_file, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            return not _take(descriptor)
        finally:
            os.close(descriptor)

    def wait_for(self, announced: Path) -> None:
        """Give a centre that runs, or was started this moment, time to announce what it does in this file."""
        begin = time.monotonic()
        while not announced.exists():
            patience = ANNOUNCE_SECONDS if self.is_running() else _START_SECONDS
            if time.monotonic() - begin > patience:
                return
            time.sleep(_LOOK_SECONDS)

    def create(self, settings: Settings) -> CentreKeys:
        """Make a new centre here. UserError when there is one already."""
        try:
            make_private_directory(self.directory)
            make_private_directory(self.run_directory)
            if self.keys_file.exists():
                raise UserError(
                    "there is a centre here already", where=self.directory, fix="choose another directory"
                )
            keys = CentreKeys.generate()
            text = _HEAD + yaml.safe_dump(msgspec.to_builtins(settings), sort_keys=False)
            write_whole(self.settings_file, text.encode(), mode=0o640)
            save_keys(self.keys_file, keys)  # last: with it the centre exists
        except OSError as error:
            raise from_os_error(error, where=self.directory) from error
        return keys

    def load(self) -> tuple[Settings, CentreKeys]:
        """Settings and keys. UserError, with the path of what is wrong."""
        if not self.keys_file.exists():
            raise UserError(
                "there is no centre here", where=self.directory, fix=f"haidang centre init {self.directory}"
            )
        return self.read_settings(), as_served(load_keys(self.keys_file, CentreKeys), self.keys_file)

    def read_settings(self) -> Settings:
        """centre.yaml. UserError, with the path of what is wrong."""
        try:
            given = yaml.safe_load(self.settings_file.read_bytes()) or {}
            settings = msgspec.convert(given, Settings)
        except OSError as error:
            raise from_os_error(error, where=self.settings_file) from error
        except (yaml.YAMLError, msgspec.ValidationError) as error:
            raise UserError(str(error), where=self.settings_file, fix="mend it or remove the line") from error
        check(settings.outlets, self.settings_file)
        return settings


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
