"""The centre's sockets: a ROUTER with CURVE for sensors, and the ZAP handler that decides whose connection
is let in.

It moves frames between sockets and `ingest`, and bounds what may pile up; what frames mean is not its
business.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import zmq
from zmq.utils import z85

from collectors.ingest import MAX_GATHERED_BYTES, Receiver, Reply
from collectors.registry import Registry
from sensor.bus.keys import CentreKeys
from sensor.bus.seal import MAX_RECORD_BYTES
from sensor.errors import UserError

log = logging.getLogger("haidang.ingest")

_ZAP = "inproc://zeromq.zap.01"  # ZeroMQ RFC 27
_ZAP_DOMAIN = "haidang"
_POLL_MS = 100
_QUEUE_PER_PEER = 8  # messages of at most MAX_RECORD_BYTES that libzmq holds for one sensor
_MAX_SOCKETS = 8192  # connections; libzmq's default of 1,023 is too few for a nation
_LOG_SECONDS = 1.0
_BURST = 256  # messages between two commits
_BURST_SECONDS = 0.05  # and the time for them: what has been checked must not wait long for what has not


class Listener:
    """The receiving loop of one centre."""

    def __init__(self, address: str, keys: CentreKeys, registry: Registry, receiver: Receiver) -> None:
        self._registry = registry
        self._receiver = receiver
        self.refused_connections = 0
        self._refusal_logged = float("-inf")
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._context.set(zmq.MAX_SOCKETS, _MAX_SOCKETS)
        self._zap = self._context.socket(zmq.ROUTER)
        self._zap.bind(_ZAP)
        self._router = self._context.socket(zmq.ROUTER)
        self._router.setsockopt(zmq.LINGER, 0)
        self._router.setsockopt(zmq.IPV6, int("[" in address))
        self._router.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._router.setsockopt(zmq.MAXMSGSIZE, MAX_RECORD_BYTES)
        self._router.setsockopt(zmq.RCVHWM, _QUEUE_PER_PEER)
        self._router.setsockopt(
            zmq.SNDHWM, 1000
        )  # acknowledgements: tiny, and cumulative when one is dropped
        self._router.setsockopt(zmq.HANDSHAKE_IVL, 10_000)
        self._router.setsockopt(zmq.HEARTBEAT_IVL, 5_000)
        self._router.setsockopt(zmq.HEARTBEAT_TIMEOUT, 15_000)
        self._router.setsockopt_string(zmq.ZAP_DOMAIN, _ZAP_DOMAIN)
        self._router.curve_server = True
        self._router.curve_secretkey = keys.curve_secret.encode()
        self._router.curve_publickey = keys.curve_public.encode()
        try:
            self._router.bind(address)
        except zmq.ZMQError as error:
            self.close()
            raise UserError(
                f"cannot listen on {address}: {error}", fix="set `listen` in centre.yaml"
            ) from error
        self.bound: str = self._router.getsockopt(zmq.LAST_ENDPOINT).decode().rstrip("\0")  # type: ignore[union-attr]  # bytes for this option

    def close(self) -> None:
        self._router.close()
        self._zap.close()
        self._context.term()

    def run(self, stop: threading.Event, *, each: Callable[[], None] = lambda: None) -> None:
        """Receive until `stop`. each: called in every turn, at least ten times a second."""
        poller = zmq.Poller()
        poller.register(self._zap, zmq.POLLIN)
        poller.register(self._router, zmq.POLLIN)
        while not stop.is_set():
            ready = dict(poller.poll(_POLL_MS))
            if self._zap in ready:
                self._admit()
            if self._router in ready:
                self._receive()
            self._send(self._receiver.commit())
            each()

    def _receive(self) -> None:
        end = time.monotonic() + _BURST_SECONDS
        for _ in range(_BURST):
            try:
                routing, *frames = self._router.recv_multipart(flags=zmq.DONTWAIT, copy=False)
            except zmq.Again:
                return
            user = _user(frames[0]) if frames else ""
            if not user or len(frames) > 2:
                self._receiver.counts["malformed"] += 1
                continue
            self._send(self._receiver.receive(routing.bytes, user, [frame.bytes for frame in frames]))
            if self._receiver.gathered_bytes >= MAX_GATHERED_BYTES or time.monotonic() >= end:
                return

    def _send(self, replies: list[Reply]) -> None:
        for routing, frame in replies:
            try:
                self._router.send_multipart([routing, frame], flags=zmq.DONTWAIT)
            except zmq.ZMQError as error:
                # Gone, or not reading: what it misses is said again when it says hello.
                if error.errno not in (zmq.EHOSTUNREACH, zmq.EAGAIN):
                    raise

    def _admit(self) -> None:
        while True:
            try:
                envelope, empty, version, request, domain, _, _, mechanism, *credentials = (
                    self._zap.recv_multipart(flags=zmq.DONTWAIT)
                )
            except zmq.Again:
                return
            except ValueError:
                continue
            user = z85.encode(credentials[0]).decode() if credentials and len(credentials[0]) == 32 else ""
            known = (
                mechanism == b"CURVE"
                and domain == _ZAP_DOMAIN.encode()
                and bool(user)
                and (self._registry.peer(user) is not None or self._registry.token(user) is not None)
            )
            if not known:
                self._note_refusal(user)
            status, text = (b"200", b"OK") if known else (b"400", b"unknown key")
            self._zap.send_multipart(
                [envelope, empty, version, request, status, text, user.encode() if known else b"", b""]
            )

    def _note_refusal(self, user: str) -> None:
        self.refused_connections += 1
        if time.monotonic() >= self._refusal_logged + _LOG_SECONDS:  # whoever knocks must not fill the log
            self._refusal_logged = time.monotonic()
            log.warning("a connection with unknown key %s was refused", user or "(none)")


def _user(frame: zmq.Frame) -> str:
    try:
        return str(frame.get("User-Id"))
    except zmq.ZMQError:
        return ""
