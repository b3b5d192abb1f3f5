"""A province hands on what its sensors signed, once, whatever happens on the way; the nation believes it
nothing more.
"""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest
from desk import Desk
from tiers import ALL, FLOW, SENSORS, Province, books_close, kept, send

from collectors import seen
from collectors.journal import Journal
from collectors.relay import ledger
from sensor.bus import messages
from sensor.bus.enrol import Token
from sensor.bus.keys import SensorKeys
from sensor.bus.messages import encode
from sensor.bus.seal import ReducedHeader, Sealer, read_envelope
from sensor.bus.session import Conflict


def test_what_the_sensors_signed_arrives_whole_and_once(nation: Desk, hanoi: Province) -> None:
    taps = [hanoi.tap(name) for name in SENSORS]
    for tap in taps:
        send(tap, 3, range(5), FLOW)
        send(tap, 0, range(5))
    hanoi.pump()
    assert sorted(kept(nation)) == sorted(kept(hanoi.desk)) and len(list(kept(nation))) == 30
    for record in nation.journal.read(0, 100):
        envelope = read_envelope(record.sealed)
        nation.opener.open(
            envelope, {SENSORS[record.sensor].public().signer: SENSORS[record.sensor].public().verifiers()}
        )
    assert [record.lane for record in nation.journal.read(0, 100)] == [0] * 15 + [3] * 15, "alerts go first"
    assert [(row.sensor, row.via, row.batches, row.events) for row in seen.origins(nation.journal.path)] == [
        (name, "hanoi", 10, 20) for name in sorted(SENSORS)
    ]
    assert sum(book.delivered for book in hanoi.outbox.books()) == 60
    books_close(hanoi)


@pytest.mark.parametrize("seed", range(12))
def test_cut_anywhere_and_begun_again_the_sets_are_equal(
    tmp_path: Path, nation: Desk, hanoi: Province, seed: int
) -> None:
    chance = random.Random(seed)
    tap = hanoi.tap()
    sent = 0
    for _ in range(15):
        count = chance.randrange(4)
        send(tap, 0, range(sent, sent + count))
        sent += count
        match chance.randrange(5):
            case 0:
                hanoi.pump(chance.randrange(1, 12))
            case 1:  # the relay is killed
                hanoi.outbox.close()
                hanoi.open(ALL)
            case 2:  # the nation is killed: what it had not committed is gone
                nation.begin()
            case 3:  # the relay's file is lost, or was put back from a copy
                hanoi.outbox.close()
                if chance.random() < 0.5:
                    for path in hanoi.directory.glob("outbox*"):
                        path.unlink()
                hanoi.open(ALL)
            case 4:
                hanoi.now += chance.choice((1.0, 20.0, 1e9, -0.5))
                hanoi.session.restart(hanoi.now)
    for _ in range(3):
        hanoi.session.restart(hanoi.now)
        hanoi.pump()
    assert sorted(kept(nation)) == sorted(kept(hanoi.desk)) and len(list(kept(nation))) == sent
    seqs = [record.seq for record in nation.journal.read(0, 10_000)]
    assert seqs == sorted(seqs), "in order"


def test_a_relay_whose_file_was_put_back_from_a_copy_begins_a_new_epoch(
    nation: Desk, hanoi: Province
) -> None:
    tap = hanoi.tap()
    send(tap, 0, range(3))
    hanoi.outbox.gather()
    with sqlite3.connect(hanoi.directory / "outbox.sqlite") as file:
        copy = sqlite3.connect(hanoi.directory / "copy.sqlite")
        file.backup(copy)
        copy.close()
    file.close()
    send(tap, 0, range(3, 6))
    hanoi.pump()
    hanoi.outbox.close()
    for path in hanoi.directory.glob("outbox*"):
        path.unlink()
    (hanoi.directory / "copy.sqlite").rename(hanoi.directory / "outbox.sqlite")
    hanoi.open(ALL)
    with pytest.raises(Conflict):
        hanoi.session.restart(hanoi.now)
        hanoi.session.sent(hanoi.session.next_message(hanoi.now), hanoi.now)
        hanoi.session.receive(encode(messages.Welcome(1, 9, [messages.Cursor(0, 6)], 8)), hanoi.now)
    hanoi.outbox.renumber()
    hanoi.session.restart(hanoi.now)
    hanoi.pump()
    assert sorted(kept(nation)) == sorted(kept(hanoi.desk)) and len(list(kept(nation))) == 6
    books_close(hanoi)


