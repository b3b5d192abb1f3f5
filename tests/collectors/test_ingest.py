"""The centre believes nothing that a sensor did not prove, keeps what it acknowledged, and says what is
missing.
"""

from __future__ import annotations

import random
import sqlite3

import pytest
from desk import CENTRE_KEYS, Desk, Tap
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.journal import Journal
from sensor.bus import messages
from sensor.bus.keys import SensorKeys
from sensor.bus.messages import encode
from sensor.bus.seal import Sealer


def next_of(answers: list[messages.AnyMessage], lane: int) -> int:
    (ack,) = answers
    assert isinstance(ack, messages.Ack)
    return ack.cursors[lane].next


def stored(journal: Journal) -> list[tuple[str, int, int]]:
    return [(record.sensor, record.lane, record.seq) for record in journal.read(0, journal.last_id())]


def test_batches_are_acknowledged_once_they_are_durable(desk: Desk, tap: Tap) -> None:
    for seq in range(3):
        assert tap.send(0, seq, tap.seal(0, seq)) == []
    assert stored(desk.journal) == [], "nothing is said or kept before the commit"
    assert next_of(desk.commit(), 0) == 3
    assert stored(desk.journal) == [("tap1", 0, 0), ("tap1", 0, 1), ("tap1", 0, 2)]
    assert desk.commit() == []
    assert desk.receiver.counts["chain_breaks"] == 0


def test_what_comes_again_is_acknowledged_again_and_kept_once(desk: Desk, tap: Tap) -> None:
    record = tap.seal(0, 0)
    tap.send(0, 0, record)
    desk.commit()
    tap.send(0, 0, record)
    assert next_of(desk.commit(), 0) == 1
    desk.begin()
    assert tap.hello() == [1, 0, 0, 0]
    tap.send(0, 0, record)
    assert next_of(desk.commit(), 0) == 1
    assert len(stored(desk.journal)) == 1


def test_a_missing_number_stops_the_sensor_until_its_next_hello(desk: Desk, tap: Tap) -> None:
    records = [tap.seal(0, seq) for seq in range(3)]
    tap.send(0, 0, records[0])
    (answer,) = tap.send(0, 2, records[2])
    assert isinstance(answer, messages.Again)
    assert tap.send(0, 1, records[1]) == []
    desk.commit()
    assert tap.hello() == [1, 0, 0, 0]
    tap.send(0, 1, records[1])
    tap.send(0, 2, records[2])
    assert next_of(desk.commit(), 0) == 3


def test_without_hello_nothing_is_taken(desk: Desk, tap: Tap) -> None:
    desk.begin()
    (answer,) = tap.send(0, 0, tap.seal(0, 0))
    assert isinstance(answer, messages.Again)
    assert desk.commit() == [] and stored(desk.journal) == []


def test_unknown_and_revoked_keys_are_not_heard(desk: Desk, tap: Tap) -> None:
    stranger = Tap(desk, "tap1", SensorKeys.generate())
    assert stranger.say(encode(messages.Hello(1, "tap1", 1, []))) == []
    record = tap.seal(0, 0)
    desk.registry.revoke("tap1")
    assert tap.send(0, 0, record) == [] and tap.say(encode(messages.Hello(1, "tap1", 1, []))) == []
    assert desk.commit() == [] and stored(desk.journal) == []
    assert desk.receiver.counts["unknown_key"] == 3


def test_a_revocation_by_another_process_bites_at_once(desk: Desk, tap: Tap) -> None:
    path = desk.journal.path.with_name("registry.sqlite")
    with sqlite3.connect(path) as other:
        other.execute("UPDATE sensor_key SET revoked = 1")
    other.close()
    assert tap.send(0, 0, tap.seal(0, 0)) == []
    assert desk.receiver.counts["unknown_key"] == 1


def test_a_sensor_cannot_speak_for_another(desk: Desk, tap: Tap) -> None:
    desk.enrol("tap2", SensorKeys.generate())
    assert tap.say(encode(messages.Hello(1, "tap2", 1, []))) == []
    assert desk.receiver.counts["impostor"] == 1
    (answer,) = tap.send(0, 0, tap.seal(0, 0, sensor="tap2"))
    assert isinstance(answer, messages.Refused) and answer.reason == "header"
    desk.commit()
    assert stored(desk.journal) == []
    assert desk.journal.quarantined() == [("tap1", "header", 1)]


@pytest.mark.parametrize(("lane", "seq", "change"), [(0, 0, {"epoch": 5}), (1, 0, {}), (0, 1, {})])
def test_a_batch_under_another_number_than_it_was_sealed_with_is_refused(
    desk: Desk, tap: Tap, lane: int, seq: int, change: dict[str, int]
) -> None:
    (answer,) = tap.send(0, 0, tap.seal(lane, seq, **change))
    assert isinstance(answer, messages.Refused)


