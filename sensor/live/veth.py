"""An interface of the sensor's own: a pair whose one end it sends on and whose other end it captures. Never a
mirror port.
"""

from __future__ import annotations

import hashlib
import shutil
import socket
import subprocess
from pathlib import Path

from sensor.errors import UserError

_SECONDS = 10.0


class OwnPair:
    """Made, or taken over from an earlier run of the same directory. Needs CAP_NET_ADMIN, and `ip`."""

    def __init__(self, directory: Path) -> None:
        tag = hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:8]
        self.sends, self.captures = f"hd{tag}t", f"hd{tag}r"
        if self.sends not in {name for _, name in socket.if_nameindex()}:
            _ip("link", "add", self.sends, "type", "veth", "peer", "name", self.captures)
        for end in (self.sends, self.captures):
            # Without an address of its own the kernel has nothing to announce there.
            _ip("link", "set", "dev", end, "addrgenmode", "none")
            _ip("link", "set", "dev", end, "up")
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC)
        try:
            self._socket.bind((self.sends, 0))
            self._socket.setblocking(False)
        except OSError:
            self._socket.close()
            raise

    def send(self, frame: bytes) -> None:
        """OSError: the interface is down or gone."""
        self._socket.send(frame)

    def close(self) -> None:
        """No more frames. The interfaces stay, since whoever could take them away has no rights any more."""
        self._socket.close()


def _ip(*arguments: str) -> None:
    command = shutil.which("ip", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if command is None:
        raise UserError("ip is not installed", fix="apt-get install iproute2")
    done = subprocess.run(  # noqa: S603  # our own words
        [command, *arguments], capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    if done.returncode:
        raise UserError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
