"""Enrolment: how a sensor and a centre that share one short token come to know each other's keys
(docs/spec/bus.md).

The token holds the centre's address, its CURVE key, the fingerprint of all its keys, and the secret key of a
CURVE pair that the centre lets in until the token is used or expires. That secret also keys the proofs by
which each side shows that it holds the token; they cover both sides' keys, so nobody in between, not even
one who breaks CURVE, can put others in their place.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import zmq
from zmq.utils import z85

from sensor.bus import messages
from sensor.bus.durable import make_private_directory, write_whole
from sensor.bus.keys import Bytes32, CentrePublic, SensorKeys, load_keys, save_keys
from sensor.bus.link import set_client_options
from sensor.bus.proofs import proof
from sensor.bus.seal import SensorName
from sensor.errors import UserError, from_os_error

KEYS_FILE = "keys.json"
CENTRE_FILE = "centre.json"
ALTERNATES_FILE = "alternates.json"
ANSWER_SECONDS = 10.0
_TOKEN_PREFIX = "hd1."  # noqa: S105  (a format mark, not a secret)
_MAX_TOKEN_CHARACTERS = 1024


class Token(msgspec.Struct, frozen=True, array_like=True):
    """What stands in a token. Keys are raw bytes; expires is seconds since 1970."""

    address: Annotated[str, msgspec.Meta(max_length=256)]
    server: Bytes32
    fingerprint: Bytes32
    secret: Bytes32
    expires: int

    @classmethod
    def issue(cls, address: str, centre: CentrePublic, lifetime_seconds: int) -> Token:
        _, secret = zmq.curve_keypair()
        return cls(
            address,
            z85.decode(centre.curve),
            bytes.fromhex(centre.fingerprint),
            z85.decode(secret),
            int(time.time()) + lifetime_seconds,
        )

    @property
    def client_public(self) -> str:
        """The CURVE key by which the centre knows this token."""
        return zmq.curve_public(z85.encode(self.secret)).decode()

    @property
    def proof_key(self) -> bytes:
        return hashlib.sha256(b"haidang token\0" + self.secret).digest()

    def text(self) -> str:
        """The token as people carry it; it ends in a check sum, so that a slip is found before anything is
        sent.
        """
        body = msgspec.msgpack.encode(self)
        return _TOKEN_PREFIX + base64.urlsafe_b64encode(body + _check(body)).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> Token:
        """UserError for what is no token."""
        text = text.strip()
        fix = "copy the whole line that `haidang centre token` printed"
        if not text.startswith(_TOKEN_PREFIX) or len(text) > _MAX_TOKEN_CHARACTERS:
            raise UserError("this is no enrolment token", fix=fix)
        encoded = text[len(_TOKEN_PREFIX) :]
        try:
            raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
            body, check = raw[:-4], raw[-4:]
            if _check(body) != check:
                raise ValueError
            return msgspec.msgpack.decode(body, type=cls)
        except (ValueError, msgspec.DecodeError) as error:
            raise UserError("this token is damaged or incomplete", fix=fix) from error


class Enrolment(msgspec.Struct, frozen=True):
    """What an enrolled sensor keeps about its centre and itself, beside its keys."""

    sensor: SensorName
    address: str
    centre: CentrePublic
    enrolled: int


def enrol(directory: Path, token: Token, name: str, *, alternate: bool = False) -> Enrolment:
    """Make this sensor's keys (once), register them with the token's centre, keep the centre's. UserError
    when refused.

    alternate: the centre is one to turn to when the first does not serve. Killed in between, it may be run
    again with the same token.
    """
    make_private_directory(directory)
    key_file = directory / KEYS_FILE
    if key_file.exists():
        keys = load_keys(key_file, SensorKeys)
    else:
        keys = SensorKeys.generate()
        save_keys(key_file, keys)
    with _Talk(token) as talk:
        nonce = secrets.token_bytes(32)
        mine = bytes.fromhex(keys.public().fingerprint)
        asked = proof(token.proof_key, b"request", name.encode(), mine, nonce)
        try:
            request = msgspec.convert(
                {
                    "t": "enrolrequest",
                    "version": messages.VERSION,
                    "sensor": name,
                    "keys": keys.public(),
                    "nonce": nonce,
                    "proof": asked,
                },
                messages.EnrolRequest,
            )
        except msgspec.ValidationError as error:
            raise UserError(
                f"{name!r} cannot be a sensor's name",
                fix="use small letters, digits, dots, dashes and underscores, 63 at most; --name gives "
                "another",
            ) from error
        offer = talk.ask(request, messages.EnrolOffer)
        theirs = bytes.fromhex(offer.keys.fingerprint)
        expected = proof(token.proof_key, b"offer", name.encode(), mine, nonce, theirs, offer.nonce)
        if theirs != token.fingerprint or not hmac.compare_digest(expected, offer.proof):
            raise UserError(
                "the centre that answered is not the one that made this token", fix="tell its operator"
            )
        made = Enrolment(name, token.address, offer.keys, int(time.time()))
        if alternate:
            others = [one for one in load_alternates(directory) if one.centre.curve != made.centre.curve]
            save_alternates(directory, [*others, made])
        else:
            save_centre(directory, made)
        confirmed = proof(token.proof_key, b"confirm", name.encode(), mine, nonce, theirs, offer.nonce)
        talk.ask(messages.EnrolConfirm(confirmed), messages.EnrolDone)
    return made


def load_alternates(directory: Path) -> list[Enrolment]:
    """The collectors that a sensor turns to when the first does not serve it, in order."""
    path = directory / ALTERNATES_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Enrolment])
    except FileNotFoundError:
        return []
    except OSError as error:
        raise from_os_error(error, where=path) from error
    except msgspec.DecodeError as error:
        raise UserError(f"damaged: {error}", where=path, fix="remove it and enrol there again") from error


def save_alternates(directory: Path, alternates: list[Enrolment]) -> None:
    """Replace the list of alternates, whole or not at all."""
    _save(directory / ALTERNATES_FILE, alternates)


def save_centre(directory: Path, enrolment: Enrolment) -> None:
    """Replace what is kept of the centre, whole or not at all."""
    _save(directory / CENTRE_FILE, enrolment)


def _save(path: Path, kept: object) -> None:
    write_whole(path, msgspec.json.format(msgspec.json.encode(kept)) + b"\n")


def load_enrolment(directory: Path) -> tuple[SensorKeys, Enrolment]:
    """Keys and centre of an enrolled sensor. UserError when this directory is none."""
    path = directory / CENTRE_FILE
    try:
        enrolment = msgspec.json.decode(path.read_bytes(), type=Enrolment)
    except FileNotFoundError as error:
        raise UserError(
            "this sensor is not enrolled",
            where=directory,
            fix="`haidang centre token` at the centre, `haidang sensor enrol` here",
        ) from error
    except OSError as error:
        raise from_os_error(error, where=path) from error
    except msgspec.DecodeError as error:
        raise UserError(f"damaged: {error}", where=path, fix="enrol again with a new token") from error
    return load_keys(directory / KEYS_FILE, SensorKeys), enrolment


_Answer = TypeVar("_Answer", messages.EnrolOffer, messages.EnrolDone)


class _Talk:
    """One connection made with the token's key."""

    def __init__(self, token: Token) -> None:
        self._address = token.address
        # The centre's clock decides; this one may be years off.
        self._looks_expired = token.expires < time.time()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        set_client_options(self._socket, token.address)
        self._socket.curve_secretkey = z85.encode(token.secret)
        self._socket.curve_publickey = token.client_public.encode()
        self._socket.curve_serverkey = z85.encode(token.server)
        self._socket.setsockopt(zmq.SNDTIMEO, int(ANSWER_SECONDS * 1000))
        self._socket.setsockopt(zmq.RCVTIMEO, int(ANSWER_SECONDS * 1000))

    def __enter__(self) -> _Talk:
        try:
            self._socket.connect(self._address)
        except zmq.ZMQError as error:
            self.__exit__()
            raise UserError(
                f"cannot connect to {self._address}: {error}", fix="ask for a new token"
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._context.term()

    def ask(self, message: messages.AnyMessage, wanted: type[_Answer]) -> _Answer:
        try:
            self._socket.send(messages.encode(message))
            answer = messages.decode(self._socket.recv())
        except zmq.Again as error:
            expired = "; by this machine's clock the token has expired" if self._looks_expired else ""
            raise UserError(
                f"no answer from {self._address} in {ANSWER_SECONDS:.0f} s{expired}",
                fix="is `haidang centre serve` running and reachable, and the token not used or withdrawn?",
            ) from error
        except messages.MessageError as error:
            raise UserError(
                f"{self._address} answered with something else: {error}", fix="compare versions"
            ) from error
        if isinstance(answer, messages.EnrolRefused):
            raise UserError(f"the centre refused: {answer.reason}", fix="ask its operator for a new token")
        if not isinstance(answer, wanted):
            raise UserError(f"{self._address} answered out of turn", fix="compare versions")
        return answer


def _check(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()[:4]
