"""`rules profile` counts what detection does; `rules diff` tells what two sets of rules do differently."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sensor._engine", reason="the engine is not built: make setup")

ROOT = Path(__file__).resolve().parents[2]
PCAPS = ROOT / "pcaps"

RULES = (
    'alert http any any -> any any (msg:"uri"; http.uri; content:"/index.html"; sid:1;)\n'
    'alert tcp any any -> any any (msg:"every packet"; flow:established; ttl:>0; sid:2;)\n'
    'alert tcp any any -> any any (msg:"vain"; content:"HTTP/1.1"; pcre:"/never/"; sid:3;)\n'
    'alert udp any any -> any any (msg:"not here"; content:"nothing of it"; sid:4;)\n'
)


def haidang(folder: Path, *words: str, language: str = "en") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sensor.cli", "rules", *words],
        env={**os.environ, "HAIDANG_LANG": language, "PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )


def profile(folder: Path, rules: str, *captures: str) -> dict:  # type: ignore[type-arg]  # JSON
    (folder / "a.rules").write_text(rules)
    paths = [str(PCAPS / capture) for capture in captures]
    done = haidang(folder, "profile", "-S", "a.rules", "--json", "-r", *paths)
    assert done.returncode == 0, done.stderr
    found: dict = json.loads(done.stdout)  # type: ignore[type-arg]  # JSON
    return found


def test_checks_hits_and_leads_are_counted(tmp_path: Path) -> None:
    found = profile(tmp_path, RULES, "http-get.pcap")
    by_sid = {rule["sid"]: rule for rule in found["rules"]}
    assert sorted(by_sid) == [1, 2, 3], "what was never tried is not told"
    assert (by_sid[1]["checks"], by_sid[1]["matches"], by_sid[1]["alerts"]) == (1, 1, 1)
    assert by_sid[1]["led"] >= 1
    assert by_sid[2]["led"] == 0
    assert by_sid[2]["checks"] > 5
    assert by_sid[3]["matches"] == 0
    assert by_sid[3]["checks"] >= 2
    assert found["checks"] == sum(rule["checks"] for rule in found["rules"])
    assert found["rules_loaded"] == 4
    assert found["rules_tried"] == 3
    costs = [rule["ns"] for rule in found["rules"]]
    assert costs == sorted(costs, reverse=True), "worst first"
    assert found["ns"] >= found["rules_ns"] + found["searches_ns"] > 0


def test_what_makes_a_rule_slow_is_told(tmp_path: Path) -> None:
    found = profile(tmp_path, RULES, "http-get.pcap")
    why = {rule["sid"]: rule["why"] for rule in found["rules"]}
    assert why[1] == []
    assert why[2] == ["no-pattern"]
    assert why[3] == ["pcre"]
    common = 'alert udp any any -> any any (content:"|00 00|"; pcre:"/never/"; sid:5;)\n'
    many = profile(tmp_path, common, *["dns-benign.pcap"] * 200)
    assert many["rules"][0]["why"] == ["short-pattern", "common-pattern", "pcre"]


def test_what_leads_to_a_rule_at_a_place_is_told_beside_its_pattern(tmp_path: Path) -> None:
    header = 'content:"|01 00 00 01 00 00|"; offset:2; depth:6;'
    rule = f'alert udp any any -> any 53 ({header} content:"nowhere-to-be-found"; sid:6;)\n'
    captures = ["dns-benign.pcap"] * 200
    (found,) = profile(tmp_path, rule, *captures)["rules"]
    assert (found["pattern"], found["packet_pattern"]) == ("nowhere-to-be-found", "|01 00 00 01 00 00|")
    assert found["led"] > 100, "by its place"
    told = haidang(tmp_path, "profile", "-S", "a.rules", "-r", *(str(PCAPS / name) for name in captures))
    assert '"nowhere-to-be-found" (in packets "|01 00 00 01 00 00|" at its place) led here' in told.stdout


def test_what_many_rules_have_at_one_place_leads_to_none_of_them(tmp_path: Path) -> None:
    header = 'content:"|01 00 00 01 00 00|"; offset:2; depth:6;'
    rules = [f'alert udp any any -> any 53 ({header} content:"nowhere-{n}"; sid:{n};)\n' for n in range(1, 4)]
    assert profile(tmp_path, "".join(rules), "dns-benign.pcap")["rules"] == [], "none is tried"
    assert len(profile(tmp_path, "".join(rules[1:]), "dns-benign.pcap")["rules"]) == 2, "of two, both are"


def test_a_place_is_common_also_where_the_rules_are_for_other_addresses(tmp_path: Path) -> None:
    header = 'content:"|01 00 00 01 00 00|"; offset:2; depth:6;'
    rules = [
        f'alert udp {source} any -> any 53 ({header} content:"|03|com|00 00|"; content:"nowhere"; sid:{n};)\n'
        for n, source in enumerate(("any", "any", "203.0.113.0/24", "!203.0.113.0/24"), 1)
    ]
    few = profile(tmp_path, "".join(rules[:2]), "dns-benign.pcap")["rules"]
    assert {rule["packet_pattern"] for rule in few} == {"|01 00 00 01 00 00|"}
    many = profile(tmp_path, "".join(rules), "dns-benign.pcap")["rules"]
    assert many == [], "each is led by what sets it apart"


def test_groups_of_patterns_are_told_with_what_they_let_through(tmp_path: Path) -> None:
    groups = {group["group"]: group for group in profile(tmp_path, RULES, "http-get.pcap")["groups"]}
    assert groups["http http.uri to_server"]["led"] == 1
    assert groups["stream to_client"]["bytes"] > 0


def test_a_profile_finds_the_alerts_of_a_replay(tmp_path: Path) -> None:
    shipped = [str(path) for path in sorted((ROOT / "rules").glob("*.rules"))]
    (tmp_path / "all.rules").write_text("".join(Path(path).read_text() for path in shipped))
    capture = str(PCAPS / "web-sql-injection.pcap")
    done = haidang(tmp_path, "profile", "-S", "all.rules", "--json", "-r", capture)
    told = {rule["sid"]: rule["alerts"] for rule in json.loads(done.stdout)["rules"] if rule["alerts"]}
    subprocess.run(
        [sys.executable, "-m", "sensor.cli", "replay", capture, "-S", "all.rules"],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=tmp_path, check=True, capture_output=True,
        timeout=60,
    )  # fmt: skip
    seen: dict[int, int] = {}
    for line in (tmp_path / "eve.json").read_text().splitlines():
        event = json.loads(line)
        if event["event_type"] == "alert":
            sid = event["alert"]["signature_id"]
            seen[sid] = seen.get(sid, 0) + 1
    assert told == seen


@pytest.mark.parametrize(("language", "words"), [("en", "rules tried"), ("vi", "luật được thử")])
def test_a_person_can_read_it(language: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.rules").write_text(RULES)
    capture = str(PCAPS / "http-get.pcap")
    done = haidang(tmp_path, "profile", "-S", "a.rules", "-r", capture, "--top", "1", language=language)
    assert done.returncode == 0
    assert words in done.stdout
    assert sum("1:" in line for line in done.stdout.splitlines()) >= 1


def diff(folder: Path, old: str, new: str, *captures: str) -> tuple[int, dict]:  # type: ignore[type-arg]  # JSON
    (folder / "old.rules").write_text(old)
    (folder / "new.rules").write_text(new)
    paths = [str(PCAPS / capture) for capture in captures]
    done = haidang(folder, "diff", "old.rules", "new.rules", "--json", "-r", *paths)
    return done.returncode, json.loads(done.stdout)


def test_the_same_rules_do_the_same(tmp_path: Path) -> None:
    code, found = diff(tmp_path, RULES, RULES.replace("msg:", "rev:2; msg:"), "http-get.pcap", "dns-udp.pcap")
    assert code == 0
    assert (found["rules_added"], found["rules_removed"], found["rules_changed"]) == ([], [], [])
    assert found["old_alerts"] == found["new_alerts"] > 0


def test_gained_lost_and_moved_alerts_are_told(tmp_path: Path) -> None:
    old = (
        'alert tcp any any -> any any (msg:"lost"; content:"Host"; sid:1;)\n'
        'alert tcp any any -> any any (msg:"moved"; flow:to_server; content:"GET"; sid:2;)\n'
        'alert tcp any any -> any any (msg:"kept"; content:"GET"; sid:3;)\n'
    )
    new = (
        'alert tcp any any -> any any (msg:"lost"; content:"Hosty"; sid:1;)\n'
        'alert tcp any any -> any any (msg:"moved"; flow:to_client; content:"HTTP/1"; sid:2;)\n'
        'alert tcp any any -> any any (msg:"kept"; content:"GET"; sid:3;)\n'
        'alert http any any -> any any (msg:"gained"; http.method; content:"GET"; sid:4;)\n'
    )
    code, found = diff(tmp_path, old, new, "http-get.pcap")
    assert code == 1
    names = ("gained", "lost", "moved")
    assert [[change["sid"] for change in found[name]] for name in names] == [[4], [1], [2]]
    assert (found["rules_added"], found["rules_removed"], found["rules_changed"]) == ([4], [], [1, 2])
    balance = sum(change["count"] for change in found["gained"]) - sum(c["count"] for c in found["lost"])
    assert found["new_alerts"] - found["old_alerts"] == balance
    assert "packet" in found["gained"][0]["examples"][0]
    assert {cost["sid"] for cost in found["costs"]} >= {1, 2, 3, 4}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["profile", "-S", "a.rules"], "no capture given"),
        (["profile", "-S", "a.rules", "-r", "absent.pcap"], "absent.pcap"),
        (["profile", "-S", "absent.rules", "-r", "CAPTURE"], "absent.rules"),
        (["profile", "-S", "a.rules", "-r", "CAPTURE", "--top", "-3"], "no number of rules"),
        (["diff", "a.rules", "absent.rules", "-r", "CAPTURE"], "absent.rules"),
        (["diff", "a.rules", "a.rules"], "no capture given"),
        (["diff", "a.rules", "a.rules", "-r", "a.rules"], "not a capture"),
    ],
)
def test_bad_input_is_one_clear_line(words: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "a.rules").write_text(RULES)
    capture = str(PCAPS / "http-get.pcap")
    done = haidang(tmp_path, *(capture if word == "CAPTURE" else word for word in words))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert said in done.stderr


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("alert tcp any any -> any any (content:nothing; sid:1;)\n", "1 rule does not load: a.rules:1:"),
        (
            "alert tcp any any -> any any (content:nothing; sid:8;)\nalert tcp any (sid:9;)\n" + RULES,
            "2 rules do not load, the first: a.rules:1:",
        ),
    ],
)
@pytest.mark.parametrize("words", [["profile", "-S", "a.rules"], ["diff", "a.rules", "a.rules"]])
def test_a_rule_that_does_not_load_is_named(words: list[str], rules: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.rules").write_text(rules)
    done = haidang(tmp_path, *words, "-r", str(PCAPS / "http-get.pcap"))
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert said in done.stderr and "fix:" in done.stderr
