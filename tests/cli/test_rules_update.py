"""`haidang rules update`, `verify` and `rollback`: bundles are signed, local edits survive, bad rules stay
out, and nothing a source sends can do harm.
"""

from __future__ import annotations

import gzip
import io
import json
import stat
import subprocess
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytest.importorskip("sensor._engine", reason="the engine is not built: make setup")

from sensor.rules.update import archives

Run = Callable[..., subprocess.CompletedProcess[str]]


def rule(sid: int, text: str = "evil", rev: int = 1, action: str = "alert") -> str:
    return (
        f'{action} tcp any any -> any 25 (msg:"R{sid}"; flow:established,to_server; content:"{text}"; '
        f"sid:{sid}; rev:{rev};)\n"
    )


MANY = "".join(rule(sid, f"evil{sid}") for sid in range(100, 120))


def shipped(folder: Path) -> str:
    return (folder / "current" / "haidang.rules").read_text()


# --- bundles


def test_a_bundle_holds_and_says_where_it_came_from(haidang: Run, tmp_path: Path) -> None:
    (tmp_path / "a.rules").write_text(MANY)
    done = haidang("rules", "update", "-o", "out", "a.rules")
    assert (done.returncode, done.stderr) == (0, "")
    assert "20 enabled, 0 disabled, 0 quarantined" in done.stdout
    manifest = json.loads((tmp_path / "out/current/manifest.json").read_text())
    assert (manifest["number"], manifest["counts"]["enabled"]) == (1, 20)
    assert [source["name"] for source in manifest["sources"]] == [str(tmp_path / "a.rules")]
    assert stat.S_IMODE((tmp_path / "out/publisher.keys").stat().st_mode) == 0o600
    verified = haidang("rules", "verify", "-o", "out")
    assert (verified.returncode, verified.stderr) == (0, "")
    again = haidang("rules", "update", "-o", "out", "a.rules")
    assert "nothing changed" in again.stdout
    assert len(list((tmp_path / "out/bundles").iterdir())) == 1


@pytest.mark.parametrize(
    "damage", ["rules", "manifest", "signature", "stranger", "other key", "half a signature"]
)
def test_what_was_not_signed_is_refused(haidang: Run, tmp_path: Path, damage: str) -> None:
    (tmp_path / "a.rules").write_text(MANY)
    haidang("rules", "update", "-o", "out", "a.rules")
    bundle, key = tmp_path / "out/current", tmp_path / "out/publisher.pub"
    if damage == "rules":
        (bundle / "haidang.rules").write_text(MANY + rule(1))
    elif damage == "manifest":
        text = (bundle / "manifest.json").read_text()
        (bundle / "manifest.json").write_text(text.replace('"enabled": 20', '"enabled": 21'))
    elif damage == "stranger":
        (bundle / "more.rules").write_text(rule(1))
    elif damage == "other key":
        haidang("rules", "update", "-o", "other", "a.rules")
        key = tmp_path / "other/publisher.pub"
    else:  # each of the two signatures counts
        data = bytearray((bundle / "manifest.sig").read_bytes())
        data[10 if damage == "signature" else 1000] ^= 1
        (bundle / "manifest.sig").write_bytes(data)
    done = haidang("rules", "verify", "--key", key, bundle)
    assert (done.returncode, done.stdout.count("\n"), done.stderr) == (1, 1, "")
    settings = (
        "--set", f"default-rule-path={tmp_path}/out", "--set", "rule-files.0=current",
        "--set", f"haidang.rules-publisher={key}",
    )  # fmt: skip
    capture = Path(__file__).parents[2] / "pcaps" / "web-benign.pcap"
    loaded = haidang("replay", "-r", capture, "-l", tmp_path, *settings)
    assert (loaded.returncode, loaded.stderr.count("\n")) == (2, 1), loaded.stderr


def test_a_sensor_loads_a_bundle_that_holds_and_nothing_else(haidang: Run, tmp_path: Path) -> None:
    (tmp_path / "a.rules").write_text(MANY)
    haidang("rules", "update", "-o", "out", "a.rules")
    publisher = ("--set", f"haidang.rules-publisher={tmp_path}/out/publisher.pub")
    capture = Path(__file__).parents[2] / "pcaps" / "web-benign.pcap"
    bundle = ("--set", f"default-rule-path={tmp_path}/out", "--set", "rule-files.0=current")
    done = haidang("replay", "-r", capture, "-l", tmp_path, *publisher, *bundle)
    assert done.returncode == 0, done.stderr
    assert "20 loaded" in done.stdout
    unsigned = ("--set", f"default-rule-path={tmp_path}", "--set", "rule-files.0=a.rules")
    refused = haidang("replay", "-r", capture, "-l", tmp_path, *publisher, *unsigned)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)


