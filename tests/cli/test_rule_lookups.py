"""Rules that look up reputation, captured variables and entropy, and rules that change the log."""

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


def replayed(haidang: Run, folder: Path, capture: Path, rules: str, *more: str) -> list[dict[str, Any]]:
    """The events of a capture under these rules, all of which must load."""
    (folder / "a.rules").write_text(rules)
    (folder / "out" / "eve.json").unlink(missing_ok=True)  # a replay adds to what is there
    done = haidang("replay", capture, "-S", folder / "a.rules", "-l", folder / "out", "-k", "none", *more)
    assert done.returncode == 0, done.stderr
    assert "0 quarantined, 0 skipped" in done.stdout
    return [json.loads(line) for line in (folder / "out" / "eve.json").read_text().splitlines()]


def of_type(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["event_type"] == kind]


def sids(events: list[dict[str, Any]]) -> set[int]:
    return {event["alert"]["signature_id"] for event in of_type(events, "alert")}


def test_reputation_is_read_from_the_users_files(haidang: Run, tmp_path: Path) -> None:
    http = of_type(replayed(haidang, tmp_path, HTTP, ""), "http")[0]
    (tmp_path / "categories.txt").write_text("# number,name,description\n1,Bot,Infected\n2,Good,Known\n")
    (tmp_path / "list.txt").write_text(f"{http['src_ip']}/24,1,40\n{http['src_ip']},1,90\n")
    rules = (
        "alert http any any -> any any (flow:to_server; iprep:src,Bot,>,80; sid:1;)\n"
        "alert http any any -> any any (flow:to_server; iprep:src,Bot,<,80; sid:2;)\n"
        "alert http any any -> any any (flow:to_server; iprep:any,Good,isset; sid:3;)\n"
        "alert http any any -> any any (flow:to_server; iprep:both,Good,isnotset; sid:4;)\n"
    )
    files = ("reputation-categories-file=categories.txt", "reputation-files.0=list.txt")
    events = replayed(haidang, tmp_path, HTTP, rules, *(part for file in files for part in ("--set", file)))
    # As in Suricata, an address of a list has the score 0 in every other category.
    assert sids(events) == {1, 3}


def test_without_categories_the_rule_is_skipped(haidang: Run, tmp_path: Path) -> None:
    (tmp_path / "a.rules").write_text("alert ip any any -> any any (iprep:src,Bot,isset; sid:1;)\n")
    done = haidang("rules", "check", tmp_path / "a.rules")
    assert "reputation-categories-file" in done.stdout + done.stderr


def test_a_captured_variable_is_looked_into(haidang: Run, tmp_path: Path) -> None:
    rules = (
        'alert http any any -> any any (http.method; pcre:"/^(?P<flow_method>[A-Z]+)/"; sid:1;)\n'
        'alert http any any -> any any (flowvar:method,"GET"; http.stat_code; content:"2"; sid:2;)\n'
        'alert http any any -> any any (flowvar:method,"POST"; http.stat_code; content:"2"; sid:3;)\n'
    )
    assert sids(replayed(haidang, tmp_path, HTTP, rules)) == {1, 2}


def test_entropy_of_a_buffer(haidang: Run, tmp_path: Path) -> None:
    rules = (
        "alert http any any -> any any (http.method; entropy:value 1.585; sid:1;)\n"  # G, E, T: log2 of 3
        "alert http any any -> any any (http.method; entropy:offset 1, value =1; sid:2;)\n"
        "alert http any any -> any any (http.method; entropy:bytes 4, value >= 0; sid:3;)\n"
    )
    assert sids(replayed(haidang, tmp_path, HTTP, rules)) == {1, 2}


def test_config_rules_leave_things_out_of_the_log(haidang: Run, tmp_path: Path) -> None:
    whole = replayed(haidang, tmp_path, DNS, "")
    name = of_type(whole, "dns")[0]["dns"]["queries"][0]["rrname"]
    rule = f'config dns any any -> any any (dns.query; content:"{name}"; {{}} sid:1;)\n'
    unlogged = rule.format("config:logging disable, type tx, scope tx;")
    events = replayed(haidang, tmp_path, DNS, unlogged)
    assert not of_type(events, "alert")
    requests = [e for e in of_type(events, "dns") if e["dns"]["type"] == "request"]
    assert name not in [e["dns"]["queries"][0]["rrname"] for e in requests]
    assert len(of_type(events, "flow")) == len(of_type(whole, "flow"))
    events = replayed(haidang, tmp_path, DNS, rule.format("config:logging disable, type flow, scope flow;"))
    assert len(of_type(events, "flow")) < len(of_type(whole, "flow"))
    assert len(of_type(events, "dns")) == len(of_type(whole, "dns"))
