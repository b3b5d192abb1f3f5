"""`haidang replay` over real captures, and over everything that is none."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

pytest.importorskip("sensor._engine", reason="the engine is not built: make setup")

Run = Callable[..., subprocess.CompletedProcess[str]]

ROOT = Path(__file__).parents[2]
DNS = ROOT / "pcaps" / "dns-udp.pcap"
HTTP = ROOT / "pcaps" / "http-get.pcap"
ANY_DNS = 'alert dns any any -> any any (msg:"any DNS"; sid:1;)\n'


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "any.rules"
    path.write_text(ANY_DNS)
    return path


def events(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_capture_becomes_eve_and_fast_log(haidang: Run, tmp_path: Path, rules: Path) -> None:
    done = haidang("replay", DNS, "-S", rules, "-l", tmp_path / "out", "-k", "none")
    assert done.returncode == 0, done.stderr
    types = {event["event_type"] for event in events(tmp_path / "out" / "eve.json")}
    assert types >= {"alert", "dns", "flow", "stats"}
    alerts = [event for event in events(tmp_path / "out" / "eve.json") if event["event_type"] == "alert"]
    lines = (tmp_path / "out" / "fast.log").read_text().splitlines()
    assert len(lines) == len(alerts) > 0
    assert "[**] [1:1:0] any DNS [**]" in lines[0]
    assert "1: 1 loaded" in done.stdout
    assert f"{len(alerts):>9,}  1:1:0  any DNS" in done.stdout


def test_suricatas_hands_are_understood(haidang: Run, tmp_path: Path, rules: Path) -> None:
    done = haidang(
        "replay", "-r", DNS, "-S", rules, "-k", "none", "--runmode", "single", "--set", "spm-algo=bm",
        "--set", "no.such.key=1", "--set", "outputs.0.fast.enabled=no", "--no-random", "-v",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "eve.json").exists()
    assert not (tmp_path / "fast.log").exists()
    assert done.stderr.count("no") >= 1


def test_shipped_rules_are_the_default(haidang: Run) -> None:
    done = haidang("replay", DNS)
    assert done.returncode == 0, done.stderr
    assert " 0 quarantined, 0 skipped" in done.stdout


def test_events_can_go_to_the_next_program(haidang: Run, rules: Path) -> None:
    done = haidang("replay", DNS, "-S", rules, "--stdout")
    assert {"alert", "dns"} <= {json.loads(line)["event_type"] for line in done.stdout.splitlines()}
    assert "any DNS" in done.stderr


def test_a_capture_filter_leaves_frames_out(haidang: Run, tmp_path: Path, rules: Path) -> None:
    (tmp_path / "filter").write_text("not udp port 53\n")
    for arguments in (["not", "udp", "port", "53"], ["-F", "filter"]):
        done = haidang("replay", DNS, "-S", rules, *arguments)
        if "libpcap" in done.stderr:
            pytest.skip("this machine has no libpcap")
        assert done.returncode == 0, done.stderr
        assert not [event for event in events(tmp_path / "eve.json") if event["event_type"] == "dns"]


def test_a_wrong_capture_filter_is_an_error(haidang: Run, rules: Path) -> None:
    done = haidang("replay", DNS, "-S", rules, "prot", "53")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "`prot 53`" in done.stderr or "libpcap" in done.stderr


def test_a_truncated_capture_is_a_warning(haidang: Run, tmp_path: Path, rules: Path) -> None:
    (tmp_path / "cut.pcap").write_bytes(HTTP.read_bytes()[:-7])
    done = haidang("replay", "cut.pcap", "-S", rules)
    assert done.returncode == 0
    assert done.stderr.startswith("haidang: warning: ")
    assert done.stderr.count("\n") == 1


def test_what_cannot_be_read_is_told_and_the_rest_read(haidang: Run, tmp_path: Path, rules: Path) -> None:
    (tmp_path / "random").write_bytes(os.urandom(1000))
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    done = haidang("replay", "random", "empty", "absent", "folder", DNS, "-S", rules)
    assert done.returncode == 2
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == ["error"] * 4
    assert events(tmp_path / "eve.json")


@pytest.mark.parametrize("name", ["random", "empty", "absent", "folder", "header"])
def test_one_file_that_is_no_capture(haidang: Run, tmp_path: Path, rules: Path, name: str) -> None:
    (tmp_path / "random").write_bytes(bytes(range(256)))
    (tmp_path / "header").write_bytes(b"\xd4\xc3\xb2\xa1")
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    done = haidang("replay", name, "-S", rules)
    assert done.returncode == (0 if name == "header" else 2)
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_the_workers_change_nothing(haidang: Run, tmp_path: Path, rules: Path) -> None:
    def alerts(workers: str) -> list[str]:
        haidang("replay", ROOT / "pcaps", "-S", rules, "-l", workers, "--workers", workers)
        found = [event for event in events(tmp_path / workers / "eve.json") if event["event_type"] == "alert"]
        return sorted(json.dumps(event, sort_keys=True) for event in found)

    assert alerts("1") == alerts("3") != []


def test_t_tests_configuration_and_rules(haidang: Run, tmp_path: Path, rules: Path) -> None:
    good = haidang("replay", "-T", "-S", rules)
    assert (good.returncode, good.stderr) == (0, "")
    rules.write_text(ANY_DNS + "alert dns any any -> any any (nonsense:1; sid:2;)\n")
    bad = haidang("replay", "-T", "-S", rules)
    assert bad.returncode == 1
    assert f"{rules}:2:31: error: nonsense: " in bad.stdout
    assert haidang("replay", "-T", "-c", "absent.yaml").returncode == 2


def test_a_full_disk_is_one_clear_error(haidang: Run, tmp_path: Path, rules: Path) -> None:
    (tmp_path / "c.yaml").write_text("outputs: [{eve-log: {filename: /dev/full}}]\n")
    done = haidang("replay", DNS, "-S", rules, "-c", "c.yaml")
    assert done.returncode == 2
    assert done.stderr.startswith("haidang: error: /dev/full: no space left on device")


def test_a_terminal_gets_a_progress_bar(tmp_path: Path, rules: Path) -> None:
    parent, child = os.openpty()
    command = [sys.executable, "-m", "sensor.cli", "replay", DNS, "-S", rules, "-l", tmp_path]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "HAIDANG_LANG": "en"}
    with subprocess.Popen(command, stderr=child, stdout=subprocess.PIPE, env=environ) as process:
        os.close(child)
        shown = b""
        with contextlib.suppress(OSError):  # the end of a terminal is an error
            while piece := os.read(parent, 65536):
                shown += piece
        assert process.stdout is not None
        summary = process.stdout.read()
    os.close(parent)
    assert process.returncode == 0
    assert b"replay" in shown
    assert b"Traceback" not in shown
    assert summary.startswith(b"packets")


RANGES_YAML = """
outputs:
  - eve-log:
      pcap-file: yes
      types:
        - files: {force-hash: [sha256], xff: {enabled: yes, mode: overwrite}}
        - http: {custom: [Range], xff: {enabled: yes, deployment: forward}}
