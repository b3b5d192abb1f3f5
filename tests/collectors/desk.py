"""A centre's ingest without sockets, and a sensor that speaks to it: for the tests of this folder."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from pathlib import Path

from collectors.enrolment import Enroller
from collectors.ingest import Receiver
from collectors.journal import Journal
from collectors.registry import Registry
from collectors.relay.origins import Origins
from sensor.bus import messages
from sensor.bus.enrol import Token, proof
from sensor.bus.keys import CentreKeys, SensorKeys
from sensor.bus.messages import decode, encode
from sensor.bus.seal import NO_PREVIOUS, Header, Opener, Sealer

CENTRE_KEYS = CentreKeys.generate()
SENSOR_KEYS = SensorKeys.generate()


class Desk:
    """Registry, journal and receiver of one centre."""

    def __init__(self, directory: Path, keys: CentreKeys = CENTRE_KEYS) -> None:
        self.keys = keys
        self.registry = Registry(directory / "registry.sqlite")
        self.journal = Journal(directory / "journal.sqlite")
        self.opener = Opener({keys.public().recipient: keys.opening_key()})
        self.origins = Origins(directory / "registry.sqlite")
        self.begin()

    def begin(self) -> None:
        """A receiver that knows nothing, as after a restart."""
        enroller = Enroller(self.registry, self.keys.public())
        self.receiver = Receiver(self.registry, self.journal, self.opener, enroller, self.origins)

    def hear(self, user: str, *frames: bytes, routing: bytes = b"r") -> list[messages.AnyMessage]:
        return [decode(frame) for _, frame in self.receiver.receive(routing, user, list(frames))]

    def commit(self) -> list[messages.AnyMessage]:
        return [decode(frame) for _, frame in self.receiver.commit()]

    def enrol(
        self, name: str = "tap1", keys: SensorKeys = SENSOR_KEYS, relay: list[str] | None = None
    ) -> None:
        token = Token.issue("tcp://127.0.0.1:1", self.keys.public(), 600)
        self.registry.add_token(token, "", relay=relay)
        row = self.registry.token(token.client_public)
        assert row is not None and self.registry.enrol(row, name, keys.public()) == ""

    def close(self) -> None:
        self.origins.close()
        self.registry.close()
        self.journal.close()


class Tap:
    """A sensor that seals what it is told to and says it when it is told to."""

    def __init__(self, desk: Desk, name: str = "tap1", keys: SensorKeys = SENSOR_KEYS) -> None:
        self.desk, self.name, self.keys = desk, name, keys
        self.sealer = Sealer(keys, desk.keys.public())
        self.epoch = secrets.randbits(62)
        self.session = 0
        self.previous = [NO_PREVIOUS] * 4
        self.routing = secrets.token_bytes(5)

    def say(self, *frames: bytes) -> list[messages.AnyMessage]:
        return self.desk.hear(self.keys.curve_public, *frames, routing=self.routing)

    def hello(self) -> list[int]:
        """The centre's cursors by lane."""
        assert self.say(encode(messages.Hello(1, self.name, self.epoch, [], clock_us=1))) == []
        (answer,) = [message for message in self.desk.commit() if isinstance(message, messages.Welcome)]
        self.session = answer.session
        return [cursor.next for cursor in answer.cursors]

    def seal(self, lane: int, seq: int, *lines: bytes, **changes: object) -> bytes:
        fields = {
            "sensor": self.name,
            "epoch": self.epoch,
            "lane": lane,
            "seq": seq,
            "events": len(lines) or 1,
            "first_us": 0,
            "last_us": 0,
            "previous": self.previous[lane],
            "signer": self.sealer.signer,
            **changes,
        }
        sealed = self.sealer.seal(Header(**fields), b"".join(line + b"\n" for line in lines or (b"{}",)))
        self.previous[lane] = sealed.digest
        return sealed.record

    def send(self, lane: int, seq: int, record: bytes) -> list[messages.AnyMessage]:
        return self.say(encode(messages.Batch(self.session, lane, seq)), record)


def enrol_by_messages(desk: Desk, token: Token, keys: SensorKeys, name: str) -> messages.AnyMessage:
    """The sensor's side of an enrolment, message by message; the centre's last answer."""
    nonce = secrets.token_bytes(32)
    mine = bytes.fromhex(keys.public().fingerprint)
    asked = proof(token.proof_key, b"request", name.encode(), mine, nonce)
    (offer,) = desk.hear(
        token.client_public, encode(messages.EnrolRequest(1, name, keys.public(), nonce, asked))
    )
    if not isinstance(offer, messages.EnrolOffer):
        return offer
    theirs = bytes.fromhex(offer.keys.fingerprint)
    parts = (name.encode(), mine, nonce, theirs, offer.nonce)
    assert proof(token.proof_key, b"offer", *parts) == offer.proof
    (done,) = desk.hear(
        token.client_public, encode(messages.EnrolConfirm(proof(token.proof_key, b"confirm", *parts)))
    )
    return done


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.02)
