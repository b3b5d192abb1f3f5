"""This machine's files and its network card, read only: /sys, /proc, and SIOCETHTOOL (linux/ethtool.h)."""

from __future__ import annotations

import array
import fcntl
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

SIOCETHTOOL, SIOCGIFFLAGS = 0x8946, 0x8913
GRINGPARAM, GRXCSUM, GTSO, GGSO, GFLAGS, GGRO = 0x10, 0x14, 0x1E, 0x23, 0x25, 0x2B
FLAG_LRO = 1 << 15


@dataclass
class Machine:
    """interface: empty when none was given and none found. directory: keys and spool of the sensor."""

    interface: str
    directory: Path
    rules: Path

    def read(self, path: str) -> str:
        """A file of /proc or /sys, stripped; empty when it cannot be read."""
        try:
            return Path(path).read_text().strip()
        except (OSError, UnicodeDecodeError):
            return ""

    def of_card(self, name: str) -> str:
        """/sys/class/net/INTERFACE/name."""
        return self.read(f"/sys/class/net/{self.interface}/{name}")

    def ethtool(self, request: bytes) -> bytes | None:
        """The card's answer to one ethtool request; None when driver or kernel refuses."""
        buffer = array.array("B", request)
        address, _ = buffer.buffer_info()
        wanted = struct.pack("16sP16x", self.interface.encode(), address)
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
                fcntl.ioctl(end, SIOCETHTOOL, wanted)
        except OSError:
            return None
        return buffer.tobytes()

    def switch(self, command: int) -> int | None:
        """The value of a request with one number."""
        answer = self.ethtool(struct.pack("=II", command, 0))
        return None if answer is None else int(struct.unpack("=II", answer)[1])


def interfaces() -> list[str]:
    """All but loopback, those that are up first."""
    folder = Path("/sys/class/net")
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    real = [name for name in names if name != "lo" and (folder / name / "operstate").exists()]
    return sorted(real, key=lambda name: (folder / name / "operstate").read_text().strip() != "up")
