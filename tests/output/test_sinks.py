"""One conformance test over every sink, and what is particular to each."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import dpkt
import pytest

from sensor._engine import Replay, Ruleset
from sensor.config import load
from sensor.errors import UserError
from sensor.output import SINKS, Sink, close_sinks, open_sinks
from sensor.output.alert_lines import decoded
from sensor.output.fast import fast_line
from sensor.output.file import LogFile
from sensor.source import Lines

CAPTURE = Path(__file__).parents[2] / "pcaps" / "dcerpc-call.pcap"
ALERT = {
    "timestamp": "2024-05-01T10:20:30.123456+0000",
    "event_type": "alert",
    "src_ip": "10.0.0.1",
    "src_port": 1025,
    "dest_ip": "192.0.2.1",
    "dest_port": 80,
    "proto": "TCP",
    "alert": {
        "action": "allowed",
        "gid": 1,
        "signature_id": 7,
        "rev": 2,
        "signature": "A\nB",
        "category": "Bad",
        "severity": 2,
    },
}
FLOW = {"timestamp": "2024-05-01T10:20:31.123456+0000", "event_type": "flow", "proto": "TCP"}


def batch(*events: Mapping[str, object]) -> Lines:
    return Lines([json.dumps(event, separators=(",", ":")).encode() + b"\n" for event in events])


def make(name: str, folder: Path, **section: str) -> Sink:
    return SINKS[name](section, folder)


@contextlib.contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """As on a disk that is full then: no file gets larger."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("name", SINKS)
class TestEverySink:
    def test_writes_whole_lines_survives_reopen_and_two_closes(
        self, name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        sink = make(name, tmp_path)
        sink.open()
        sink.write(batch(ALERT, FLOW))
        for path in tmp_path.iterdir():
            path.rename(path.with_suffix(".moved"))
        sink.reopen()
        sink.write(batch())
        sink.write(batch(ALERT))
        sink.close()
        sink.close()
        files = sorted(tmp_path.iterdir())
        text = capfd.readouterr().out + "".join(path.read_text() for path in files)
        assert text.count("\n") >= 2
        assert text.endswith("\n")
        assert len(files) in (0, 2)

    def test_a_refusing_folder_is_a_user_error(self, name: str, tmp_path: Path) -> None:
        sink = make(name, tmp_path / "absent")
        if name == "stdout":
            sink.open()
            return
        with pytest.raises(UserError, match="absent"):
            sink.open()

    def test_a_full_disk_is_a_user_error_and_leaves_whole_lines(self, name: str, tmp_path: Path) -> None:
        if name == "stdout":
            pytest.skip("has no file")
        sink = make(name, tmp_path)
        sink.open()
        sink.write(batch(ALERT))
        size = sum(path.stat().st_size for path in tmp_path.iterdir())
        with files_up_to(size + 10), pytest.raises(UserError, match=str(tmp_path)):
            sink.write(batch(ALERT, ALERT))
        sink.close()
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) == size


def test_dev_full_names_the_remedy() -> None:
    sink = make("eve-log", Path("/dev"), filename="full")
    sink.open()
    with pytest.raises(UserError, match=r"/dev/full: no space left on device \(free some space"):
        sink.write(batch(ALERT))


@pytest.mark.parametrize("append", [True, False])
def test_append(append: bool, tmp_path: Path) -> None:
    for _ in range(2):
        sink = SINKS["eve-log"]({"append": append}, tmp_path)
        sink.open()
        sink.write(batch(FLOW))
        sink.close()
    assert (tmp_path / "eve.json").read_text().count("\n") == (2 if append else 1)
    assert (tmp_path / "eve.json").stat().st_mode & 0o007 == 0


def test_eve_logs_share_the_types(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        "outputs:\n"
        "  - eve-log: {filename: a.json, types: [alert, files]}\n"
        "  - eve-log: {filename: b.json, types: [flow, alert]}\n"
    )
    info = {"timestamp": "x", "event_type": "fileinfo"}
    sinks = open_sinks(load(tmp_path / "c.yaml"), tmp_path / "out")
    for sink in sinks:
        sink.write(batch(ALERT, FLOW, info))
    close_sinks(sinks)
    types = {
        path.name: [json.loads(line)["event_type"] for line in path.read_text().splitlines()]
        for path in (tmp_path / "out").iterdir()
    }
    assert types == {"a.json": ["alert", "fileinfo"], "b.json": ["alert", "flow"]}


