"""A province hands on what its sensors signed, once, whatever happens on the way; the nation believes it
nothing more.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from desk import Desk, Tap
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiers import ALL, NATION_KEYS, SENSORS, Province, kept

from collectors import seen
from collectors.journal import Journal
from collectors.relay import ledger
from sensor.bus import messages
from sensor.bus.enrol import Token
from sensor.bus.keys import SensorKeys
from sensor.bus.messages import encode
from sensor.bus.seal import Header, ReducedHeader, Reduction, Sealer, read_envelope
from sensor.bus.session import Conflict

ALERT = b'{"event_type":"alert","payload":"c2VjcmV0","n":%d}'
FLOW = b'{"event_type":"flow","n":%d}'


@pytest.fixture
def nation(tmp_path: Path) -> Iterator[Desk]:
    (tmp_path / "nation").mkdir()
    made = Desk(tmp_path / "nation", NATION_KEYS)
    yield made
    made.close()


@pytest.fixture
def hanoi(tmp_path: Path, nation: Desk) -> Iterator[Province]:
    made = Province(tmp_path / "hanoi", nation)
    yield made
    made.close()


def send(tap: Tap, lane: int, seqs: range, line: bytes = ALERT) -> None:
    for seq in seqs:
        assert tap.send(lane, seq, tap.seal(lane, seq, line % seq, line % (seq + 1000))) == []
    tap.desk.commit()


def books_close(province: Province) -> None:
    for book in province.outbox.books():
        assert book.made == book.delivered + book.pending + sum(book.lost.values())


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


def test_a_name_that_another_province_has_is_put_off_and_the_others_go_on(
    tmp_path: Path, nation: Desk, hanoi: Province
) -> None:
    send(hanoi.tap(), 0, range(2))
    hanoi.pump()
    hue = Province(tmp_path / "hue", nation, "hue")
    send(hue.tap("tap1", SensorKeys.generate()), 0, range(3))
    send(hue.tap("tap2"), 0, range(2))
    hue.pump()
    assert {(sensor, seq) for sensor, _, _, seq, _ in kept(nation)} == {
        ("tap1", 0), ("tap1", 1), ("tap2", 0), ("tap2", 1)
    }  # fmt: skip
    assert nation.receiver.counts["origins_refused"] > 0
    (state, *_) = hue.outbox.states()
    assert state.later == 6 and hue.outbox.books()[0].pending == 6
    send(hue.tap("tap3"), 0, range(1))
    hue.pump()
    assert len(list(kept(nation))) == 5
    # Its operator says that hue may speak for tap1: then nothing is lost.
    nation.registry.trust("hue", hue.relay_keys.public(), ["tap*"])
    assert hue.outbox.retry() == 3
    hue.pump()
    assert len(list(kept(nation))) == 8 and hue.outbox.books()[0].pending == 0
    books_close(hue)
    hue.close()


def test_a_relay_brings_only_the_sensors_it_was_enrolled_for(tmp_path: Path, nation: Desk) -> None:
    hanoi = Province(tmp_path / "hanoi", nation, sensors="tap1 tap2*")
    for name in SENSORS:
        send(hanoi.tap(name), 0, range(1))
    hanoi.pump()
    assert {sensor for sensor, *_ in kept(nation)} == {"tap1", "tap2"}
    assert hanoi.outbox.states()[0].later == 2
    hanoi.close()


def test_a_sensor_cannot_play_the_relay(nation: Desk) -> None:
    nation.enrol("tap1", SENSORS["tap1"])
    tap = Tap(nation, "tap1", SENSORS["tap1"])
    tap.hello()
    origin = messages.Origin(tap.session, "tap2", [SENSORS["tap2"].public()])
    assert tap.say(encode(origin)) == []
    other = Tap(nation, "tap2", SENSORS["tap2"])
    (answer,) = tap.send(0, 0, other.seal(0, 0))
    assert isinstance(answer, messages.Refused) and answer.reason == "header"
    tap.hello()
    place = messages.Place("tap2", 1, 0, 0, 4)
    tap.say(encode(messages.Lost(tap.session, 0, 0, 0, 9, "shed", place)))
    nation.commit()
    assert nation.journal.gaps() == [("tap1", 0, "shed", 1, 9)] and list(kept(nation)) == []


class Liar:
    """An enrolled relay that says what it likes."""

    def __init__(self, nation: Desk, sensors: str = "") -> None:
        self.keys = SensorKeys.generate()
        nation.enrol("liar", self.keys, sensors.split())
        self.tap = Tap(nation, "liar", self.keys)
        self.tap.hello()

    def introduce(self, sensor: str, keys: SensorKeys) -> None:
        self.tap.say(encode(messages.Origin(self.tap.session, sensor, [keys.public()])))

    def bring(self, record: bytes) -> str:
        (answer,) = self.tap.send(0, self.tap.hello()[0], record) or [None]
        self.tap.desk.commit()
        return answer.reason if isinstance(answer, messages.Refused) else ""


def test_a_relay_cannot_put_words_into_the_mouth_of_anothers_sensor(nation: Desk, hanoi: Province) -> None:
    tap = hanoi.tap()
    send(tap, 0, range(1))
    hanoi.pump()
    liar = Liar(nation)
    forged = Tap(nation, "tap1", SensorKeys.generate())
    liar.introduce("tap1", forged.keys)
    assert liar.bring(forged.seal(0, 1)) == "signer"
    reduced = ReducedHeader("tap1", tap.epoch, 0, 1, 1, 0, 0, bytes(32), liar.tap.sealer.signer)
    reduced = msgspec.structs.replace(reduced, reduction=Reduction(bytes(32), 1, bytes(8)))
    assert liar.bring(liar.tap.sealer.seal(reduced, b"{}\n").record) == "origin"
    own = Header("tap1", tap.epoch, 0, 1, 1, 0, 0, bytes(32), liar.tap.sealer.signer)
    assert liar.bring(liar.tap.sealer.seal(own, b"{}\n").record) == "signer"
    unknown = Tap(nation, "tap9", SensorKeys.generate())
    assert liar.bring(unknown.seal(0, 0)) == "origin"
    assert len(list(kept(nation))) == 1
    # What the sensor did sign it may bring as well: it is its sensor's word.
    sealer = Sealer(SENSORS["tap1"], NATION_KEYS.public())
    header = Header("tap1", tap.epoch, 0, 1, 1, 0, 0, tap.previous[0], sealer.signer)
    assert liar.bring(sealer.seal(header, b"{}\n").record) == ""
    assert len(list(kept(nation))) == 2


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


def test_what_a_relay_leaves_out_is_seen(nation: Desk, hanoi: Province) -> None:
    tap = hanoi.tap()
    send(tap, 0, range(6))
    hanoi.outbox.gather()
    records = [hanoi.outbox.next_item(0, seq).sealed for seq in range(6)]
    liar = Liar(nation)
    liar.introduce("tap1", SENSORS["tap1"])
    for seq in (1, 3, 4):
        assert liar.bring(records[seq]) == ""
    assert seen.missing(nation.journal.path) == [("tap1", 0, 2)]
    hanoi.pump()
    assert seen.missing(nation.journal.path) == []


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


def test_a_flipped_bit_on_the_way_is_refused_and_comes_again(nation: Desk, hanoi: Province) -> None:
    send(hanoi.tap(), 0, range(1))
    hanoi.outbox.gather()
    chance = random.Random(4)
    liar = Liar(nation)
    liar.introduce("tap1", SENSORS["tap1"])
    record = hanoi.outbox.next_item(0, 0)
    for _ in range(60):
        damaged = bytearray(record.sealed)
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        assert liar.bring(bytes(damaged)) != ""
    assert list(kept(nation)) == []
    assert liar.bring(record.sealed) == "" and len(list(kept(nation))) == 1


def test_what_a_sensor_sent_before_it_was_revoked_still_goes_up(nation: Desk, hanoi: Province) -> None:
    send(hanoi.tap(), 0, range(2))
    hanoi.desk.registry.revoke("tap1")
    hanoi.pump()
    assert len(list(kept(nation))) == 2


_SAID = st.one_of(
    st.binary(max_size=200),
    st.just(encode(messages.Batch(1, 0, 0))),
    st.just(encode(messages.Lost(1, 0, 0, 5, 1, "x", messages.Place("tap1", 1, 0, 4, 2)))),
    st.just(encode(messages.Origin(1, "tap1", [SENSORS["tap1"].public()]))),
)


@given(st.lists(_SAID, min_size=1, max_size=2), st.binary(max_size=1500))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_frames_and_records_of_a_relay_leave_the_nation_standing(
    nation_and_liar: tuple[Desk, Liar], frames: list[bytes], record: bytes
) -> None:
    nation, liar = nation_and_liar
    liar.tap.say(*frames)
    nation.commit()
    liar.tap.hello()
    assert liar.bring(record) in ("malformed", "suite")
    assert list(kept(nation)) == []


@pytest.fixture
def nation_and_liar(nation: Desk) -> tuple[Desk, Liar]:
    return nation, Liar(nation)


def test_nobody_enrols_under_the_name_of_a_relays_sensor(nation: Desk, hanoi: Province) -> None:
    send(hanoi.tap(), 0, range(1))
    hanoi.pump()
    for keys, refusal in ((SensorKeys.generate(), "there is a sensor tap1 already"), (SENSORS["tap1"], "")):
        token = Token.issue("tcp://127.0.0.1:1", NATION_KEYS.public(), 600)
        nation.registry.add_token(token, "")
        row = nation.registry.token(token.client_public)
        assert row is not None and nation.registry.enrol(row, "tap1", keys.public()) == refusal


def test_a_revoked_relay_is_not_heard(nation: Desk, hanoi: Province) -> None:
    send(hanoi.tap(), 0, range(1))
    nation.registry.revoke("hanoi")
    hanoi.pump(20)
    assert list(kept(nation)) == [] and nation.receiver.counts["unknown_key"] > 0
    assert hanoi.outbox.books()[0].pending == 2


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
