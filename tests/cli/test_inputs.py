"""What is a capture and what is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sensor.cli.inputs import find_captures

PCAP = b"\xd4\xc3\xb2\xa1" + bytes(20)
PCAPNG = b"\x0a\x0d\x0d\x0a" + bytes(24)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "0 bytes"),
        (b"\x00", "not a capture"),
        (os.urandom(3) + b"zzzzzzz", "not a capture"),
        (b"\x1f\x8b\x08\x00", "gzip -d"),
        (b"\x28\xb5\x2f\xfd", "zstd -d"),
    ],
)
def test_what_is_none_is_refused_in_one_line(content: bytes, word: str, tmp_path: Path) -> None:
    path = tmp_path / "x\n.pcap"
    path.write_bytes(content)
    found = find_captures([str(path)])
    assert found.paths == []
    (refusal,) = found.refused
    assert word in str(refusal)
    assert "\n" not in str(refusal)


def test_a_directory_stands_for_its_captures_in_order(tmp_path: Path) -> None:
    (tmp_path / "b" / "deep").mkdir(parents=True)
    for name, content in (("b/deep/1.log", PCAPNG), ("a.pcap", PCAP), ("c.txt", b"text"), ("d.pcap", b"")):
        (tmp_path / name).write_bytes(content)
    found = find_captures([str(tmp_path)])
    assert [Path(path).name for path in found.paths] == ["a.pcap", "1.log"]
    assert (found.refused, found.total_bytes) == ([], 52)


def test_one_refusal_does_not_keep_others_from_being_read(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(PCAP)
    (tmp_path / "empty").mkdir()
    names = ["/nowhere", str(tmp_path / "empty"), "/dev/zero", "a\0b", str(tmp_path / "a.pcap"), "x" * 5000]
    found = find_captures(names)
    assert len(found.paths) == 1
    assert len(found.refused) == 5


def test_no_permission_is_refused(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    path = tmp_path / "a.pcap"
    path.write_bytes(PCAP)
    path.chmod(0)
    assert "permission denied" in str(find_captures([str(path)]).refused[0])


def test_a_pipe_is_taken_as_it_is(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert find_captures([str(tmp_path / "pipe")]).paths == [str(tmp_path / "pipe")]
