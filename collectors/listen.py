"""The centre's sockets: a ROUTER with CURVE for sensors, and the ZAP handler that decides whose connection
is let in.

It moves frames between sockets and `ingest`, and bounds what may pile up; what frames mean is not its
business.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import zmq
from zmq.utils import z85

from collectors.connections import Connections
from collectors.home import CONNECTIONS_PER_KEY
from collectors.ingest import MAX_GATHERED_BYTES, Receiver, Reply
from collectors.registry import Registry
from collectors.transport import Transport
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


class _Served(NamedTuple):
    """One of our CURVE keys and the socket that has it. mark: what stands before its routing ids here."""

    curve: str
    router: zmq.Socket[bytes]
    mark: bytes
    bound: str


class Listener:
    """The receiving loop of one centre. It serves one CURVE key, or two while sensors follow."""

    def __init__(
        self,
        address: str,
        keys: CentreKeys,
        registry: Registry,
        receiver: Receiver,
        *,
        connections_per_key: int = CONNECTIONS_PER_KEY,
    ) -> None:
        self.connections = Connections(connections_per_key)
        self._registry = registry
        self._receiver = receiver
        self.refused_connections = 0
        self._refusal_logged = float("-inf")
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._context.set(zmq.MAX_SOCKETS, _MAX_SOCKETS)
        self._zap = self._context.socket(zmq.ROUTER)
        self._zap.bind(_ZAP)
        self._served: list[_Served] = []
        self._marks = 0
        try:
            self._served.append(self._serve(address, keys.curve_public, keys.curve_secret))
        except UserError:
            self.close()
            raise

    @property
    def bound(self) -> str:
        """Where the present key is served."""
        return self._served[0].bound

    @property
    def served(self) -> dict[str, str]:
        """The CURVE keys that are served, present first, and where."""
        return {one.curve: one.bound for one in self._served}

    def follow(self, transports: Sequence[Transport]) -> None:
        """Serve these keys, present first, and no others. One that cannot be is logged and left out."""
        wanted = {one.curve_public for one in transports}
        found = {one.curve: one for one in self._served}
        for curve in found.keys() - wanted:
            self.connections.unwatch(found[curve].router)
            gone = found.pop(curve)
            gone.router.close()
            log.info("the transport key %s is served no longer at %s", curve, gone.bound)
        for transport in transports:
            if transport.curve_public not in found:
                try:
                    made = self._serve(transport.listen, transport.curve_public, transport.curve_secret)
                except UserError as error:
                    log.error("a transport key is not served: %s", error)
                    continue
                found[made.curve] = made
                log.info("the transport key %s is served at %s", made.curve, made.bound)
        order = [one.curve_public for one in transports if one.curve_public in found]
        self._served = [found[curve] for curve in order]

    def _serve(self, address: str, public: str, secret: str) -> _Served:
        router = self._context.socket(zmq.ROUTER)
        router.setsockopt(zmq.LINGER, 0)
        router.setsockopt(zmq.IPV6, int("[" in address))
        router.setsockopt(zmq.ROUTER_MANDATORY, 1)
        router.setsockopt(zmq.MAXMSGSIZE, MAX_RECORD_BYTES)
        router.setsockopt(zmq.RCVHWM, _QUEUE_PER_PEER)
        router.setsockopt(zmq.SNDHWM, 1000)  # acknowledgements: tiny, and cumulative when one is dropped
        router.setsockopt(zmq.HANDSHAKE_IVL, 10_000)
        router.setsockopt(zmq.HEARTBEAT_IVL, 5_000)
        router.setsockopt(zmq.HEARTBEAT_TIMEOUT, 15_000)
        router.setsockopt_string(zmq.ZAP_DOMAIN, _ZAP_DOMAIN)
        router.curve_server = True
        router.curve_secretkey = secret.encode()
        router.curve_publickey = public.encode()
        self.connections.watch(self._context, router)
        try:
            router.bind(address)
        except zmq.ZMQError as error:
            self.connections.unwatch(router)
            router.close()
            raise UserError(
                f"cannot listen on {address}: {error}", fix="set `listen` in centre.yaml"
            ) from error
        self._marks = (self._marks + 1) % 256
        bound: str = router.getsockopt(zmq.LAST_ENDPOINT).decode().rstrip("\0")  # type: ignore[union-attr]  # bytes for this option
        return _Served(public, router, bytes((self._marks,)), bound)

    def close(self) -> None:
        for one in self._served:
            self.connections.unwatch(one.router)
            one.router.close()
        self._zap.close()
        self._context.term()

    def run(self, stop: threading.Event, *, each: Callable[[], None] = lambda: None) -> None:
        """Receive until `stop`. each: called in every turn, at least ten times a second."""
        poller, served = self._poller(), self._served
        while not stop.is_set():
            if served is not self._served:
                poller, served = self._poller(), self._served
            ready = dict(poller.poll(_POLL_MS))
            self.connections.turn(time.monotonic())
            if self._zap in ready:
                self._admit()
            for one in served:
                if one.router in ready:
                    self._receive(one)
            self._send(self._receiver.commit())
            each()

    def _poller(self) -> zmq.Poller:
        poller = zmq.Poller()
        poller.register(self._zap, zmq.POLLIN)
        for one in self._served:
            poller.register(one.router, zmq.POLLIN)
        return poller

    def _receive(self, served: _Served) -> None:
        end = time.monotonic() + _BURST_SECONDS
        for _ in range(_BURST):
            try:
                routing, *frames = served.router.recv_multipart(flags=zmq.DONTWAIT, copy=False)
            except zmq.Again:
                return
            user = _user(frames[0]) if frames else ""
            if not user or len(frames) > 2:
                self._receiver.counts["malformed"] += 1
                continue
            self.connections.spoke(user, _descriptor(frames[0]))
            told = [frame.bytes for frame in frames]
            self._send(self._receiver.receive(served.mark + routing.bytes, user, told, served.curve))
            if self._receiver.gathered_bytes >= MAX_GATHERED_BYTES or time.monotonic() >= end:
                return

    def _send(self, replies: list[Reply]) -> None:
        routers = {one.mark: one.router for one in self._served} if replies else {}
        for routing, frame in replies:
            router = routers.get(routing[:1])
            if router is None:
                continue  # by a key that is served no longer
            try:
                router.send_multipart([routing[1:], frame], flags=zmq.DONTWAIT)
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
            status, text = b"200", b"OK"
            if not known:
                self._note_refusal(f"a connection with unknown key {user or '(none)'} was refused")
                self.refused_connections += 1
                status, text, user = b"400", b"unknown key", ""
            elif not self.connections.admit(user, time.monotonic()):
                self._note_refusal(f"the key {user} has as many connections as it may")
                # Temporary (RFC 27): a sensor tries again by itself.
                status, text, user = b"300", b"too many connections", ""
            self._zap.send_multipart([envelope, empty, version, request, status, text, user.encode(), b""])

    def _note_refusal(self, why: str) -> None:
        if time.monotonic() >= self._refusal_logged + _LOG_SECONDS:  # whoever knocks must not fill the log
            self._refusal_logged = time.monotonic()
            log.warning("%s", why)


def _descriptor(frame: zmq.Frame) -> int:
    try:
        return int(frame.get(zmq.SRCFD))
    except (zmq.ZMQError, ValueError):
        return -1


def _user(frame: zmq.Frame) -> str:
    try:
        return str(frame.get("User-Id"))
    except zmq.ZMQError:
        return ""
