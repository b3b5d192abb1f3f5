"""What a policy lets out is what it says, and nothing beside it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.relay.policy import TEMPLATE, Policy
from sensor.errors import UserError

WHERE = Path("policy.yaml")
ALERT = b'{"timestamp":"t","event_type":"alert","flow_id":7,"src_ip":"10.0.0.1","payload":"c2VjcmV0"}'
FLOW = b'{"timestamp":"t","event_type":"flow","flow_id":7,"flow":{"bytes_toserver":1.50}}'
HTTP = (
    b'{"event_type":"http","timestamp":"t","src_ip":"10.0.0.2","http":{"hostname":"a.example",'
    b'"http_user_agent":"x","request_headers":[{"name":"Cookie","value":"s"},{"name":"A","value":"b"}]}}'
)


def policy(text: str) -> Policy:
    return Policy.parse(text.encode(), where=WHERE)


def left(text: str, *lines: bytes) -> tuple[list[dict[str, object]], bool]:
    batch = b"".join(line + b"\n" for line in lines)
    kept = policy(text).apply(batch, len(lines))
    assert kept.ndjson.count(b"\n") == kept.events
    return [json.loads(line) for line in kept.ndjson.splitlines()], kept.whole


def test_a_policy_that_allows_everything_touches_nothing() -> None:
    batch = b"no event\n" + ALERT + b"\n"
    assert policy("default: allow").apply(batch, 2) == (batch, 2, True)
    assert policy("default: allow").allows_all
    assert not policy("").allows_all


def test_event_types_are_let_out_or_kept_back_byte_by_byte() -> None:
    batch = ALERT + b"\n" + FLOW + b"\n" + HTTP + b"\n"
    assert policy("events: {alert: allow}").apply(batch, 3) == (ALERT + b"\n", 1, False)
    assert policy("{default: allow, events: {alert: deny}}").apply(batch, 3).ndjson == batch[len(ALERT) + 1 :]
    assert policy("events: {alert: allow, flow: allow, http: allow}").apply(batch, 3) == (batch, 3, True)
    assert policy("default: deny").apply(batch, 3) == (b"", 0, False)


def test_denied_fields_go_and_the_rest_stays() -> None:
    (alert, http), whole = left(
        "{default: allow, fields: {deny: [payload]}, events: {http: {deny: [http.request_headers.value, "
        "http.http_user_agent]}}}",
        ALERT,
        HTTP,
    )
    assert not whole and "payload" not in alert and alert["src_ip"] == "10.0.0.1"
    assert http["http"] == {"hostname": "a.example", "request_headers": [{"name": "Cookie"}, {"name": "A"}]}


def test_of_allowed_fields_only_these_leave() -> None:
    (http, flow), _ = left("{default: allow, events: {http: {allow: [http.hostname]}}}", HTTP, FLOW)
    assert http == {"event_type": "http", "timestamp": "t", "http": {"hostname": "a.example"}}
    assert flow == json.loads(FLOW)
    (alert,), _ = left("{events: {alert: {allow: [payload.x, src_ip]}}}", ALERT)
    assert alert == {"timestamp": "t", "event_type": "alert", "flow_id": 7, "src_ip": "10.0.0.1"}
    (http,), _ = left("{events: {http: {allow: [http], deny: [http.hostname]}}}", HTTP)
    assert set(http["http"]) == {"http_user_agent", "request_headers"}
    (http,), _ = left("{events: {http: {allow: [http.hostname, http]}}}", HTTP)
    assert http["http"] == json.loads(HTTP)["http"]


def test_what_has_no_denied_field_keeps_its_bytes() -> None:
    kept = policy("{default: allow, fields: {deny: [payload]}}").apply(FLOW + b"\n" + ALERT + b"\n", 2)
    assert kept.ndjson.startswith(FLOW + b"\n") and not kept.whole
    assert policy("{default: allow, fields: {deny: [payload]}}").apply(FLOW + b"\n", 1).whole


def test_text_stays_what_it_is() -> None:
    line = '{"event_type":"alert","a":"Hải Đăng \\u00e9\\ud800 \\u001b","payload":1}'.encode()
    kept = policy("{default: allow, fields: {deny: [payload]}}").apply(line + b"\n", 1)
    assert json.loads(kept.ndjson) == {"event_type": "alert", "a": "Hải Đăng é\ud800 \x1b"}
    line = line.replace(b"\\ud800", b"")
    kept = policy("{default: allow, fields: {deny: [payload]}}").apply(line + b"\n", 1)
    assert "Hải Đăng é".encode() in kept.ndjson and len(kept.ndjson) <= len(line)


@pytest.mark.parametrize(
    "line",
    [
        b'{"event_type":"alert","payload":"c2VjcmV0","payload":1}',
        b'{"event_type":"alert","http":{"x":{"payload":"c2VjcmV0"}},"http":{}}',
        b'{"event_type":"alert","event_type":"flow","payload":"c2VjcmV0"}',
        b'{"event_type":"alert","payl\\u006fad":"c2VjcmV0"}',
        b'{"event_type":["alert"],"payload":"c2VjcmV0"}',
        b'["c2VjcmV0"]',
        b'{"event_type":"alert","a":NaN,"payload":"c2VjcmV0"}',
        b'{"event_type":"alert","a":1e999,"payload":"c2VjcmV0"}',
        b'{"event_type":"alert","a":"\xff","payload":"c2VjcmV0"}',
        b'{"a":' + b"[" * 100_000 + b'"c2VjcmV0"',
        b"c2VjcmV0",
    ],
)
def test_no_trick_lets_a_denied_field_out(line: bytes) -> None:
    kept = policy("{default: allow, fields: {deny: [payload, http.x.payload]}}").apply(line + b"\n", 1)
    assert b"c2VjcmV0" not in kept.ndjson and not kept.whole


@given(st.binary(max_size=300))
@settings(max_examples=500)
def test_any_bytes_pass_whole_or_not(data: bytes) -> None:
    line = data.replace(b"\n", b" ")
    kept = policy("{default: allow, fields: {deny: [payload]}}").apply(line + b"\n" + ALERT + b"\n", 2)
    assert kept.events in (1, 2) and kept.ndjson.count(b"\n") == kept.events


@given(st.binary(max_size=300))
@settings(max_examples=500)
def test_any_bytes_are_a_policy_or_an_error(data: bytes) -> None:
    try:
        Policy.parse(data, where=WHERE)
    except UserError as error:
        assert "policy.yaml" in str(error)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("events: {alrt: allow}", "events.alrt: there are no events of this type (did you mean alert?)"),
        ("events: {http: {deny: [htp.hostname]}}", "events.http.deny: 'htp.hostname' is no field"),
        ("fields: {allow: [http..x]}", "fields.allow: 'http..x' is no field of an event"),
        ("fields: {deny: [event_type]}", "fields.deny: event_type cannot be left out"),
        ("events: {alert: maybe}", "is no policy: Invalid enum value 'maybe'"),
        ("event: {}", "unknown field `event`"),
        ("[1]", "is no policy"),
        ("a: [", "is no policy"),
    ],
)
def test_what_is_wrong_with_a_policy_is_said(text: str, told: str) -> None:
    with pytest.raises(UserError) as error:
        policy(text)
    assert told in str(error.value) and str(error.value).startswith("policy.yaml: ")


def test_the_template_is_a_policy_and_the_same_rules_have_the_same_id(tmp_path: Path) -> None:
    made = policy(TEMPLATE)
    assert made.apply(ALERT + b"\n" + FLOW + b"\n", 2).events == 1
    assert made.id == policy("{events: {stats: allow, anomaly: allow, alert: allow}}").id
    assert made.id != policy("default: deny").id
    (tmp_path / "p.yaml").write_text(TEMPLATE)
    assert Policy.load(tmp_path / "p.yaml").id == made.id
    with pytest.raises(UserError, match="no such file"):
        Policy.load(tmp_path / "none.yaml")


@pytest.mark.parametrize("language", ["en", "vi"])
def test_the_guides_policy_is_one(language: str) -> None:
    page = Path(__file__).parents[2] / "docs" / "guide" / language / "tiers.md"
    (text,) = re.findall(r"^```yml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    assert policy(text).apply(ALERT + b"\n" + FLOW + b"\n", 2).events == 1
