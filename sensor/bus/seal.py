"""The sealed batch: one byte string that is spool record, wire frame and journal record (docs/spec/bus.md,
"Sealed batch").

    record    = magic(4) suite(1) recipient(8) header_size(2, big-endian) header [recipients] sealed
    header    = MessagePack array, in clear and bound to everything else
    sealed    = signatures body, encrypted (sensor.bus.encryption) and bound to all bytes before it
    signed    = "haidang batch" 0 suite header_size header body
    signatures= Ed25519(64) ML-DSA-65(3309), both over signed
    body      = zstd(NDJSON)

The recipient is outside of what is signed, so a province can seal the same signed batch anew to the nation
(`Opener.reseal`). What it must leave something out of, it signs itself and says so (`Reduction`).
This module must not decide who may send: it answers with the reason when a record is not what it claims.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from typing import Annotated, NamedTuple

import msgspec
import zstandard
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey

from sensor.bus.encryption import (
    SUITE_1,
    SUITE_2,
    NotForUs,
    Recipient,
    decrypt,
    encrypt,
    further,
    read_further,
)
from sensor.bus.keys import KEY_ID_BYTES, CentrePublic, SensorKeys

MAGIC = b"HDB1"
SUITES = frozenset({SUITE_1, SUITE_2})
"""The receiver's allow-list. A suite that is not in it is refused; nothing is negotiated."""

MAX_NDJSON_BYTES = 4 * 1024 * 1024  # four times the engine's largest batch; also the bound of decompression
MAX_EVENTS = 65_536  # far above what fits the engine's batches; bounds row numbers
MAX_RECORD_BYTES = MAX_NDJSON_BYTES + 16 * 1024  # incompressible text, plus keys, signatures and header
_MAX_HEADER_BYTES = 512
_ED25519_BYTES = 64
_MLDSA65_BYTES = 3309  # FIPS 204, table 2
_SIGNATURE_BYTES = _ED25519_BYTES + _MLDSA65_BYTES
_FIXED = struct.Struct(f">4sB{KEY_ID_BYTES}sH")
_ZSTD_LEVEL = 3
_SIGNED_DOMAIN = b"haidang batch\0"

MAX_RELAYS = 8  # that a batch may pass on its way: more than a nation has tiers, and it ends loops
MAX_EPOCH = 2**63 - 1  # SQLite's integers are signed
MAX_NUMBER = 2**48  # centuries at any rate, and sums of many stay far from 64 bits

Epoch = Annotated[int, msgspec.Meta(ge=0, le=MAX_EPOCH)]
Number = Annotated[int, msgspec.Meta(ge=0, le=MAX_NUMBER)]
Microseconds = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
SensorName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}\Z")]
Digest = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
KeyId = Annotated[bytes, msgspec.Meta(min_length=KEY_ID_BYTES, max_length=KEY_ID_BYTES)]
PolicyId = Annotated[bytes, msgspec.Meta(min_length=8, max_length=8)]
Lane = Annotated[int, msgspec.Meta(ge=0, le=3)]

NO_PREVIOUS = bytes(32)


class Header(msgspec.Struct, frozen=True, array_like=True):
    """What stands in clear before a sealed batch. Newer versions append fields; older readers ignore them.

    Times are microseconds since 1970-01-01 UTC, in packet time; 0 when unknown. `previous` is the digest of
    the batch before it in the same lane, NO_PREVIOUS for the first of an epoch.
    """

    sensor: SensorName
    epoch: Epoch
    lane: Lane
    seq: Number
    events: Annotated[int, msgspec.Meta(ge=1, le=MAX_EVENTS)]
    first_us: Microseconds
    last_us: Microseconds
    previous: Digest
    signer: KeyId


class Step(msgspec.Struct, frozen=True, array_like=True):
    """What an earlier relay signed of a batch: by which key, how many events it left, by which policy."""

    signer: KeyId
    events: Annotated[int, msgspec.Meta(ge=1, le=MAX_EVENTS)]
    policy: PolicyId


