"""Enrolment and the allow-list: one token, one sensor, both sides proven."""

from __future__ import annotations

import secrets
import time

import msgspec
import pytest
from desk import CENTRE_KEYS, SENSOR_KEYS, Desk, enrol_by_messages

from sensor.bus import messages
from sensor.bus.enrol import Token
from sensor.bus.keys import CentreKeys, SensorKeys
from sensor.bus.messages import encode
from sensor.errors import UserError


def token(desk: Desk, name: str = "", seconds: int = 600) -> Token:
    made = Token.issue("tcp://127.0.0.1:1", CENTRE_KEYS.public(), seconds)
    desk.registry.add_token(made, name)
    return made


def test_a_token_enrols_one_sensor_and_is_spent(desk: Desk) -> None:
    one = token(desk)
    assert isinstance(enrol_by_messages(desk, one, SENSOR_KEYS, "tap1"), messages.EnrolDone)
    peer = desk.registry.peer(SENSOR_KEYS.curve_public)
    assert peer is not None and peer.sensor == "tap1" and SENSOR_KEYS.public().signer in peer.verifiers
    again = enrol_by_messages(desk, one, SensorKeys.generate(), "tap2")
    assert again == messages.EnrolRefused("the token was used before")
    assert [row.sensor for row in desk.registry.sensors()] == ["tap1"]


def test_a_sensor_that_was_killed_before_the_answer_may_try_again(desk: Desk) -> None:
    one = token(desk)
    for _ in range(2):
        assert isinstance(enrol_by_messages(desk, one, SENSOR_KEYS, "tap1"), messages.EnrolDone)
    assert len(desk.registry.sensors()) == 1


def test_nobody_takes_a_name_over_with_any_token(desk: Desk) -> None:
    desk.enrol()
    refused = enrol_by_messages(desk, token(desk), SensorKeys.generate(), "tap1")
    assert refused == messages.EnrolRefused("there is a sensor tap1 already")
    renewed = SensorKeys.generate()
    assert isinstance(enrol_by_messages(desk, token(desk, "tap1"), renewed, "tap1"), messages.EnrolDone)
    peer = desk.registry.peer(renewed.curve_public)
    assert peer is not None and len(peer.verifiers) == 2, "batches signed with the old key still count"


def test_a_token_for_one_name_enrols_no_other(desk: Desk) -> None:
    refused = enrol_by_messages(desk, token(desk, "tap9"), SENSOR_KEYS, "tap1")
    assert refused == messages.EnrolRefused("this token is for tap9")


def test_an_expired_or_unknown_token_is_not_heard(desk: Desk) -> None:
    old = token(desk, seconds=-5)
    request = messages.EnrolRequest(1, "tap1", SENSOR_KEYS.public(), bytes(32), bytes(32))
    assert desk.hear(old.client_public, encode(request)) == []
    assert desk.receiver.counts["unknown_key"] == 1


def test_without_the_secret_nothing_is_enrolled(desk: Desk) -> None:
    one = token(desk)
    forged = msgspec.structs.replace(one, secret=secrets.token_bytes(32))
    request = messages.EnrolRequest(1, "tap1", SENSOR_KEYS.public(), bytes(32), forged.proof_key)
    (answer,) = desk.hear(one.client_public, encode(request))
    assert answer == messages.EnrolRefused("the proof does not hold")
    (answer,) = desk.hear(one.client_public, encode(messages.EnrolConfirm(bytes(32))))
    assert answer == messages.EnrolRefused("the confirmation does not hold")
    assert desk.registry.sensors() == []


def test_a_tokens_holder_can_only_enrol(desk: Desk) -> None:
    one = token(desk)
    (answer,) = desk.hear(one.client_public, encode(messages.Hello(1, "tap1", 1, [])))
    assert answer == messages.EnrolRefused("a token only enrols")


def test_a_token_does_not_fit_another_centre() -> None:
    other = CentreKeys.generate()
    assert (
        Token.issue("a", other.public(), 9).fingerprint
        != Token.issue("a", CENTRE_KEYS.public(), 9).fingerprint
    )


def test_a_revoked_sensor_is_listed_and_unknown(desk: Desk) -> None:
    desk.enrol()
    assert desk.registry.revoke("tap1") == 1
    assert desk.registry.peer(SENSOR_KEYS.curve_public) is None
    (row,) = desk.registry.sensors()
    assert row.revoked is not None and row.revoked <= time.time()
    with pytest.raises(UserError, match="no sensor"):
        desk.registry.revoke("tap1")
