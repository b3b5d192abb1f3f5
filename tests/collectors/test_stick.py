"""What people carry on a stick is at the other centre once, however often it is imported, and nothing that
its exporter may not say.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from desk import Desk, Tap
from tiers import ALL, FLOW, NATION_KEYS, SENSORS, Province, kept, send

from collectors import seen
from collectors.relay.policy import Policy
from collectors.stick.source import JournalSource
from collectors.stick.taking import Importer, Taken, find
from sensor.bus import messages
from sensor.bus.enrol import Enrolment
from sensor.bus.exporting import Exported, Span, export
from sensor.bus.keys import CentreKeys, SensorKeys
from sensor.bus.layout import Pending
from sensor.bus.messages import encode
from sensor.bus.seal import Opener, Sealer
from sensor.bus.segments import SegmentError
from sensor.bus.spool import Spool
from sensor.bus.spooled import SpooledSource

EVERYTHING = Span(0, 0)


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    (tmp_path / "stick").mkdir()
    return tmp_path / "stick"


def out(
    province: Province, stick: Path, *, policy: str = ALL, span: Span = EVERYTHING, size: int = 1 << 25
) -> Exported:
    made = Policy.parse(policy.encode(), where=Path("p"))
    source = JournalSource(
        "hanoi",
        province.relay_keys,
        province.desk.opener,
        NATION_KEYS.public(),
        made,
        province.backlog,
        province.desk.registry.public_keys,
    )
    return export(source, stick, lambda: span, f"{span}", segment_bytes=size)


def take(nation: Desk, stick: Path) -> list[Taken]:
    importer = Importer(
        nation.registry,
        nation.origins,
        nation.journal,
        nation.opener,
        frozenset({nation.keys.public().recipient}),
    )
    return [importer.take(path) for path in find(stick).paths]


def test_what_is_imported_twice_is_kept_once(nation: Desk, hanoi: Province, stick: Path) -> None:
    for name in SENSORS:
        tap = hanoi.tap(name)
        send(tap, 0, range(4))
        send(tap, 3, range(4), FLOW)
    assert out(hanoi, stick, size=20_000).segments > 2
    first = take(nation, stick)
    assert sum(taken.batches for taken in first) == 24 and not any(taken.refused for taken in first)
    everything = sorted(kept(nation))
    assert everything == sorted(kept(hanoi.desk))
    for taken in take(nation, stick):
        assert taken.again and not taken.batches
    for path in stick.iterdir():  # the same batches in other segments
        path.unlink()
    out(hanoi, stick, size=1 << 25, span=Span(1, 0))
    (again,) = take(nation, stick)
    assert (again.batches, again.duplicates, again.again) == (0, 24, False)
    assert sorted(kept(nation)) == everything


def test_link_and_stick_in_any_order_end_in_equal_sets(nation: Desk, hanoi: Province, stick: Path) -> None:
    chance = random.Random(11)
    tap, sent = hanoi.tap(), 0
    for _ in range(8):
        count = chance.randrange(5)
        send(tap, 0, range(sent, sent + count))
        sent += count
        for way in chance.sample(("link", "stick", "import"), 2):
            if way == "link":
                hanoi.pump(chance.randrange(3, 30))
            elif way == "stick":
                out(hanoi, stick)
            else:
                take(nation, stick)
    hanoi.session.restart(hanoi.now)
    hanoi.pump()
    out(hanoi, stick)
    take(nation, stick)
    assert sorted(kept(nation)) == sorted(kept(hanoi.desk)) and len(list(kept(nation))) == sent


def test_the_policy_holds_on_a_stick(nation: Desk, hanoi: Province, stick: Path) -> None:
    tap = hanoi.tap()
    send(tap, 0, range(2))
    send(tap, 3, range(2), FLOW)
    tap.say(encode(messages.Lost(tap.session, 3, 2, 5, 400, "shed")))
    tap.desk.commit()
    out(hanoi, stick, policy="{events: {alert: {deny: [payload]}}}")
    take(nation, stick)
    assert len(list(kept(nation))) == 2 and all(b"payload" not in ndjson for *_, ndjson in kept(nation))
    assert nation.journal.gaps() == [("tap1", 3, "policy", 2, 4), ("tap1", 3, "shed", 1, 400)]
    (row,) = seen.origins(nation.journal.path)
    assert (row.reduced, row.withheld, row.lost) == (2, 4, 400)
    assert b"payload" not in b"".join(path.read_bytes() for path in stick.iterdir())


def test_only_what_came_within_the_bounds_is_written(hanoi: Province, stick: Path) -> None:
    send(hanoi.tap(), 0, range(3))
    import sqlite3

    with sqlite3.connect(hanoi.directory / "journal.sqlite") as other:
        other.execute("UPDATE record SET added_us = id * 1000")
    other.close()
    assert out(hanoi, stick, span=Span(2000, 3000)).batches == 1
    assert out(hanoi, stick, span=Span(2000, 0)).batches == 2


def test_a_stick_for_another_centre_or_of_a_stranger_is_not_taken(
    tmp_path: Path, nation: Desk, hanoi: Province, stick: Path
) -> None:
    send(hanoi.tap(), 0, range(1))
    out(hanoi, stick)
    (tmp_path / "other").mkdir()
    other = Desk(tmp_path / "other", CentreKeys.generate())
    with pytest.raises(SegmentError, match="another centre"):
        take(other, stick)
    other.close()
    nation.registry.revoke("hanoi")
    with pytest.raises(SegmentError, match="not known"):
        take(nation, stick)
    assert list(kept(nation)) == []


def test_an_exporter_brings_only_what_its_relay_may(tmp_path: Path, nation: Desk, stick: Path) -> None:
    hanoi = Province(tmp_path / "narrow", nation, sensors="tap1")
    send(hanoi.tap("tap1"), 0, range(1))
    send(hanoi.tap("tap2"), 0, range(1))
    out(hanoi, stick)
    (taken,) = take(nation, stick)
    assert taken.refused == {"origin": 1} and [entry[0] for entry in kept(nation)] == ["tap1"]
    assert nation.journal.quarantined() == [("hanoi", "origin", 1)]
    nation.registry.trust("hanoi", hanoi.relay_keys.public(), ["tap*"])
    (taken,) = take(nation, stick)
    assert (taken.batches, taken.duplicates, taken.refused.total()) == (1, 1, 0)
    hanoi.close()


class Spooled:
    """An enrolled sensor with a spool, and no network."""

    def __init__(self, directory: Path, nation: Desk, *others: CentreKeys) -> None:
        directory.mkdir()
        self.directory, self.keys = directory, SensorKeys.generate()
        nation.enrol("tap7", self.keys)
        self.spool = Spool(directory / "spool.sqlite", "tap7")
        self.sealer = Sealer(self.keys, nation.keys.public(), *(other.public() for other in others))
        self.enrolment = Enrolment("tap7", "tcp://127.0.0.1:1", nation.keys.public(), 1)

    def fill(self, count: int, lane: int = 0) -> None:
        for _ in range(count):
            self.spool.append([Pending(lane, 1, b'{"event_type":"alert"}\n')], self.sealer)

    def out(self, stick: Path, to: CentreKeys = NATION_KEYS) -> int:
        source = SpooledSource(self.directory, self.keys, self.enrolment, to.public())
        done = export(source, stick, lambda: Span(0, 0), "")
        source.close()
        return done.batches


def test_a_sensors_stick_and_its_link_end_in_one_set(tmp_path: Path, nation: Desk, stick: Path) -> None:
    other = CentreKeys.generate()
    sensor = Spooled(tmp_path / "tap7", nation, other)
    sensor.fill(5)
    sensor.fill(2, lane=3)
    sensor.spool.drop(3, 0, "shed")
    assert sensor.out(stick) == 6
    (taken,) = take(nation, stick)
    assert (taken.batches, taken.refused.total()) == (6, 0)
    assert nation.journal.gaps() == [("tap7", 3, "shed", 1, 1)]
    tap = Tap(nation, "tap7", sensor.keys)
    tap.epoch = sensor.spool.epoch
    assert tap.hello() == [0, 0, 0, 0], "the link goes its own way"
    for seq in range(5):
        item = sensor.spool.next_item(0, seq)
        assert tap.send(0, seq, item.sealed) == []
    nation.commit()
    assert len(list(kept(nation))) == 6 and nation.journal.streams("tap7", sensor.spool.epoch)[0].next == 5
    opener = Opener({other.public().recipient: other.opening_key()})
    assert opener.read(sensor.spool.next_item(0, 0).sealed)[0].sensor == "tap7"
    sensor.spool.close()


def test_what_is_on_a_stick_is_not_shed(tmp_path: Path, nation: Desk, stick: Path) -> None:
    sensor = Spooled(tmp_path / "tap7", nation)
    sensor.fill(3, lane=3)
    sensor.out(stick)
    sensor.spool.quota_bytes = sensor.spool.used_bytes()
    assert sensor.spool.append([Pending(0, 1, b"{}\n")], sensor.sealer) == {0: 1}
    assert sensor.spool.books()[3].lost == {}
    sensor.spool.close()


def test_a_sensor_cannot_bring_anothers_batches(tmp_path: Path, nation: Desk, stick: Path) -> None:
    sensor = Spooled(tmp_path / "tap7", nation)
    sensor.fill(1)
    nation.enrol("tap8", SensorKeys.generate())
    thief = SpooledSource(sensor.directory, sensor.keys, sensor.enrolment, NATION_KEYS.public())
    keys = SensorKeys.generate()
    nation.enrol("tap9", keys)
    thief.keys = keys
    export(thief, stick, lambda: Span(0, 0), "")
    (taken,) = take(nation, stick)
    assert taken.refused == {"header": 1} and list(kept(nation)) == []
    thief.close()
    sensor.spool.close()


def test_missing_and_strange_files_are_named(hanoi: Province, stick: Path) -> None:
    send(hanoi.tap(), 0, range(9))
    out(hanoi, stick, size=10_000)
    paths = find(stick).paths
    paths[1].unlink()
    (stick / "photo.jpg").write_bytes(b"x")
    (stick / "x.hdx").write_bytes(b"x")
    found = find(stick)
    assert found.missing == [paths[1].name.removesuffix(".hdx")] and len(found.paths) == len(paths) - 1
    assert found.unreadable == [(stick / "x.hdx", "does not begin with HDX1")]
