"""The sensor's connection: one thread that carries a session over a DEALER socket with CURVE.

It owns the socket and nothing else: what is said is `session`'s, what is kept is `spool`'s. It never stops
trying; a dead link only makes the spool longer.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable

import zmq

from sensor.bus.budget import Budget
from sensor.bus.keys import CentrePublic, SensorKeys
from sensor.bus.messages import MAX_MESSAGE_BYTES, MessageError
from sensor.bus.renewal import Renewal
from sensor.bus.session import SILENCE_SECONDS, Conflict, Session
from sensor.bus.spool import Spool

log = logging.getLogger("haidang.bus")

_POLL_MS = 20  # how late a batch that was just spooled may leave
_SEND_QUEUE = 64  # messages that libzmq may hold; the session's window is the real bound
_DISK_WAIT_SECONDS = 1.0
_FRESH_SECONDS = 2.0  # between two looks whether the keys have changed
_BURST = 64  # messages taken or sent before the other direction gets its turn


def connect(
    context: zmq.Context[zmq.Socket[bytes]], address: str, keys: SensorKeys, server: str
) -> zmq.Socket[bytes]:
    """A DEALER socket to this address that trusts only the server with this CURVE key. zmq.ZMQError for a
    bad address.
    """
    socket = context.socket(zmq.DEALER)
    set_client_options(socket, address)
    socket.curve_publickey = keys.curve_public.encode()
    socket.curve_secretkey = keys.curve_secret.encode()
    socket.curve_serverkey = server.encode()
    socket.connect(address)
    return socket


def set_client_options(socket: zmq.Socket[bytes], address: str) -> None:
    """What every socket towards a centre has: nothing is queued for an absent peer, nothing large is taken
    from it.
    """
    socket.setsockopt(zmq.IMMEDIATE, 1)
    socket.setsockopt(zmq.IPV6, int("[" in address))
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.SNDHWM, _SEND_QUEUE)
    socket.setsockopt(zmq.RCVHWM, _SEND_QUEUE)
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES)
    socket.setsockopt(zmq.RECONNECT_IVL, 100)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 5_000)
    socket.setsockopt(zmq.HEARTBEAT_IVL, 5_000)  # finds a peer that vanished without a word
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 15_000)
    socket.setsockopt(zmq.HANDSHAKE_IVL, 10_000)


class Link(threading.Thread):
    """Ships a spool to a centre until `stop`. `failure` holds what made it give up, if anything did."""

    def __init__(
        self,
        spool: Spool,
        keys: SensorKeys,
        centre: CentrePublic,
        address: str,
        *,
        software: str,
        renewal: Renewal | None = None,
        fresh: Callable[[], tuple[SensorKeys, CentrePublic] | None] = lambda: None,
        bytes_per_second: float = 0,
    ) -> None:
        """renewal: follows the centre's keys. fresh: the keys when they were rotated, else None.
        bytes_per_second: the link's budget, 0 for no limit.
        """
        super().__init__(name="bus-link", daemon=True)
        self.session = Session(spool, software=software, renewal=renewal, budget=Budget(bytes_per_second))
        self.failure: Exception | None = None
        self.reconnects = 0
        self.delivered_events = 0
        self._keys = keys
        self._centre = centre
        self._address = address
        self._fresh = fresh
        self._fresh_due = 0.0
        self._stop_asked = threading.Event()

    def stop(self) -> None:
        """Ask the thread to end; join it to be sure."""
        self._stop_asked.set()

    def run(self) -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            while not self._stop_asked.is_set():
                socket = connect(context, self._address, self._keys, self._centre.curve)
                try:
                    self._serve(socket)
                finally:
                    socket.close()
                self.reconnects += not self._stop_asked.is_set()
        except (Conflict, zmq.ZMQError, OSError) as error:
            self.failure = error
            log.error("the link to %s ended: %s", self._address, error)
        except Exception as error:
            self.failure = error
            log.exception("the link to %s failed", self._address)
        finally:
            context.term()

    def _serve(self, socket: zmq.Socket[bytes]) -> None:
        """Talk over one socket until it has been silent for too long."""
        self.session.restart(time.monotonic())
        while not self._stop_asked.is_set():
            self._send(socket)
            if socket.poll(_POLL_MS):
                self._receive(socket)
            if time.monotonic() - self.session.heard_at > SILENCE_SECONDS:
                return
            if self._has_fresh_keys():
                return

    def _has_fresh_keys(self) -> bool:
        """Whether the connection must be made anew with other keys. A new sealing key alone needs none."""
        now = time.monotonic()
        if now < self._fresh_due:
            return False
        self._fresh_due = now + _FRESH_SECONDS
        found = self._fresh()
        if found is None:
            return False
        before = (self._keys.curve_public, self._centre.curve)
        self._keys, self._centre = found
        return before != (self._keys.curve_public, self._centre.curve)

    def _send(self, socket: zmq.Socket[bytes]) -> None:
        for _ in range(_BURST):
            now = time.monotonic()
            try:
                message = self.session.next_message(now)
            except sqlite3.OperationalError as error:
                # A full or read-only disk: what may have been sent cannot be noted, so nothing is sent.
                log.warning("the spool gives out nothing: %s", error)
                self._stop_asked.wait(_DISK_WAIT_SECONDS)
                return
            if message is None:
                return
            try:
                socket.send_multipart(message.frames, flags=zmq.DONTWAIT)
            except zmq.Again:  # nobody there, or its queue is full
                return
            self.session.sent(message, now)

    def _receive(self, socket: zmq.Socket[bytes]) -> None:
        for _ in range(_BURST):
            try:
                frames = socket.recv_multipart(flags=zmq.DONTWAIT)
            except zmq.Again:
                return
            try:
                self.delivered_events += self.session.receive(frames[0], time.monotonic())
            except MessageError as error:
                log.warning("a message of the centre was ignored: %s", error)
            except OSError as error:
                log.warning("the centre's new key was not kept: %s", error)
            except sqlite3.OperationalError as error:
                # A full disk takes no deletion either. What is not forgotten is acknowledged again later.
                log.warning("the spool does not take the acknowledgement: %s", error)
                self.session.restart(time.monotonic())
                self._stop_asked.wait(_DISK_WAIT_SECONDS)
