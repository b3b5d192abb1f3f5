"""Every format writes the events of golden/events.json as golden/FORMAT.txt has them, and bears any event."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.outlets import syslog
from collectors.outlets.carriers import Message, render
from collectors.outlets.item import Item, items
from collectors.outlets.settings import ALERTS_ONLY, Outlet
from sensor import __version__
from sensor.bus.records import Record

GOLDEN = Path(__file__).parent / "golden"
FORMATS = ("eve", "cef", "ecs", "ocsf")
RECORD = Record(1, "tap1", 0xABC, 0, 7, 7, 1_768_464_005_000_001, b"")
VERSION = re.compile(rf"(?<![\d.]){re.escape(__version__)}(?![\d.])")


def outlet(form: str, **more: Any) -> Outlet:
    return Outlet(name="soc", to="tls://siem.example:6514", format=form, **more)


def golden_items(form: str) -> list[Item]:
    found = items(RECORD, (GOLDEN / "events.json").read_bytes())
    return [item for item in found if form not in ALERTS_ONLY or item.event_type == "alert"]


def rendered(form: str) -> str:
    """As in the golden file, whatever version this is."""
    lines = [render(outlet(form), item).body for item in golden_items(form)]
    return "".join(VERSION.sub("VERSION", line) + "\n" for line in lines)


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_written_is_what_stands_in_the_golden_file(form: str) -> None:
    assert rendered(form) == (GOLDEN / f"{form}.txt").read_text()


def test_syslog_is_framed_and_named() -> None:
    told = "".join(syslog.line(outlet("cef"), Message(item, "BODY")) + "\n" for item in golden_items("cef"))
    assert told == (GOLDEN / "syslog.txt").read_text()
    item = golden_items("cef")[1]
    framed = syslog.framed(outlet("cef"), render(outlet("cef"), item))
    length, _, rest = framed.partition(b" ")
    assert int(length) == len(rest) and rest.startswith(
        b"<133>1 2026-01-15T08:00:01.000001Z tap1 haidang - alert ["
    )


def test_the_same_event_has_the_same_id_and_no_other() -> None:
    found = items(RECORD, b'{"event_type":"a"}\n{broken\n{"event_type":"b"}\n[]\n{"event_type":5}\n')
    assert [item.id for item in found] == ["tap1/0000000000000abc/0/7/0", "tap1/0000000000000abc/0/7/2"]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_FIELDS = (
    "timestamp", "src_ip", "dest_port", "proto", "alert", "http", "dns", "tls", "files", "flow", "app_proto",
    "fileinfo", "flow_id", "vlan", "ip_v",
)  # fmt: skip
_INNER = ("signature", "severity", "metadata", "hostname", "url", "queries", "rrname", "sni", "0", "version")
_VALUE = st.one_of(_JSON, st.dictionaries(st.sampled_from(_INNER), _JSON, max_size=5))
_EVENT = st.dictionaries(st.sampled_from(_FIELDS), _VALUE, max_size=len(_FIELDS))


@pytest.mark.parametrize("form", FORMATS)
@given(event=_EVENT)
@settings(max_examples=150, deadline=None)
def test_any_event_becomes_one_line(form: str, event: dict[str, Any]) -> None:
    event = {**event, "event_type": "alert"}
    line = json.dumps(event).encode()
    (item,) = items(RECORD, line + b"\n")
    message = render(outlet(form), item)
    assert len(message.body.splitlines()) == 1
    if form != "cef":
        json.loads(message.body)
    else:
        assert re.match(r"CEF:0\|Hai Dang\|haidang\|[^|]+\|\d+:\d+:\d+\|(?:[^|\\]|\\.)*\|\d+\|", message.body)
    framed = syslog.framed(outlet(form), message)
    length, _, rest = framed.partition(b" ")
    assert int(length) == len(rest)
    head = rest[: rest.index(b"]") + 1].decode()
    assert re.fullmatch(r"<1\d\d>1 \S+Z tap1 haidang - alert \[haidang@32473 id=\"[^\"]+\"\]", head)


@given(st.binary(max_size=300))
def test_any_bytes_are_events_or_none(data: bytes) -> None:
    for item in items(RECORD, data + b"\n"):
        assert item.event_type
