"""The nation believes a relay nothing that it cannot prove, and takes from it only what it may bring."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest
from desk import Desk, Tap
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiers import NATION_KEYS, SENSORS, Province, books_close, kept, send

from collectors import seen
from sensor.bus import messages
from sensor.bus.enrol import Token
from sensor.bus.keys import SensorKeys
from sensor.bus.messages import encode
from sensor.bus.seal import Header, ReducedHeader, Reduction, Sealer


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
