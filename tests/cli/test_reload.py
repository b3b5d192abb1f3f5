"""Reloads under a replay that runs: with the same rules nothing changes, with others only what they say."""

from __future__ import annotations

import json
import os
import random
import signal
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

import pytest

pytest.importorskip("sensor._engine", reason="the engine is not built: make setup")

from sensor._engine import Replay
from sensor.config import load as load_config
from sensor.rules.loading import load as load_rules

ROOT = Path(__file__).parents[2]
HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)
RECORD = struct.Struct("<IIII")
BEGIN_SECONDS = 1_700_000_000

# Whatever a rule can leave behind: counts, bits, tags, sets, transactions half matched.
STATEFUL = """
alert tcp any any -> any any (msg:"limit"; threshold:type limit, track by_src, count 2, seconds 3600; sid:101;)
alert ip any any -> any any (msg:"every 7th"; threshold:type threshold, track by_dst, count 7, seconds 3600; sid:102;)
alert tcp any any -> any any (msg:"by flow"; flow:established; threshold:type both, track by_flow, count 3, seconds 3600; sid:103;)
alert tcp any any -> any any (msg:"sets"; flow:established,to_server; flowbits:set,seen.request; noalert; sid:104;)
alert tcp any any -> any any (msg:"reads"; flow:established,to_client; flowbits:isset,seen.request; threshold:type limit, track by_flow, count 1, seconds 3600; sid:105;)
alert udp any any -> any any (msg:"xbit set"; xbits:set,udp,track ip_src,expire 3600; noalert; sid:106;)
alert udp any any -> any any (msg:"xbit read"; xbits:isset,udp,track ip_dst; sid:107;)
alert http any any => any any (msg:"a transaction"; http.method; content:"GET"; http.stat_code; content:"200"; sid:109;)
alert dns any any -> any any (msg:"new name"; dns.query; dataset:set,names,type string; sid:110;)
alert http any any -> any any (msg:"tagged"; flow:to_server; http.uri; content:"/"; tag:session,20,packets; sid:111;)
alert tcp any any -> any any (msg:"counted"; flow:established; flowint:seen,notset; flowint:seen,=,1; sid:112;)
alert http any any -> any any (msg:"a file"; flow:to_client; file.data; content:"e"; sid:113;)
alert tls any any -> any any (msg:"name"; tls.sni; content:"."; sid:114;)
"""  # fmt: skip  # noqa: E501  # a rule is one line
FIRST = 'alert http any any -> any any (msg:"first of all"; flowbits:set,aaa; http.uri; content:"/"; priority:1; sid:1;)\n'  # noqa: E501  # a rule is one line


