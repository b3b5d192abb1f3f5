"""`rules tune`: an exception says whose it is and until when, hides what it said it would, and ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.config import exceptions, load
from sensor.config.side_files import directives, thresholds
from sensor.errors import UserError
from sensor.rules.exceptions import Wanted, expiry, on_events

pytest.importorskip("sensor._engine", reason="the engine is not built: make setup")

ROOT = Path(__file__).resolve().parents[2]
CAPTURE = ROOT / "pcaps/http-get.pcap"
RULES = (
    'alert tcp any any -> any any (msg:"get"; content:"GET"; sid:1;)\n'
    'alert dns any any -> any any (msg:"dns"; dns.query; content:"."; sid:2;)\n'
)
WHO = ("--owner", "Lan", "--reason", "our scanner", "--expires", "30d")
SOURCE = "198.51.100.23"


def haidang(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sensor.cli", "rules", *words],
        env={**os.environ, "HAIDANG_LANG": "en", "PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.rules").write_text(RULES)
    return tmp_path


def tune(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return haidang(folder, "tune", *words, "-S", "a.rules")


def alerts(folder: Path, *options: str) -> int:
    subprocess.run(
        [sys.executable, "-m", "sensor.cli", "replay", str(CAPTURE), "-S", "a.rules", "-l", ".", *options],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=folder, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    events = map(json.loads, (folder / "eve.json").read_text().splitlines())
    count = sum(event["event_type"] == "alert" for event in events)
    (folder / "eve.json").unlink()
    return count


def test_what_it_says_it_hides_is_what_it_hides(folder: Path) -> None:
    before = alerts(folder)
    done = tune(folder, "1", "--by", "src", "--ip", SOURCE, *WHO, "-r", str(CAPTURE), "--json", "--write")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    tried = told["tried"][0]
    assert (tried["alerts"], tried["hidden"]) == (before, before)
    assert told["line"] == f"suppress gen_id 1, sig_id 1, track by_src, ip {SOURCE}"
    assert alerts(folder, "--set", "threshold-file=threshold.config") == 0
    assert "threshold-file does not name" in done.stderr


def test_nothing_is_written_unless_it_is_asked_for(folder: Path) -> None:
    done = tune(folder, "1", *WHO, "-r", str(CAPTURE))
    assert (done.returncode, (folder / "threshold.config").exists()) == (0, False)
    assert "--write adds it" in done.stdout


def test_an_exception_that_hides_nothing_is_a_finding(folder: Path) -> None:
    done = tune(folder, "1", "--by", "dst", "--ip", "203.0.113.9", *WHO, "-r", str(CAPTURE))
    assert done.returncode == 1
    assert "would have hidden 0 of" in done.stdout


def test_a_limit_lets_some_through(folder: Path) -> None:
    (folder / "a.rules").write_text('alert tcp any any -> any any (msg:"all"; flow:established; sid:1;)\n')
    before = alerts(folder)
    done = tune(
        folder, "1", "--limit", "2/3600", "--by", "src", *WHO, "-r", str(CAPTURE), "--json", "--write"
    )
    tried = json.loads(done.stdout)["tried"][0]
    assert tried["hidden"] == before - 4, "two of each end"
    assert alerts(folder, "--set", "threshold-file=threshold.config") == 4


def test_other_lines_of_the_file_stay(folder: Path) -> None:
    (folder / "threshold.config").write_text("# ours\nsuppress gen_id 1, sig_id 2")
    assert tune(folder, "1", *WHO, "--untried", "--write").returncode == 0
    lines = (folder / "threshold.config").read_text().splitlines()
    assert lines[:2] == ["# ours", "suppress gen_id 1, sig_id 2"]
    assert lines[3] == "suppress gen_id 1, sig_id 1"
    done = tune(folder, "--list", "--json")
    assert done.returncode == 0
    assert [row["owner"] for row in json.loads(done.stdout)] == ["Lan"]


def test_suppress_is_another_name_of_it(folder: Path) -> None:
    done = haidang(folder, "suppress", "1", *WHO, "--untried", "-S", "a.rules")
    assert (done.returncode, "suppress gen_id 1, sig_id 1" in done.stdout) == (0, True)


def test_an_exception_ends(folder: Path) -> None:
    day = date(2026, 1, 31)
    note = exceptions.Note("Lan", "our scanner", day, day)
    (folder / "threshold.config").write_text(f"{note.line()}\nsuppress gen_id 1, sig_id 1\n")
    before = alerts(folder)
    assert alerts(folder, "--set", "threshold-file=threshold.config") == before > 0
    warnings: list[str] = []
    assert thresholds(folder / "threshold.config", warnings) == []
    assert "Lan" in warnings[0]
    assert "2026-01-31" in warnings[0]
    done = tune(folder, "--list")
    assert (done.returncode, "over since 2026-01-31" in done.stdout) == (1, True)


def test_a_note_that_cannot_be_read_does_not_unsay_its_line(tmp_path: Path) -> None:
    path = tmp_path / "threshold.config"
    path.write_text(f"{exceptions.MARK} nonsense\nsuppress gen_id 1, \\\n sig_id 1\n")
    warnings: list[str] = []
    assert thresholds(path, warnings) == [(2, "suppress gen_id 1, sig_id 1")]
    assert len(warnings) == 1


@given(st.text(max_size=80))
def test_any_note_is_read_or_refused(text: str) -> None:
    exceptions.read_note(exceptions.MARK + text)


@given(st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=60), st.dates())
def test_a_note_is_read_as_it_was_written(owner: str, reason: str, day: date) -> None:
    note = exceptions.Note(owner, reason, day, day)
    assert exceptions.read_note(note.line()) == note


def test_it_can_be_tried_on_alerts_written_before(folder: Path) -> None:
    def alert(src: str, dest: str, sid: int = 1) -> str:
        return json.dumps(
            {"event_type": "alert", "src_ip": src, "dest_ip": dest, "alert": {"gid": 1, "signature_id": sid}}
        )

    lines = [alert("10.0.0.5", "192.0.2.1"), alert("10.1.0.5", "192.0.2.1"), alert("192.0.2.9", "10.0.0.5")]
    (folder / "old.json").write_text("\n".join([*lines, alert("10.0.0.5", "192.0.2.1", 2)]) + "\n")
    for by, ip, hidden in (
        ("src", "10.0.0.5", 1), ("src", "10.0.0.0/8", 2), ("src", "[10.0.0.0/8,!10.1.0.0/16]", 1),
        ("either", "10.0.0.5", 2), ("dst", "2001:db8::1", 0), ("dst", "$HOME_NET", 1),
    ):  # fmt: skip
        done = tune(folder, "1", "--by", by, "--ip", ip, *WHO, "--eve", "old.json", "--json")
        tried = json.loads(done.stdout)["tried"][0]
        assert (tried["alerts"], tried["hidden"]) == (3, hidden), (by, ip)
    assert on_events([json.loads(line) for line in lines], Wanted(1, 1), load()).hidden == 3


def test_the_store_of_a_centre_is_asked(folder: Path) -> None:
    done = tune(folder, "1", *WHO, "--store", "absent")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr


def test_a_last_day_is_near_and_to_come() -> None:
    today = exceptions.today()
    assert expiry("30d") == today + timedelta(days=30)
    assert expiry(today.isoformat()) == today
    for wrong in ("yesterday", "2001-01-01", "99999d", "9999999999999d", "", "30"):
        with pytest.raises(UserError):
            expiry(wrong)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no rule given"),
        (("x", *WHO), "is no rule"),
        (("1", *WHO), "nothing to try it on"),
        (("1", *WHO[:4], "--untried"), "--expires"),
        (("1", *WHO[2:], "--untried"), "--owner"),
        (("1", *WHO, "--untried", "--by", "src"), "go together"),
        (("1", *WHO, "--untried", "--limit", "5"), "no limit"),
        (("1", *WHO, "--untried", "--limit", "1/60"), "whose alerts"),
        (("1", *WHO, "--limit", "1/60", "--by", "src", "--eve", "a.rules"), "cannot be tried"),
        (("1", *WHO, "-r", "absent.pcap"), "absent.pcap"),
        (("1", *WHO, "--by", "src", "--ip", "nonsense", "-r", str(CAPTURE)), "nonsense"),
        (("--list", "--file", "absent"), "no such file"),
    ],
)
def test_bad_input_is_one_clear_line(words: tuple[str, ...], said: str, folder: Path) -> None:
    done = tune(folder, *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert said in done.stderr
    assert not (folder / "threshold.config").exists()


def test_every_directive_is_listed_with_its_note(tmp_path: Path) -> None:
    day = exceptions.today()
    note = exceptions.Note("Lan", "r", day, day)
    path = tmp_path / "threshold.config"
    path.write_text(
        f"suppress gen_id 1, sig_id 3\n# said\n{note.line()}\n# more\nsuppress gen_id 1, sig_id 1\n"
    )
    found = directives(path, [])
    assert [(one.line, one.note) for one in found] == [(1, None), (5, note)]
