"""A heartbeat is followed stage by stage, and where it stays away is told."""

from __future__ import annotations

import dpkt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.bus import lanes
from sensor.bus.heartbeats import numbers
from sensor.bus.messages import Book
from sensor.live import heartbeat
from sensor.live.heartbeat import Heart, frame
from sensor.source import Lines


class Line:
    """Interface, engine and spool, each broken where `until` says."""

    def __init__(self) -> None:
        self.until = "centre"
        self.frames: list[bytes] = []
        self.made = 0
        self.delivered = 0
        self.lost: dict[str, int] = {}
        self._counted = dict.fromkeys(("frames", "decoded", "matched"), 0)

    def reaches(self, stage: str) -> bool:
        return heartbeat.STAGES.index(stage) < heartbeat.STAGES.index(self.until)

    def send(self, sent: bytes) -> None:
        if self.until == "inject":
            raise OSError("the interface is down")
        self.frames.append(sent)
        for name, stage in (("frames", "capture"), ("decoded", "decode"), ("matched", "detect")):
            self._counted[name] += self.reaches(stage)

    def counters(self) -> dict[str, int]:
        return {f"haidang.heartbeat.{name}": count for name, count in self._counted.items()}

    def books(self) -> list[Book]:
        waiting = self.made - self.delivered - sum(self.lost.values())
        return [Book(lanes.HEALTH, self.made, self.delivered, waiting, self.lost)]


def event(number: int) -> Lines:
    head = b'{"timestamp":"2026-01-01T00:00:00.000000+0000","event_type":"heartbeat",'
    return Lines([head + b'"haidang":{"heartbeat":{"number":%d}}}\n' % number])


class Clock:
    """In the place of the module `time`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time_ns(self) -> int:
        return int(self.now * 1e9)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(heartbeat, "time", made)
    monkeypatch.setattr(heartbeat, "STAGES", (*heartbeat.STAGES, "all"))
    return made


def one_beat(line: Line, heart: Heart, clock: Clock) -> None:
    """As the running capture goes: tick, batches, tick."""
    clock.now += heart.seconds
    heart.tick()
    if line.reaches("event"):
        sent = int(bytes(dpkt.ethernet.Ethernet(line.frames[-1]).data.data.data).split()[-1])
        heart.batch(event(sent))
        if line.reaches("spool"):
            line.made += 1
            heart.spooled()
    if line.until == "all":
        line.delivered = line.made
    clock.now += heartbeat.GRACE_SECONDS
    heart.tick()


@pytest.mark.parametrize("stage", heartbeat.STAGES)
def test_the_stage_that_broke_is_named(stage: str, clock: Clock) -> None:
    line = Line()
    heart = Heart(line, line, seconds=60)
    heart.books = line
    line.until = stage
    one_beat(line, heart, clock)
    assert heart.broken == stage
    assert heart.proof().stage == stage
    assert heart.counters()["haidang.heartbeat.broken"] == 1
    line.until = "all"
    one_beat(line, heart, clock)
    assert (heart.broken, heart.delivered, heart.sent) == ("", 1, 2)
    assert heart.proven_at == clock.now - heartbeat.GRACE_SECONDS


def test_one_that_the_spool_gave_up_was_not_delivered(clock: Clock) -> None:
    line = Line()
    heart = Heart(line, line, seconds=60)
    heart.books = line
    heart.tick()
    sent = int(line.frames[-1].split()[-1])
    heart.batch(event(sent))
    line.made = 1
    heart.spooled()
    line.lost = {"quota": 1}
    clock.now += heartbeat.GRACE_SECONDS
    heart.tick()
    assert heart.broken == "spool"


def test_the_packet_is_what_the_rule_wants_and_its_checksum_holds() -> None:
    for number in (1, 2**60):
        ethernet = dpkt.ethernet.Ethernet(frame(number))
        packet = ethernet.data
        header = bytes(packet)[:20]
        assert dpkt.in_cksum(header) == 0
        assert all(address[:1] == b"\xc6" and address[1] in (18, 19) for address in (packet.src, packet.dst))
        assert packet.data.dport == 9
        assert bytes(packet.data.data) == b"haidang-heartbeat %d" % number


@given(st.binary(max_size=300))
def test_any_bytes_are_searched(data: bytes) -> None:
    assert all(isinstance(number, int) for number in numbers(b'"heartbeat"' + data))