def test_rollback(haidang: Run, tmp_path: Path) -> None:
    for rev in (1, 2, 3):
        (tmp_path / "a.rules").write_text(MANY + rule(1, rev=rev))
        haidang("rules", "update", "-o", "out", "a.rules")
    assert "rev:3;" in shipped(tmp_path / "out")
    assert haidang("rules", "rollback", "-o", "out").returncode == 0
    assert "sid:1; rev:2;" in shipped(tmp_path / "out")
    assert haidang("rules", "rollback", "-o", "out", "--to", "3").returncode == 0
    assert "sid:1; rev:3;" in shipped(tmp_path / "out")
    assert haidang("rules", "rollback", "-o", "out", "--to", "1").returncode == 0
    for options in ((), ("--to", "9")):
        done = haidang("rules", "rollback", "-o", "out", *options)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)


# --- merge, quarantine, loss


def test_local_edits_survive_and_conflicts_are_named(haidang: Run, tmp_path: Path) -> None:
    upstream = [rule(sid, f"evil{sid}") for sid in range(1, 21)]
    (tmp_path / "a.rules").write_text("".join(upstream))
    haidang("rules", "update", "-o", "out", "a.rules")
    working = tmp_path / "out/haidang.rules"
    text = working.read_text()
    text = text.replace(upstream[0], f"# {upstream[0]}")  # 1: disabled here, revised there
    text = text.replace(
        upstream[1], upstream[1].replace("alert", "drop", 1)
    )  # 2: an action here, revised there
    text = text.replace(upstream[2], rule(3, "mine"))  # 3: text here, text there: a conflict
    text = text.replace(upstream[3], rule(4, "mine"))  # 4: text here alone
    text = text.replace(upstream[4], "")  # 5: removed here alone
    text = text.replace(upstream[5], rule(6, "mine"))  # 6: text here, removed there: a conflict
    working.write_text(text + rule(5000, "local"))  # added here
    for index in (0, 1, 2, 6):  # 7: revised there alone
        upstream[index] = rule(index + 1, f"evil{index + 1}", rev=2)
    upstream[5] = upstream[7] = ""  # 8: removed there alone
    (tmp_path / "a.rules").write_text("".join([*upstream, rule(21)]))
    done = haidang("rules", "update", "-o", "out", "a.rules")
    lines = {line.split("sid:")[1].split(";")[0]: line for line in shipped(tmp_path / "out").splitlines()}
    assert lines["1"] == f"# {rule(1, 'evil1', rev=2).strip()}"
    assert lines["2"] == rule(2, "evil2", rev=2, action="drop").strip()
    assert lines["3"] == rule(3, "mine").strip()
    assert lines["4"] == rule(4, "mine").strip()
    assert lines["6"] == rule(6, "mine").strip()
    assert lines["7"] == rule(7, "evil7", rev=2).strip()
    assert {"5", "8"}.isdisjoint(lines)
    assert {"21", "5000"} <= lines.keys()
    conflicts = [line for line in done.stdout.splitlines() if line.startswith("  conflict: ")]
    assert [line.split("] ")[0] for line in conflicts] == ["  conflict: [1:3", "  conflict: [1:6"]
    assert done.returncode == 1
    quiet = haidang("rules", "update", "-o", "out", "a.rules")
    assert "nothing changed" in quiet.stdout
    assert lines["3"] in shipped(tmp_path / "out")


def test_theirs_decides_conflicts_for_upstream(haidang: Run, tmp_path: Path) -> None:
    (tmp_path / "a.rules").write_text(MANY + rule(3))
    haidang("rules", "update", "-o", "out", "a.rules")
    working = tmp_path / "out/haidang.rules"
    working.write_text(working.read_text().replace(rule(3), rule(3, "mine")))
    (tmp_path / "a.rules").write_text(MANY + rule(3, rev=2))
    haidang("rules", "update", "-o", "out", "--theirs", "a.rules")
    assert rule(3, rev=2) in shipped(tmp_path / "out")