def test_two_provinces_may_bring_the_same_sensor(tmp_path: Path, nation: Desk, hanoi: Province) -> None:
    hue = Province(tmp_path / "hue", nation, "hue")
    tap = hanoi.tap()
    send(tap, 0, range(6))
    other = hue.tap()
    other.epoch, other.previous = tap.epoch, [bytes(32)] * 4
    other.hello()
    other.say(encode(messages.Lost(other.session, 0, 0, 3, 0, "elsewhere")))
    send(other, 0, range(4, 9))
    hue.pump()
    assert [record.seq for record in nation.journal.read(0, 100)] == [4, 5, 6, 7, 8]
    hanoi.pump()
    hue.pump()
    assert sorted(record.seq for record in nation.journal.read(0, 100)) == list(range(9))
    assert nation.journal.gaps() == [], "what is elsewhere is no gap to the nation"
    assert {row.via: (row.batches, row.duplicates) for row in seen.origins(nation.journal.path)} == {
        "hue": (5, 0),
        "hanoi": (4, 2),
    }
    hue.close()


def test_what_a_policy_reduces_is_signed_by_the_province_and_names_its_original(
    tmp_path: Path, nation: Desk
) -> None:
    hanoi = Province(tmp_path / "hanoi", nation, policy="{events: {alert: allow}, fields: {deny: [payload]}}")
    tap = hanoi.tap()
    send(tap, 0, range(2))
    send(tap, 3, range(2), FLOW)
    record = tap.seal(0, 2, b'{"event_type":"alert","n":2}')
    tap.send(0, 2, record)
    tap.desk.commit()
    hanoi.pump()
    found = list(nation.journal.read(0, 10))
    assert [(entry.lane, entry.seq) for entry in found] == [(0, 0), (0, 1), (0, 2)]
    signers = []
    for entry, original in zip(found, hanoi.desk.journal.read(0, 10), strict=False):
        header = read_envelope(entry.sealed).header
        signers.append(header.signer)
        if isinstance(header, ReducedHeader):
            assert header.reduction is not None and header.reduction.events == 2
            digest = hanoi.desk.opener.read_verified(original.sealed).digest
            assert header.reduction.original == digest
            _, ndjson = nation.opener.read(entry.sealed)
            assert b"payload" not in ndjson and ndjson.count(b'"event_type":"alert"') == 2
    relay, sensor = hanoi.relay_keys.public().signer, SENSORS["tap1"].public().signer
    assert signers == [relay, relay, sensor]
    (row,) = seen.origins(nation.journal.path)
    assert (row.batches, row.events, row.reduced, row.withheld) == (3, 5, 2, 4)
    assert nation.journal.gaps() == [("tap1", 3, "policy", 2, 4)]
    told = hanoi.outbox.books()
    assert told[3].lost == {"policy": 4} and told[0].delivered == 5 and told[0].lost == {}
    books_close(hanoi)
    hanoi.close()


def test_a_stricter_policy_holds_for_what_already_waits(
    tmp_path: Path, nation: Desk, hanoi: Province
) -> None:
    tap = hanoi.tap()
    send(tap, 0, range(3))
    hanoi.outbox.gather()
    hanoi.outbox.close()
    hanoi.open("{events: {alert: {deny: [payload]}}}")
    hanoi.pump()
    assert all(b"payload" not in ndjson for *_, ndjson in kept(nation)) and len(list(kept(nation))) == 3


def test_what_a_sensor_lost_is_known_to_the_nation(nation: Desk, hanoi: Province) -> None:
    tap = hanoi.tap()
    send(tap, 3, range(1), FLOW)
    tap.say(encode(messages.Lost(tap.session, 3, 1, 4, 4000, "shed")))
    tap.desk.commit()
    hanoi.pump()
    assert nation.journal.gaps() == [("tap1", 3, "shed", 1, 4000)]
    assert seen.origins(nation.journal.path)[0].lost == 4000


