"""Tokens and keys: what people carry and what lies on the disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.bus import durable, lanes
from sensor.bus.enrol import Token, enrol, load_enrolment
from sensor.bus.keys import CentreKeys, SensorKeys, load_keys, save_keys
from sensor.errors import UserError


@pytest.fixture(scope="module")
def token(centre_keys: CentreKeys) -> Token:
    return Token.issue("tcp://127.0.0.1:5514", centre_keys.public(), 600)


def test_a_token_survives_being_copied(token: Token) -> None:
    assert Token.parse(f"  {token.text()}\n") == token
    assert len(token.client_public) == 40


def test_a_slip_in_a_token_is_noticed_before_anything_is_sent(token: Token) -> None:
    text = token.text()
    for position in range(4, len(text), 7):
        wrong = text[:position] + ("A" if text[position] != "A" else "B") + text[position + 1 :]
        with pytest.raises(UserError, match="damaged"):
            Token.parse(wrong)
    with pytest.raises(UserError, match="damaged"):
        Token.parse(text[:-3])


@given(st.text(max_size=300))
@settings(max_examples=300)
def test_any_text_is_a_token_or_an_error(text: str) -> None:
    for attempt in (text, "hd1." + text):
        with pytest.raises(UserError):
            Token.parse(attempt)


def test_an_expired_token_is_tried_for_the_clock_may_be_wrong_and_said_to_be(
    tmp_path: Path, centre_keys: CentreKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sensor.bus.enrol.ANSWER_SECONDS", 0.2)
    with pytest.raises(UserError, match=r"no answer .* the token has expired"):
        enrol(tmp_path / "s", Token.issue("tcp://127.0.0.1:1", centre_keys.public(), -1), "tap1")
    with pytest.raises(UserError) as said:
        enrol(tmp_path / "s", Token.issue("tcp://127.0.0.1:1", centre_keys.public(), 600), "tap1")
    assert "expired" not in str(said.value)


def test_key_files_are_private_and_checked(tmp_path: Path, sensor_keys: SensorKeys) -> None:
    path = tmp_path / "keys.json"
    save_keys(path, sensor_keys)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_keys(path, SensorKeys) == sensor_keys
    with pytest.raises(UserError, match="damaged"):
        load_keys(path, CentreKeys)
    path.chmod(0o644)
    with pytest.raises(UserError, match="chmod 600"):
        load_keys(path, SensorKeys)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match="damaged"):
        load_keys(path, SensorKeys)
    with pytest.raises(UserError, match="no such file"):
        load_keys(tmp_path / "none", SensorKeys)


def test_a_sensor_that_is_not_enrolled_is_told_how(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="haidang centre token"):
        load_enrolment(tmp_path)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    durable.write_whole(path, b"old")

    def fails(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="space"):
        durable.write_whole(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("line", "lane"),
    [
        (b'{"timestamp":"x","event_type":"alert"}', lanes.ALERT),
        (b'{"timestamp":"x","event_type" : "alert"}', lanes.ALERT),
        (b'{"event_type":"stats"}', lanes.HEALTH),
        (b'{"event_type":"fileinfo"}', lanes.EVIDENCE),
        (b'{"event_type":"anomaly"}', lanes.EVIDENCE),
        (b'{"event_type":"tls"}', lanes.LOGS),
        (b"{}", lanes.LOGS),
        (b'{"http":{"url":"\\"event_type\\":\\"alert\\""},"event_type":"http"}', lanes.LOGS),
        (b'{"url":"x\\"event_type\\":\\"alert","event_type":"stats"}', lanes.HEALTH),
    ],
)
def test_lines_are_sorted_by_their_type(line: bytes, lane: int) -> None:
    assert lanes.classify(line) == lane