def test_bad_rules_are_quarantined_and_named(haidang: Run, tmp_path: Path) -> None:
    (tmp_path / "a.rules").write_text(
        MANY + 'alert tcp any any -> any any (msg:"B"; nosuchkeyword:1; sid:7;)\n'
        'alert tcp any any -> any any (msg:"C"; content:"ab"; depth:1; sid:8;)\n'
    )
    done = haidang("rules", "update", "-o", "out", "a.rules")
    assert done.returncode in (0, 1)
    assert "quarantined: [1:8] C: depth: " in done.stdout
    assert "sid:8;" not in shipped(tmp_path / "out")
    assert "[1:8] C: depth: " in (tmp_path / "out/current/quarantine.txt").read_text()


def test_a_great_loss_and_an_empty_set_are_refused(haidang: Run, tmp_path: Path) -> None:
    source = tmp_path / "a.rules"
    source.write_text(MANY)
    haidang("rules", "update", "-o", "out", source)
    before = shipped(tmp_path / "out")
    source.write_text("".join(MANY.splitlines(keepends=True)[:10]))
    lost = haidang("rules", "update", "-o", "out", source)
    assert (lost.returncode, lost.stderr.count("\n")) == (1, 1)
    assert "10 of 20 enabled rules would be lost" in lost.stderr
    source.write_text("")
    empty = haidang("rules", "update", "-o", "out", source)
    assert (empty.returncode, empty.stderr.count("\n")) == (1, 1)
    assert shipped(tmp_path / "out") == before
    source.write_text("".join(MANY.splitlines(keepends=True)[:10]))
    assert haidang("rules", "update", "-o", "out", "--max-loss", "50", source).returncode == 0
    source.write_text(rule(100, "evil100"))
    assert haidang("rules", "update", "-o", "out", "--force", source).returncode == 0
    assert shipped(tmp_path / "out") == rule(100, "evil100")


def test_files_of_tuning_lie_in_the_output_folder(haidang: Run, tmp_path: Path) -> None:
    (tmp_path / "a.rules").write_text(MANY)
    out = tmp_path / "out"
    out.mkdir()
    (out / "sources.txt").write_text(f"# ours\n{tmp_path}/a.rules\n")
    (out / "disable.conf").write_text("100\nre:(\n")
    (out / "threshold.in").write_text("suppress re:R10[1-2], track by_src, ip 10.0.0.1\n")
    done = haidang("rules", "update", "-o", "out")
    assert done.returncode == 0, done.stderr
    assert "disable.conf:2: 're:(' selects nothing" in done.stderr
    assert f"# {rule(100, 'evil100')}" in shipped(out)
    assert "gen_id 1, sig_id 101, track by_src, ip 10.0.0.1" in (out / "current/threshold.config").read_text()
    (out / "modify.conf").write_text('re:( "a" "b"\n')
    bad = haidang("rules", "update", "-o", "out")
    assert (bad.returncode, bad.stderr.count("\n")) == (2, 1)
    assert "modify.conf:1" in bad.stderr
    nothing = haidang("rules", "update", "-o", "empty")
    assert (nothing.returncode, nothing.stderr.count("\n")) == (2, 1)


# --- sources


class Server(ThreadingHTTPServer):
    content = b""
    etag = '"1"'
    status = 200
    asked: list[tuple[str, str | None]]


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        server: Server

        def do_GET(self) -> None:
            known = self.headers.get("If-None-Match")
            self.server.asked.append((self.path, known))
            if self.path == "/to-a-file":
                self.send_response(302)
                self.send_header("Location", "file:///etc/passwd")
                self.end_headers()
                return
            status = 304 if known == self.server.etag and self.server.status == 200 else self.server.status
            self.send_response(status)
            self.send_header("ETag", self.server.etag)
            self.end_headers()
            if status == 200:
                self.wfile.write(self.server.content)

        def log_message(self, *arguments: object) -> None: ...

    found = Server(("127.0.0.1", 0), Handler)
    found.asked = []
    thread = threading.Thread(target=found.serve_forever, daemon=True)
    thread.start()
    yield found
    found.shutdown()
    found.server_close()
    thread.join()


def test_urls_go_through_the_cache(haidang: Run, tmp_path: Path, server: Server) -> None:
    url = f"http://127.0.0.1:{server.server_port}/set/emerging.rules?version=8"
    update = ("rules", "update", "-o", "out", url)
    cold = haidang(*update, "--offline")
    assert (cold.returncode, cold.stderr.count("\n")) == (2, 1)
    server.content = MANY.encode()
    assert haidang(*update).returncode == 0
    assert "nothing changed" in haidang(*update).stdout
    assert [known for _, known in server.asked] == [None, '"1"']
    server.content, server.etag = (MANY + rule(1)).encode(), '"2"'
    assert haidang(*update, "--offline").returncode == 0
    assert len(server.asked) == 2
    assert "sid:1;" not in shipped(tmp_path / "out")
    assert haidang(*update).returncode == 0
    assert "sid:1;" in shipped(tmp_path / "out")
    server.status = 500
    ill = haidang(*update)
    assert ill.returncode == 0
    assert "the server answered 500; the copy in the cache is used" in ill.stderr
    (next((tmp_path / "out/cache").glob("*.json"))).unlink()
    assert haidang(*update).returncode == 2


