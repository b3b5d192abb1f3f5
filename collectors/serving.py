"""A running centre follows its key files: what is sealed to it, and which CURVE keys it serves where."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence

from collectors.enrolment import Enroller
from collectors.home import Home, Settings
from collectors.keyring import KeyDesk, Keyring
from collectors.listen import Listener
from collectors.transport import Transport, reachable, read_transports
from sensor.bus.durable import write_whole
from sensor.errors import UserError

log = logging.getLogger("haidang.centre")

_RETRY_SECONDS = 10.0  # of an address that could not be listened on


class Serving:
    """Which CURVE keys the listener serves, as the files say now, and who is told of it."""

    def __init__(
        self, home: Home, settings: Settings, listener: Listener, keydesk: KeyDesk, metrics: str
    ) -> None:
        self._home = home
        self._settings = settings
        self._listener = listener
        self._keydesk = keydesk
        self._metrics = metrics
        self.changes = 0
        self.is_whole = True
        self._retry_due = 0.0

    def look(self, changes: int) -> None:
        """Take up what was changed, and try again what could not be served."""
        now = time.monotonic()
        if changes != self.changes or (not self.is_whole and now >= self._retry_due):
            self.changes, self._retry_due = changes, now + _RETRY_SECONDS
            self._refresh()

    def _refresh(self) -> None:
        try:
            self.follow(read_transports(self._home.keys_file, self._settings.listen, self._settings.address))
        except (UserError, OSError) as error:
            log.error("the transport keys were not read anew: %s", error)

    def follow(self, transports: Sequence[Transport]) -> None:
        """Serve these. Sensors are told of the present one where it is served."""
        self._listener.follow(transports)
        self.is_whole = len(self._listener.served) == len(transports)
        present = transports[0]
        bound = self._listener.served.get(present.curve_public)
        if bound is None:
            self._keydesk.moved_to = None
        else:
            self._keydesk.moved_to = (present.curve_public, reachable(present.address, bound))
        told = {"address": self._listener.bound, "metrics": self._metrics}
        write_whole(self._home.bound_file, json.dumps(told).encode())


def follow_keys(keyring: Keyring, enroller: Enroller, serving: Serving) -> None:
    """Called often: take up keys that were rotated."""
    before = keyring.present
    if keyring.refresh():
        enroller.renew(keyring.present)
        if keyring.present.recipient != before.recipient:
            log.info("batches are to be sealed to the new key %s", keyring.present.recipient.hex())
    serving.look(keyring.changes)
