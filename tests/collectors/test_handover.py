"""Texts go from ingest to the filler without being opened twice, bounded, and nothing hangs on it."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from desk import Desk, Tap, wait_until
from stored import DATABASE, Store, eve

from collectors.enrolment import Enroller
from collectors.handover import Handover
from collectors.ingest import Receiver
from collectors.store.fill import Filler
from sensor.bus.seal import Opener


def test_it_is_bounded_and_the_oldest_leave_first() -> None:
    kept = Handover(max_bytes=100)
    for number in range(10):
        kept.put(b"record%d" % number, b"x" * 23)  # thirty bytes each
    assert [number for number in range(10) if kept.take(b"record%d" % number) is not None] == [7, 8, 9]
    assert kept.take(b"record9") is None, "it is taken once"
    kept.put(b"large", bytes(101))
    assert kept.take(b"large") is None
    for number in range(3):
        kept.put(b"record%d" % number, b"x" * 23)
        kept.put(b"record%d" % number, b"y" * 23)
    assert [kept.take(b"record%d" % number) for number in (1, 0, 2)] == [b"x" * 23] * 3


def with_handover(desk: Desk, handover: Handover) -> None:
    enroller = Enroller(desk.registry, desk.keys.public())
    desk.receiver = Receiver(
        desk.registry, desk.journal, desk.opener, enroller, desk.origins, handover=handover
    )


def test_only_what_was_verified_is_handed_over(desk: Desk) -> None:
    handover = Handover()
    with_handover(desk, handover)
    desk.enrol()
    tap = Tap(desk)
    tap.hello()
    good, bad = tap.seal(0, 0, b'{"n":1}'), bytearray(tap.seal(0, 1, b'{"n":2}'))
    bad[-1] ^= 1
    tap.send(0, 0, good)
    tap.send(0, 1, bytes(bad))
    desk.commit()
    assert handover.take(good) == b'{"n":1}\n'
    assert handover.take(bytes(bad)) is None


def test_the_store_is_filled_from_it_and_without_it_from_the_journal(desk: Desk, tmp_path: Path) -> None:
    """The filler has no keys here: what it fills without damage it has not opened."""
    pytest.importorskip("chdb")
    handover = Handover()
    with_handover(desk, handover)
    desk.enrol()
    tap = Tap(desk)
    tap.hello()
    tap.send(0, 0, tap.seal(0, 0, eve(1), eve(2)))
    desk.commit()
    lost = tap.seal(0, 1, eve(3))
    tap.send(0, 1, lost)
    desk.commit()
    assert handover.take(lost) is not None
    store = Store(tmp_path)
    try:
        running = Filler(
            desk.journal, Opener({}), DATABASE, address=None, endpoint=store.endpoint,
            keep_bytes=10**9, handover=handover,
        )  # fmt: skip
        running.start()
        wait_until(lambda: desk.journal.backlog() == (0, 0), 30)
        running.stop()
        running.join(10)
        assert (running.filled_events, running.damaged) == (2, 1)
    finally:
        store.stop()


def test_a_batch_wakes_who_waits_for_one(desk: Desk) -> None:
    desk.enrol()
    tap = Tap(desk)
    tap.hello()
    woken: list[float] = []

    def wait() -> None:
        began = time.monotonic()
        desk.journal.wait(30)
        woken.append(time.monotonic() - began)

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.2)
    assert waiting.is_alive()
    tap.send(0, 0, tap.seal(0, 0))
    desk.commit()
    waiting.join(20)
    assert woken and woken[0] < 20
    began = time.monotonic()
    desk.journal.wait(0.2)
    assert time.monotonic() - began >= 0.2, "a batch wakes once"
