"""A sensor as a service: command socket, status, metrics, systemd, and the line to a centre."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_wire import REPOSITORY, Wire, events, last_stats
from test_capture import ALL_RULES, RULES, udp, write_frames

SURICATASC = shutil.which("suricatasc")


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    (tmp_path / "test.rules").write_text(RULES + "alert broken rule\n")
    return write_frames(tmp_path / "canary.pcap", [udp("10.0.0.1", "10.0.0.2", b"canary-7f3a91")] * 5)


def command(path: Path, name: str, **arguments: str) -> dict[str, object]:
    with socket.socket(socket.AF_UNIX) as client, contextlib.closing(client.makefile("rwb")) as lines:
        client.settimeout(120)  # a reload of many rules takes its time
        client.connect(str(path))
        for request in ({"version": "0.2"}, {"command": name, "arguments": arguments}):
            lines.write(json.dumps(request).encode() + b"\n")
            lines.flush()
            answer: dict[str, object] = json.loads(lines.readline())
    return answer


def alerts(folder: Path) -> dict[int, int]:
    found: dict[int, int] = {}
    for event in events(folder):
        if event["event_type"] == "alert":
            sid = event["alert"]["signature_id"]
            found[sid] = found.get(sid, 0) + 1
    return found


def wait_for(wire: Wire, text: str) -> None:
    until = time.monotonic() + 30
    while text not in wire.log():
        assert time.monotonic() < until, wire.log()
        time.sleep(0.05)


def test_rules_are_reloaded_between_packets(wire: Wire, tmp_path: Path, canary: Path) -> None:
    path = tmp_path / "c.socket"
    rules = tmp_path / "test.rules"
    live = wire.start(
        "capture", "-i", "in0", "-l", "live", "--workers", "2", "--unix-socket", path, *ALL_RULES
    )
    wire.send(canary)
    time.sleep(0.5)
    rules.write_text(RULES + 'alert udp any any -> any any (msg:"new"; content:"canary"; sid:7;)\n')
    live.send_signal(signal.SIGUSR2)
    wait_for(wire, "rules reloaded: 7 loaded")
    wire.send(canary)
    time.sleep(0.5)
    rules.unlink()
    refused = command(path, "reload-rules")
    assert refused["return"] == "NOK" and "the old rules stay" in str(refused["message"])
    assert "reload failed, the old rules stay" in wire.log()
    wire.send(canary)
    assert command(path, "ruleset-stats")["message"] == [
        {"id": 0, "rules_loaded": 7, "rules_failed": 0, "rules_skipped": 0}
    ]
    wire.end(live, settle_seconds=0.5)
    assert alerts(tmp_path / "live") == {6: 15, 7: 10}
    stats = last_stats(tmp_path / "live")
    assert stats["decoder"]["pkts"] == 15
    (engine,) = stats["detect"]["engines"]
    assert {**engine, "last_reload": ""} == {
        "id": 0, "last_reload": "", "rules_loaded": 7, "rules_failed": 0, "rules_skipped": 0,
    }  # fmt: skip


def test_a_reload_answers_when_the_rules_are_in_force(wire: Wire, tmp_path: Path, canary: Path) -> None:
    path = tmp_path / "c.socket"
    live = wire.start("capture", "-i", "in0", "-l", "live", "--unix-socket", path, *ALL_RULES)
    before = command(path, "ruleset-reload-time")["message"]
    for n in range(5):
        new = f'alert udp any any -> any any (msg:"new"; content:"canary"; sid:{100 + n};)\n'
        (tmp_path / "test.rules").write_text(new)
        assert command(path, "reload-rules") == {"return": "OK", "message": "done"}
        wire.send(canary)  # at once: nothing of it may meet the rules before
        time.sleep(0.3)
    (first,), (last,) = before, command(path, "ruleset-reload-time")["message"]  # type: ignore[misc]
    assert first["last_reload"] < last["last_reload"]
    many = "".join(
        f'alert tcp any any -> any any (content:"pattern-{n:05d}"; sid:{n};)\n' for n in range(1, 14_001)
    )
    (tmp_path / "test.rules").write_text(many)
    assert command(path, "ruleset-reload-nonblocking") == {"return": "OK", "message": "done"}
    assert command(path, "reload-rules") == {"return": "NOK", "message": "Reload already in progress"}
    wait_for(wire, "rules reloaded: 14,000 loaded")
    wire.end(live)
    assert alerts(tmp_path / "live") == {100 + n: 5 for n in range(5)}
    (engine,) = last_stats(tmp_path / "live")["detect"]["engines"]
    assert engine["rules_loaded"] == 14_000 and engine["last_reload"] > last["last_reload"]


def test_the_command_socket_tells_and_ends_the_capture(wire: Wire, tmp_path: Path, canary: Path) -> None:
    path = tmp_path / "c.socket"
    live = wire.start("capture", "-i", "in0", "-l", "live", "--unix-socket", path, *ALL_RULES)
    wire.send(canary)
    time.sleep(1.3)
    told = {
        name: command(path, name)["message"]
        for name in ("version", "uptime", "running-mode", "capture-mode", "iface-list", "ruleset-stats")
    }
    assert "Suricata" in str(told["version"]) and told["uptime"] in range(1, 60)
    assert (told["running-mode"], told["capture-mode"]) == ("workers", "AF_PACKET_DEV")
    assert told["iface-list"] == {"count": 1, "ifaces": ["in0"]}
    assert told["ruleset-stats"] == [{"id": 0, "rules_loaded": 6, "rules_failed": 1, "rules_skipped": 0}]
    (failed,) = command(path, "ruleset-failed-rules")["message"]  # type: ignore[misc]
    assert (
        (tmp_path / failed["filename"]).read_text().splitlines()[failed["line"] - 1] == failed["rule"] != ""
    )
    assert (failed["tenant_id"], failed["error"] != "") == (0, True)
    assert command(path, "iface-stat", iface="in0")["message"] == {
        "pkts": 5, "drop": 0, "bypassed": 0, "invalid-checksums": 0,
    }  # fmt: skip
    assert command(path, "iface-stat", iface="eth9")["return"] == "NOK"
    counters = command(path, "dump-counters")["message"]
    assert isinstance(counters, dict) and counters["decoder"]["pkts"] == 5
    assert command(path, "conf-get", variable="stats.interval")["message"] == "1"
    if SURICATASC is not None:
        done = subprocess.run([SURICATASC, "-c", "iface-list", path], capture_output=True, timeout=30)
        assert json.loads(done.stdout)["message"]["ifaces"] == ["in0"]
    (tmp_path / "live" / "eve.json").rename(tmp_path / "live" / "eve.json.1")
    assert command(path, "reopen-log-files")["return"] == "OK"
    time.sleep(1.5)
    assert command(path, "shutdown")["return"] == "OK"
    assert live.wait(30) == 0
    assert not path.exists()
    assert (tmp_path / "live" / "eve.json.1").stat().st_size > 0
    assert last_stats(tmp_path / "live")["detect"]["alert"] == 5


def test_systemd_is_told_and_the_watchdog_is_fed(
    wire: Wire, tmp_path: Path, canary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        for name, value in (("NOTIFY_SOCKET", str(tmp_path / "notify")), ("WATCHDOG_USEC", "5000000")):
            monkeypatch.setitem(wire.environ, name, value)
        live = wire.start("capture", "-i", "in0", "-l", "live", *ALL_RULES)
        assert manager.recv(100) == b"READY=1"
        assert manager.recv(100) == b"WATCHDOG=1"
        wire.end(live)
        rest = []
        while not rest or rest[-1] != b"STOPPING=1":
            rest.append(manager.recv(100))
        assert set(rest[:-1]) <= {b"WATCHDOG=1"}


def test_metrics_and_losses_with_their_remedy(wire: Wire, tmp_path: Path, canary: Path) -> None:
    (tmp_path / "live.yaml").write_text(
        "af-packet:\n  - interface: in0\n    threads: 1\n    ring-memory: 512kb\n    block-size: 128kb\n"
    )
    much = write_frames(tmp_path / "much.pcap", [udp("10.0.0.1", "10.9.0.1", b"x" * 1400)] * 3000)
    live = wire.start(
        "capture", "-i", "in0", "-c", "live.yaml", "-l", "live", "--metrics", "127.0.0.1:9499", *ALL_RULES
    )
    live.send_signal(signal.SIGSTOP)
    sent = wire.send(much)
    live.send_signal(signal.SIGCONT)
    time.sleep(3.5)
    scrape = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:9499/metrics').read().decode())"
    wire.ip("link", "set", "lo", "up")
    text = subprocess.run(
        wire.inside(sys.executable, "-c", scrape), capture_output=True, text=True, timeout=30, check=True
    ).stdout
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line and line[0] != "#")
    where = '{interface="in0",worker="0"}'
    assert float(values["haidang_capture_kernel_packets_total" + where]) == sent
    drops = float(values["haidang_capture_kernel_drops_total" + where])
    assert drops > 0
    assert float(values["haidang_capture_frames_total" + where]) == sent - drops
    assert float(values["haidang_ledger_imbalances"]) == 0
    assert float(values['haidang_engine_total{counter="decoder.pkts"}']) == sent - drops
    assert float(values['haidang_nic_packets_total{interface="in0"}']) == sent
    wire.end(live)
    (told,) = (line for line in wire.log().splitlines() if "ring overrun" in line)
    assert "in0, ring 0" in told and "set af-packet.ring-memory: 2mb (it has 0.5 MiB)" in told
    stats = last_stats(tmp_path / "live")
    assert stats["haidang"]["nic"]["rx_packets"] == sent
    assert stats["haidang"]["ledger"]["imbalances"] == 0


def test_an_interface_that_goes_down_or_away_is_told(wire: Wire, tmp_path: Path, canary: Path) -> None:
    live = wire.start("capture", "-i", "in0", "-l", "live", *ALL_RULES)
    wire.ip("link", "set", "in0", "down")
    time.sleep(1.5)
    assert "capture goes on when the interface is back" in wire.log()
    wire.ip("link", "set", "in0", "up")
    sent = wire.send(canary)
    time.sleep(0.5)
    wire.ip("link", "del", "in0")
    time.sleep(2.5)
    assert wire.log().count("the interface is gone") == 1
    wire.end(live)
    assert live.returncode == 1
    assert last_stats(tmp_path / "live")["decoder"]["pkts"] == sent


def test_a_sensor_carries_live_traffic_to_its_spool_and_shows_its_state(
    wire: Wire, tmp_path: Path, canary: Path
) -> None:
    env = {**os.environ, "HAIDANG_LANG": "en", "PYTHONPATH": str(REPOSITORY)}

    def haidang(*arguments: object) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "sensor.cli", *map(str, arguments)],
            capture_output=True, text=True, timeout=60, env=env, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    with centre(tmp_path, haidang):
        token = haidang("centre", "token", "-d", "centre").strip()
        haidang("sensor", "enrol", token, "-d", "tap", "--name", "tap1")
    # The centre is away, and cannot be reached from the wire's namespace anyhow: the spool holds everything.
    live = wire.start(
        "sensor", "run", "-d", "tap", "-i", "in0", "-l", "live", "--metrics", "", "--drain", 0.1,
        *ALL_RULES, "--exclude", "10.66.0.0/16",
    )  # fmt: skip
    sent = wire.send(canary)
    wire.send(write_frames(tmp_path / "hidden.pcap", [udp("10.66.0.1", "10.0.0.9")] * 3))
    time.sleep(1.5)
    running = json.loads(haidang("sensor", "status", "-d", "tap", "--json"))["live"]
    assert running["running"] and running["imbalances"] == []
    wire.end(live)
    assert live.returncode == 1  # the centre does not have it yet
    status = json.loads(haidang("sensor", "status", "-d", "tap", "--json"))
    assert status["live"]["counters"]["capture.kernel_packets"] == sent
    assert status["live"]["left_out"] == {"in0": {"excluded": 3, "filtered": 0}}
    assert not status["live"]["running"]
    books = {book["lane"]: book for book in status["books"]}
    assert books[0]["pending"] == 5
    assert sum(book["made"] for book in status["books"]) == len(events(tmp_path / "live"))
    told = haidang("sensor", "status", "-d", "tap")
    assert "in0 / 0: 5 packets, 0 dropped" in told
    assert "3 excluded" in told and "the books close" in told
    stats = last_stats(tmp_path / "live")
    assert "spool" in stats["haidang"]


@contextlib.contextmanager
def centre(folder: Path, haidang: object) -> Iterator[None]:
    """A centre on loopback, long enough to enrol a sensor."""
    assert callable(haidang)
    haidang("centre", "init", "centre", "--listen", "tcp://127.0.0.1:0", "--metrics", "")
    with (folder / "centre.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "sensor.cli", "centre", "serve", "-d", "centre"],
            stdout=log, stderr=log, cwd=folder, env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )  # fmt: skip
    try:
        until = time.monotonic() + 60
        while not (folder / "centre" / "run" / "bound.json").exists():
            assert process.poll() is None and time.monotonic() < until, (folder / "centre.log").read_text()
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(60)
