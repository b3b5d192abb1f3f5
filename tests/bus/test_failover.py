"""A sensor with several collectors: who it turns to and when, and what each of them is told. The collectors
here are sockets with a centre's ingest behind them.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from collectors.enrolment import Enroller
from collectors.ingest import Receiver
from collectors.journal import Journal
from collectors.listen import Listener
from collectors.registry import Registry
from collectors.relay.origins import Origins
from sensor.bus.enrol import Token, enrol, load_alternates, load_enrolment
from sensor.bus.keys import CentreKeys, SensorKeys
from sensor.bus.layout import Hole, Pending
from sensor.bus.link import RETURN_SECONDS, Endpoint, Link
from sensor.bus.seal import Opener, Sealer
from sensor.bus.spool import Spool


class House:
    """One collector that can be shut and opened again at the same address."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.keys = CentreKeys.generate()
        self.registry = Registry(directory / "registry.sqlite")
        self.origins = Origins(directory / "registry.sqlite")
        self.journal = Journal(directory / "journal.sqlite")
        self.address = "tcp://127.0.0.1:0"
        self.open()

    def open(self) -> None:
        opener = Opener({self.keys.public().recipient: self.keys.opening_key()})
        enroller = Enroller(self.registry, self.keys.public())
        self.receiver = Receiver(self.registry, self.journal, opener, enroller, self.origins)
        self.listener = Listener(self.address, self.keys, self.registry, self.receiver)
        self.address = self.listener.bound
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.listener.run, args=(self.ended,))
        self.thread.start()

    def shut(self) -> None:
        self.ended.set()
        self.thread.join(10)
        self.listener.close()

    def token(self) -> Token:
        token = Token.issue(self.address, self.keys.public(), 600)
        self.registry.add_token(token, "")
        return token

    def kept(self) -> list[int]:
        return [record.seq for record in self.journal.read(0, self.journal.last_id())]

    def close(self) -> None:
        if not self.ended.is_set():
            self.shut()
        self.origins.close()
        self.registry.close()
        self.journal.close()


class Ship(NamedTuple):
    """A sensor's link under way, with what it ships."""

    spool: Spool
    sealer: Sealer
    link: Link

    def append(self, count: int) -> None:
        for _ in range(count):
            self.spool.append([Pending(0, 1, b"{}\n")], self.sealer)

    def until_empty(self) -> None:
        until(lambda: self.spool.pending_batches() == 0)


@contextlib.contextmanager
def shipping(
    first: House,
    second: House,
    directory: Path,
    *,
    failover_seconds: float,
    return_seconds: float = RETURN_SECONDS,
    spooled_before_both: int = 0,
) -> Iterator[Ship]:
    """A sensor enrolled at both, with so many batches that are sealed to the first alone."""
    enrol(directory, first.token(), "tap1")
    keys, enrolment = load_enrolment(directory)
    spool = Spool(directory / "spool.sqlite", "tap1", has_alternates=True)
    for _ in range(spooled_before_both):
        spool.append([Pending(0, 1, b"{}\n")], Sealer(keys, enrolment.centre))
    enrol(directory, second.token(), "tap1", alternate=True)
    (other,) = load_alternates(directory)
    assert (enrolment.address, other.address) == (first.address, second.address)
    link = Link(
        spool,
        keys,
        enrolment.centre,
        enrolment.address,
        software="test",
        alternates=[Endpoint(other.address, other.centre.curve)],
        failover_seconds=failover_seconds,
        return_seconds=return_seconds,
    )
    try:
        yield Ship(spool, Sealer(keys, enrolment.centre, other.centre), link)
    finally:
        link.stop()
        if link.is_alive():
            link.join(10)
        spool.close()


@pytest.fixture
def houses(tmp_path: Path) -> Iterator[tuple[House, House]]:
    made = (House(tmp_path / "first"), House(tmp_path / "second"))
    yield made
    for house in made:
        house.close()