class Reduction(msgspec.Struct, frozen=True, array_like=True):
    """What a relay says of the batch that it, or a relay before it, left something out of: the sensor's
    digest and number of events, the policy, and the relays before it, the sensor's own first.
    """

    original: Digest
    events: Annotated[int, msgspec.Meta(ge=1, le=MAX_EVENTS)]
    policy: PolicyId
    steps: Annotated[tuple[Step, ...], msgspec.Meta(max_length=MAX_RELAYS - 1)] = ()


class ReducedHeader(Header, frozen=True, array_like=True):
    """The header of a reduced batch: the sensor's, with the events that are left and the relay as signer."""

    reduction: Reduction | None = None


class SealError(Exception):
    """Why a record was refused: `reason` is one of REASONS, the text is for people."""

    REASONS = (
        "malformed",
        "suite",
        "recipient",
        "sealed",
        "signer",
        "signature",
        "origin",
        "content",
        "loop",
    )

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Sealed(NamedTuple):
    record: bytes
    digest: bytes


class Envelope(NamedTuple):
    """A record cut into its parts; nothing in it is verified yet."""

    suite: int
    recipients: tuple[bytes, ...]
    header: Header
    header_bytes: bytes
    prefix: bytes
    sealed: bytes


class Opened(NamedTuple):
    """A batch whose two signatures held. digest: of what was signed, for a reduced batch of the original."""

    header: Header
    ndjson: bytes
    digest: bytes

    @property
    def reduction(self) -> Reduction | None:
        return self.header.reduction if isinstance(self.header, ReducedHeader) else None


class Sealer:
    """Signs and seals batches to a centre, or to several that may each open them."""

    def __init__(self, keys: SensorKeys, *centres: CentrePublic) -> None:
        self._ed25519, self._mldsa65 = keys.signers()
        self._recipients = [Recipient.of(centre) for centre in centres]
        self._suite = SUITE_1 if len(centres) == 1 else SUITE_2
        self._compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL)
        self.signer = keys.public().signer

    def seal(self, header: Header, ndjson: bytes) -> Sealed:
        """The record and its digest. ValueError when the batch breaks a bound of the format."""
        if len(ndjson) > MAX_NDJSON_BYTES:
            raise ValueError(f"a batch of {len(ndjson)} bytes exceeds {MAX_NDJSON_BYTES}")
        header_bytes = msgspec.msgpack.encode(header)
        signed = _signed(self._suite, header_bytes, body := self._compressor.compress(ndjson))
        signatures = self._ed25519.sign(signed) + self._mldsa65.sign(signed)
        record = _close(self._suite, header_bytes, signatures + body, self._recipients)
        return Sealed(record, hashlib.sha256(signed).digest())


def read_envelope(record: bytes) -> Envelope:
    """Cut a record into its parts. SealError `malformed` or `suite`; it never raises anything else."""
    if len(record) > MAX_RECORD_BYTES:
        raise SealError("malformed", f"{len(record)} bytes, more than {MAX_RECORD_BYTES}")
    if len(record) < _FIXED.size:
        raise SealError("malformed", "shorter than its fixed part")
    magic, suite, recipient, header_size = _FIXED.unpack_from(record)
    if magic != MAGIC:
        raise SealError("malformed", "does not start with HDB1")
    if suite not in SUITES:
        raise SealError("suite", f"suite {suite} is not allowed here")
    end = _FIXED.size + header_size
    if header_size > _MAX_HEADER_BYTES or len(record) <= end:
        raise SealError("malformed", "its header does not fit")
    header_bytes = record[_FIXED.size : end]
    recipients: tuple[bytes, ...] = (recipient,)
    try:
        header: Header = msgspec.msgpack.decode(header_bytes, type=ReducedHeader)
        if isinstance(header, ReducedHeader) and header.reduction is None:
            header = msgspec.msgpack.decode(header_bytes, type=Header)
        if suite == SUITE_2:
            recipients, size = read_further(recipient, record[end:])
            end += size
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise SealError("malformed", f"header: {error}") from error
    return Envelope(suite, recipients, header, header_bytes, record[:end], record[end:])


