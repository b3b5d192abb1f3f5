"""The books: what does not add up is an alarm, what was lost comes with cause and remedy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from sensor.live.ledger import Page, examine
from sensor.live.nic import NicCounts, read_counts


@dataclass(frozen=True)
class Ring:
    """The face of sensor._engine.Ring."""

    interface: str = "eth1"
    worker: int = 2
    ring_bytes: int = 64 << 20
    kernel_packets: int = 1000
    kernel_drops: int = 0
    frames: int = 1000
    busy_permille: int = 100


def page(*rings: Ring, is_final: bool = True, **counters: int) -> Page:
    frames = sum(ring.frames for ring in rings)
    named = {name.replace("__", "."): value for name, value in counters.items()}
    base = {"haidang.capture.frames": frames, "decoder.pkts": frames, **named}
    return Page(base, rings, {}, {}, is_final)  # type: ignore[arg-type]


def test_books_that_close_say_nothing() -> None:
    told = examine(page(Ring(), Ring(kernel_packets=5, frames=3, kernel_drops=2)), None)
    assert told.imbalances == []
    waiting = Ring(kernel_packets=1500)
    assert examine(page(waiting, is_final=False), None).imbalances == []


@pytest.mark.parametrize(
    "ring",
    [Ring(kernel_packets=1001), Ring(kernel_packets=999), Ring(kernel_drops=1), Ring(frames=1)],
    ids=["one is nowhere", "one too many", "dropped and taken", "not taken out"],
)
def test_a_ring_that_does_not_add_up_is_named(ring: Ring) -> None:
    (text,) = examine(page(ring), None).imbalances
    assert text.startswith("eth1, worker 2: the kernel counted")


def test_a_frame_that_was_not_decoded_is_missed() -> None:
    assert examine(page(Ring(), decoder__pkts=999), None).imbalances
    assert not examine(page(Ring(), decoder__pkts=990, haidang__capture__outgoing=10), None).imbalances


def test_a_ring_cannot_hold_more_than_fits() -> None:
    small = Ring(ring_bytes=64_000, kernel_packets=2001)
    assert examine(page(small, is_final=False), None).imbalances


def test_a_loss_is_told_once_with_cause_and_remedy() -> None:
    first = examine(page(Ring(kernel_packets=1010, kernel_drops=10)), None)
    (loss,) = first.losses
    assert (loss.where, loss.count) == ("eth1, ring 2", 10)
    assert "burst" in loss.cause
    assert loss.remedy == "set af-packet.ring-memory: 256mb (it has 64 MiB)"
    same = examine(page(Ring(kernel_packets=1010, kernel_drops=10)), first)
    assert same.losses == []
    busy = Ring(kernel_packets=1013, kernel_drops=13, busy_permille=970)
    (loss,) = examine(page(busy), first).losses
    assert loss.count == 3
    assert "worker 2 was busy 97 %" in loss.cause
    assert "--workers" in loss.remedy


def test_what_the_engine_could_not_hold_is_told() -> None:
    first = examine(page(Ring(), flow__memcap=7), None)
    (loss,) = first.losses
    assert (loss.where, loss.count, loss.remedy) == ("flow.memcap", 7, "raise flow.memcap")


def test_the_cards_losses_are_told_with_the_command_that_helps() -> None:
    now = page(Ring())
    now.nics = {"eth1": NicCounts(5, {"rx_missed_errors": 4, "rx_dropped": 0})}
    (loss,) = examine(now, None).losses
    assert loss.count == 4
    assert "ethtool -G eth1 rx" in loss.remedy


def test_a_frame_that_the_capture_alone_takes_is_not_lost() -> None:
    def look(dropped: int, before: Page | None, *, is_final: bool = False, left_out: int = 0) -> Page:
        now = page(Ring(), is_final=is_final, decoder__vlan=8, decoder__unknown_ethertype=2)
        now.nics = {"eth1": NicCounts(20, {"rx_dropped": dropped})}
        now.left_out = {"eth1": (left_out, 0)}
        return examine(now, before)

    first = look(13, None)
    assert first.losses == [], "what the card counted may still be in the ring"
    second = look(40, first)
    assert [loss.count for loss in second.losses] == [3]
    assert [loss.count for loss in look(40, second).losses] == [27]
    assert look(40, second, left_out=30).losses == []
    assert look(10, None, is_final=True).losses == []
    assert [loss.count for loss in look(12, None, is_final=True).losses] == [2]


def test_counters_of_a_card_are_read_and_may_start_anew(tmp_path: Path) -> None:
    folder = tmp_path / "eth1" / "statistics"
    folder.mkdir(parents=True)
    (folder / "rx_packets").write_text("10\n")
    (folder / "rx_dropped").write_text("2\n")
    (folder / "rx_errors").write_text("nonsense\n")
    counts = read_counts("eth1", tmp_path)
    assert counts == NicCounts(10, {"rx_dropped": 2})
    assert replace(counts, packets=4).since(counts) == NicCounts(4, {"rx_dropped": 0})
    assert read_counts("eth2", tmp_path) is None
