"""One frame of every message, kept for ever (messages.json): what a version said, all later ones understand,
and say the same way.

    PYTHONPATH=. python tests/bus/test_message_vectors.py

writes the frames of messages that have none yet; those that have one stay.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from sensor.bus import messages
from sensor.bus.keys import CentrePublic, SensorPublic
from sensor.bus.messages import MessageError, decode, encode

VECTORS = Path(__file__).with_name("messages.json")
KEYS = SensorPublic("s" * 40, bytes(32), bytes(1952))
CENTRE = CentrePublic("c" * 40, bytes(32), bytes(1184))
EXAMPLES = [
    messages.Hello(1, "tap1", 2**62, [messages.Span(0, 3, 9)], [1], 1, "haidang 1"),
    messages.Welcome(1, 7, [messages.Cursor(0, 3)], 32, 5, bytes(range(8))),
    messages.Batch(7, 3, 12),
    messages.Lost(7, 3, 12, 14, 3000, "shed"),
    messages.Ack(7, [messages.Cursor(2, 1)]),
    messages.Again("out of order"),
    messages.Refused(7, 0, 3, "signature"),
    messages.Heartbeat(7, [messages.Book(0, 10, 8, 1, {"shed": 1})], 9),
    messages.EnrolRequest(1, "tap1", KEYS, bytes(32), bytes(range(32))),
    messages.EnrolOffer(CENTRE, bytes(32), bytes(range(32))),
    messages.EnrolConfirm(bytes(32)),
    messages.EnrolDone("tap1"),
    messages.EnrolRefused("no"),
    messages.Rotate("tap1", KEYS, bytes(3373), bytes(3373)),
    messages.Rotated("these keys were revoked"),
    messages.Renew(bytes(8), bytes(1168)),
    messages.Renewed(CENTRE, bytes(32)),
    messages.Origin(7, "tap1", [KEYS]),
]

MOVED = messages.Moved("m" * 40, "tcp://centre:5515", bytes(range(32)))
LATER = {
    "Welcome by another key": messages.Welcome(1, 7, [], 32, 5, bytes(8), "m" * 40),
    "Renewed elsewhere": messages.Renewed(CENTRE, bytes(32), MOVED),
    "Heartbeat of a relay": messages.Heartbeat(7, sightings=[messages.Sighting("tap1", 1500, -20, 300)]),
    "Origin over two relays": messages.Origin(7, "tap1", [KEYS], [bytes(8), bytes(range(8))]),
}
"""What a later version added to a message."""


def kept() -> dict[str, str]:
    return dict(json.loads(VECTORS.read_text()))


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: type(message).__name__)
def test_a_frame_means_what_it_always_meant(message: messages.AnyMessage) -> None:
    assert decode(bytes.fromhex(kept()[type(message).__name__])) == message


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: type(message).__name__)
def test_every_key_may_be_missing_where_a_version_did_not_have_it(message: messages.AnyMessage) -> None:
    """An older sender lacks keys that have a default; a newer one has keys that nobody knows."""
    whole = msgspec.msgpack.decode(encode(message))
    required = {
        field.encode_name for field in msgspec.structs.fields(message) if field.required
    } | {"t"}  # fmt: skip
    older = {key: value for key, value in whole.items() if key in required}
    assert type(decode(msgspec.msgpack.encode(older))) is type(message)
    newer = {"colour": [1, {"x": b"y"}], **whole, "shade": None}
    assert decode(msgspec.msgpack.encode(newer)) == message
    for key in required:
        with pytest.raises(MessageError):
            decode(msgspec.msgpack.encode({name: value for name, value in whole.items() if name != key}))


def test_no_message_is_without_a_vector() -> None:
    names = {kind.__name__ for kind in get_args(messages.AnyMessage)}
    assert {type(message).__name__ for message in EXAMPLES} == names
    assert names | LATER.keys() == kept().keys()


@pytest.mark.parametrize("name", LATER)
def test_what_a_later_version_added_means_what_it_meant(name: str) -> None:
    assert decode(bytes.fromhex(kept()[name])) == LATER[name]


def test_a_welcome_of_the_first_version_is_understood() -> None:
    """Before rotation it named no key."""
    first = bytes.fromhex(
        "86a174a777656c636f6d65a776657273696f6e01a773657373696f6e07a7637572736f72739182a46c616e6500a46e65787403"
        "a677696e646f7720a8636c6f636b5f757305"
    )
    assert decode(first) == messages.Welcome(1, 7, [messages.Cursor(0, 3)], 32, 5)


if __name__ == "__main__":
    old = kept() if VECTORS.exists() else {}
    made = {type(message).__name__: encode(message).hex() for message in EXAMPLES}
    made |= {name: encode(message).hex() for name, message in LATER.items()}
    VECTORS.write_text(json.dumps(made | old, indent=1) + "\n")
