"""What rules keep: data sets from run to run, tagged packets, flowbits and variables in events."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sensor._engine", reason="the engine is not built: make setup")

Run = Callable[..., subprocess.CompletedProcess[str]]

ROOT = Path(__file__).parents[2]
DNS = ROOT / "pcaps" / "dns-udp.pcap"
HTTP = ROOT / "pcaps" / "http-get.pcap"


def replayed(
    haidang: Run, folder: Path, capture: Path, rules: str, *more: str | Path
) -> list[dict[str, Any]]:
    """The events of a capture under these rules."""
    (folder / "a.rules").write_text(rules)
    (folder / "out" / "eve.json").unlink(missing_ok=True)  # a replay adds to what is there
    done = haidang("replay", capture, "-S", folder / "a.rules", "-l", folder / "out", "-k", "none", *more)
    assert done.returncode == 0, done.stderr
    assert "0 quarantined, 0 skipped" in done.stdout
    return [json.loads(line) for line in (folder / "out" / "eve.json").read_text().splitlines()]


def alerts(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in events if event["event_type"] == "alert"]


def test_a_data_set_with_state_knows_the_next_day_what_it_saw(haidang: Run, tmp_path: Path) -> None:
    rule = "alert dns any any -> any any (dns.query; dataset:set,seen,type string,state seen.lst; sid:1;)\n"
    assert alerts(replayed(haidang, tmp_path, DNS, rule, "--data-dir", tmp_path))
    kept = (tmp_path / "seen.lst").read_text()
    assert kept.splitlines() == sorted(kept.splitlines())
    assert not alerts(replayed(haidang, tmp_path, DNS, rule, "--data-dir", tmp_path))
    assert (tmp_path / "seen.lst").read_text() == kept


def test_a_data_set_of_json_tells_the_alert_what_it_knows(haidang: Run, tmp_path: Path) -> None:
    events = replayed(haidang, tmp_path, HTTP, "")
    host = next(event["http"]["hostname"] for event in events if event["event_type"] == "http")
    (tmp_path / "hosts.json").write_text(json.dumps([{"name": host, "seen": 2026}]))
    rule = (
        "alert http any any -> any any (http.host; dataset:isset,hosts,type string,load hosts.json,"
        "format json,value_key name,context_key host,remove_key; sid:1;)\n"
    )
    contexts = [alert["alert"]["context"] for alert in alerts(replayed(haidang, tmp_path, HTTP, rule))]
    assert contexts and all(context == {"host": {"seen": 2026}} for context in contexts)


def test_a_missing_data_set_quarantines_its_rule_alone(haidang: Run, tmp_path: Path) -> None:
    (tmp_path / "a.rules").write_text(
        "alert dns any any -> any any (dns.query; dataset:isset,a,type string,load absent.lst; sid:1;)\n"
        'alert dns any any -> any any (msg:"any"; sid:2;)\n'
    )
    done = haidang("replay", DNS, "-S", tmp_path / "a.rules", "-l", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "1 loaded, 1 quarantined" in done.stdout
    assert "absent.lst" in done.stdout


def test_packets_of_a_tagged_session_are_kept(haidang: Run, tmp_path: Path) -> None:
    rule = "alert tcp any any -> any any (flags:S; tag:session,3,packets; sid:1;)\n"
    kept = [e for e in replayed(haidang, tmp_path, HTTP, rule) if e["event_type"] == "packet"]
    assert [event["pcap_cnt"] for event in kept] == [2, 3]  # the alerting packet is the first of three
    assert all(event["packet"] and event["packet_info"]["linktype_name"] for event in kept)


def test_flowbits_and_captures_stand_in_the_flows_events(haidang: Run, tmp_path: Path) -> None:
    rule = (
        "alert http any any -> any any (flow:to_server; http.method; "
        'pcre:"/^(?P<flow_verb>[A-Z]+)/"; flowbits:set,asked; flowbits:set,traffic/id/web; '
        "flowint:asked,+,1; sid:1;)\n"
    )
    events = replayed(haidang, tmp_path, HTTP, rule)
    (flow,) = (event for event in events if event["event_type"] == "flow")
    assert flow["metadata"] == {
        "flowbits": ["asked"],
        "flowints": {"asked": len(alerts(events))},
        "flowvars": [{"verb": "GET"}],
    }
    assert flow["traffic"] == {"id": ["web"]}
    assert alerts(events)[-1]["metadata"] == flow["metadata"]
