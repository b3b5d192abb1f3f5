"""`rules explain` says `match` where the engine alerts and nowhere else, and names what was broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

engine = pytest.importorskip("sensor._engine", reason="the engine is not built: make setup")

import pairs  # noqa: E402  # needs the engine

ROOT = Path(__file__).resolve().parents[2]
PCAPS = ROOT / "pcaps"
CI_RULES, CI_PAIRS = 4, 400


def explain(rules: str, capture: str, sid: int = 1, *options: str, folder: Path) -> tuple[int, str]:
    path = folder / "a.rules"
    path.write_text(rules)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "sensor.cli", "rules", "explain", str(sid), "-S", str(path)),
            *(*options, "-r", str(PCAPS / capture)),
        ],
        env={**os.environ, "HAIDANG_LANG": os.environ.get("HAIDANG_LANG", "en"), "PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


def report(rules: str, capture: str, sid: int = 1, *options: str, folder: Path) -> dict:  # type: ignore[type-arg]  # JSON
    _, out = explain(rules, capture, sid, "--json", *options, folder=folder)
    found: dict = json.loads(out)  # type: ignore[type-arg]  # JSON
    return found


def failed(rules: str, capture: str, folder: Path) -> dict:  # type: ignore[type-arg]  # JSON
    nearest = report(rules, capture, folder=folder)["flows"][0]["nearest"]
    found: dict = nearest["conditions"][nearest["failed"]]  # type: ignore[type-arg]  # JSON
    return found


def test_the_condition_that_was_broken_is_named() -> None:
    tally = pairs.run(*pairs.SHIPPED, CI_PAIRS, pairs.Tally(), every=CI_RULES)
    assert tally.unequal == []
    assert tally.pairs >= CI_PAIRS / 2
    assert tally.named >= pairs.NAMED_MIN * tally.pairs, tally.missed


@pytest.mark.skipif(not os.environ.get("CORPORA_DIR"), reason="CORPORA_DIR is not set")
def test_all_pairs_there_are() -> None:
    done = subprocess.run(
        [sys.executable, str(Path(pairs.__file__)), "--strict"], capture_output=True, text=True, timeout=1800
    )
    assert done.returncode == 0, done.stdout


def test_a_content_is_told_with_its_bytes_and_the_nearest_place(tmp_path: Path) -> None:
    rule = (
        "alert http any any -> any any (flow:established,to_server; http.method; content:\"GET\"; "
        "http.uri; content:\"/index.htmx\"; sid:1;)"
    )  # fmt: skip
    condition = failed(rule, "http-get.pcap", tmp_path)
    assert (condition["keyword"], condition["buffer"]) == ("content", "http.uri")
    assert condition["line"] == 1
    assert rule[condition["column"] - 1 :].startswith('content:"/index.htmx"')
    seen = condition["seen"]
    assert seen["exists"]
    assert seen["length"] > 0
    assert seen["excerpt"]["bytes"].startswith("/")


def test_a_literal_outside_of_its_window_is_said_to_be(tmp_path: Path) -> None:
    rule = 'alert tcp any any -> any any (flow:to_server; content:"Host|3a|"; depth:5; sid:1;)'
    seen = failed(rule, "http-get.pcap", tmp_path)["seen"]
    assert seen["window"] == [0, 5]
    assert seen["nearest"]["why"] == "outside the window"
    assert seen["nearest"]["offset"] > 0
    other_case = 'alert tcp any any -> any any (flow:to_server; content:"hOST|3a|"; sid:1;)'
    assert failed(other_case, "http-get.pcap", tmp_path)["seen"]["nearest"]["why"] == "in other case"


def test_flowbits_that_are_missing_are_told_with_who_sets_them(tmp_path: Path) -> None:
    rules = (
        'alert tcp any any -> any 80 (content:"POST"; depth:4; flowbits:set,posted; noalert; sid:7;)\n'
        'alert tcp any any -> any 80 (content:"GET"; depth:3; flowbits:isset,posted; sid:1;)\n'
    )
    condition = failed(rules, "http-get.pcap", tmp_path)
    assert condition["text"] == "flowbits:isset,posted;"
    assert condition["seen"] == {"set": [], "set_by_sid": [7]}


def test_decoded_bytes_have_conditions_of_their_own(tmp_path: Path) -> None:
    head = "alert http any any -> any any (http.uri; base64_decode:offset 0; base64_data; "
    found = report(head + 'content:"nothing"; sid:1;)', "http-get.pcap", folder=tmp_path)
    buffers = [c["buffer"] for c in found["flows"][0]["nearest"]["conditions"] if c["buffer"]]
    assert buffers == ["http.uri", "base64_data"]


@pytest.mark.parametrize(
    ("more", "settings", "why"),
    [
        ("noalert;", (), "noalert"),
        ("threshold:type threshold, track by_src, count 1000, seconds 60;", (), "threshold"),
        ("detection_filter:track by_src, count 1000, seconds 60;", (), "threshold"),
        ("", ("suppress gen_id 1, sig_id 1",), "suppressed"),
        ("", ("rate_filter gen_id 1, sig_id 1, track by_src, count 1, seconds 60, "
              "new_action pass, timeout 9",), "rate filter"),
    ],
)  # fmt: skip
def test_what_holds_an_alert_back_is_told(
    more: str, settings: tuple[str, ...], why: str, tmp_path: Path
) -> None:
    rule = f'alert tcp any any -> any 80 (content:"GET"; {more} sid:1;)'
    (tmp_path / "threshold.config").write_text("\n".join(settings) + "\n")
    options = ("--set", f"threshold-file={tmp_path / 'threshold.config'}")
    found = report(rule, "http-get.pcap", 1, *options, folder=tmp_path)
    flow = found["flows"][0]
    assert (found["verdict"], flow["verdict"]) == ("no match", "held back")
    assert list(flow["held_back"]) == [why]


def test_a_pass_rule_in_the_way_is_named(tmp_path: Path) -> None:
    rules = 'pass tcp any any -> any 80 (sid:9;)\nalert tcp any any -> any 80 (content:"GET"; sid:1;)\n'
    code, out = explain(rules, "http-get.pcap", folder=tmp_path)
    assert code == 1
    assert "pass rule 9" in out


def test_the_verdict_is_the_exit_code_and_both_languages_tell_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = 'alert tcp any any -> any 80 (msg:"m"; content:"GET"; sid:1;)'
    assert explain(rule, "http-get.pcap", folder=tmp_path)[0] == 0
    code, out = explain(rule.replace("80", "81"), "http-get.pcap", folder=tmp_path)
    assert code == 1
    assert "x destination port: 81   <-- the first that failed" in out
    monkeypatch.setenv("HAIDANG_LANG", "vi")
    assert "không khớp" in explain(rule.replace("80", "81"), "http-get.pcap", folder=tmp_path)[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["2", "-r", "http-get.pcap"], "no rule of gid 1 and sid 2"),
        (["x", "-r", "http-get.pcap"], "is no rule"),
        (["1"], "no capture given"),
        (["1", "-r", "absent.pcap"], "absent.pcap"),
        (["1", "-r", "http-get.pcap", "--flows", "-1"], "no number of flows"),
    ],
)
def test_bad_input_is_one_clear_line(arguments: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "a.rules").write_text('alert tcp any any -> any any (content:"GET"; sid:1;)\n')
    given = [str(PCAPS / word) if word == "http-get.pcap" else word for word in arguments]
    done = subprocess.run(
        [sys.executable, "-m", "sensor.cli", "rules", "explain", *given, "-S", "a.rules"],
        env={**os.environ, "HAIDANG_LANG": "en", "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert said in done.stderr


def test_one_flow_can_be_asked_for(tmp_path: Path) -> None:
    rule = 'alert tcp any any -> any any (content:"GET"; sid:1;)'
    everything = report(rule, "http-variety.pcap", folder=tmp_path)["flows"]
    wanted = everything[-1]["flow_id"]
    only = report(rule, "http-variety.pcap", 1, "--flow", str(wanted), folder=tmp_path)["flows"]
    assert [flow["flow_id"] for flow in only] == [wanted]
    code, out = explain(rule, "http-variety.pcap", 1, "--flow", "5", folder=tmp_path)
    assert (code, "no such flow" in out) == (1, True)