def test_beyond_the_quota_the_oldest_is_given_up_and_counted(nation: Desk, hanoi: Province) -> None:
    tap = hanoi.tap()
    send(tap, 0, range(10))
    hanoi.outbox.gather()
    _, size = hanoi.backlog.size()
    hanoi.outbox.hold(size * 11 // 20)
    hanoi.desk.journal.set_filled(10)
    assert hanoi.desk.journal.prune(0) == 5
    hanoi.pump()
    assert len(list(kept(nation))) == 5
    assert hanoi.outbox.books()[0].lost == {"quota": 10} and hanoi.outbox.books()[0].delivered == 10
    assert nation.journal.gaps() == [("hanoi", 0, "quota", 5, 10)]
    books_close(hanoi)
    hanoi.outbox.hold(size * 11 // 20)
    assert hanoi.desk.journal.prune(0) == 5, "what the nation has is nothing to the relay any more"


def test_a_damaged_record_is_counted_and_the_others_go_on(nation: Desk, hanoi: Province) -> None:
    send(hanoi.tap(), 0, range(3))
    with sqlite3.connect(hanoi.directory / "journal.sqlite") as other:
        other.execute("UPDATE record SET sealed = zeroblob(size) WHERE id = 2")
    other.close()
    hanoi.pump()
    assert [record.seq for record in nation.journal.read(0, 10)] == [0, 2]
    assert hanoi.outbox.books()[0].lost == {"damaged": 2}


def test_a_batch_that_would_grow_beyond_its_bound_is_counted_and_the_others_go_on(
    tmp_path: Path, nation: Desk
) -> None:
    hanoi = Province(tmp_path / "hanoi", nation, policy="{default: allow, fields: {deny: [payload]}}")
    tap = hanoi.tap()
    line = b'{"event_type":"flow","payload":1,"x":[%b1]}' % (b"1e15," * 600_000)
    tap.send(3, 0, tap.seal(3, 0, line))
    tap.send(3, 1, tap.seal(3, 1, FLOW % 1))
    tap.desk.commit()
    hanoi.pump()
    assert [record.seq for record in nation.journal.read(0, 10)] == [1]
    assert hanoi.outbox.books()[3].lost == {"unreadable: content": 1}
    hanoi.close()


def test_a_broken_chain_is_noted_whichever_way_it_came(tmp_path: Path, nation: Desk) -> None:
    policy = "{default: allow, fields: {deny: [payload]}}"
    hanoi = Province(tmp_path / "hanoi", nation, policy=policy)
    tap = hanoi.tap()
    send(tap, 0, range(2))
    send(tap, 3, range(2), FLOW)
    hanoi.pump()
    assert nation.journal.gaps() == [], "a reduced batch stands for its original in the chain"
    tap.previous[0] = bytes(range(32))
    send(tap, 0, range(2, 3))
    hanoi.pump()
    assert nation.journal.gaps() == [("tap1", 0, "chain", 1, 0)]
    hanoi.close()


def test_what_a_sensor_sent_before_it_was_revoked_still_goes_up(nation: Desk, hanoi: Province) -> None:
    send(hanoi.tap(), 0, range(2))
    hanoi.desk.registry.revoke("tap1")
    hanoi.pump()
    assert len(list(kept(nation))) == 2


def test_after_the_nation_lost_its_journal_all_is_offered_again(
    tmp_path: Path, nation: Desk, hanoi: Province
) -> None:
    send(hanoi.tap(), 0, range(4))
    hanoi.pump()
    book, state = ledger.read_books(hanoi.directory / "outbox.sqlite")[0]
    assert (book.delivered, state.items) == (8, 0)
    nation.journal.close()
    for path in (tmp_path / "nation").glob("journal*"):
        path.unlink()
    nation.journal = Journal(tmp_path / "nation" / "journal.sqlite")
    nation.begin()
    hanoi.outbox.close()
    ledger.rescan(hanoi.directory / "outbox.sqlite")
    hanoi.open(ALL)
    hanoi.pump()
    assert sorted(kept(nation)) == sorted(kept(hanoi.desk)) and len(list(kept(nation))) == 4


def test_a_new_key_of_a_sensor_follows_its_batches(nation: Desk, hanoi: Province) -> None:
    tap = hanoi.tap()
    send(tap, 0, range(1))
    hanoi.pump()
    renewed = SensorKeys.generate()
    token = Token.issue("tcp://127.0.0.1:1", hanoi.desk.keys.public(), 600)
    hanoi.desk.registry.add_token(token, "tap1")
    row = hanoi.desk.registry.token(token.client_public)
    assert row is not None and hanoi.desk.registry.enrol(row, "tap1", renewed.public()) == ""
    tap.keys, tap.sealer = renewed, Sealer(renewed, hanoi.desk.keys.public())
    tap.hello()
    send(tap, 0, range(1, 2))
    hanoi.pump()
    if hanoi.outbox.states()[0].later:  # introduced with the old key alone in this session
        hanoi.outbox.retry()
        hanoi.pump()
    assert len(list(kept(nation))) == 2
