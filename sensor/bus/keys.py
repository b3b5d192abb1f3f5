"""Keys of sensors, centres and publishers of rules: making, keeping and naming them. A secret never leaves
the machine that made it.

A sensor owns a CURVE key (its identity on the socket), an Ed25519 and an ML-DSA-65 key (both sign every
batch). A centre owns a CURVE key and the two halves of the hybrid key that batches are sealed to: X25519 and
ML-KEM-768. A publisher owns an Ed25519 and an ML-DSA-65 key (both sign every bundle of rules). Private keys
are kept as seeds in one JSON file of mode 0600.
"""

from __future__ import annotations

import hashlib
import stat
import time
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import zmq
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey, MLKEM768X25519PublicKey

from sensor.bus.durable import write_whole
from sensor.errors import UserError, from_os_error

KEY_ID_BYTES = 8  # enough to pick one key out of a keyring; authenticity never rests on it

Bytes32 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
MlDsa65Public = Annotated[bytes, msgspec.Meta(min_length=1952, max_length=1952)]  # FIPS 204, table 2
MlKem768Public = Annotated[bytes, msgspec.Meta(min_length=1184, max_length=1184)]  # FIPS 203, table 3
CurveText = Annotated[str, msgspec.Meta(min_length=40, max_length=40)]  # Z85, ZeroMQ RFC 32


class SensorPublic(msgspec.Struct, frozen=True):
    """What the centre knows of a sensor's keys."""

    curve: CurveText
    ed25519: Bytes32
    mldsa65: MlDsa65Public

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all three keys, in hex: what two people compare aloud."""
        return _fingerprint(b"haidang sensor\0", self.curve.encode(), self.ed25519, self.mldsa65)

    @property
    def signer(self) -> bytes:
        """The id of the signing pair, as batches name it."""
        return _key_id(b"haidang signer\0", self.ed25519, self.mldsa65)

    def verifiers(self) -> tuple[Ed25519PublicKey, MLDSA65PublicKey]:
        """The keys as objects; ValueError when the bytes are no keys."""
        return Ed25519PublicKey.from_public_bytes(self.ed25519), MLDSA65PublicKey.from_public_bytes(
            self.mldsa65
        )


class CentrePublic(msgspec.Struct, frozen=True):
    """What a sensor knows of its centre's keys."""

    curve: CurveText
    x25519: Bytes32
    mlkem768: MlKem768Public

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all three keys, in hex; the enrolment token carries it."""
        return _fingerprint(b"haidang centre\0", self.curve.encode(), self.x25519, self.mlkem768)

    @property
    def recipient(self) -> bytes:
        """The id of the hybrid key, as sealed batches name it."""
        return _key_id(b"haidang recipient\0", self.x25519, self.mlkem768)

    def sealing_key(self) -> MLKEM768X25519PublicKey:
        """The key batches are sealed to; ValueError when the bytes are no key."""
        return MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(self.mlkem768), X25519PublicKey.from_public_bytes(self.x25519)
        )


class _SigningKeys(msgspec.Struct, frozen=True):
    """The two keys with which something is signed."""

    created: int
    ed25519_seed: Bytes32
    mldsa65_seed: Bytes32

    def signers(self) -> tuple[Ed25519PrivateKey, MLDSA65PrivateKey]:
        return (
            Ed25519PrivateKey.from_private_bytes(self.ed25519_seed),
            MLDSA65PrivateKey.from_seed_bytes(self.mldsa65_seed),
        )


class SensorKeys(_SigningKeys, frozen=True, tag="sensor", kw_only=True):
    """A sensor's secrets, as its key file holds them."""

    curve_public: CurveText
    curve_secret: CurveText

    @classmethod
    def generate(cls) -> SensorKeys:
        public, secret = zmq.curve_keypair()
        return cls(
            created=int(time.time()),
            curve_public=public.decode(),
            curve_secret=secret.decode(),
            ed25519_seed=Ed25519PrivateKey.generate().private_bytes_raw(),
            mldsa65_seed=MLDSA65PrivateKey.generate().private_bytes_raw(),
        )

    def public(self) -> SensorPublic:
        ed25519, mldsa65 = self.signers()
        return SensorPublic(
            self.curve_public,
            ed25519.public_key().public_bytes_raw(),
            mldsa65.public_key().public_bytes_raw(),
        )


