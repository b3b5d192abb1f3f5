"""A wire between two network namespaces that loses, delays, reorders, doubles and throttles packets as it is
told: two TUN interfaces and a thread between them. Needs root.
"""

from __future__ import annotations

import contextlib
import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import threading
import time

_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_MTU = 1500
_QUEUE = 200  # packets that wait for a thin line; the next is lost, as in any router


class Wire:
    """Interface `hd0` in each of two namespaces, made here and gone with `close`."""

    def __init__(self, ends: tuple[tuple[str, str], tuple[str, str]], *, seed: int) -> None:
        """ends: (namespace, address with prefix length) of either side."""
        self.is_cut = False
        self.bits_per_second = 0.0  # 0: no limit
        self.is_shaken = False
        self.counts = {"passed": 0, "lost": 0, "doubled": 0, "reordered": 0}
        self._chance = random.Random(seed)
        self._names = [name for name, _ in ends]
        self._ends: list[int] = []
        self._free_at = [0.0, 0.0]
        self._waiting: list[tuple[float, int, int, bytes]] = []
        self._number = 0
        self._stop = threading.Event()
        try:
            for name, address in ends:
                ip("netns", "add", name)
                ip("-n", name, "link", "set", "lo", "up")
                self._ends.append(self._plug(name, address))
        except BaseException:
            self.close()
            raise
        self._thread = threading.Thread(target=self._carry, name="wire", daemon=True)
        self._thread.start()

    def _plug(self, namespace: str, address: str) -> int:
        descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        made = f"hd{os.getpid() % 100_000}x{len(self._ends)}"
        fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH", made.encode(), _IFF_TUN | _IFF_NO_PI))
        ip("link", "set", made, "netns", namespace)
        ip("-n", namespace, "link", "set", made, "name", "hd0")
        ip("-n", namespace, "address", "add", address, "dev", "hd0")
        ip("-n", namespace, "link", "set", "hd0", "mtu", str(_MTU), "up")
        return descriptor

    def mend(self) -> None:
        """A good wire again."""
        self.is_cut = self.is_shaken = False
        self.bits_per_second = 0.0

    def close(self) -> None:
        self._stop.set()
        if hasattr(self, "_thread"):
            self._thread.join(5)
        for descriptor in self._ends:
            os.close(descriptor)
        for name in self._names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, timeout=10, check=False)

    def _carry(self) -> None:
        while not self._stop.is_set():
            now = time.monotonic()
            while self._waiting and self._waiting[0][0] <= now:
                _, _, to, packet = heapq.heappop(self._waiting)
                self._put(to, packet)
            patience = max(0.0, self._waiting[0][0] - now) if self._waiting else 0.1
            ready, _, _ = select.select(self._ends, [], [], min(patience, 0.1))
            for descriptor in ready:
                side = self._ends.index(descriptor)
                for _ in range(64):
                    try:
                        packet = os.read(descriptor, _MTU + 64)
                    except OSError:
                        break
                    self._take(1 - side, packet)

    def _take(self, to: int, packet: bytes) -> None:
        if self.is_cut or (self.is_shaken and self._chance.random() < 0.04):
            self.counts["lost"] += 1
            return
        now = due = time.monotonic()
        if self.bits_per_second:
            if sum(1 for entry in self._waiting if entry[2] == to) >= _QUEUE:
                self.counts["lost"] += 1
                return
            due = max(now, self._free_at[to]) + len(packet) * 8 / self.bits_per_second
            self._free_at[to] = due
        if self.is_shaken:
            due += self._chance.uniform(0.005, 0.025)
            if self._chance.random() < 0.25:
                due += self._chance.uniform(0.02, 0.06)
                self.counts["reordered"] += 1
            if self._chance.random() < 0.1:
                self._later(due + 0.01, to, packet)
                self.counts["doubled"] += 1
        if due > now or self._waiting:
            self._later(due, to, packet)
        else:
            self._put(to, packet)

    def _later(self, due: float, to: int, packet: bytes) -> None:
        self._number += 1
        heapq.heappush(self._waiting, (due, self._number, to, packet))

    def _put(self, to: int, packet: bytes) -> None:
        self.counts["passed"] += 1
        with contextlib.suppress(OSError):  # the interface is down, or its queue full: lost, as on any wire
            os.write(self._ends[to], packet)


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=10)
