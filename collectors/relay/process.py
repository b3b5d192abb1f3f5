"""The relay's process beside the centre, where the centre has joined a national one."""

from __future__ import annotations

import contextlib

from collectors.child import Child
from collectors.home import Home, Settings
from collectors.relay.backlog import Backlog
from collectors.relay.policy import Policy
from collectors.relay.uplink import is_joined, policy_file, relay_directory, status_file
from sensor.bus.enrol import load_enrolment

_CHILD_SECONDS = 30.0


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
