"""An interface of the sensor's own: a pair whose one end it sends on and whose other end it captures. Never a
mirror port.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import socket
import subprocess
from pathlib import Path

from sensor.errors import UserError

_SECONDS = 10.0
_WHEN_OVER = """trap "" TERM INT HUP
read -r nothing
case "$("$1" -o link show dev "$2" 2>/dev/null)" in "$3:"*) exec "$1" link del dev "$2" ;; esac"""
"""Waits until nobody can write to its input any more, then takes the interface away, unless another run has
made it anew.
"""


class OwnPair:
    """Made anew for each run, and gone with it, however it ends. Needs CAP_NET_ADMIN, and `ip`.

    The sensor itself has no rights any more when it ends: a shell that waits for its end keeps them.
    """

    def __init__(self, directory: Path) -> None:
        tag = hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:8]
        self.sends, self.captures = f"hd{tag}t", f"hd{tag}r"
        if self.sends in {name for _, name in socket.if_nameindex()}:
            _ip("link", "del", "dev", self.sends)
        _ip("link", "add", self.sends, "type", "veth", "peer", "name", self.captures)
        self._remover = _remover(self.sends)
        for end in (self.sends, self.captures):
            # Without an address of its own the kernel has nothing to announce there.
            _ip("link", "set", "dev", end, "addrgenmode", "none")
            _ip("link", "set", "dev", end, "up")
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC)
        try:
            self._socket.bind((self.sends, 0))
            self._socket.setblocking(False)
        except OSError:
            self.close()
            raise

    def send(self, frame: bytes) -> None:
        """OSError: the interface is down or gone."""
        self._socket.send(frame)

    def close(self) -> None:
        """No more frames, and no more interfaces."""
        self._socket.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._remover.communicate(timeout=_SECONDS)


def _remover(interface: str) -> subprocess.Popen[bytes]:
    number = str(socket.if_nametoindex(interface))
    return subprocess.Popen(  # noqa: S603  # our own words
        ["/bin/sh", "-c", _WHEN_OVER, "sh", _command(), interface, number],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _command() -> str:
    command = shutil.which("ip", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if command is None:
        raise UserError("ip is not installed", fix="apt-get install iproute2")
    return command


def _ip(*arguments: str) -> None:
    done = subprocess.run(  # noqa: S603  # our own words
        [_command(), *arguments], capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    if done.returncode:
        raise UserError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
