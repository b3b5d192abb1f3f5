"""A sensor proves its line to a real centre, which says what stage broke when the proof stays away."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from live_wire import Wire, events, last_stats
from test_capture import ALL_RULES, RULES, books_close, udp, write_frames
from test_service import command

from collectors.heartbeats import LOOK_SECONDS

RUN = ("sensor", "run", "-d", "tap", "-i", "in0", "-l", "live", "--drain", 2, "--unix-socket", "c.socket")
QUICK = ("--set", "haidang.heartbeat.interval=1", "--set", "haidang.commissioning.interval=1")
HIDE_ALL = "pass udp any any -> any any (sid:9;)\n"


def inside(wire: Wire, *arguments: object) -> str:
    done = subprocess.run(
        wire.inside(sys.executable, "-m", "sensor.cli", *arguments),
        capture_output=True, text=True, timeout=60, env=wire.environ, cwd=wire.folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def centre(wire: Wire) -> Iterator[None]:
    """A centre within the namespace, and sensor tap1 enrolled there."""
    wire.ip("link", "set", "lo", "up")
    inside(
        wire, "centre", "init", "centre", "--listen", "tcp://127.0.0.1:5599", "--metrics", "127.0.0.1:9497"
    )
    with (wire.folder / "centre.log").open("w") as log:
        process = subprocess.Popen(
            wire.inside(sys.executable, "-m", "sensor.cli", "centre", "serve", "-d", "centre"),
            stdout=log, stderr=log, cwd=wire.folder, env=wire.environ,
        )  # fmt: skip
    try:
        until = time.monotonic() + 60
        while not (wire.folder / "centre" / "run" / "bound.json").exists():
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.05)
        inside(wire, "sensor", "enrol", inside(wire, "centre", "token", "-d", "centre").strip(), "-d", "tap")
        yield
    finally:
        process.terminate()
        process.wait(60)


def pulse(wire: Wire) -> str:
    told = inside(wire, "centre", "sensors", "-d", "centre", "--format", "json")
    return str(json.loads(told)["heartbeat"])


def wait_for_pulse(wire: Wire, wanted: str, seconds: float = 40) -> None:
    until = time.monotonic() + seconds
    while wanted not in (found := pulse(wire)):
        assert time.monotonic() < until, (found, wire.log())
        time.sleep(0.3)


def state(wire: Wire) -> dict[str, Any]:
    told = command(wire.folder / "c.socket", "service-state")["message"]
    assert isinstance(told, dict)
    return told


def own_interfaces(wire: Wire) -> list[str]:
    links = json.loads(subprocess.run(
        wire.inside("ip", "-j", "link"), capture_output=True, text=True, timeout=10, check=True
    ).stdout)  # fmt: skip
    return [link["ifname"] for link in links if link["ifname"].startswith("hd")]


def test_the_stage_that_broke_is_an_alarm_at_the_centre(wire: Wire, tmp_path: Path) -> None:
    (tmp_path / "test.rules").write_text(RULES)
    packets = write_frames(tmp_path / "some.pcap", [udp("10.0.0.1", "10.0.0.2", b"canary-7f3a91")] * 5)
    with centre(wire):
        live = wire.start(*RUN, "--metrics", "", "--workers", "2", *QUICK, *ALL_RULES)
        sent = wire.send(packets)
        until = time.monotonic() + 20
        while not any(event["event_type"] == "heartbeat" for event in events(tmp_path / "live")):
            assert time.monotonic() < until, wire.log()
            time.sleep(0.1)
        wait_for_pulse(wire, " s")
        assert "heartbeat: " in inside(wire, "sensor", "status", "-d", "tap")
        # Detection: a rule that hides everything hides the heartbeat too.
        (tmp_path / "test.rules").write_text(RULES + HIDE_ALL)
        assert command(tmp_path / "c.socket", "reload-rules")["return"] == "OK"
        wait_for_pulse(wire, "ALARM: detect")
        time.sleep(2 * LOOK_SECONDS)  # the log follows
        assert "heartbeat" in [row["check"] for row in state(wire)["failing"]]
        (tmp_path / "test.rules").write_text(RULES)
        assert command(tmp_path / "c.socket", "reload-rules")["return"] == "OK"
        wait_for_pulse(wire, " s")
        # The interface of its own.
        name = next(one for one in own_interfaces(wire) if one.endswith("r"))
        wire.ip("link", "set", name, "down")
        wait_for_pulse(wire, "ALARM: ")
        assert state(wire)["failing"][0]["evidence"][0].endswith(("stage inject", "stage capture"))
        wire.ip("link", "set", name, "up")
        wait_for_pulse(wire, " s")
        wire.end(live)
        wait_for_pulse(wire, "ALARM: link")
        time.sleep(2 * LOOK_SECONDS)
        log = (tmp_path / "centre.log").read_text()
        stored = inside(wire, "centre", "search", "-d", "centre", "--type", "heartbeat", "--format", "json")
    assert "it breaks at stage detect" in log and "it breaks at stage link" in log
    assert "heartbeats come again" in log
    assert '"number"' in stored
    assert own_interfaces(wire) == []
    # Nobody who looks at traffic ever sees it.
    seen = events(tmp_path / "live")
    assert {event["event_type"] for event in seen if "198.1" in json.dumps(event)} == set()
    assert sum(event["event_type"] == "heartbeat" for event in seen) >= 3
    stats = last_stats(tmp_path / "live")
    assert stats["decoder"]["pkts"] == sent and stats["flow"]["total"] == 1
    assert stats["detect"]["alert"] == 5
    assert stats["detect"]["engines"][0]["rules_loaded"] == 6
    assert stats["haidang"]["heartbeat"]["frames"] > 5
    books_close(stats, sent)


def test_its_interfaces_go_however_it_ends_and_a_new_run_has_its_own(wire: Wire, tmp_path: Path) -> None:
    (tmp_path / "test.rules").write_text(RULES)
    with centre(wire):
        for end in (signal.SIGKILL, signal.SIGTERM):
            live = wire.start(*RUN, "--metrics", "", *QUICK, *ALL_RULES)
            assert len(own_interfaces(wire)) == 2
            live.send_signal(end)
            live.wait(30)
            until = time.monotonic() + 10
            while own_interfaces(wire) and time.monotonic() < until:
                time.sleep(0.05)
            assert own_interfaces(wire) == []


def test_without_an_interface_of_its_own_it_says_so_and_goes_on(wire: Wire, tmp_path: Path) -> None:
    (tmp_path / "test.rules").write_text(RULES)
    (tmp_path / "bin").mkdir()
    with centre(wire):
        # An interface has the name that ours would have, and its other end is missing.
        import hashlib

        tag = hashlib.sha256(str((tmp_path / "tap").resolve()).encode()).hexdigest()[:8]
        wire.ip("link", "add", f"hd{tag}r", "type", "veth", "peer", "name", "other0")
        live = wire.start(*RUN, "--metrics", "", *QUICK, *ALL_RULES)
        assert "no heartbeat: ip link add" in wire.log()
        sent = wire.send(write_frames(tmp_path / "one.pcap", [udp("10.0.0.1", "10.0.0.2")]))
        wire.end(live, settle_seconds=0.5)
    assert last_stats(tmp_path / "live")["decoder"]["pkts"] == sent
    assert not any(event["event_type"] == "heartbeat" for event in events(tmp_path / "live"))
