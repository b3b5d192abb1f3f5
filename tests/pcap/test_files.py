"""Capture files read and written: as dpkt reads them, whatever is damaged, several at once, chosen parts."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import dpkt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.cli import main
from sensor.errors import UserError
from sensor.pcap.choose import Choice, networks_from, time_from
from sensor.pcap.files import CaptureFile, Packet, packets_of
from sensor.pcap.info import info
from sensor.pcap.merge import merged
from sensor.pcap.writing import CaptureWriter

ROOT = Path(__file__).parents[2]
CAPTURES = sorted((ROOT / "pcaps").glob("*.pcap*"))
HTTP, DNS = ROOT / "pcaps" / "http-get.pcap", ROOT / "pcaps" / "dns-udp.pcap"


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_packets_are_dpkts(path: Path) -> None:
    with path.open("rb") as file:
        theirs = [frame for _, frame in dpkt.pcap.UniversalReader(file)]
    with CaptureFile(str(path)) as capture:
        ours = [packet.data for packet in capture]
        assert not capture.problems
        assert capture.end == path.stat().st_size
    assert ours == theirs
    data = path.read_bytes()
    assert all(data[p.offset : p.offset + len(p.data)] == p.data for p in packets_of(str(path)))


@pytest.mark.parametrize("name", ["out.pcap", "out.pcapng"])
def test_what_is_written_is_read_again(tmp_path: Path, name: str) -> None:
    packets = [Packet(n + 1, 1, 1_700_000_000_123_456_789 + n, bytes([n] * n), n + 5, 0) for n in range(70)]
    with CaptureWriter(tmp_path / name) as writer:
        for packet in packets:
            writer.write(packet, f"number {packet.number} — ghi chú")
    again = list(packets_of(str(tmp_path / name)))
    assert [(p.time_ns, p.data, p.original_bytes, p.link) for p in again] == [
        (p.time_ns, p.data, p.original_bytes, p.link) for p in packets
    ]
    if name.endswith("ng"):
        assert [p.comment for p in again] == [f"number {p.number} — ghi chú" for p in packets]
    with (tmp_path / name).open("rb") as file:
        assert [frame for _, frame in dpkt.pcap.UniversalReader(file)] == [p.data for p in packets]


def test_several_link_types_need_pcapng(tmp_path: Path) -> None:
    packets = [Packet(1, 1, 0, b"a", 1, 0), Packet(2, 101, 0, b"b", 1, 0)]
    with pytest.raises(UserError, match="several link types"), CaptureWriter(tmp_path / "out.pcap") as writer:
        for packet in packets:
            writer.write(packet)
    assert list(tmp_path.iterdir()) == []
    with CaptureWriter(tmp_path / "out.pcapng") as writer:
        for packet in packets:
            writer.write(packet)
    assert [p.link for p in packets_of(str(tmp_path / "out.pcapng"))] == [1, 101]


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_bytes_end(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    raw = bytearray(data.draw(st.sampled_from(CAPTURES)).read_bytes()[:2000])
    for _ in range(data.draw(st.integers(0, 30))):
        raw[data.draw(st.integers(4, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("any") / "x"
    path.write_bytes(raw[: data.draw(st.integers(4, len(raw)))])
    told = info(str(path))
    assert told.packets <= len(raw)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("resolution", "ticks", "expected"),
    [(b"\x06", 5, 5000), (b"\x09", 5, 5), (b"\x83", 4, 500_000_000), (b"\x00", 2, 2_000_000_000)],
)
def test_times_of_pcapng(tmp_path: Path, order: str, resolution: bytes, ticks: int, expected: int) -> None:
    def block(kind: int, body: bytes) -> bytes:
        length = struct.pack(order + "I", len(body) + 12)
        return struct.pack(order + "I", kind) + length + body + length

    option = struct.pack(order + "HH", 9, 1) + resolution + bytes(3)
    offset = struct.pack(order + "HHq", 14, 8, 10)
    data = block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    data += block(1, struct.pack(order + "HHI", 101, 0, 0) + option + offset)
    data += block(6, struct.pack(order + "IIIII", 0, 0, ticks, 4, 4) + b"abcd")
    data += block(3, struct.pack(order + "I", 3) + b"xyz\0")
    (tmp_path / "x").write_bytes(data)
    first, second = packets_of(str(tmp_path / "x"))
    assert (first.time_ns, first.data) == (expected + 10 * 10**9, b"abcd")
    assert second.data == b"xyz"


def test_merge_is_by_time(tmp_path: Path) -> None:
    problems: list[str] = []
    packets = list(merged([str(HTTP), str(DNS)], problems))
    assert [p.time_ns for p in packets] == sorted(p.time_ns for p in packets)
    assert len(packets) == len(list(packets_of(str(HTTP)))) + len(list(packets_of(str(DNS))))
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(HTTP.read_bytes()[:-3])
    list(merged([str(cut)], problems))
    assert problems == [f"{cut}: the file ends in the middle of a packet"]


def test_choices() -> None:
    packets = list(packets_of(str(HTTP)))
    first = packets[0]
    assert all(map(Choice(ports={80}).wants, packets))
    assert not any(map(Choice(ports={81}).wants, packets))
    assert all(map(Choice(networks=networks_from(["0.0.0.0/0"])).wants, packets))
    assert not any(map(Choice(networks=networks_from(["2001:db8::/32"])).wants, packets))
    assert [p.number for p in packets if Choice(end_ns=first.time_ns).wants(p)] == [1]
    assert time_from("1970-01-01T00:00:01.5") == time_from("1.5") == 1_500_000_000
    for bad in ("yesterday", "1e999", ""):
        with pytest.raises(UserError):
            time_from(bad)


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sensor._engine", reason="the engine is not built: make setup")
    both, one = tmp_path / "both.pcapng", tmp_path / "one.pcapng"
    assert main(["pcap", "merge", str(both), str(HTTP), str(DNS)]) == 0
    assert main(["pcap", "slice", str(both), str(one), "--port", "53"]) == 0
    assert len(list(packets_of(str(one)))) == len(list(packets_of(str(DNS))))
    rules = tmp_path / "any.rules"
    rules.write_text('alert http any any -> any any (msg:"GET"; http.method; content:"GET"; sid:7;)\n')
    assert main(["pcap", "slice", str(both), str(one), "--sid", "7", "-S", str(rules), "-k", "none"]) == 0
    assert [p.data for p in packets_of(str(one))] == [p.data for p in packets_of(str(HTTP))]
    assert main(["pcap", "slice", str(both), str(one), "--flow", "12345"]) == 1
    capsys.readouterr()
    assert main(["pcap", "info", "--json", str(both)]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["packets"] == len(list(packets_of(str(both))))
    assert told["link_types"] == {"1": told["packets"]}
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(HTTP.read_bytes()[:-3])
    assert main(["pcap", "info", str(cut)]) == 1
    for arguments in (
        ["info", str(tmp_path / "absent")],
        ["info", str(rules)],
        ["slice", str(both), str(one)],
        ["slice", str(both), str(both), "--port", "1"],
        ["slice", str(both), str(one), "--address", "nowhere"],
        ["slice", str(both), str(one), "--from", "yesterday"],
        ["merge", str(both), str(both), str(HTTP)],
    ):
        capsys.readouterr()
        assert main(["pcap", *arguments]) == 2, arguments
        assert capsys.readouterr().err.count("\n") == 1
