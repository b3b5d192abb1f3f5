"""Messages: typed, bounded, tolerant of what is newer, and closed to everything else."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.bus import messages
from sensor.bus.keys import SensorKeys
from sensor.bus.messages import MessageError, decode, encode

EXAMPLES = [
    messages.Hello(1, "tap1", 2**62, [messages.Span(0, 3, 9)], [1], 1, "haidang 1"),
    messages.Welcome(1, 7, [messages.Cursor(0, 3)], 32, 5),
    messages.Batch(7, 3, 12),
    messages.Lost(7, 3, 12, 14, 3000, "shed"),
    messages.Lost(7, 3, 12, 12, 3000, "shed", messages.Place("tap1", 2**62, 3, 0, 4)),
    messages.Origin(7, "tap1", [SensorKeys.generate().public()]),
    messages.Ack(7, [messages.Cursor(2, 1)]),
    messages.Again("out of order"),
    messages.Refused(7, 0, 3, "signature"),
    messages.Heartbeat(7, [messages.Book(0, 10, 8, 1, {"shed": 1})], 9),
    messages.EnrolConfirm(bytes(32)),
    messages.EnrolDone("tap1"),
    messages.EnrolRefused("no"),
]


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: type(message).__name__)
def test_a_message_comes_out_as_it_went_in(message: messages.AnyMessage) -> None:
    assert decode(encode(message)) == message


def test_unknown_keys_are_ignored_and_missing_ones_filled_in() -> None:
    newer = {
        "t": "ack",
        "session": 1,
        "cursors": [{"lane": 0, "next": 2, "colour": "blue"}],
        "extra": {"a": [1]},
    }
    assert decode(msgspec.msgpack.encode(newer)) == messages.Ack(1, [messages.Cursor(0, 2)])
    older = {"t": "heartbeat", "session": 1}
    assert decode(msgspec.msgpack.encode(older)) == messages.Heartbeat(1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"t": "nothing"},
        {"session": 1},
        {"t": "batch", "session": 1, "lane": 4, "seq": 0},
        {"t": "batch", "session": 1, "lane": 0, "seq": -1},
        {"t": "batch", "session": 1, "lane": 0, "seq": 2**63},
        {"t": "batch", "session": "1", "lane": 0, "seq": 1},
        {"t": "hello", "version": 1, "sensor": "../x", "epoch": 1, "spans": []},
        {"t": "hello", "version": 1, "sensor": "a\n", "epoch": 1, "spans": []},
        {"t": "hello", "version": 1, "sensor": "A", "epoch": 1, "spans": []},
        {
            "t": "hello",
            "version": 1,
            "sensor": "a",
            "epoch": 1,
            "spans": [{"lane": 0, "first": 0, "next": 0}] * 17,
        },
        {"t": "welcome", "version": 1, "session": 1, "cursors": [], "window": 0},
        {"t": "enrolconfirm", "proof": bytes(31)},
        {"t": "lost", "session": 1, "lane": 0, "first": 0, "last": 2**62, "events": 0, "reason": ""},
        [],
        1,
    ],
)
def test_what_breaks_a_bound_is_no_message(wrong: object) -> None:
    with pytest.raises(MessageError):
        decode(msgspec.msgpack.encode(wrong))


def test_an_oversized_frame_is_not_even_read() -> None:
    with pytest.raises(MessageError, match="more than"):
        decode(bytes(messages.MAX_MESSAGE_BYTES + 1))


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(MessageError):
        decode(b"\x91" * 60_000)


@given(st.binary(max_size=400))
@settings(max_examples=2000)
def test_any_bytes_are_a_message_or_an_error(data: bytes) -> None:
    try:
        message = decode(data)
    except MessageError:
        return
    assert decode(encode(message)) == message


@given(st.sampled_from(EXAMPLES), st.data())
@settings(max_examples=500)
def test_any_damage_to_a_message_gives_a_message_or_an_error(
    message: messages.AnyMessage, data: st.DataObject
) -> None:
    frame = bytearray(encode(message))
    position = data.draw(st.integers(0, len(frame) - 1))
    frame[position] = data.draw(st.integers(0, 255))
    with contextlib.suppress(MessageError):
        decode(bytes(frame))
