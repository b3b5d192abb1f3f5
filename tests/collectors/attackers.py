"""Those who mean harm to a centre's socket, each a thread until it is stopped: for `test_hostile`."""

from __future__ import annotations

import contextlib
import random
import secrets
import socket as network
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

import zmq
from desk import CENTRE_KEYS, SENSOR_KEYS
from door import Door

from sensor.bus import messages
from sensor.bus.keys import CentreKeys, SensorKeys
from sensor.bus.messages import MessageError, decode, encode
from sensor.bus.seal import MAX_RECORD_BYTES, NO_PREVIOUS, Header, Sealer

Attack = Callable[[threading.Event], None]
BAD_EPOCH = 99
_PAUSE_SECONDS = 0.01


class Attackers:
    """All of them against one door. `bad_keys` and `forger_keys` are enrolled sensors gone bad (tap9,
    tap7), `revoked_keys` one that was thrown out while it was connected (tap8).
    """

    def __init__(self, door: Door, *, seed: int) -> None:
        self.door = door
        self.chance = random.Random(seed)
        self.bad_keys, self.revoked_keys = SensorKeys.generate(), SensorKeys.generate()
        self.forger_keys, self.idle_keys = SensorKeys.generate(), SensorKeys.generate()
        self.stop = threading.Event()
        self.threads: list[threading.Thread] = []
        self.idle: list[network.socket | zmq.Socket[bytes]] = []
        self.said: dict[str, int] = {}

    def start(self) -> None:
        for attack in (self.strangers, self.wrong_centre, self.revoked, self.liar, self.forger, self.noise):
            thread = threading.Thread(target=self._repeat, args=(attack,), name=attack.__name__)
            thread.start()
            self.threads.append(thread)

    def end(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(20)
        for held in self.idle:
            held.close()

    def _repeat(self, attack: Callable[[], None]) -> None:
        while not self.stop.wait(_PAUSE_SECONDS):
            with contextlib.suppress(zmq.ZMQError, OSError, MessageError):
                attack()
                self.said[attack.__name__] = self.said.get(attack.__name__, 0) + 1

    def hold_idle(self, count: int) -> None:
        """So many connections that say nothing: half without a handshake, half with tap6's key."""
        parts = urlsplit(self.door.listener.bound)
        for number in range(count):
            if number % 2:
                self.idle.append(network.create_connection((parts.hostname, parts.port), timeout=10))
            else:
                self.idle.append(self.door.knock(self.idle_keys))

    def strangers(self) -> None:
        """A key that nobody enrolled."""
        with self.door.knock(SensorKeys.generate()) as socket:
            socket.setsockopt(zmq.SNDTIMEO, 100)
            socket.send(encode(messages.Hello(1, "tap1", 7, [])))

    def wrong_centre(self) -> None:
        """A sensor's own key, meant for another centre."""
        with self.door.knock(SENSOR_KEYS, CentreKeys.generate().curve_public) as socket:
            socket.setsockopt(zmq.SNDTIMEO, 100)
            socket.send(encode(messages.Hello(1, "tap1", 7, [])))

    def revoked(self) -> None:
        """Goes on talking over the connection it had when it was thrown out."""
        if not hasattr(self, "_open"):
            self._open = self.door.knock(self.revoked_keys)
            self.idle.append(self._open)
            self.door.desk.enrol("tap8", self.revoked_keys)
            self._open.send(encode(messages.Hello(1, "tap8", 7, [])))
            self._open.recv()
            self.door.desk.registry.revoke("tap8")
        self._open.send(encode(messages.Hello(1, "tap8", 7, [])))
        self._open.send_multipart([encode(messages.Batch(1, 0, 0)), b"x" * 5000])

    def liar(self) -> None:
        """Enrolled as tap9, says it is tap1; then sends batches sealed as tap1's."""
        with self.door.knock(self.bad_keys) as socket:
            socket.send(encode(messages.Hello(1, "tap1", 7, [])))
            session = self._hello(socket, "tap9")
            self._batch(socket, session, self._seal("tap1", self.bad_keys))

    def forger(self) -> None:
        """Stripped suites, flipped bits, foreign signatures, replays of another place."""
        good = self._seal("tap7", self.forger_keys)
        flipped = bytearray(good)
        flipped[self.chance.randrange(len(good))] ^= 1 << self.chance.randrange(8)
        stripped = bytearray(good)
        stripped[4] = self.chance.choice((0, 200, 255))
        other = SensorKeys.generate()
        for record in (
            bytes(flipped),
            bytes(stripped),
            self._seal("tap7", other),
            self._seal("tap7", self.forger_keys, seq=5),
            good[:-1],
        ):
            with self.door.knock(self.forger_keys) as socket:
                self._batch(socket, self._hello(socket, "tap7"), record)

    def noise(self) -> None:
        """Bytes, too many frames, giants; and bytes before any handshake."""
        parts = urlsplit(self.door.listener.bound)
        with network.create_connection((parts.hostname, parts.port), timeout=1) as raw:
            raw.sendall(secrets.token_bytes(self.chance.randrange(1, 4000)))
        with self.door.knock(self.bad_keys) as socket:
            socket.send(secrets.token_bytes(self.chance.randrange(1, 300)))
            socket.send_multipart([b"x", b"y", b"z"])
            socket.send(bytes(messages.MAX_MESSAGE_BYTES + 1))
            socket.send(bytes(MAX_RECORD_BYTES + 1))

    def _hello(self, socket: zmq.Socket[bytes], name: str) -> int:
        socket.send(encode(messages.Hello(1, name, BAD_EPOCH, [])))
        while True:
            answer = decode(socket.recv())
            if isinstance(answer, messages.Welcome):
                return answer.session

    def _batch(self, socket: zmq.Socket[bytes], session: int, record: bytes) -> None:
        socket.send_multipart([encode(messages.Batch(session, 0, 0)), record])
        socket.setsockopt(zmq.RCVTIMEO, 500)
        socket.recv()

    def _seal(self, sensor: str, keys: SensorKeys, *, seq: int = 0) -> bytes:
        sealer = Sealer(keys, CENTRE_KEYS.public())
        header = Header(sensor, BAD_EPOCH, 0, seq, 1, 0, 0, NO_PREVIOUS, sealer.signer)
        return sealer.seal(header, b'{"forged":true}\n').record
