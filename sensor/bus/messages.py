"""The messages of the bus, as typed MessagePack (docs/spec/bus.md, "Messages"). Bytes that are no message
give MessageError.

Every message is a map tagged by "t". A reader ignores keys it does not know and fills in those that are
missing, so a version may add keys; it may never change the meaning of one. A batch travels as two frames:
`Batch` and the sealed record.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from sensor.bus.keys import Bytes32, CentrePublic, CurveText, SensorPublic
from sensor.bus.seal import Epoch, KeyId, Lane, Microseconds, Number, SensorName

VERSION = 1
MAX_MESSAGE_BYTES = (
    64 * 1024
)  # a message without its record; the longest is an enrolment with its keys, about 4 KiB

MAX_SIGHTINGS = 512  # in one heartbeat, of at most 90 bytes each

Reason = Annotated[str, msgspec.Meta(max_length=64)]
Text = Annotated[str, msgspec.Meta(max_length=512)]
Signatures = Annotated[bytes, msgspec.Meta(min_length=3373, max_length=3373)]
"""Ed25519 (64 bytes) then ML-DSA-65 (3,309 bytes)."""
Challenge = Annotated[bytes, msgspec.Meta(min_length=1168, max_length=1168)]
"""32 bytes sealed by HPKE to a hybrid key: 1,120 of encapsulation, 16 of tag."""


class MessageError(Exception):
    """Bytes that are no message of this protocol."""


class Message(msgspec.Struct, frozen=True, tag_field="t", tag=str.lower, omit_defaults=True):
    """Common form of all messages."""


class Span(msgspec.Struct, frozen=True):
    """What a sensor holds of one lane: batches first <= seq < next."""

    lane: Lane
    first: Number
    next: Number


class Cursor(msgspec.Struct, frozen=True):
    """Everything before `next` of one lane is durable at the centre (or stated as lost)."""

    lane: Lane
    next: Number


class Book(msgspec.Struct, frozen=True):
    """One lane's account in events: made = delivered + pending + sum(lost)."""

    lane: Lane
    made: Number
    delivered: Number
    pending: Number
    lost: dict[Reason, Number] = {}


class Place(msgspec.Struct, frozen=True):
    """Numbers first..last of one lane of a sensor, as a relay names what it speaks of."""

    sensor: SensorName
    epoch: Epoch
    lane: Lane
    first: Number
    last: Number


class Hello(Message, frozen=True):
    """Sensor to centre, first on every connection and whenever the two may disagree."""

    version: int
    sensor: SensorName
    epoch: Epoch
    spans: Annotated[list[Span], msgspec.Meta(max_length=16)]
    suites: Annotated[list[int], msgspec.Meta(max_length=16)] = []
    clock_us: Microseconds = 0
    software: Text = ""


class Welcome(Message, frozen=True):
    """Centre to sensor: where to go on, and how much may be in flight."""

    version: int
    session: Number
    cursors: Annotated[list[Cursor], msgspec.Meta(max_length=16)]
    window: Annotated[int, msgspec.Meta(ge=1, le=1024)]
    clock_us: Microseconds = 0
    recipient: KeyId | None = None  # the id of the key the centre wants batches sealed to
    curve: CurveText | None = None  # the CURVE key that it wants to be known by


class Batch(Message, frozen=True):
    """Sensor to centre; the sealed record is the next frame."""

    session: Number
    lane: Lane
    seq: Number


class Lost(Message, frozen=True):
    """Sensor to centre, in place of the batches first..last: they will never come. events 0: it is not known
    how many. From a relay, origin names the sensor's numbers in whose place these stand.
    """

    session: Number
    lane: Lane
    first: Number
    last: Number
    events: Number
    reason: Reason
    origin: Place | None = None


class Origin(Message, frozen=True):
    """Relay to centre, before a sensor's first batch in a session: the keys it signs with. path: ids of
    the signing keys of the relays that its batches pass, the sensor's own centre first and the sender last.
    """

    session: Number
    sensor: SensorName
    keys: Annotated[list[SensorPublic], msgspec.Meta(min_length=1, max_length=16)]
    path: Annotated[list[KeyId], msgspec.Meta(max_length=16)] = []


class Ack(Message, frozen=True):
    """Centre to sensor: everything before these cursors is durable."""

    session: Number
    cursors: Annotated[list[Cursor], msgspec.Meta(max_length=16)]
    window: Annotated[int, msgspec.Meta(ge=1, le=1024)] | None = None  # from now on; None: as it was
    clock_us: Microseconds = 0


