"""The sensor's connection: one thread that carries a session over a DEALER socket with CURVE.

It owns the socket and nothing else: what is said is `session`'s, what is kept is `spool`'s. It never stops
trying; a dead link only makes the spool longer. With several collectors it goes to the next when one does not
serve it for a while, and back to the first when that one lets it in again.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import zmq

from sensor.bus.budget import Budget
from sensor.bus.keys import CentrePublic, SensorKeys
from sensor.bus.messages import MAX_MESSAGE_BYTES, MessageError
from sensor.bus.renewal import Renewal
from sensor.bus.session import SILENCE_SECONDS, Conflict, Origins, Session, Source

log = logging.getLogger("haidang.bus")

_POLL_MS = 20  # how late a batch that was just spooled may leave
_SEND_QUEUE = 64  # messages that libzmq may hold; the session's window is the real bound
_DISK_WAIT_SECONDS = 1.0
FAILOVER_SECONDS = 30.0  # a collector that is restarted is back within some seconds
RETURN_SECONDS = (
    60.0  # between looks at the first collector; doubled each time it lets us in and does not serve
)
_MAX_RETURN_SECONDS = 3600.0
_PROBE_SECONDS = 10.0
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


class Endpoint(NamedTuple):
    """Where a collector is, the CURVE key by which it is known, and what follows its other keys."""

    address: str
    curve: str
    renewal: Renewal | None = None


class Link(threading.Thread):
    """Ships a spool to a centre until `stop`. `failure` holds what made it give up, if anything did.

    alternates: collectors to turn to, in this order, after failover_seconds without the one before.
    """

    def __init__(
        self,
        spool: Source,
        keys: SensorKeys,
        centre: CentrePublic,
        address: str,
        *,
        software: str,
        alternates: Sequence[Endpoint] = (),
        failover_seconds: float = FAILOVER_SECONDS,
        return_seconds: float = RETURN_SECONDS,
        origins: Origins | None = None,
        renewal: Renewal | None = None,
        fresh: Callable[[], tuple[SensorKeys, CentrePublic] | None] = lambda: None,
        bytes_per_second: float = 0,
    ) -> None:
        """renewal: follows the centre's keys. fresh: the keys when they were rotated, else None.
        bytes_per_second: the link's budget, 0 for no limit.
        """
        super().__init__(name="bus-link", daemon=True)
        self.session = Session(
            spool, software=software, origins=origins, renewal=renewal, budget=Budget(bytes_per_second)
        )
        self.failure: Exception | None = None
        self.reconnects = 0
        self.failovers = 0
        self.delivered_events = 0
        self.at = 0
        self._keys = keys
        self._collectors = [Endpoint(address, centre.curve, renewal), *alternates]
        self._failover_seconds = failover_seconds
        self._return_seconds = self._first_return_seconds = return_seconds
        self._turned_at = 0.0
        self._fresh = fresh
        self._fresh_due = 0.0
        self._trial: zmq.Socket[bytes] | None = None
        self._trial_due = 0.0
        self._stop_asked = threading.Event()

    @property
    def collector(self) -> Endpoint:
        """The one that it talks to, or tries to."""
        return self._collectors[self.at]

    def stop(self) -> None:
        """Ask the thread to end; join it to be sure."""
        self._stop_asked.set()

    def run(self) -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._turned_at = time.monotonic()
        try:
            while not self._stop_asked.is_set():
                socket = connect(context, self.collector.address, self._keys, self.collector.curve)
                try:
                    self._serve(socket, context)
                finally:
                    socket.close()
                self.reconnects += not self._stop_asked.is_set()
        except (Conflict, zmq.ZMQError, OSError) as error:
            self.failure = error
            log.error("the link to %s ended: %s", self.collector.address, error)
        except Exception as error:
            self.failure = error
            log.exception("the link to %s failed", self.collector.address)
        finally:
            context.destroy(linger=0)

    def _serve(self, socket: zmq.Socket[bytes], context: zmq.Context[zmq.Socket[bytes]]) -> None:
        """Talk over one socket until it is silent for too long, or another collector's turn has come."""
        self.session.restart(time.monotonic())
        probe: zmq.Socket[bytes] | None = None
        probe_due = self._turned_at + self._return_seconds
        try:
            while not self._stop_asked.is_set():
                self._send(socket)
                if socket.poll(_POLL_MS):
                    self._receive(socket)
                now = time.monotonic()
                if len(self._collectors) > 1 and self._is_unserved(now):
                    self._turn((self.at + 1) % len(self._collectors), "does not serve us")
                    return
                if now - self.session.heard_at > SILENCE_SECONDS or self._has_fresh_keys(now):
                    return
                if self._follows_move(context, now):
                    return
                if self.at and now >= probe_due:
                    if probe is None:
                        first = self._collectors[0]
                        probe = connect(context, first.address, self._keys, first.curve)
                    elif probe.poll(0, zmq.POLLOUT):  # with IMMEDIATE only once it has let us in
                        self._turn(0, "gives way to the first, which lets us in again")
                        return
                    elif now >= probe_due + _PROBE_SECONDS:
                        probe.close()
                        probe, probe_due = None, now + self._return_seconds
        finally:
            self._end_trial()
            if probe is not None:
                probe.close()

    def _follows_move(self, context: zmq.Context[zmq.Socket[bytes]], now: float) -> bool:
        """Whether the collector is served where it says it has moved to, and is known by that from now on. It
        is tried first: a port that nobody opened must not cost a sensor its centre.
        """
        renewal = self.collector.renewal
        if renewal is None or renewal.moved is None or now < self._trial_due:
            return False
        if self._trial is None:
            moved, self._trial_due = renewal.moved, now
            try:
                self._trial = connect(context, moved.address, self._keys, moved.curve)
            except zmq.ZMQError as error:
                log.warning("the centre moved to %s, which is no address: %s", moved.address, error)
                renewal.moved = None
            return False
        if self._trial.poll(0, zmq.POLLOUT):
            moved = renewal.settle()
            self._collectors[self.at] = self.collector._replace(address=moved.address, curve=moved.curve)
            log.warning("the centre has a new transport key, at %s", moved.address)
            return True
        if now >= self._trial_due + _PROBE_SECONDS:
            self._end_trial()
            self._trial_due = now + self._return_seconds
        return False

    def _end_trial(self) -> None:
        if self._trial is not None:
            self._trial.close()
            self._trial = None

    def _is_unserved(self, now: float) -> bool:
        since = max(self.session.served_at, self._turned_at)
        return self.session.is_held(now) or now - since > self._failover_seconds

    def _turn(self, to: int, why: str) -> None:
        now = time.monotonic()
        if self.at == 0:  # from the first: when it did not serve at all, look at it less often
            has_served = self.session.served_at > self._turned_at
            longer = min(self._return_seconds * 2, _MAX_RETURN_SECONDS)
            self._return_seconds = self._first_return_seconds if has_served else longer
        log.warning("%s %s: on to %s", self.collector.address, why, self._collectors[to].address)
        self.at, self._turned_at = to, now
        self.failovers += 1
        self.session.turn(now, self.collector.renewal)

    def _has_fresh_keys(self, now: float) -> bool:
        """Whether the connection must be made anew with other keys. A new sealing key alone needs none."""
        if now < self._fresh_due:
            return False
        self._fresh_due = now + _FRESH_SECONDS
        found = self._fresh()
        if found is None:
            return False
        first = self._collectors[0]
        before = (self._keys.curve_public, first.curve)
        self._keys, centre = found
        self._collectors[0] = first._replace(curve=centre.curve)
        return before != (self._keys.curve_public, centre.curve)

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
