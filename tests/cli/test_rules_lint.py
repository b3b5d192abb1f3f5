"""`haidang rules check` with lint: what is told, in every form, and what the exit code says."""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest.importorskip("sensor._engine", reason="the engine is not built: make setup")

Run = Callable[..., subprocess.CompletedProcess[str]]

RULES = (
    'alert udp any any -> any 5000 (msg:"a%b, <c>"; dsize:<3; content:"abcd"; sid:1;)\n'  # H205, an error
    'alert tcp any any -> any 25 (msg:"HD MAIL x"; content:"evil.test"; sid:2; rev:1;)\n'  # H104, a warning
    "hello\n"
)
STYLE = 'alert tcp any any -> any 25 (msg:"x"; flow:established,to_server; content:"evil.test"; sid:2;)'
MAX_SECONDS = 10  # of one core, for the largest public set; issue 7


def test_findings_are_told_down_to_the_level(haidang: Run, tmp_path: Path) -> None:
    (tmp_path / "a.rules").write_text(RULES)
    lines = haidang("rules", "check", "a.rules").stdout.splitlines()
    assert [line.split(": ")[1] for line in lines[:-1]] == ["error H205", "warning H104", "error"]
    assert lines[-1].startswith(
        "rules in 1 file: 3: 2 loaded, 1 quarantined, 0 skipped; lint: 1 error, 1 warning"
    )
    only_errors = haidang("rules", "check", "--level", "error", "a.rules").stdout.splitlines()
    assert [line.split(": ")[1] for line in only_errors[:-1]] == ["error H205", "error"]
    notes = haidang("rules", "check", "--select", "S400,H216", "a.rules").stdout.splitlines()
    assert sorted(line.split(": ")[1] for line in notes[:-1]) == ["error", "note H216", "note S400"]
    without = haidang("rules", "check", "--no-lint", "a.rules").stdout.splitlines()
    assert [line.split(": ")[1] for line in without[:-1]] == ["error"]
    summary = haidang("rules", "check", "--summary", "a.rules").stdout
    assert "1 error    H205          dsize leaves no room for a content" in summary


@pytest.mark.parametrize(
    ("rules", "fail_on", "code"),
    [
        (RULES, "error", 1), (RULES, "never", 0), (RULES.splitlines()[0], "error", 1),
        (RULES.splitlines()[1], "error", 0), (RULES.splitlines()[1], "warning", 1),
        (STYLE, "warning", 0), (STYLE, "note", 1),
    ],
)  # fmt: skip
def test_the_exit_code_follows_the_worst(
    haidang: Run, tmp_path: Path, rules: str, fail_on: str, code: int
) -> None:
    (tmp_path / "a.rules").write_text(rules + "\n")
    assert haidang("rules", "check", "--fail-on", fail_on, "a.rules").returncode == code


def test_json(haidang: Run, tmp_path: Path) -> None:
    (tmp_path / "a.rules").write_text(RULES)
    document = json.loads(haidang("rules", "check", "--format", "json", "a.rules").stdout)
    found = {(finding["line"], finding["code"], finding["severity"]) for finding in document["findings"]}
    assert found == {(1, "H205", "error"), (2, "H104", "warning"), (3, "", "error")}
    assert document["lint"]["error"] == 1


def test_sarif(haidang: Run, tmp_path: Path) -> None:
    (tmp_path / "a b.rules").write_text(RULES)
    log = json.loads(haidang("rules", "check", "--format", "sarif", "a b.rules").stdout)
    assert (log["version"], len(log["runs"])) == ("2.1.0", 1)
    rules, results = log["runs"][0]["tool"]["driver"]["rules"], log["runs"][0]["results"]
    assert {result["ruleId"] for result in results} == {"H205", "H104", "load-error"}
    for result in results:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "a%20b.rules"
        assert min(place["region"].values()) >= 1


def test_junit(haidang: Run, tmp_path: Path) -> None:
    (tmp_path / "a.rules").write_text(RULES + "\x01\x02 <&>\n")
    (tmp_path / "b.rules").write_text("")
    root = ElementTree.fromstring(haidang("rules", "check", "--format", "junit", "a.rules", "b.rules").stdout)
    suites = {suite.get("name"): suite for suite in root.iter("testsuite")}
    assert (suites["a.rules"].get("failures"), suites["b.rules"].get("failures")) == ("4", "0")
    assert len(list(root.iter("failure"))) == 4


def test_github_annotations_cannot_be_forged(haidang: Run, tmp_path: Path) -> None:
    (tmp_path / "a,b:c%.rules").write_text(RULES)
    lines = haidang("rules", "check", "--format", "github", "a,b:c%.rules").stdout.splitlines()
    assert len(lines) == 4  # three findings and the summary
    assert lines[0].startswith("::error file=a%2Cb%3Ac%25.rules,line=1,col=48,title=H205::dsize: ")


def test_unknown_codes_are_one_line(haidang: Run, tmp_path: Path) -> None:
    (tmp_path / "a.rules").write_text(RULES)
    done = haidang("rules", "check", "--select", "Z9", "a.rules")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "'Z9'" in done.stderr


def test_pattern_analysis_asks_for_its_package(haidang: Run, tmp_path: Path) -> None:
    rule = 'alert tcp any any -> any 25 (msg:"x"; content:"evil"; pcre:"/(a)evil\\1/"; sid:2;)\n'
    (tmp_path / "a.rules").write_text(rule)
    done = haidang("rules", "check", "--select", "H400", "a.rules")
    if importlib.util.find_spec("hyperscan") is None:
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "haidang[rules]" in done.stderr
    else:
        assert " H400: " in done.stdout


def test_the_largest_public_set_is_linted_in_time(haidang: Run) -> None:
    rules = Path(os.environ.get("CORPORA_DIR", "/nowhere")) / "rules" / "etopen-composite.rules"
    if not rules.is_file():
        pytest.skip("CORPORA_DIR does not name a folder with rules/etopen-composite.rules")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = haidang("rules", "check", "--format", "json", "--level", "note", rules)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    assert sum(json.loads(done.stdout)["lint"].values()) > 100_000
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert seconds < MAX_SECONDS, f"{seconds:.1f} s of one core"
