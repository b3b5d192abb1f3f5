"""The relay's process beside the centre, where the centre has joined a national one."""

from __future__ import annotations

import contextlib

from collectors.child import Child
from collectors.home import Home, Settings
from collectors.relay.backlog import Backlog
from collectors.relay.policy import Policy
from collectors.relay.uplink import is_joined, policy_file, relay_directory, status_file
from sensor.bus.enrol import KEYS_FILE, load_enrolment
from sensor.bus.keys import SensorKeys, load_keys
from sensor.errors import UserError

_CHILD_SECONDS = 30.0


class OwnSigner:
    """The id of the key that a centre signs with as a relay, as its file says now."""

    def __init__(self, home: Home) -> None:
        self._file = relay_directory(home) / KEYS_FILE
        self._seen = -1
        self._signer: bytes | None = None

    def read(self) -> bytes | None:
        """None when this centre is no relay. Cheap while the file stays as it is."""
        try:
            seen = self._file.stat().st_mtime_ns
            if seen != self._seen:
                self._signer = load_keys(self._file, SensorKeys).public().signer
                self._seen = seen
        except (OSError, UserError):
            return None
        return self._signer


def start_relay(home: Home, settings: Settings, cleanup: contextlib.ExitStack) -> bool:
    """Start the relay, if this centre has one; whether it has. UserError for keys or a policy that are
    unusable: better now than in the child's log.
    """
    status_file(home).unlink(missing_ok=True)
    with contextlib.closing(Backlog(home.journal_file)) as backlog:
        if not settings.relay.enabled or not is_joined(home):
            backlog.release()
            return False
        load_enrolment(relay_directory(home))
        Policy.load(policy_file(home, settings))
        backlog.begin_hold(settings.relay.quota_bytes)
    process = Child("relay", "collectors.relay.daemon", home.directory, end_seconds=_CHILD_SECONDS)
    process.start()
    cleanup.callback(process.stop)
    return True