@pytest.mark.parametrize("kind", [bytes, memoryview])
@pytest.mark.parametrize("goes_on", [True, False])
def test_a_full_disk_keeps_the_lines_that_fit(
    kind: type[bytes] | type[memoryview], goes_on: bool, tmp_path: Path
) -> None:
    file = LogFile(tmp_path / "log", append=True)
    file.open()
    if goes_on:
        file.keep_on(0)
    refused = contextlib.nullcontext() if goes_on else pytest.raises(UserError)
    with files_up_to(10), refused:
        file.write(kind(b"one\ntwo\nthree\nfour\n"))
    assert file.path.read_bytes() == b"one\ntwo\n" and file.lost_lines == (2 if goes_on else 0)
    file.close()


def test_what_the_engine_made_is_not_copied_and_stays_as_long_as_somebody_looks() -> None:
    config = load(None).engine_json()
    replay = Replay(config, Ruleset.compile(config, []), [str(CAPTURE)])
    while (made := replay.next_batch(1.0)) is None:
        assert not replay.finished
    data = made.data
    assert [json.loads(line)["event_type"] for line in data.splitlines()] == ["dcerpc", "dcerpc", "flow"]
    whole, flow = made.only({"dcerpc", "flow", "alert"}), made.only({"flow"})
    assert whole.obj is made and whole.readonly and flow == data.splitlines(keepends=True)[-1]
    del made, replay
    assert whole == data


def test_what_many_flows_leave_that_end_at_once_comes_in_several_batches(tmp_path: Path) -> None:
    """4,000 datagrams of as many flows, and one an hour later, when all have timed out."""
    capture, batch_bytes_max = tmp_path / "many.pcap", 1 << 20
    ip = bytes.fromhex("02000000000102000000000208004500001e0000000040110000 0a000001 0a000002")
    with capture.open("wb") as file:
        writer = dpkt.pcap.Writer(file)
        for port in range(4000):
            writer.writepkt(ip + struct.pack(">HHHH", 1024 + port, 9, 10, 0) + b"..", ts=1_700_000_000)
        writer.writepkt(ip + struct.pack(">HHHH", 9, 9, 10, 0) + b"..", ts=1_700_003_600)
    config = load(None, checksums="none").engine_json()
    replay = Replay(config, Ruleset.compile(config, []), [str(capture)])
    batches = []
    while not replay.finished:
        batches += filter(None, [replay.next_batch(1.0)])
    assert sum(batch.events for batch in batches) == 4001 + 1, "flows and the statistics"
    assert len(batches) > 2 and max(len(batch.data) for batch in batches) < batch_bytes_max + 4096


def line_of(event: Mapping[str, object]) -> str:
    (alert,) = decoded(json.dumps(event).encode())
    return fast_line(alert)


def test_fast_line() -> None:
    assert line_of(ALERT) == (
        "05/01/2024-10:20:30.123456  [**] [1:7:2] A B [**] [Classification: Bad] [Priority: 2] "
        "{TCP} 10.0.0.1:1025 -> 192.0.2.1:80\n"
    )
    uncategorised = cast(dict[str, object], ALERT["alert"]) | {"category": ""}
    ping = ALERT | {"proto": "ICMP", "icmp_type": 8, "icmp_code": 0, "alert": uncategorised}
    assert line_of(ping).endswith("[Classification: (null)] [Priority: 2] {ICMP} 10.0.0.1:8 -> 192.0.2.1:0\n")


@pytest.mark.parametrize("kind", ["file", "absent/deep", "/proc/nope"])
def test_an_unusable_log_directory_is_one_clear_error(kind: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="-l"):
        open_sinks(load(), tmp_path / kind)


def test_an_unwritable_directory_is_one_clear_error(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="permission denied"):
        open_sinks(load(), tmp_path)
