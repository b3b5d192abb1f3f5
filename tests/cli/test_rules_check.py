"""`haidang rules check`: what is bad is told with its place; garbage is not a crash."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("sensor._engine", reason="the engine is not built: make setup")

Run = Callable[..., subprocess.CompletedProcess[str]]

GOOD = 'alert tcp any any -> any any (msg:"x"; content:"abc"; sid:1;)\n'


def test_good_rules_are_counted(haidang: Run, tmp_path: Path) -> None:
    (tmp_path / "a.rules").write_text(GOOD)
    done = haidang("rules", "check", "--no-lint", "a.rules")
    assert (done.returncode, done.stdout, done.stderr) == (
        0, "rules in 1 file: 1: 1 loaded, 0 quarantined, 0 skipped\n", "",
    )  # fmt: skip


def test_every_bad_rule_is_told_with_its_place(haidang: Run, tmp_path: Path) -> None:
    (tmp_path / "a.rules").write_text(
        GOOD
        + "hello\n"
        + 'alert tcp any any -> any any (msg:"y"; \\\n  nosuchkeyword:1; sid:2;)\n'
        + GOOD
        + "alert tcp $NOPE any -> any any (sid:4;)\n"
    )
    done = haidang("rules", "check", "--no-lint", "a.rules")
    assert done.returncode == 1
    places = [line.split(" ")[0] for line in done.stdout.splitlines()[:-1]]
    assert places == ["a.rules:2:1:", "a.rules:4:3:", "a.rules:5:55:", "a.rules:6:11:"]
    assert all(" error: " in line and "(fix: " in line for line in done.stdout.splitlines()[:-1])
    assert "5: 1 loaded, 4 quarantined, 0 skipped" in done.stdout
    document = json.loads(haidang("rules", "check", "--json", "--no-lint", "a.rules").stdout)
    assert [finding["line"] for finding in document["findings"]] == [2, 4, 5, 6]
    assert (document["loaded"], document["quarantined"]) == (1, 4)


def test_set_defines_variables(haidang: Run, tmp_path: Path) -> None:
    (tmp_path / "a.rules").write_text("alert tcp $NOPE any -> any any (sid:4;)\n")
    done = haidang("rules", "check", "a.rules", "--set", "vars.address-groups.NOPE=1.1.1.1")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("content", [os.urandom(5000), b"(" * 70_000, b"alert " * 9000, b"\0" * 100, b""])
def test_garbage_is_no_crash(haidang: Run, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.rules").write_bytes(content)
    done = haidang("rules", "check", "a.rules")
    assert done.returncode in (0, 1)
    assert "Traceback" not in done.stderr


def test_an_absent_file_is_one_line(haidang: Run) -> None:
    done = haidang("rules", "check", "absent.rules")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_every_published_rules_file_goes_through(haidang: Run) -> None:
    folder = Path(os.environ.get("CORPORA_DIR", "/nowhere")) / "rules"
    if not folder.is_dir():
        pytest.skip("CORPORA_DIR does not name a folder with rules/")
    for path in sorted(folder.glob("*.rules")):
        done = haidang("rules", "check", "--json", path)
        assert done.returncode in (0, 1), done.stderr
        document = json.loads(done.stdout)
        assert all(finding["reason"] for finding in document["findings"])
        if path.name.startswith(("emerging", "etopen")):
            total = document["loaded"] + document["quarantined"] + document["skipped"]
            assert document["loaded"] >= 0.97 * total, path.name


def test_keywords_and_protocols(haidang: Run) -> None:
    table = json.loads(haidang("keywords", "--json").stdout)
    names = [entry["name"] for entry in table]
    assert {"content", "pcre", "flow", "sid"} <= set(names)
    assert len(haidang("keywords", "--csv").stdout.splitlines()) == len(names) + 1
    assert haidang("keywords", "content").stdout.startswith("name: content\n")
    assert haidang("keywords", "contnt").returncode == 2
    protocols = {entry["name"] for entry in json.loads(haidang("protocols", "--json").stdout)}
    assert {"http", "dns", "tls"} <= protocols
