"""Conversations and evidence of alerts: whole, in order, with the alert where it belongs."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("sensor._engine", reason="the engine is not built: make setup")

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from sensor.cli import main
from sensor.desk.conversation import Conversation, contents_of, hex_lines, is_text, marks
from sensor.pcap.choose import pair_of
from sensor.pcap.files import Packet, packets_of
from sensor.pcap.layers import layers_of

ROOT = Path(__file__).parents[2]
TRAVERSAL = ROOT / "pcaps" / "web-traversal.pcap"


def segments(data: bytes, sizes: list[int], base: int) -> list[bytes]:
    made, at = [], 0
    for size in sizes:
        head = Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=1, dport=2, seq=(base + at) % 2**32)
        made.append(bytes(head / Raw(data[at : at + size])))
        at += size
    return made


@settings(max_examples=50, deadline=None)
@given(
    st.binary(min_size=30, max_size=300), st.randoms(use_true_random=False), st.sampled_from([7, 2**32 - 50])
)
def test_segments_come_in_order_again(data: bytes, chance: random.Random, base: int) -> None:
    frames = segments(data, [10] * (len(data) // 10) + [len(data) % 10 or 10], base)
    rest = frames[1:] + chance.choices(frames, k=3)
    chance.shuffle(rest)
    packets = [Packet(n, 1, n, frame, len(frame), 0) for n, frame in enumerate([frames[0], *rest])]
    conversation = Conversation(pair_of(layers_of(1, frames[0]).flows[0]))
    conversation.take(packets)
    assert b"".join(bytes(turn.data) for turn in conversation.turns) == data
    assert not any(turn.missing_before for turn in conversation.turns)


def test_what_is_missing_is_told() -> None:
    frames = segments(b"0123456789" * 3, [10, 10, 10], 5)
    packets = [Packet(n, 1, n, frame, len(frame), 0) for n, frame in enumerate([frames[0], frames[2]])]
    conversation = Conversation(pair_of(layers_of(1, frames[0]).flows[0]))
    conversation.take(packets)
    assert [(bytes(t.data), t.missing_before) for t in conversation.turns] == [
        (b"0123456789", 0),
        (b"0123456789", 10),
    ]


def test_marks() -> None:
    options = [("content", '"a|20 42|c\\;"', 1, 1), ("nocase", None, 1, 1), ("content", '!"no"', 1, 1)]
    assert contents_of(options) == [(b"a Bc;", True)]
    assert marks(b"xxA BC;", contents_of(options)) == {2, 3, 4, 5, 6}
    assert marks(b"\x03www\x07example", [(b".example", False)]) == set(range(4, 12))
    assert list(hex_lines(b"ab\xff", {1}, None)) == ["000000  61 62*ff " + "   " * 13 + "  ab."]
    assert is_text("Xin chào\r\n".encode())
    assert not is_text(bytes(range(40)))


def test_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "1:9000106", "-r", str(TRAVERSAL)]) == 0
    shown = capsys.readouterr().out
    assert "GET /download?file=[../../../../etc/passwd] HTTP/1.1" in shown
    assert shown.index(">>>") < shown.index("<<< ")
    flow = shown.split("=== flow ")[1].split()[0]
    assert main(["show", f"flow:{flow}", "-r", str(TRAVERSAL), "--hex"]) == 0
    again = capsys.readouterr().out
    assert "000000  47 45 54 20" in again
    assert main(["show", "sid:424242", "-r", str(TRAVERSAL)]) == 1
    for arguments in (
        ["x", "-r", str(TRAVERSAL)],
        ["1", "-r", "absent"],
        ["1", "-r", str(TRAVERSAL), "--bytes", "0"],
    ):
        capsys.readouterr()
        assert main(["show", *arguments]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    if importlib.util.find_spec("pyshark") is None:
        assert main(["show", "9000106", "-r", str(TRAVERSAL), "--tshark"]) == 2
        assert "pip install pyshark" in capsys.readouterr().err


def test_what_is_shown_cannot_write_to_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from scapy.utils import wrpcap

    capture, rules = tmp_path / "x.pcap", tmp_path / "x.rules"
    frames = segments(b"hello \x1b]0;owned\x07 \xe2\x80\xae there, this is text\r\n" * 4, [200], 1)
    wrpcap(str(capture), [Ether(frame) for frame in frames])
    rules.write_text('alert tcp any any -> any any (msg:"x\x1b[2J"; content:"hello"; sid:1;)\n')
    main(["show", "1", "-r", str(capture), "-S", str(rules), "-k", "none", "--set", "stream.midstream=true"])
    shown = capsys.readouterr().out
    assert "[hello] \\x1b]0;owned\\x07" in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_evidence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "evidence"
    log = str(tmp_path / "log")
    assert main(["replay", str(TRAVERSAL), "-l", log, "--evidence", str(folder)]) == 0
    files = sorted(folder.iterdir())
    assert {file.name.split("-")[1] for file in files} == {"9000106", "9000107", "9000108"}
    assert f"{len(files)} files in" in capsys.readouterr().out
    original = list(packets_of(str(TRAVERSAL)))
    for file in files:
        packets = list(packets_of(str(file)))
        assert [p.data for p in packets] == [p.data for p in original]
        assert [p.time_ns for p in packets] == [p.time_ns for p in original]
        (told,) = [packet for packet in packets if packet.comment]
        assert file.name.split("-")[1] in told.comment
        assert told.comment.startswith("ALERT 1:90001")
    assert main(["replay", str(TRAVERSAL), "-l", log, "--evidence", str(TRAVERSAL)]) == 2
