"""The right first verdict on broken mirrors, and none on whole ones."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.cli import main
from sensor.doctor.examine import examine_capture
from sensor.doctor.frame import checksum, dissect
from sensor.pcap.files import Packet
from tests.doctor import broken as b

PCAPS = Path(__file__).parents[2] / "pcaps"
ONE_SIDED = {"tcp-client-only.pcap", "tcp-server-only.pcap"}  # ill by design
VXLAN = b"\xc0\x00\x12\xb5\0\0\0\0\x08\0\0\0\0\0\x07\0"
ERSPAN = b"\x10\0\x88\xbe\0\0\0\x01\x10\x01\0\0\0\0\0\0"
N = b.network
SECOND = 10**9


def vlans(packets: list[Packet], one_way: Callable[[int], bool]) -> list[Packet]:
    kept = [p for p in packets if not (one_way(b.number_of_client_side(p)) and b.answers(p))]
    return [b.tagged(p, 20 if one_way(b.number_of_client_side(p)) else 10) for p in kept]


def shifted(packets: list[Packet], change: Callable[[int, int], int]) -> list[Packet]:
    return [replace(p, time_ns=change(i, p.time_ns)) for i, p in enumerate(packets)]


BROKEN: dict[str, tuple[str, Callable[[], list[Packet]]]] = {
    "client side only": ("one-sided", lambda: [p for p in N() if not b.answers(p)]),
    "server side only": ("one-sided", lambda: [p for p in N() if b.answers(p)]),
    "one conversation, one side": ("one-sided", lambda: [p for p in N(1) if not b.answers(p)]),
    "one side, tagged": ("one-sided", lambda: [b.tagged(p, 7) for p in N() if b.answers(p)]),
    "questions without answers": ("one-sided", lambda: b.questions(40)),
    "a third without answers": (
        "asymmetric",
        lambda: [p for p in N() if not (b.answers(p) and b.number_of_client_side(p) % 3 == 0)],
    ),
    "half without requests": (
        "asymmetric",
        lambda: [p for p in N() if b.answers(p) or b.number_of_client_side(p) % 2],
    ),
    "VLAN 20 one way": ("vlan-direction", lambda: vlans(N(), lambda n: n % 2 == 0)),
    "VLAN 20 one way, few": ("vlan-direction", lambda: vlans(N(), lambda n: n % 5 == 0)),
    "tags by direction": ("vlan-tags", lambda: [b.tagged(p, 10 + b.answers(p)) for p in N()]),
    "one direction tagged": ("vlan-tags", lambda: [b.tagged(p, 10) if b.answers(p) else p for p in N()]),
    "all twice": ("duplicates", lambda: b.doubled(N())),
    "all twice, routed": ("duplicates", lambda: b.doubled(N(), routed=True)),
    "every third twice": ("duplicates", lambda: b.doubled(N(), 3)),
    "answers twice, in two VLANs": (
        "duplicates",
        lambda: [
            q for p in N() for q in ([b.tagged(p, 1), b.tagged(p, 2)] if b.answers(p) else [b.tagged(p, 1)])
        ],
    ),
    "cut at 64": ("truncation", lambda: b.cut(N(), 64)),
    "cut at 96": ("truncation", lambda: b.cut(N(), 96)),
    "cut at 1000": ("truncation", lambda: b.cut(N(), 1000)),
    "sliced by a broker": ("truncation", lambda: [b.changed(p, p.data[:128]) for p in N()]),
    "cut and one-sided header": ("truncation", lambda: b.cut(N(), 30)),
    "joined by two": ("super-packets", lambda: b.joined(N(), 2)),
    "joined by ten": ("super-packets", lambda: b.joined(N(12, 20), 10)),
    "jumbo": ("jumbo", lambda: [p for p in N(size=8900) if p.data[47] & 2 == 0]),
    "client's checksums": ("checksum-offload", lambda: [p if b.answers(p) else b.unfilled(p) for p in N(1)]),
    "servers' one host": (
        "checksum-offload",
        lambda: [b.unfilled(p) if b.number_of_client_side(p) == 3 and b.answers(p) else p for p in N(6)],
    ),
    "both ends' checksums": ("checksum-offload", lambda: [b.unfilled(p) for p in N(6)]),
    "now and then left to the card": (
        "checksum-offload",
        lambda: [b.unfilled(p) if i % 5 == 0 else p for i, p in enumerate(N())],
    ),
    "corrupt, one in nine": (
        "checksum-corrupt",
        lambda: [b.spoilt(p) if i % 9 == 0 and len(p.data) > 60 else p for i, p in enumerate(N())],
    ),
    "corrupt, one in thirty": (
        "checksum-corrupt",
        lambda: [b.spoilt(p) if i % 30 == 1 and len(p.data) > 60 else p for i, p in enumerate(N(20))],
    ),
    "swapped": ("reordering", lambda: b.swapped(N(), 2)),
    "swapped now and then": ("reordering", lambda: b.swapped(N(), 6)),
    "written out of order": ("times-backwards", lambda: b.swapped(N(), 2, restamp=False)),
    "clock set back": ("times-backwards", lambda: shifted(N(), lambda i, t: t - 60 * SECOND * (i > 99))),
    "no time": ("times-zero", lambda: shifted(N(), lambda i, t: 0)),
    "clock since boot": ("times-zero", lambda: shifted(N(), lambda i, t: t - b.START_NS + SECOND)),
    "far future": ("times-future", lambda: shifted(N(), lambda i, t: t + 50 * 365 * 86_400 * SECOND)),
    "whole seconds": ("times-coarse", lambda: shifted(N(), lambda i, t: t // SECOND * SECOND)),
    "every seventh answer lost": (
        "tcp-gaps",
        lambda: [p for i, p in enumerate(N()) if i % 7 or len(p.data) < 500],
    ),
    "bursts lost": ("tcp-gaps", lambda: [p for i, p in enumerate(N(20)) if i % 40 > 3 or len(p.data) < 500]),
    "dead, STP": ("dead-port", lambda: b.hellos(40, b"\0\x26\x42\x42\x03", True)),
    "dead, LLDP": ("dead-port", lambda: b.hellos(40, b"\x88\xcc", True)),
    "only PROFINET": ("non-ip", lambda: b.hellos(60, b"\x88\x92", False)),
    "broker's own header": (
        "unknown-encapsulation",
        lambda: [b.changed(p, p.data[:12] + b"\x89\x03\1\2\3\4" + p.data[12:]) for p in N()],
    ),
    "link type unknown": ("unknown-encapsulation", lambda: [replace(p, link=147) for p in N()]),
    "ERSPAN": ("mirror-of-mirror", lambda: b.wrapped(N(), ERSPAN)),
    "VXLAN": ("mirror-of-mirror", lambda: b.wrapped(N(), VXLAN)),
    "GRE": ("mirror-of-mirror", lambda: b.wrapped(N(), b"\0\0\x65\x58")),
}
RIGHT_MIN = 0.95


def first_verdict(path: Path) -> str:
    answers, _ = examine_capture(str(path))
    return answers[0].check.name if answers[0].is_finding else ""


def test_first_verdicts_on_broken_mirrors(tmp_path: Path) -> None:
    wrong = {}
    for number, (name, (expected, make)) in enumerate(BROKEN.items()):
        told = first_verdict(b.write(tmp_path / f"{number}.pcap", make()))
        if told != expected:
            wrong[name] = f"{told or 'healthy'}, not {expected}"
    assert len(BROKEN) >= 30
    assert 1 - len(wrong) / len(BROKEN) >= RIGHT_MIN, wrong


@pytest.mark.parametrize("conversations", [1, 2, 12, 60])
def test_a_whole_mirror_is_healthy(tmp_path: Path, conversations: int) -> None:
    assert first_verdict(b.write(tmp_path / "good.pcap", N(conversations))) == ""


def test_shipped_captures_are_healthy() -> None:
    captures = [path for path in PCAPS.glob("*.pcap*") if path.name not in ONE_SIDED]
    assert len(captures) > 100
    assert {path.name: told for path in captures if (told := first_verdict(path))} == {}


@pytest.mark.parametrize("name", sorted(ONE_SIDED))
def test_shipped_halves_are_one_sided(name: str) -> None:
    assert first_verdict(PCAPS / name) == "one-sided"


def test_exit_codes_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ill = b.write(tmp_path / "ill.pcap", b.doubled(N()))
    well = b.write(tmp_path / "well.pcap", N())
    assert main(["doctor", "-r", str(well)]) == 0
    capsys.readouterr()
    assert main(["doctor", "--json", "-r", str(ill)]) == 1
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["checks"][0]["check"], told["checks"][0]["verdict"]) == ("duplicates", "fail")
    assert main(["doctor", "-r", str(tmp_path / "absent.pcap")]) == 2
    assert main(["doctor", "-r", str(well), "--fix"]) == 2


@given(st.binary(max_size=200), st.sampled_from([0, 1, 12, 101, 113, 276, 9999]))
def test_any_bytes_give_a_frame(data: bytes, link: int) -> None:
    frame = dissect(Packet(1, link, 0, data, len(data), 0))
    assert checksum(frame) in ("", "right", "wrong", "partial")


@pytest.mark.skipif("CORPORA_DIR" not in os.environ, reason="CORPORA_DIR is not set")
def test_real_captures_are_examined() -> None:
    paths = sorted((Path(os.environ["CORPORA_DIR"]) / "pcaps" / "captures").rglob("*.pcap*"))
    told = Counter(first_verdict(path) or "healthy" for path in paths if path.stat().st_size > 24)
    print(told.most_common())
    assert told["healthy"] > sum(told.values()) / 2
