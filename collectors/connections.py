"""How many connections each key holds, and who may not open another.

ZAP says who asks for a connection, the socket's monitor which descriptors are connected, and a message over
which it came: together they bound the connections of one key. One that says nothing belongs to nobody yet; it
is ended, so that nobody holds more by silence.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections import deque
from dataclasses import dataclass

import zmq
from zmq.utils.monitor import parse_monitor_message

SILENT_SECONDS = 15.0  # a sensor says hello at once; one that only looks whether it is let in goes after 10 s
_ADMITTED_SECONDS = 25.0  # by then a connection that was let in has spoken, gone or been ended
_MAX_EVENTS = 100_000  # of the monitor, tiny; they are read ten times a second
_LOOK_SECONDS = 0.5  # between two looks for the silent: there may be thousands of connections
_EVENTS = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED


@dataclass
class _Connection:
    since: float
    peer: object
    user: str = ""


class Connections:
    """Of all sockets of one listener. Times in seconds of a monotonic clock. For the listener's thread.

    ended: connections that were silent and ended. refused: those that were one too many.
    """

    def __init__(self, most: int) -> None:
        """most: connections that one key may hold."""
        self._most = most
        self._monitors: dict[zmq.Socket[bytes], zmq.Socket[bytes]] = {}
        self._open: dict[int, _Connection] = {}
        self._spoken: dict[str, set[int]] = {}
        self._admitted: dict[str, deque[float]] = {}
        self._look_due = 0.0
        self.refused = 0
        self.ended = 0

    def __len__(self) -> int:
        return len(self._open)

    def watch(self, context: zmq.Context[zmq.Socket[bytes]], router: zmq.Socket[bytes]) -> None:
        """Follow the connections of this socket; before it is bound."""
        place = f"inproc://monitor.{id(router)}"
        router.monitor(place, _EVENTS)
        monitor = context.socket(zmq.PAIR)
        monitor.setsockopt(zmq.LINGER, 0)
        monitor.setsockopt(zmq.RCVHWM, _MAX_EVENTS)
        monitor.connect(place)
        self._monitors[router] = monitor

    def unwatch(self, router: zmq.Socket[bytes]) -> None:
        """Before the socket is closed."""
        if (monitor := self._monitors.pop(router, None)) is not None:
            router.disable_monitor()
            monitor.close()

    def turn(self, now: float) -> None:
        """Take up who came and went, and end who keeps silent."""
        for monitor in self._monitors.values():
            self._follow(monitor, now)
        if now < self._look_due:
            return
        self._look_due = now + _LOOK_SECONDS
        for number, connection in self._open.items():
            if not connection.user and now - connection.since > SILENT_SECONDS:
                connection.since = now  # once more if it is still there later
                self.ended += _end(number, connection.peer)
        for user in [user for user, times in self._admitted.items() if times[0] < now - _ADMITTED_SECONDS]:
            self._drop_admitted(user, now)

    def held(self, user: str) -> int:
        """Connections over which this key has spoken."""
        return len(self._spoken.get(user, ()))

    def admit(self, user: str, now: float) -> bool:
        """Whether this key may open another connection; then it is counted."""
        self._drop_admitted(user, now)
        waiting = self._admitted.get(user, ())
        if self.held(user) + len(waiting) >= self._most:
            self.refused += 1
            return False
        self._admitted.setdefault(user, deque()).append(now)
        return True

    def spoke(self, user: str, number: int) -> None:
        """A message of this key came over this descriptor."""
        connection = self._open.get(number)
        if connection is None or connection.user:
            return
        connection.user = user
        self._spoken.setdefault(user, set()).add(number)
        if waiting := self._admitted.get(user):
            waiting.popleft()
            if not waiting:
                del self._admitted[user]

    def _follow(self, monitor: zmq.Socket[bytes], now: float) -> None:
        while True:
            try:
                event = parse_monitor_message(monitor.recv_multipart(flags=zmq.DONTWAIT))
            except zmq.Again:
                return
            number = int(event["value"])  # the descriptor, of these two
            self._forget(number)
            if event["event"] == zmq.EVENT_ACCEPTED:
                self._open[number] = _Connection(now, _peer(number))

    def _forget(self, number: int) -> None:
        gone = self._open.pop(number, None)
        if gone is None or not gone.user:
            return
        held = self._spoken[gone.user]
        held.discard(number)
        if not held:
            del self._spoken[gone.user]

    def _drop_admitted(self, user: str, now: float) -> None:
        waiting = self._admitted.get(user)
        while waiting and waiting[0] < now - _ADMITTED_SECONDS:
            waiting.popleft()
        if waiting is not None and not waiting:
            del self._admitted[user]


def _peer(number: int) -> object:
    """Who is at the other end of a descriptor that libzmq owns; None when it is gone."""
    try:
        with socket.socket(fileno=os.dup(number)) as other:
            return other.getpeername()
    except OSError:
        return None


def _end(number: int, peer: object) -> bool:
    """End a connection under libzmq's feet, which has no call for it: it finds its peer gone. The descriptor
    may be another's by now, so it must still lead to the same peer.
    """
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(number)) as other:
        if peer is not None and other.getpeername() == peer:
            other.shutdown(socket.SHUT_RDWR)
            return True
    return False