def test_a_redirect_cannot_read_local_files(haidang: Run, tmp_path: Path, server: Server) -> None:
    done = haidang("rules", "update", "-o", "out", f"http://127.0.0.1:{server.server_port}/to-a-file")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    for url in ("file:///etc/passwd", "ftp://127.0.0.1/x"):
        done = haidang("rules", "update", "-o", "out", url)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def tar(files: dict[str, bytes], form: str = "w:gz", *more: tarfile.TarInfo) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=form) as archive:  # type: ignore[call-overload]  # any mode
        for info in more:
            archive.addfile(info)
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


@pytest.mark.parametrize("form", ["w:gz", "w:bz2", "w:xz", "w", "zip"])
def test_archives_of_every_kind(haidang: Run, tmp_path: Path, form: str) -> None:
    files = {"rules/a.rules": MANY.encode(), "rules/x-deleted.rules": rule(1).encode(), "README.md": b"x"}
    if form == "zip":
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        (tmp_path / "set.bin").write_bytes(out.getvalue())
    else:
        (tmp_path / "set.bin").write_bytes(tar(files, form))
    (tmp_path / "disable.conf").write_text("group:a\n")
    done = haidang("rules", "update", "-o", "out", "--disable-conf", "disable.conf", "--force", "set.bin")
    assert done.returncode == 0, done.stderr
    assert shipped(tmp_path / "out") == "".join(f"# {line}\n" for line in MANY.splitlines())


def test_links_devices_and_names_that_leave_the_archive_are_left_out(haidang: Run, tmp_path: Path) -> None:
    link, device = tarfile.TarInfo("link.rules"), tarfile.TarInfo("device.rules")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    device.type = tarfile.CHRTYPE
    files = {"../../up.rules": rule(1).encode(), "ok.rules": MANY.encode(), "/abs.rules": rule(2).encode()}
    (tmp_path / "set.tar.gz").write_bytes(tar(files, "w:gz", link, device))
    done = haidang("rules", "update", "-o", "out", "set.tar.gz")
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if "it is left out" in line] == done.stderr.splitlines()
    assert done.stderr.count("\n") == 3
    assert "sid:1;" not in shipped(tmp_path / "out")
    assert "sid:2;" in shipped(tmp_path / "out")
    assert not (tmp_path.parent / "up.rules").exists()
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        info = zipfile.ZipInfo("link.rules")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
        archive.writestr("../up.rules", rule(1))
    (tmp_path / "set.zip").write_bytes(zipped.getvalue())
    done = haidang("rules", "update", "-o", "other", "set.zip")
    assert (done.returncode, "no rule would be left" in done.stderr) == (1, True)


@pytest.mark.parametrize("kind", ["wanted", "unwanted", "header", "zip", "many", "cut", "garbage"])
def test_bombs_and_damage_are_one_line(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(archives, "MAX_TOTAL_BYTES", 1 << 20)
    monkeypatch.setattr(archives, "MAX_MEMBER_BYTES", 1 << 19)
    monkeypatch.setattr(archives, "MAX_MEMBERS", 100)
    zeros = bytes(8 << 20)
    if kind == "wanted":
        data = tar({"a.rules": zeros})
    elif kind == "unwanted":
        data = tar({"a.bin": zeros, "b.rules": MANY.encode()})
    elif kind == "header":  # an extended header of 8 MiB
        info = tarfile.TarInfo("a.rules")
        info.pax_headers = {"comment": "x" * len(zeros)}
        data = tar({}, "w:gz", info)
    elif kind == "zip":
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.rules", zeros)
        data = out.getvalue()
    elif kind == "many":
        data = tar({f"{n}.rules": b"" for n in range(200)})
    else:
        data = tar({"a.rules": MANY.encode()})[:-40] if kind == "cut" else gzip.compress(b"x" * 100_000)
    from sensor.errors import UserError

    with pytest.raises(UserError) as refused:
        archives.unpack(data, "set.tar.gz", [])
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("set.tar.gz: ")
