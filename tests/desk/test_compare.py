"""Two eve files compared, through the function and through the command."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

from sensor.cli import main
from sensor.desk import compare as compare_module
from sensor.desk.compare import compare
from sensor.errors import UserError

Event = dict[str, Any]


def alert(sid: int, number: int = 1, **more: Any) -> Event:
    return {
        "timestamp": f"2025-06-15T15:06:{number % 60:02}.000001+0000",
        "flow_id": number * 7,
        "pcap_cnt": number,
        "event_type": "alert",
        "src_ip": "2001:db8::1",
        "src_port": 1024 + number,
        "dest_ip": "2001:db8::2",
        "dest_port": 80,
        "proto": "TCP",
        "alert": {"gid": 1, "signature_id": sid, "signature": f"rule {sid}"},
        **more,
    }


def dns(name: str) -> Event:
    return {"event_type": "dns", "timestamp": "2025-06-15T15:06:00.000001+0000", "dns": {"rrname": name}}


def write(path: Path, events: list[Event]) -> Path:
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return path


def test_what_must_differ_between_sensors_is_no_difference(tmp_path: Path) -> None:
    ours = [alert(1), dns("a.example"), {"event_type": "stats", "stats": {"uptime": 1}}]
    theirs = copy.deepcopy(ours)
    theirs[0].update(
        flow_id=99,
        timestamp="2025-06-15T17:06:01.000001+02:00",
        proto="tcp",
        src_ip="2001:0db8:0000:0000:0000:0000:0000:0001",
    )
    theirs[0] = dict(reversed(theirs[0].items()))  # the order of keys says nothing
    theirs[2]["stats"]["uptime"] = 2
    random.Random(1).shuffle(theirs)
    result = compare(write(tmp_path / "a", ours), write(tmp_path / "b", theirs))
    assert result.is_equal
    assert result.alerts_in_both == 1


def test_alerts_are_compared_as_a_multiset(tmp_path: Path) -> None:
    a = write(tmp_path / "a", [alert(1), alert(1), alert(2), alert(3, 5)])
    b = write(tmp_path / "b", [alert(1), alert(2), alert(3, 6), alert(4)])
    result = compare(a, b)
    assert not result.is_equal
    assert {(r.rule[1], r.only_a, r.only_b) for r in result.rules} == {(1, 1, 0), (3, 1, 1), (4, 0, 1)}
    assert result.alerts_in_both == 2
    by_rule = {rule.rule[1]: rule for rule in result.rules}
    assert by_rule[4].signature == "rule 4"
    assert "2001:db8::1:1025-2001:db8::2:80/tcp" in by_rule[4].examples[0]


def test_fields_of_matched_alerts(tmp_path: Path) -> None:
    a = write(tmp_path / "a", [alert(1, pcap_cnt=1, app_proto="http"), alert(1, app_proto="tls"), alert(2)])
    b = write(tmp_path / "b", [alert(1, app_proto="tls"), alert(1, pcap_cnt=2), alert(2)])
    result = compare(a, b)
    assert not result.rules
    assert list(result.alert_fields) == [(1, 1)]
    found = {one.name: one for one in result.alert_fields[(1, 1)]}
    assert set(found) == {"app_proto", "pcap_cnt"}  # the one with tls is equal and was matched first
    assert found["app_proto"].examples == [('"http"', "(absent)")]
    assert compare(a, b, ignore=["pcap_cnt", "app_proto"]).is_equal
    assert compare(a, b, fields=False).is_equal


def test_other_events_by_counts_and_fields(tmp_path: Path) -> None:
    a = write(tmp_path / "a", [dns("one.example"), dns("both.example"), {"event_type": "flow"}])
    b = write(tmp_path / "b", [dns("both.example"), dns("two.example")])
    result = compare(a, b)
    assert [kind["flow"] for kind in result.events] == [1, 0]
    (difference,) = result.type_fields["dns"]
    assert (difference.name, difference.count) == ("dns.rrname", 1)
    assert difference.examples == [('"one.example"', ""), ("", '"two.example"')]
    assert compare(a, b, alerts_only=True).is_equal


def test_many_alerts_past_the_bound_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare_module, "MAX_HELD", 5)
    a = write(tmp_path / "a", [alert(1, number) for number in range(30)])
    b = write(tmp_path / "b", [alert(1, number, app_proto="http") for number in range(40)])
    result = compare(a, b)
    assert [(r.only_a, r.only_b) for r in result.rules] == [(0, 10)]
    assert result.alerts_in_both == 30
    assert 0 < result.not_matched <= 30
    assert not result.is_equal


def test_names_of_fields_from_the_wire_do_not_fill_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare_module, "MAX_PATHS", 10)
    a = write(tmp_path / "a", [{"event_type": "http", "http": {f"h{n}": n}} for n in range(100)])
    result = compare(a, write(tmp_path / "b", []))
    assert result.paths_are_cut
    assert len(result.type_fields["http"]) <= 12
    assert not result.is_equal


@pytest.mark.parametrize(
    "line",
    [b"\xff\xfe", b"[1]", b'{"a":1}', b'{"event_type":1}', b"[" * 100_000, b'{"event_type":"alert"', b"\x00"],
)
def test_what_is_no_event_is_told_with_its_line(tmp_path: Path, line: bytes) -> None:
    bad = tmp_path / "bad"
    bad.write_bytes(json.dumps(dns("x")).encode() + b"\n\n" + line + b"\n")
    with pytest.raises(UserError, match="bad:3: "):
        compare(write(tmp_path / "good", []), bad)


@pytest.mark.parametrize(
    "event",
    [
        {"event_type": "alert"},
        {"event_type": "alert", "alert": 3, "src_ip": [], "proto": {}, "timestamp": {"start": "x"}},
        {"event_type": "alert", "alert": {"signature_id": "x", "gid": None}, "src_ip": ":::", "start": "9"},
    ],
)
def test_odd_events_are_compared_all_the_same(tmp_path: Path, event: Event) -> None:
    a = write(tmp_path / "a", [event])
    assert compare(a, a).is_equal
    assert not compare(a, write(tmp_path / "b", [{**event, "more": 1}])).is_equal


def test_exit_codes_and_outputs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = str(write(tmp_path / "a", [alert(1), dns("evil\x1b[31m.example")]))
    b = str(write(tmp_path / "b", [alert(2), dns("x")]))
    assert main(["compare", a, a]) == 0
    assert main(["compare", a, str(tmp_path / "absent")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["compare", a, b, "-v"]) == 1
    text = capsys.readouterr().out
    assert "1:1 rule 1" in text
    assert "1:2 rule 2" in text
    assert "\x1b" not in text
    assert main(["compare", a, b, "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["alerts"]["only_a"] == document["alerts"]["only_b"] == 1
    assert document["events"] == {"alert": [1, 1], "dns": [1, 1]}
    assert document["fields"]["dns"][0]["name"] == "dns.rrname"