def test_a_replay_under_another_epoch_is_refused(desk: Desk, tap: Tap) -> None:
    record = tap.seal(0, 0)
    tap.send(0, 0, record)
    desk.commit()
    tap.epoch += 1
    assert tap.hello() == [0, 0, 0, 0]
    (answer,) = tap.send(0, 0, record)
    assert isinstance(answer, messages.Refused) and len(stored(desk.journal)) == 1


def test_flipped_bits_are_refused_quarantined_and_the_rest_goes_on(desk: Desk, tap: Tap) -> None:
    record = tap.seal(0, 0)
    chance = random.Random(3)
    for _ in range(40):
        damaged = bytearray(record)
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        (answer,) = tap.send(0, 0, bytes(damaged))
        assert isinstance(answer, messages.Refused)
        desk.commit()
        assert tap.hello() == [0, 0, 0, 0]
    assert desk.receiver.counts["refused"] == 40
    tap.send(0, 0, record)
    assert next_of(desk.commit(), 0) == 1


def test_a_forged_signature_is_refused(desk: Desk, tap: Tap) -> None:
    tap.sealer = Sealer(SensorKeys.generate(), CENTRE_KEYS.public())
    (answer,) = tap.send(0, 0, tap.seal(0, 0))
    assert isinstance(answer, messages.Refused) and answer.reason == "signer"


def test_stated_losses_are_written_down_and_the_stream_goes_on(desk: Desk, tap: Tap) -> None:
    tap.send(3, 0, tap.seal(3, 0))
    assert tap.say(encode(messages.Lost(tap.session, 3, 1, 4, 4000, "shed"))) == []
    tap.previous[3] = bytes(range(32))  # the digest of a batch the centre never saw
    tap.send(3, 5, tap.seal(3, 5))
    assert next_of(desk.commit(), 3) == 6
    assert desk.journal.gaps() == [("tap1", 3, "shed", 1, 4000)]
    assert desk.receiver.counts["chain_breaks"] == 0
    assert tap.say(encode(messages.Lost(tap.session, 3, 1, 4, 4000, "shed"))) == []
    desk.commit()
    assert desk.journal.gaps() == [("tap1", 3, "shed", 1, 4000)]


def test_a_broken_chain_is_kept_and_noted(desk: Desk, tap: Tap) -> None:
    tap.send(0, 0, tap.seal(0, 0))
    tap.previous[0] = bytes(range(32))
    tap.send(0, 1, tap.seal(0, 1))
    assert next_of(desk.commit(), 0) == 2
    assert desk.receiver.counts["chain_breaks"] == 1
    assert desk.journal.gaps() == [("tap1", 0, "chain", 1, 0)]


def test_a_sensor_with_another_spool_is_noted_once(desk: Desk, tap: Tap) -> None:
    tap.send(0, 0, tap.seal(0, 0))
    desk.commit()
    for _ in range(2):
        again = Tap(desk)
        again.epoch = tap.epoch ^ 1
        assert again.hello() == [0, 0, 0, 0]
        desk.commit()
    assert desk.journal.gaps() == [("tap1", 0, "new spool", 1, 0)]


def test_when_the_journal_fails_nothing_is_acknowledged_and_all_comes_again(
    desk: Desk, tap: Tap, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = tap.seal(0, 0)
    tap.send(0, 0, record)
    with monkeypatch.context() as patch:

        def full(_: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        patch.setattr(desk.journal, "commit", full)
        (answer,) = desk.commit()
        assert isinstance(answer, messages.Again)
    assert tap.hello() == [0, 0, 0, 0]
    tap.send(0, 0, record)
    assert next_of(desk.commit(), 0) == 1


def test_heartbeats_are_answered_and_written_down(desk: Desk, tap: Tap) -> None:
    book = messages.Book(0, 10, 8, 1, {"shed": 1})
    assert tap.say(encode(messages.Heartbeat(tap.session, [book], 2**60))) == []
    assert next_of(desk.commit(), 0) == 0
    (heard,) = desk.journal.heard()
    assert heard.sensor == "tap1" and '"made":10' in heard.books and heard.skew_us > 0


_FRAMES = st.lists(
    st.one_of(st.binary(max_size=200), st.just(encode(messages.Batch(1, 0, 0)))), min_size=1, max_size=2
)


@given(_FRAMES)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_frames_leave_the_centre_standing(desk_and_tap: tuple[Desk, Tap], frames: list[bytes]) -> None:
    desk, tap = desk_and_tap
    tap.say(*frames)
    desk.commit()
    assert stored(desk.journal) == []


@given(st.binary(max_size=1500))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_record_is_refused(desk_and_tap: tuple[Desk, Tap], record: bytes) -> None:
    desk, tap = desk_and_tap
    tap.hello()
    (answer,) = tap.send(0, 0, record)
    assert isinstance(answer, messages.Refused)
    desk.commit()
    assert stored(desk.journal) == []


@pytest.fixture
def desk_and_tap(desk: Desk, tap: Tap) -> tuple[Desk, Tap]:
    return desk, tap