class Opener:
    """Opens what was sealed to any of a centre's keys: the present one and those it still honours."""

    def __init__(self, keyring: Mapping[bytes, MLKEM768X25519PrivateKey]) -> None:
        self._keyring = keyring

    def open(
        self, envelope: Envelope, verifiers: Mapping[bytes, tuple[Ed25519PublicKey, MLDSA65PublicKey]]
    ) -> Opened:
        """Decrypt, verify both signatures, decompress. verifiers: the sender's signing keys by id. SealError
        otherwise.
        """
        signatures, body = self._unseal(envelope)
        keys = verifiers.get(envelope.header.signer)
        if keys is None:
            raise SealError("signer", "signed by a key that this sensor does not have")
        signed = _signed(envelope.suite, envelope.header_bytes, body)
        try:
            keys[0].verify(signatures[:_ED25519_BYTES], signed)
            keys[1].verify(signatures[_ED25519_BYTES:], signed)
        except InvalidSignature as error:
            raise SealError("signature", "a signature does not hold") from error
        return _opened(envelope, body, signed)

    def read(self, record: bytes) -> tuple[Header, bytes]:
        """Header and NDJSON of a record that was verified when it came in (the journal's). SealError when
        damaged.
        """
        envelope = read_envelope(record)
        _, body = self._unseal(envelope)
        return envelope.header, _decompress(body, envelope.header.events)

    def read_verified(self, record: bytes) -> Opened:
        """The same with the digest of what was signed."""
        envelope = read_envelope(record)
        _, body = self._unseal(envelope)
        return _opened(envelope, body)

    def reseal(self, record: bytes, recipient: Recipient) -> bytes:
        """The same signed batch, sealed to another centre; suite, header, signatures and digest stay.
        SealError when damaged.
        """
        envelope = read_envelope(record)
        signatures, body = self._unseal(envelope)
        return _close(envelope.suite, envelope.header_bytes, signatures + body, [recipient])

    def _unseal(self, envelope: Envelope) -> tuple[bytes, bytes]:
        try:
            plain = decrypt(
                envelope.suite, envelope.prefix, envelope.recipients, envelope.sealed, self._keyring
            )
        except NotForUs as error:
            raise SealError("recipient", "sealed to a key that this centre does not have") from error
        except ValueError as error:
            raise SealError("sealed", str(error)) from error
        if len(plain) <= _SIGNATURE_BYTES:
            raise SealError("malformed", "too short for its signatures")
        return plain[:_SIGNATURE_BYTES], plain[_SIGNATURE_BYTES:]


def _close(suite: int, header_bytes: bytes, content: bytes, recipients: Sequence[Recipient]) -> bytes:
    prefix = _FIXED.pack(MAGIC, suite, recipients[0].id, len(header_bytes)) + header_bytes
    if suite == SUITE_2:
        prefix += further([recipient.id for recipient in recipients])
    return prefix + encrypt(suite, prefix, content, recipients)


def _opened(envelope: Envelope, body: bytes, signed: bytes = b"") -> Opened:
    ndjson = _decompress(body, envelope.header.events)
    signed = signed or _signed(envelope.suite, envelope.header_bytes, body)
    opened = Opened(envelope.header, ndjson, hashlib.sha256(signed).digest())
    return opened if opened.reduction is None else opened._replace(digest=opened.reduction.original)


def _signed(suite: int, header_bytes: bytes, body: bytes) -> bytes:
    return b"".join(
        (_SIGNED_DOMAIN, bytes((suite,)), struct.pack(">H", len(header_bytes)), header_bytes, body)
    )


def _decompress(body: bytes, events: int) -> bytes:
    try:
        # The size a frame declares is what the decoder would allocate: look before it does.
        declared = zstandard.frame_content_size(body)
        if not 0 < declared <= MAX_NDJSON_BYTES:
            raise SealError("content", f"declares {declared} bytes of events")
        ndjson = zstandard.ZstdDecompressor().decompress(
            body, max_output_size=MAX_NDJSON_BYTES, allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        raise SealError("content", f"does not decompress: {error}") from error
    if not ndjson.endswith(b"\n") or ndjson.count(b"\n") != events:
        raise SealError("content", "has another number of events than its header says")
    return ndjson
