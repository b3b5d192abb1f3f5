"""What systemd is told (sd_notify(3)): ready, alive, stopping. Without systemd nothing happens."""

from __future__ import annotations

import os
import socket


class Notifier:
    """Speaks to the socket in $NOTIFY_SOCKET."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        self.wants_watchdog = bool(self._address and os.environ.get("WATCHDOG_USEC"))

    def tell(self, *lines: str) -> None:
        """Send these assignments (`READY=1`, `STATUS=...`). Never raises: who manages us may be gone."""
        if not self._address:
            return
        name = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
                out.sendto("\n".join(lines).encode(), name)
        except OSError:
            return