def _records(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    if data[:4] != HEADER[:4] or data[20:24] != HEADER[20:24]:
        return
    at = 24
    while at + 16 <= len(data):
        size = int.from_bytes(data[at + 8 : at + 12], "little")
        yield data[at + 8 : at + 16 + size]
        at += 16 + size


@pytest.fixture(scope="module")
def frames() -> list[bytes]:
    """The captures that come with the project, all at the same time: many flows are open at every frame."""
    files = [list(_records(path)) for path in sorted((ROOT / "pcaps").glob("*.pcap"))]
    rows = zip_longest(*(file[:150] for file in files))
    records = [record for row in rows for record in row if record is not None]
    assert len(records) > 1000
    return [
        struct.pack("<II", BEGIN_SECONDS + at // 1000, at % 1000 * 1000) + record
        for at, record in enumerate(records)
    ]


def _events(
    tmp_path: Path, frames: Sequence[bytes], rules: Sequence[str], cuts: Sequence[int], workers: int = 1
) -> list[str]:
    """Events of a replay that begins with rules[0] and takes the next ones at each cut, in order when there
    is one worker.
    """
    work = tmp_path / str(random.random())
    work.mkdir()
    pipe = work / "pipe"
    os.mkfifo(pipe)
    settings = [
        f"default-data-dir={work}",
        f"default-log-dir={work}",
        "stream.midstream=true",
        "packet-alert-max=255",
    ]
    config = load_config(None, settings, checksums="none")

    def ruleset(text: str, in_force=None):
        file = work / "test.rules"
        file.write_text(text)
        made, report = load_rules(config, only=[str(file)], in_force=in_force)
        assert not report.quarantined, report.findings
        return made

    replay = Replay(config.engine_json(), ruleset(rules[0]), [str(pipe)], workers)
    out: list[bytes] = []

    def fetch() -> None:
        while not replay.finished:
            if (batch := replay.next_batch(0.05)) is not None:
                out.append(batch.data)

    fetcher = threading.Thread(target=fetch)
    fetcher.start()
    with pipe.open("wb", buffering=0) as to:
        to.write(HEADER)
        ends = [*cuts, len(frames)]
        for number, (start, end) in enumerate(zip([0, *cuts], ends, strict=True)):
            for frame in frames[start:end]:
                to.write(frame)
            if end < len(frames):
                while replay.reloads[1]:  # in force a few frames after it was offered
                    assert workers == 1
                    time.sleep(0.01)
                text = rules[(number + 1) % len(rules)]
                replay.reload(config.engine_json(), ruleset(text, replay.in_force))
    fetcher.join()
    assert replay.reloads == (len(cuts), False), "a reload did not come into force"
    assert not [w for w in replay.warnings if "panic" in w or "stage fail" in w]
    lines = [line for line in b"".join(out).decode().splitlines() if '"event_type":"stats"' not in line]
    assert len([line for line in lines if '"event_type":"alert"' in line]) > 50
    return lines


@pytest.fixture(scope="module")
def rules() -> str:
    shipped = "".join(path.read_text() for path in sorted((ROOT / "rules").glob("*.rules")))
    return shipped + STATEFUL


def test_the_same_rules_again_change_nothing(tmp_path: Path, frames: list[bytes], rules: str) -> None:
    expected = _events(tmp_path, frames, [rules], [])
    chance = random.Random(7)
    for _ in range(3):
        cuts = sorted(chance.sample(range(50, len(frames) - 100, 40), 6))
        assert _events(tmp_path, frames, [rules], cuts) == expected, cuts


def test_rules_with_other_numbers_change_nothing_for_those_that_stay(
    tmp_path: Path, frames: list[bytes], rules: str
) -> None:
    """A rule in front of all, and flowbits in front of all, give every other another number."""
    expected = [line for line in _events(tmp_path, frames, [rules], []) if _is_alert_of_those_that_stay(line)]
    cuts = list(range(100, len(frames) - 100, (len(frames) - 200) // 5))
    lines = _events(tmp_path, frames, [rules, FIRST + rules], cuts)
    staying = [line for line in lines if _is_alert_of_those_that_stay(line)]
    assert not (found := _difference(staying, expected)), found
    assert any('"signature_id":1,' in line for line in lines)
    numbers = [json.loads(line)["pcap_cnt"] for line in lines if '"signature_id":1,' in line]
    assert min(numbers) > cuts[0] - 16


def _difference(lines: list[str], expected: list[str]) -> str:
    a, b = Counter(map(_bare, lines)), Counter(map(_bare, expected))
    return "" if a == b else f"more: {list((a - b).items())[:4]}\nless: {list((b - a).items())[:4]}"


def _is_alert_of_those_that_stay(line: str) -> bool:
    return '"event_type":"alert"' in line and '"signature_id":1,' not in line


def _bare(line: str) -> str:
    event = json.loads(line)
    event.pop("metadata", None)  # the new rule sets a flowbit
    return json.dumps(event)


def test_all_workers_take_them_before_one_frame(tmp_path: Path, frames: list[bytes], rules: str) -> None:
    expected = sorted(_events(tmp_path, frames, [rules], []))
    assert sorted(_events(tmp_path, frames, [rules], [len(frames) // 2], workers=3)) == expected


def test_a_signal_reloads_and_a_failure_leaves_the_old_rules(tmp_path: Path, frames: list[bytes]) -> None:
    file = tmp_path / "a.rules"
    file.write_text('alert ip any any -> any any (msg:"one"; sid:1;)\n')
    process = subprocess.Popen(
        [sys.executable, "-m", "sensor.cli", "replay", "-", "-S", str(file), "-k", "none"],
        stdin=subprocess.PIPE, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, cwd=tmp_path,
        env={**os.environ, "HAIDANG_LANG": "en", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    told: list[str] = []
    assert process.stdin is not None
    assert process.stderr is not None
    errors = process.stderr
    reader = threading.Thread(target=lambda: told.extend(iter(lambda: errors.readline().decode(), "")))
    reader.start()
    frames_left = iter(frames)
    try:
        process.stdin.write(HEADER)

        def feed_until(text: str) -> None:
            for frame in frames_left:
                process.stdin.write(frame)
                process.stdin.flush()
                if any(text in line for line in told):
                    return
                time.sleep(0.005)
            raise AssertionError((text, told))

        # The handler stands when the engine does: it is there once events are written.
        eve = tmp_path / "eve.json"
        while not eve.exists():
            time.sleep(0.02)
        time.sleep(0.5)
        file.write_text('alert ip any any -> any any (msg:"two"; sid:2;)\n')
        process.send_signal(signal.SIGUSR2)
        feed_until("rules reloaded: 1 loaded")
        file.write_text('alert ip any any -> any any (msg:"three"; nonsense; sid:3;)\n')
        process.send_signal(signal.SIGUSR2)
        feed_until("reload failed, the old rules stay")
        file.unlink()
        process.send_signal(signal.SIGUSR2)
        feed_until(str(file))
        process.stdin.write(next(frames_left))
        process.stdin.close()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        reader.join()
        errors.close()
    alerts = [
        event for event in map(json.loads, eve.read_text().splitlines()) if event["event_type"] == "alert"
    ]
    sids = [alert["alert"]["signature_id"] for alert in alerts]
    assert set(sids) == {1, 2}
    assert sids == sorted(sids)
    assert sids[-1] == 2


def huge_pages() -> list[str]:
    """What this process may have of them, in the system's words."""
    return [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("THP_")]


def test_what_is_the_same_is_shared_with_the_rules_in_force(tmp_path: Path, rules: str) -> None:
    huge_before = huge_pages()
    config = load_config(None, ["haidang.rule-cache.enabled=no"], checksums="none")
    file, pipe = tmp_path / "test.rules", tmp_path / "pipe"
    file.write_text(rules)
    first, _ = load_rules(config, only=[str(file)])
    count, reused = first.databases
    assert count > 10
    assert reused == 0
    os.mkfifo(pipe)
    replay = Replay(config.engine_json(), first, [str(pipe)])
    with pipe.open("wb"):
        again, _ = load_rules(config, only=[str(file)], in_force=replay.in_force)
        assert again.databases == (count, count)
        assert again.id == first.id
        file.write_text(rules + 'alert tcp any any -> any 7 (content:"something else"; sid:77;)\n')
        changed, report = load_rules(config, only=[str(file)], in_force=replay.in_force)
        assert report.loaded == first.loaded + 1
        assert count // 2 < changed.databases[1] < changed.databases[0]
    assert huge_pages() == huge_before
    while not replay.finished:
        replay.next_batch(0.05)
