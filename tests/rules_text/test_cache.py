"""Compiled rules are kept, found again by everything they were made from, and never trusted blindly.

The rules are those that are shipped, with many more beside them: small sets are not kept.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sensor.config import Config, load
from sensor.rules import cache, loading, text
from sensor.rules.findings import RuleReport, from_engine

pytest.importorskip("sensor._engine", reason="the engine is not built: make setup")

from sensor._engine import Ruleset

ROOT = Path(__file__).parents[2]
WRONG = """\
alert tcp any any -> any any (msg:"not read"; content:"a; sid:1;)
alert tcp any any -> any any (msg:"no such keyword"; contnet:"abc"; flowbits:set,of.a.refused.rule; sid:2;)
alert tcp any any -> any any (msg:"warned of"; content:"a;b"; reference:nowhere,1; sid:3;)
alert tcp any any -> any any (msg:"twice"; content:"abc"; sid:4;)
alert tcp any any -> any any (msg:"twice"; content:"abc"; sid:4;)
"""


def rule(number: int, word: str = "word") -> str:
    """One of many rules, of several kinds, with as much beside its tests as published rules have."""
    pad = ", ".join(f"key_{n} value_{number}_{n}" for n in range(40))
    kind = (
        f'http $HOME_NET any -> any any (http.uri; content:"/{word}{number}"; pcre:"/a{number}b+/";',
        f'tls any any -> any any (tls.sni; content:"{word}{number}.example"; endswith;',
        f'tcp any any -> any [{number % 50},8080] (content:"{word}{number}"; nocase; content:!"x{number}";',
        f'tcp any any -> any $HTTP_PORTS (flow:established; content:"GET /"; content:"{word}{number}";',
        f'dns any any -> any any (dns.query; content:"{word}{number}"; flowbits:set,bit.{number};',
    )[number % 5]
    return f"alert {kind} metadata:{pad}; sid:{7_000_000 + number};)\n"


@pytest.fixture(scope="module")
def many() -> str:
    lines = [path.read_text() for path in sorted((ROOT / "rules").glob("*.rules"))]
    lines += [WRONG, *map(rule, range(1200))]
    whole = "\n".join(lines)
    assert len(whole) > cache.MIN_BYTES
    return whole


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the tests keep things; it is made when first needed."""
    return tmp_path / "kept" / "rules"


@pytest.fixture
def rules(tmp_path: Path, many: str) -> Path:
    path = tmp_path / "many.rules"
    path.write_text(many)
    return path


@pytest.fixture
def start(folder: Path, rules: Path) -> Callable[..., tuple[Ruleset, RuleReport]]:
    """Loads the rules as a start does, with the cache in `folder`."""

    def run(*settings: str, only: Path = rules) -> tuple[Ruleset, RuleReport]:
        return loading.load(config(folder, *settings), only=[str(only)])

    return run


Start = Callable[..., tuple[Ruleset, RuleReport]]


def config(folder: Path, *settings: str) -> Config:
    return load(None, [f"haidang.rule-cache.directory={folder}", *settings])


def entries(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.ruleset"))


@pytest.fixture
def no_reading(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """From its call on, text that is read as rules is a failure."""

    def refuse(*_: object) -> None:
        raise AssertionError("the text was read")

    yield lambda: monkeypatch.setattr(text, "each", refuse)


def everything(ruleset: Ruleset, report: RuleReport) -> object:
    told = from_engine(ruleset.diagnostics)
    counts = (report.files, report.loaded, report.quarantined, report.skipped)
    return ruleset.id, ruleset.loaded, told, counts, report.findings, report.warnings


def test_a_second_start_knows_all_that_the_first_did(
    start: Start, folder: Path, no_reading: Callable[[], None]
) -> None:
    ruleset, report = start()
    cold = everything(ruleset, report)
    assert ruleset.databases[1] == 0
    assert report.quarantined == 3
    assert {f.sid for f in report.findings} >= {1, 2, 3, 4}
    no_reading()
    ruleset, report = start()
    assert everything(ruleset, report) == cold
    total, reused = ruleset.databases
    assert total == reused > 10
    assert len(entries(folder)) == 1


def test_events_are_the_same_to_the_byte(tmp_path: Path, rules: Path) -> None:
    def replay(name: str, *more: str) -> bytes:
        command = [sys.executable, "-m", "sensor.cli", "replay", str(ROOT / "pcaps"), "-S", str(rules), *more]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path / "home")}
        out = tmp_path / name
        done = subprocess.run(
            [*command, "-l", out], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "kept" not in done.stderr
        return b"".join((out / file).read_bytes() for file in ("eve.json", "fast.log"))

    without = replay("off", "--set", "haidang.rule-cache.enabled=no")
    assert b'"event_type":"alert"' in without
    assert not (tmp_path / "home").exists()
    assert replay("cold") == without
    assert len(entries(tmp_path / "home" / "haidang" / "rules")) == 1
    assert replay("warm") == without


def test_a_changed_rule_compiles_only_what_it_touches(
    start: Start, rules: Path, many: str, folder: Path
) -> None:
    first, _ = start()
    total, _ = first.databases
    rules.write_text(many.replace("/word600", "/other600"))
    changed, _ = start()
    assert changed.id != first.id
    assert changed.databases == (total, total - 1)
    rules.write_text(many.replace('msg:"warned of"', 'msg:"another text"') + rule(2000, "more"))
    further, _ = start()
    assert further.databases[0] == total
    assert total - 3 <= further.databases[1] < total
    assert len(entries(folder)) == 3


def test_what_rules_are_made_from_decides(
    start: Start, rules: Path, many: str, folder: Path, tmp_path: Path
) -> None:
    usual, _ = start()
    other, _ = start("vars.address-groups.HOME_NET=10.9.0.0/16")
    assert other.id != usual.id
    classes = tmp_path / "classification.config"
    classes.write_text("config classification: only-this,Only this,2\n")
    _, report = start(f"classification-file={classes}")
    assert any("classification.config" in finding.reason for finding in report.findings)
    beside = tmp_path / "beside.rules"
    beside.write_text(many)
    _, report = start(only=beside)
    assert {Path(finding.file) for finding in report.findings} == {beside}
    assert len(entries(folder)) == 4
    before = {path: path.stat().st_ino for path in entries(folder)}
    start("stream.memcap=100mb", "outputs.0.fast.enabled=no")  # says nothing of rules
    assert {path: path.stat().st_ino for path in entries(folder)} == before


@pytest.mark.parametrize("at", [0, 20, 40, 64, 0.3, 0.6, 0.9, -40, -1])
def test_a_flipped_byte_is_found_and_mended(start: Start, folder: Path, at: float) -> None:
    cold = everything(*start())
    (entry,) = entries(folder)
    data = bytearray(entry.read_bytes())
    data[int(at * len(data)) if 0 < at < 1 else int(at)] ^= 4
    entry.write_bytes(data)
    ruleset, report = start()
    (warning,) = report.warnings
    assert "damaged" in warning
    assert str(entry) in warning
    report.warnings.clear()
    assert everything(ruleset, report) == cold
    assert everything(*start()) == cold


def truncated(entry: Path) -> None:
    os.truncate(entry, entry.stat().st_size // 2)


def emptied(entry: Path) -> None:
    os.truncate(entry, 0)


def writable(entry: Path) -> None:
    entry.chmod(0o666)


def linked(entry: Path) -> None:
    entry.rename(entry.with_suffix(".moved"))
    entry.symlink_to(entry.with_suffix(".moved"))


def given_away(entry: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(entry, 12345, -1)


def of_other_rules(entry: Path) -> None:
    """A good entry under the name of another."""
    other = rule(1) * (cache.MIN_BYTES // len(rule(1)) + 1)
    path = entry.parent / "other.rules"
    path.write_text(other)
    loading.load(config(entry.parent), only=[str(path)])
    (made,) = set(entries(entry.parent)) - {entry}
    made.rename(entry)


@pytest.mark.parametrize("spoil", [truncated, emptied, writable, linked, given_away, of_other_rules])
def test_an_entry_in_doubt_is_ignored_and_replaced(
    start: Start, folder: Path, spoil: Callable[[Path], None], no_reading: Callable[[], None]
) -> None:
    cold = everything(*start())
    (entry,) = entries(folder)
    spoil(entry)
    ruleset, report = start()
    assert len(report.warnings) == (0 if spoil is emptied else 1)  # an empty file says nothing
    report.warnings.clear()
    assert everything(ruleset, report) == cold
    facts = entry.lstat()
    assert (facts.st_mode & 0o777, facts.st_uid, entry.is_symlink()) == (0o600, os.geteuid(), False)
    no_reading()
    assert everything(*start()) == cold


def test_a_folder_that_others_can_write_to_is_not_used(start: Start, folder: Path) -> None:
    start()
    folder.chmod(0o777)
    (entry,) = entries(folder)
    before = entry.stat().st_ino
    _, report = start()
    assert [("others can write" in warning) for warning in report.warnings] == [True, True]
    assert entry.stat().st_ino == before
    folder.chmod(0o700)
    moved = folder.with_name("moved")
    folder.rename(moved)
    folder.symlink_to(moved)
    _, report = start()
    assert "symbolic link" in report.warnings[0]


def test_two_starts_at_once_and_many_readers(tmp_path: Path, rules: Path) -> None:
    script = (
        "import sys; from sensor.config import load; from sensor.rules import loading\n"
        "for _ in range(6):\n"
        "    ruleset, report = loading.load(load(None, sys.argv[2:]), only=[sys.argv[1]])\n"
        "    print(ruleset.id, ruleset.loaded, len(report.findings), report.warnings)\n"
    )
    folder = tmp_path / "kept"
    command = [sys.executable, "-c", script, str(rules), f"haidang.rule-cache.directory={folder}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    starts = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    deadline = time.monotonic() + 60
    while any(started.poll() is None for started in starts) and time.monotonic() < deadline:
        for entry in entries(folder):  # so that the one has to write again while the other reads
            entry.unlink(missing_ok=True)
        time.sleep(0.05)
    told = [started.communicate(timeout=60)[0].splitlines() for started in starts]
    assert [started.returncode for started in starts] == [0, 0]
    assert [len(lines) for lines in told] == [6, 6]
    assert len({line for lines in told for line in lines}) == 1
    assert told[0][0].endswith("[]")
    assert not [path for path in folder.iterdir() if path.suffix != ".ruleset"]


def test_what_hangs_on_other_files_is_never_kept(
    start: Start, rules: Path, many: str, tmp_path: Path, no_reading: Callable[[], None]
) -> None:
    rules.write_text(
        many
        + 'alert http any any -> any any (msg:"a list"; filemd5:list.txt; sid:8000001;)\n'
        + "alert http any any -> any any (http.host; "
        + "dataset:isset,d,type string,load names.lst; sid:8000002;)\n"
    )
    _, report = start()
    assert {f.sid for f in report.findings} >= {8000001, 8000002}
    (tmp_path / "list.txt").write_text("5d41402abc4b2a76b9719d911017c592\n")
    no_reading()
    ruleset, later = start()
    assert later.loaded == report.loaded + 1
    assert {f.sid for f in later.findings} & {8000001, 8000002} == {8000002}
    assert ruleset.databases[0] == ruleset.databases[1]
    (tmp_path / "names.lst").write_text("dGVzdA==\n")
    _, later = start()
    assert later.loaded == report.loaded + 2


def test_it_can_be_turned_off_and_small_sets_are_not_kept(
    start: Start, folder: Path, rules: Path, tmp_path: Path
) -> None:
    start("haidang.rule-cache.enabled=no")
    small = tmp_path / "small.rules"
    small.write_text(WRONG)
    start(only=small)
    loading.load(config(folder), only=[str(rules)], validate_only=True)
    assert not folder.exists()


def test_without_a_place_to_keep_it_nothing_is_said(
    rules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    _, report = loading.load(load(), only=[str(rules)])
    assert report.warnings == []
    _, report = loading.load(config(tmp_path / "file" / "below"), only=[str(rules)])
    assert len(report.warnings) == 1
    assert "haidang.rule-cache.directory" in report.warnings[0]


def test_the_place_is_the_data_folder_else_the_users_cache(
    rules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    data = tmp_path / "data"
    loading.load(load(None, [f"default-data-dir={data}"]), only=[str(rules)])
    assert len(entries(tmp_path / "home" / "haidang" / "rules")) == 1
    data.mkdir()
    loading.load(load(None, [f"default-data-dir={data}"]), only=[str(rules)])
    assert len(entries(data / "rule-cache")) == 1


def test_a_published_collection_starts_in_a_tenth_of_the_time(tmp_path: Path) -> None:
    corpora = os.environ.get("CORPORA_DIR")
    published = Path(corpora or "/") / "rules" / "etopen-composite.rules"
    if not published.is_file():
        pytest.skip("CORPORA_DIR does not name a folder with rules/etopen-composite.rules")
    copy = tmp_path / "all.rules"
    shutil.copyfile(published, copy)
    kept = config(tmp_path / "kept")

    def seconds() -> tuple[float, Ruleset]:
        before = time.process_time()
        ruleset, _ = loading.load(kept, only=[str(copy)])
        return time.process_time() - before, ruleset

    cold, first = seconds()
    warm, second = seconds()
    assert second.id == first.id
    assert warm < cold / 3, (warm, cold)  # about a tenth; the machine may be busy with other things
    data = copy.read_bytes()
    pattern = b'tls.sni; content:"'
    assert data.count(pattern) > 500
    copy.write_bytes(data.replace(pattern, pattern + b"qz", 1))
    _, changed = seconds()
    total, reused = changed.databases
    assert total - 8 <= reused < total