"""


@pytest.mark.parametrize("workers", ["1", "3"])
def test_a_file_in_pieces_is_put_together(haidang: Run, tmp_path: Path, workers: str) -> None:
    config, none = tmp_path / "c.yaml", tmp_path / "none.rules"
    config.write_text(RANGES_YAML)
    none.write_text("")
    capture = ROOT / "pcaps" / "http-ranges.pcap"
    done = haidang("replay", capture, "-c", config, "-S", none, "-l", tmp_path / "out", "--workers", workers)
    assert done.returncode == 0, done.stderr
    made = events(tmp_path / "out" / "eve.json")
    assert {event["pcap_filename"] for event in made} == {str(capture)}
    files = [cast(dict[str, Any], event["fileinfo"]) for event in made if event["event_type"] == "fileinfo"]
    content = b"Read before switching on. " * 160
    whole = [file for file in files if file["sha256"] == hashlib.sha256(content).hexdigest()]
    assert [(file["size"], file["state"], "start" in file) for file in whole] == [
        (len(content), "CLOSED", False)
    ]
    assert sorted(file["start"] for file in files if "start" in file) == [0, 1000, 2000, 3000]
    assert {event["dest_ip"] for event in made if event["event_type"] == "fileinfo"} == {"203.0.113.9"}
    requests = [event for event in made if event["event_type"] == "http"]
    assert {event["xff"] for event in requests} == {"192.0.2.7"}
    assert all("range" in cast(dict[str, Any], event["http"]) for event in requests)
