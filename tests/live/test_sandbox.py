"""Once everything is open nothing else can be: a forbidden file and an unexpected system call are refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from live_wire import REPOSITORY, Wire, last_stats
from test_capture import ALL_RULES, RULES, udp, write_frames
from test_service import command

from sensor.config import load
from sensor.errors import UserError
from sensor.live import landlock, seccomp
from sensor.live.sandbox import confine, rule_places

CONFINED = """
import errno, os, socket, sys, threading
from pathlib import Path
from sensor.config import load
from sensor.live.privileges import drop
from sensor.live.sandbox import confine

inside, outside = Path(sys.argv[1]), Path(sys.argv[2])
config = load(settings=sys.argv[3:])
drop()
print("in force:", *confine(config, read=[], write=[inside], warn=lambda text: print("warned:", text)))

def attempt(name, work):
    def run():
        try:
            work()
            print(name, "allowed")
        except OSError as error:
            print(name, errno.errorcode[error.errno])
    run()
    thread = threading.Thread(target=run)  # what is given up is given up for every thread
    thread.start()
    thread.join()

def rename():
    (inside / "new").write_text("x")
    (inside / "new").rename(inside / "newer")
    (inside / "newer").unlink()

attempt("rename-inside", rename)
attempt("read-outside", lambda: (outside / "secret").read_text())
attempt("write-outside", lambda: (outside / "new").write_text("x"))
attempt("read-system", lambda: Path("/etc/hostname").exists() and Path("/proc/self/status").read_text())
attempt("exec", lambda: os.posix_spawn("/bin/true", ["true"], {}))
attempt("packet-socket", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close())
attempt("tcp-socket", lambda: socket.socket().close())
attempt("kill", lambda: os.kill(os.getpid(), 0))
attempt("chroot", lambda: os.chroot("/"))
"""
NAMES = [line.split('"')[1] for line in CONFINED.splitlines() if line.startswith("attempt(")]
HAS_LANDLOCK = landlock.version() > 0


def confined(tmp_path: Path, *settings: str) -> list[str]:
    for name in ("inside", "outside"):
        (tmp_path / name).mkdir()
    (tmp_path / "outside" / "secret").write_text("secret")
    done = subprocess.run(
        [sys.executable, "-c", CONFINED, tmp_path / "inside", tmp_path / "outside", *settings],
        capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def outcomes(lines: list[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for line in lines:
        name, _, outcome = line.partition(" ")
        if name in NAMES:
            found.setdefault(name, set()).add(outcome)
    return found


@pytest.mark.skipif(not HAS_LANDLOCK, reason="the kernel has no Landlock")
def test_files_and_calls_that_are_not_needed_are_refused(tmp_path: Path) -> None:
    lines = confined(tmp_path)
    assert lines[0] == "in force: landlock seccomp"
    assert outcomes(lines) == {
        "rename-inside": {"allowed"},
        "read-outside": {"EACCES"},
        "write-outside": {"EACCES"},
        "read-system": {"allowed"},
        "exec": {"EPERM"},
        "packet-socket": {"EPERM"},
        "tcp-socket": {"allowed"},
        "kill": {"EPERM"},
        "chroot": {"EPERM"},
    }


def test_each_can_be_turned_off(tmp_path: Path) -> None:
    lines = confined(tmp_path, "security.landlock.enabled=no", "haidang.seccomp.enabled=no")
    assert lines[0] == "in force:"
    found = outcomes(lines)
    assert found["read-outside"] == found["exec"] == found["kill"] == {"allowed"}


def test_a_kernel_without_is_told_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise UserError("the kernel has none")

    monkeypatch.setenv("HAIDANG_LANG", "en")
    monkeypatch.setattr(landlock, "restrict", refuse)
    monkeypatch.setattr(seccomp, "restrict", refuse)
    told: list[str] = []
    assert confine(load(), read=[], write=[], warn=told.append) == []
    assert told == [
        "security.landlock.enabled: the kernel has none: goes on without landlock",
        "haidang.seccomp.enabled: the kernel has none: goes on without seccomp",
    ]
    with pytest.raises(UserError, match="the kernel has none"):
        confine(load(settings=["haidang.seccomp.enabled=yes"]), read=[], write=[], warn=told.append)


def test_folders_of_rules_are_found_before_the_rules_are(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "sets" / "bundles" / "one").mkdir(parents=True)
    (tmp_path / "sets" / "current").symlink_to("bundles/one")
    assert rule_places([str(tmp_path / "*.rules"), str(tmp_path / "there"), str(tmp_path / "new.rules")]) == [
        tmp_path, tmp_path / "there",
    ]  # fmt: skip
    sets = tmp_path / "sets"
    assert rule_places([str(sets / "current" / "*.rules")]) == [
        sets / "current", sets, sets / "bundles" / "one",
    ]  # fmt: skip


@pytest.mark.skipif(not HAS_LANDLOCK, reason="the kernel has no Landlock")
def test_a_capture_is_confined_and_works(wire: Wire, tmp_path: Path) -> None:
    (tmp_path / "test.rules").write_text(RULES)
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (outside / "other.rules").write_text(RULES)
    (tmp_path / "logs").mkdir()
    (tmp_path / "elsewhere").mkdir()
    path = tmp_path / "logs" / "c.socket"
    live = wire.start(
        "capture", "-i", "in0", "--workers", 2, "-l", "logs/live", "--unix-socket", path, *ALL_RULES,
        "--data-dir", "logs", "--set", f"outputs.0.fast.filename={tmp_path / 'elsewhere' / 'fast.log'}",
    )  # fmt: skip
    for thread in Path(f"/proc/{live.pid}/task").iterdir():
        status = dict(
            line.split(":\t", 1) for line in (thread / "status").read_text().splitlines() if ":\t" in line
        )
        assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1"), (thread / "comm").read_text()
    packets = write_frames(tmp_path / "some.pcap", [udp("10.0.0.1", "10.0.0.2", b"canary-7f3a91")] * 5)
    sent = wire.send(packets)
    assert command(path, "reload-rules") == {"return": "OK", "message": "done"}
    (tmp_path / "test.rules").unlink()
    (tmp_path / "test.rules").symlink_to(outside / "other.rules")
    refused = command(path, "reload-rules")
    assert refused["return"] == "NOK" and "permission denied" in str(refused["message"]).lower()
    sent += wire.send(packets)
    wire.end(live, settle_seconds=0.5)
    stats = last_stats(tmp_path / "logs" / "live")
    assert (stats["decoder"]["pkts"], stats["detect"]["alert"]) == (sent, sent)
    assert len((tmp_path / "elsewhere" / "fast.log").read_text().splitlines()) == sent