class Again(Message, frozen=True):
    """Centre to sensor: I cannot place what you sent; say hello again."""

    reason: Reason = ""


class Refused(Message, frozen=True):
    """Centre to sensor: this batch is in quarantine, for this reason (a SealError reason, or `header`)."""

    session: Number
    lane: Lane
    seq: Number
    reason: Reason


class Proof(msgspec.Struct, frozen=True):
    """How the sensor's last heartbeat through its own line fares: its number, seconds between two (0: there
    are none), and the stage at which it stayed away ('' while all is well).
    """

    number: Microseconds
    interval: Number
    stage: Reason = ""


class Sighting(msgspec.Struct, frozen=True, array_like=True):
    """What a relay says of a sensor: milliseconds since it last spoke, its clock minus the relay's, and the
    most that can be off by (None: unknown).
    """

    sensor: SensorName
    silence_ms: Number
    skew_us: Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)]
    bound_us: Microseconds | None = None


class Heartbeat(Message, frozen=True):
    """Sensor to centre: alive, and these are the books. The centre answers with Ack.

    echo_us: the centre's clock in its last welcome or ack, and echo_at_us: the sensor's when that came; with
    clock_us they bound how far the sensor's clock is off. sightings: from a relay only, some of its sensors
    in turn.
    """

    session: Number
    books: Annotated[list[Book], msgspec.Meta(max_length=16)] = []
    clock_us: Microseconds = 0
    proof: Proof | None = None
    echo_us: Microseconds = 0
    echo_at_us: Microseconds = 0
    sightings: Annotated[list[Sighting], msgspec.Meta(max_length=MAX_SIGHTINGS)] = []


class EnrolRequest(Message, frozen=True):
    """Sensor to centre, on a connection made with the token's key. proof: see collectors.enrolment."""

    version: int
    sensor: SensorName
    keys: SensorPublic
    nonce: Bytes32
    proof: Bytes32


class EnrolOffer(Message, frozen=True):
    """Centre to sensor: the centre's keys, and the proof that it knows the token's secret."""

    keys: CentrePublic
    nonce: Bytes32
    proof: Bytes32


class EnrolConfirm(Message, frozen=True):
    """Sensor to centre: the keys are kept; proof over the whole exchange."""

    proof: Bytes32


class EnrolDone(Message, frozen=True):
    """Centre to sensor: registered, the token is spent."""

    sensor: SensorName


class EnrolRefused(Message, frozen=True):
    """Centre to sensor: not registered."""

    reason: Text


class Rotate(Message, frozen=True):
    """Sensor to centre, over a connection made with the old CURVE key: these keys follow those of this
    connection. Both pairs sign `rotation.statement`.
    """

    sensor: SensorName
    keys: SensorPublic
    by_old: Signatures
    by_new: Signatures


class Rotated(Message, frozen=True):
    """Centre to sensor: registered durably; or, with a reason, not."""

    reason: Text = ""


class Renew(Message, frozen=True):
    """Sensor to centre: a secret sealed to the centre's key that the sensor knows; prove that you can open
    it, and tell your present keys.
    """

    recipient: KeyId
    challenge: Challenge


class Moved(msgspec.Struct, frozen=True):
    """Where a centre serves another CURVE key, and a proof of both under the challenge's secret."""

    curve: CurveText
    address: Annotated[str, msgspec.Meta(max_length=256)]
    proof: Bytes32


class Renewed(Message, frozen=True):
    """Centre to sensor: its present keys, with the CURVE key of this connection, and a proof under the
    challenge's secret. moved: the CURVE key that it wants to be known by is another one.
    """

    keys: CentrePublic
    proof: Bytes32
    moved: Moved | None = None


AnyMessage = (
    Hello
    | Welcome
    | Batch
    | Lost
    | Origin
    | Ack
    | Again
    | Refused
    | Heartbeat
    | EnrolRequest
    | EnrolOffer
    | EnrolConfirm
    | EnrolDone
    | EnrolRefused
    | Rotate
    | Rotated
    | Renew
    | Renewed
)

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[AnyMessage] = msgspec.msgpack.Decoder(AnyMessage)


def encode(message: AnyMessage) -> bytes:
    """The message's frame."""
    return _encoder.encode(message)


def decode(frame: bytes) -> AnyMessage:
    """The message in a frame. MessageError for anything else."""
    if len(frame) > MAX_MESSAGE_BYTES:
        raise MessageError(f"{len(frame)} bytes, more than {MAX_MESSAGE_BYTES}")
    try:
        return _decoder.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MessageError(str(error)) from error