class CentreKeys(msgspec.Struct, frozen=True, tag="centre"):
    """A centre's secrets, as its key file holds them."""

    created: int
    curve_public: CurveText
    curve_secret: CurveText
    x25519_seed: Bytes32
    mlkem768_seed: Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]

    @classmethod
    def generate(cls) -> CentreKeys:
        public, secret = zmq.curve_keypair()
        return cls(
            created=int(time.time()),
            curve_public=public.decode(),
            curve_secret=secret.decode(),
            x25519_seed=X25519PrivateKey.generate().private_bytes_raw(),
            mlkem768_seed=MLKEM768PrivateKey.generate().private_bytes_raw(),
        )

    def opening_key(self) -> MLKEM768X25519PrivateKey:
        return MLKEM768X25519PrivateKey(
            MLKEM768PrivateKey.from_seed_bytes(self.mlkem768_seed),
            X25519PrivateKey.from_private_bytes(self.x25519_seed),
        )

    def public(self) -> CentrePublic:
        return CentrePublic(
            self.curve_public,
            X25519PrivateKey.from_private_bytes(self.x25519_seed).public_key().public_bytes_raw(),
            MLKEM768PrivateKey.from_seed_bytes(self.mlkem768_seed).public_key().public_bytes_raw(),
        )


class PublisherPublic(msgspec.Struct, frozen=True):
    """What sensors know of those who publish rules to them."""

    ed25519: Bytes32
    mldsa65: MlDsa65Public

    @property
    def fingerprint(self) -> str:
        """SHA-256 over both keys, in hex: what two people compare aloud."""
        return _fingerprint(b"haidang publisher\0", self.ed25519, self.mldsa65)

    def verifiers(self) -> tuple[Ed25519PublicKey, MLDSA65PublicKey]:
        """The keys as objects; ValueError when the bytes are no keys."""
        return Ed25519PublicKey.from_public_bytes(self.ed25519), MLDSA65PublicKey.from_public_bytes(
            self.mldsa65
        )


class PublisherKeys(_SigningKeys, frozen=True, tag="publisher"):
    """The secrets of those who publish rules, as their key file holds them."""

    @classmethod
    def generate(cls) -> PublisherKeys:
        return cls(
            created=int(time.time()),
            ed25519_seed=Ed25519PrivateKey.generate().private_bytes_raw(),
            mldsa65_seed=MLDSA65PrivateKey.generate().private_bytes_raw(),
        )

    def public(self) -> PublisherPublic:
        ed25519, mldsa65 = self.signers()
        return PublisherPublic(
            ed25519.public_key().public_bytes_raw(), mldsa65.public_key().public_bytes_raw()
        )


_Keys = TypeVar("_Keys", bound=msgspec.Struct)


def save_keys(path: Path, keys: msgspec.Struct) -> None:
    """Write a key file, mode 0600, whole or not at all."""
    write_whole(path, msgspec.json.format(msgspec.json.encode(keys)) + b"\n")


def load_keys(path: Path, kind: type[_Keys]) -> _Keys:
    """Read a key file; UserError when it is absent, damaged, of the other kind or readable by others."""
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise UserError("others can read this key file", where=path, fix=f"chmod 600 {path}")
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise from_os_error(error, where=path) from error
    except msgspec.DecodeError as error:
        raise UserError(f"damaged key file: {error}", where=path, fix="restore it from a backup") from error


def _fingerprint(domain: bytes, *parts: bytes) -> str:
    return hashlib.sha256(domain + b"".join(parts)).hexdigest()


def _key_id(domain: bytes, *parts: bytes) -> bytes:
    return hashlib.sha256(domain + b"".join(parts)).digest()[:KEY_ID_BYTES]
