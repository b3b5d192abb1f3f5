"""`haidang sensor run` on a wire says whether it is in service, and why not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from live_wire import REPOSITORY, Wire, last_stats
from test_capture import ALL_RULES, RULES, udp, write_frames
from test_service import centre, command, wait_for

Haidang = Callable[..., str]
RUN = ("sensor", "run", "-d", "tap", "-i", "in0", "-l", "live", "--drain", 0.1, "--unix-socket", "c.socket")
QUICK = ("--set", "haidang.commissioning.interval=1")


@pytest.fixture
def haidang(tmp_path: Path) -> Haidang:
    env = {**os.environ, "HAIDANG_LANG": "en", "PYTHONPATH": str(REPOSITORY)}

    def run(*arguments: object) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "sensor.cli", *map(str, arguments)],
            capture_output=True, text=True, timeout=60, env=env, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def enrolled(tmp_path: Path, haidang: Haidang) -> None:
    (tmp_path / "test.rules").write_text(RULES)
    with centre(tmp_path, haidang):
        token = haidang("centre", "token", "-d", "centre").strip()
        haidang("sensor", "enrol", token, "-d", "tap", "--name", "tap1")


def state(folder: Path) -> dict[str, Any]:
    told = command(folder / "c.socket", "service-state")["message"]
    assert isinstance(told, dict)
    return told


def wait_for_state(folder: Path, wanted: str, seconds: float = 20) -> dict[str, Any]:
    until = time.monotonic() + seconds
    while (told := state(folder))["state"] != wanted:
        assert time.monotonic() < until, told
        time.sleep(0.1)
    return told


def test_service_begins_with_traffic_and_degrades_with_the_link(
    wire: Wire, tmp_path: Path, haidang: Haidang, enrolled: None
) -> None:
    packets = write_frames(tmp_path / "some.pcap", [udp("10.0.0.1", "10.0.0.2", b"canary-7f3a91")] * 5)
    live = wire.start(*RUN, "--metrics", "127.0.0.1:9498", *QUICK, *ALL_RULES)
    wait_for(wire, "service: commissioning")
    told = state(tmp_path)
    assert [row["check"] for row in told["failing"]] == ["traffic"]
    assert "no packet yet on: in0" in wire.log() and "`tcpdump -ni in0 -c 5`" in wire.log()
    wire.send(packets)
    wait_for_state(tmp_path, "in service")
    wire.ip("link", "set", "out0", "down")  # in0 has no carrier now
    told = wait_for_state(tmp_path, "degraded")
    assert "link" in [row["check"] for row in told["failing"]]
    time.sleep(1.2)  # the status is written once a second
    shown = haidang("sensor", "status", "-d", "tap")
    assert "service: degraded" in shown and "cable, transceiver" in shown
    wire.ip("link", "set", "lo", "up")
    scrape = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9498/metrics').read().decode())"
    text = subprocess.run(
        wire.inside(sys.executable, "-c", scrape), capture_output=True, text=True, timeout=30, check=True
    ).stdout
    assert 'haidang_service_state{state="degraded"} 1.0' in text
    assert 'haidang_service_check_failing{accepted="no",check="link"} 1.0' in text
    wire.ip("link", "set", "out0", "up")
    wait_for_state(tmp_path, "in service")
    wire.end(live, settle_seconds=1.2)
    states = [
        json.loads(line)["state"]
        for line in (tmp_path / "tap" / "commissioning.jsonl").read_text().splitlines()
    ]
    assert states[0] == "commissioning" and states[-1] == "in service" and "degraded" in states
    assert last_stats(tmp_path / "live")["haidang"]["service"]["in_service"] == 1


def test_an_accepted_failure_lets_it_into_service_and_stays_in_sight(
    wire: Wire, tmp_path: Path, haidang: Haidang, enrolled: None
) -> None:
    live = wire.start(*RUN, "--metrics", "", *QUICK, "--accept-failing", "traffic", *ALL_RULES)
    told = wait_for_state(tmp_path, "in service")
    assert [row["check"] for row in told["accepted"]] == ["traffic"]
    time.sleep(1.2)
    assert "fails, accepted: traffic" in haidang("sensor", "status", "-d", "tap")
    wire.end(live)
    (entry,) = (
        json.loads(line) for line in (tmp_path / "tap" / "commissioning.jsonl").read_text().splitlines()
    )
    assert (entry["state"], entry["accepted"][0]["check"]) == ("in service", "traffic")


def test_the_service_manager_is_told_the_state(
    wire: Wire, tmp_path: Path, enrolled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        monkeypatch.setitem(wire.environ, "NOTIFY_SOCKET", str(tmp_path / "notify"))
        live = wire.start(*RUN, "--metrics", "", *QUICK, *ALL_RULES)
        assert manager.recv(500) == b"READY=1"
        assert manager.recv(500) == b"STATUS=commissioning: traffic"
        wire.end(live)