def until(condition: object, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_it_turns_to_the_next_and_back_to_the_first_and_each_batch_is_kept_once(
    houses: tuple[House, House], tmp_path: Path
) -> None:
    first, second = houses
    with shipping(*houses, tmp_path / "sensor", failover_seconds=1.0, return_seconds=0.5) as ship:
        link = ship.link
        link.start()
        ship.append(3)
        ship.until_empty()
        assert (first.kept(), second.kept(), link.at) == ([0, 1, 2], [], 0)
        first.shut()
        ship.append(3)
        ship.until_empty()
        assert (second.kept(), link.at, link.failovers) == ([3, 4, 5], 1, 1)
        assert second.journal.gaps() == [("tap1", 0, "elsewhere", 1, 0)]
        first.open()
        until(lambda: link.at == 0 and link.session.established)
        ship.append(1)
        ship.until_empty()
        assert (first.kept(), second.kept()) == ([0, 1, 2, 6], [3, 4, 5])
        assert ship.spool.books()[0].delivered == 7 and link.failure is None


def test_one_whose_journal_takes_nothing_is_left(
    houses: tuple[House, House], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers, welcomes and never acknowledges: a full disk."""
    first, second = houses

    def full(_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(first.journal, "commit", full)
    with shipping(*houses, tmp_path / "sensor", failover_seconds=1.5) as ship:
        ship.append(1)
        ship.link.start()
        ship.until_empty()
        assert (first.kept(), second.kept(), ship.link.at) == ([], [0], 1)
        assert first.receiver.counts["journal_errors"] > 0


def test_one_that_does_not_hold_our_key_is_passed_over(houses: tuple[House, House], tmp_path: Path) -> None:
    """A batch that was sealed before the alternate was known waits for the first, and nothing is given up."""
    first, second = houses
    where = tmp_path / "sensor"
    with shipping(*houses, where, failover_seconds=0.5, return_seconds=0.3, spooled_before_both=1) as ship:
        first.shut()
        ship.link.start()
        until(lambda: second.receiver.counts["refused"] > 0)
        first.open()
        ship.until_empty()
        assert (first.kept(), second.kept()) == ([0], []) and ship.spool.books()[0].lost == {}


def test_numbers_that_one_collector_has_are_elsewhere_to_another(tmp_path: Path, sealer: Sealer) -> None:
    spool = Spool(tmp_path / "spool.sqlite", "tap1", has_alternates=True)
    for _ in range(4):
        spool.append([Pending(0, 1, b"{}\n")], sealer)
    spool.drop(0, 1, "shed")
    spool.acknowledge(0, 3)
    assert spool.next_item(0, 0) == Hole(0, 0, 2, 0, "elsewhere")
    assert spool.next_item(0, 2) == Hole(0, 2, 2, 0, "elsewhere")
    spool.acknowledge(0, 1)  # another collector stands further back
    assert spool.next_item(0, 1) == Hole(0, 1, 2, 0, "elsewhere")
    path = spool.path
    spool.close()
    again = Spool(path, "tap1", has_alternates=True)
    assert again.next_item(0, 0) == Hole(0, 0, 2, 0, "elsewhere")
    again.close()
    only = Spool(path, "tap1")
    hole = only.next_item(0, 0)
    assert isinstance(hole, Hole) and hole.reason == "missing", "there is no other that could have them"
    only.close()


def test_the_same_centre_enrolled_again_is_one_alternate(houses: tuple[House, House], tmp_path: Path) -> None:
    first, second = houses
    directory = tmp_path / "sensor"
    enrol(directory, first.token(), "tap1")
    for _ in range(2):
        enrol(directory, second.token(), "tap1", alternate=True)
    assert len(load_alternates(directory)) == 1
    assert load_enrolment(directory)[1].address == first.address
    keys, _ = load_enrolment(directory)
    assert isinstance(keys, SensorKeys)
