"""The nation measures each sensor that a province brings, and the province beside it."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest
from desk import Desk, Tap
from tiers import FLOW, SENSORS, Province, send

from collectors.quality import tally
from collectors.quality.facts import INTERVAL_SECONDS, Facts, merge
from collectors.quality.ledger import Ledger
from collectors.quality.report import report
from collectors.quality.words import clock_error_us, judge
from sensor.bus import messages
from sensor.bus.messages import Heartbeat, Sighting, encode
from sensor.bus.seal import Sealer

SPAN_US = INTERVAL_SECONDS * 1_000_000


def counted(desk: Desk, sensor: str) -> Facts:
    made = Facts()
    desk.receiver._tally._taken = float("-inf")  # what is only counted is otherwise written down later
    desk.commit()
    for entry in Ledger(desk.journal).read(0, 2**40, sensor):
        made = merge(made, entry.facts)
    return made


def test_a_brought_batch_counts_for_its_sensor_and_for_its_relay(nation: Desk, hanoi: Province) -> None:
    now_us = time.time_ns() // 1000
    tap, other = hanoi.tap(), hanoi.tap("tap2")
    assert tap.send(0, 0, tap.seal(0, 0, b'{"a":1}', b'{"a":2}', last_us=now_us - 5_000_000)) == []
    assert other.send(0, 0, other.seal(0, 0, b'{"a":1}')) == []
    hanoi.desk.commit()
    hanoi.pump()
    facts = counted(nation, "tap1")
    assert (facts.batches, facts.events, facts.skipped, facts.reduced) == (1, 2, 0, 0)
    assert facts.packet_lag_us is not None and 5_000_000 <= facts.packet_lag_us < 20_000_000
    assert counted(nation, "tap2").batches == 1
    assert (counted(nation, "hanoi").batches, counted(nation, "hanoi").events) == (2, 3)


def test_what_the_province_took_out_is_counted_and_is_no_loss(tmp_path: Path, nation: Desk) -> None:
    hanoi = Province(
        tmp_path / "p", nation, policy="default: deny\nevents: {alert: allow}\nfields: {deny: [payload]}"
    )
    tap = hanoi.tap()
    send(tap, 0, range(2))
    send(tap, 3, range(3), FLOW)
    hanoi.pump()
    facts = counted(nation, "tap1")
    assert (facts.batches, facts.reduced, facts.withheld, facts.lost, facts.skipped) == (2, 2, 6, 0, 0)
    assert judge(facts, SPAN_US).complete.holds and judge(facts, SPAN_US).correct.holds
    hanoi.close()


def test_numbers_that_are_skipped_are_missing_until_they_come(nation: Desk, hanoi: Province) -> None:
    tap = hanoi.tap()
    send(tap, 0, range(6))
    records = [record.sealed for record in hanoi.desk.journal.read(0, 6)]
    hanoi.pump(20)  # everything is said, and nothing acknowledged yet
    assert counted(nation, "tap1").batches == 6
    later = Tap(hanoi.desk, "tap1", SENSORS["tap1"])
    later.epoch, later.previous = tap.epoch, tap.previous
    later.hello()
    for seq in (6, 7, 8):
        records.append(later.seal(0, seq, b'{"n":1}'))
        later.send(0, seq, records[-1])
    hanoi.desk.commit()
    while hanoi.outbox.gather():
        pass
    with hanoi.outbox._transaction():  # a province that leaves two out
        hanoi.outbox._database.execute("UPDATE item SET fate = 'put off' WHERE record IN (7, 8)")
    hanoi.pump()
    facts = counted(nation, "tap1")
    assert (facts.batches, facts.skipped, facts.late) == (7, 2, 0)
    complete = judge(facts, SPAN_US).complete
    assert complete.holds is False and complete.reasons[0][0] == "2 batches are not here yet"
    assert complete.ratio is not None and round(complete.ratio, 4) == round(7 / 9, 4)
    with hanoi.outbox._transaction():
        hanoi.outbox._add(0, 7, None, "tap1", 1, 0)
        hanoi.outbox._add(0, 8, None, "tap1", 1, 0)
    hanoi.pump()
    facts = counted(nation, "tap1")
    assert (facts.batches, facts.skipped, facts.late) == (9, 2, 2) and judge(facts, SPAN_US).complete.holds


def test_what_a_sensor_states_as_lost_counts_for_it_alone(nation: Desk, hanoi: Province) -> None:
    tap = hanoi.tap()
    send(tap, 0, range(1))
    tap.say(encode(messages.Lost(tap.session, 0, 1, 3, 9, "shed")))
    hanoi.desk.commit()
    hanoi.pump()
    facts = counted(nation, "tap1")
    assert (facts.missing, facts.lost, facts.skipped) == (3, 9, 0)
    assert counted(nation, "hanoi").lost == 0
    hanoi.pump()
    assert counted(nation, "tap1").lost == 9


def test_another_spool_and_a_broken_chain_are_seen_through_a_relay(nation: Desk, hanoi: Province) -> None:
    tap = hanoi.tap()
    send(tap, 0, range(2))
    assert tap.send(0, 2, tap.seal(0, 2, b'{"n":1}', previous=b"x" * 32)) == []
    hanoi.desk.commit()
    hanoi.pump()
    assert (counted(nation, "tap1").chain_breaks, counted(nation, "tap1").new_spools) == (1, 0)
    send(hanoi.tap(), 0, range(2))
    hanoi.pump()
    assert counted(nation, "tap1").new_spools == 1


def test_a_forged_batch_counts_for_a_sensor_that_the_relay_brings_and_for_no_other(
    nation: Desk, hanoi: Province
) -> None:
    send(hanoi.tap(), 0, range(1))
    hanoi.pump()
    forger = Tap(nation, "hanoi", hanoi.relay_keys)
    for name in ("tap1", "tap9"):
        cursor = forger.hello()[0]
        sealer = Sealer(SENSORS["tap2"], nation.keys.public())
        forger.sealer = sealer
        forger.send(0, cursor, forger.seal(0, cursor, sensor=name))
    assert (counted(nation, "tap1").forged, counted(nation, "tap9").forged) == (1, 0)
    assert judge(counted(nation, "tap1"), SPAN_US).correct.holds is False
    assert counted(nation, "hanoi").forged == 1


def beat(tap: Tap, *, ahead_us: int = 0, **more: object) -> None:
    now_us = time.time_ns() // 1000
    made = Heartbeat(
        tap.session, [], now_us + ahead_us, echo_us=now_us - 1000, echo_at_us=now_us - 1000 + ahead_us
    )
    tap.say(encode(msgspec.structs.replace(made, **more)))
    tap.desk.commit()


def test_the_clock_of_a_sensor_is_known_over_two_tiers(nation: Desk, hanoi: Province) -> None:
    tap = hanoi.tap()
    send(tap, 0, range(1))
    beat(tap, ahead_us=3_000_000)
    hanoi.pump()
    hanoi.now += 3  # the next heartbeat, now that the nation has the sensor's keys
    hanoi.pump()
    facts = counted(nation, "tap1")
    error = clock_error_us(facts)
    assert facts.sightings > 0 and facts.skew_us is not None and error is not None
    assert abs(facts.skew_us - 3_000_000) <= (facts.bound_us or 0) + 1000 and error < 3_500_000
    assert judge(facts, SPAN_US).correct.holds is False
    assert judge(counted(nation, "hanoi"), SPAN_US).correct.holds is not False


def test_a_sensor_is_live_while_its_province_hears_it(nation: Desk, hanoi: Province) -> None:
    send(hanoi.tap(), 0, range(1))
    hanoi.pump()
    relay = Tap(nation, "hanoi", hanoi.relay_keys)
    relay.hello()
    beat(relay, sightings=[Sighting("tap1", 0, 0, 10), Sighting("tap9", 0, 0, 10)])
    heard = nation.receiver._tally._heard
    heard["tap1"] -= 20.0  # the sensor's turn comes every 20 s
    beat(relay, sightings=[Sighting("tap1", 4_000, 0, 10)])
    facts = counted(nation, "tap1")
    assert 20_000_000 <= facts.live_us < 21_000_000
    heard["tap1"] -= 40.0
    beat(relay, sightings=[Sighting("tap1", 39_000, 0, 10)])
    facts = counted(nation, "tap1")
    assert facts.live_us < 23_000_000 and facts.silence_us >= 39_000_000
    assert counted(nation, "tap9") == Facts()
    now = int(time.time())
    found = {entry.sensor for entry in report(nation.journal, nation.registry, now - 120, now + 60)}
    assert found == {"tap1", "hanoi"}


def test_time_that_is_covered_goes_to_the_minute_that_it_is_of(monkeypatch: pytest.MonkeyPatch) -> None:
    counting = tally.Tally()
    begin = 1_700_000_040
    monkeypatch.setattr(tally, "now_us", lambda: begin * 1_000_000 + 4_000_000)
    counting.sighted("tap1", 0, 0, None)
    counting._heard["tap1"] -= 10
    counting.sighted("tap1", 0, 0, None)
    found = {entry.begin: entry.facts.live_us for entry in counting.take(with_others=True)}
    assert abs(found[begin] - 4_000_000) < 100_000 and abs(found[begin - 60] - 6_000_000) < 100_000


def test_a_relay_speaks_of_all_its_sensors_in_turn(nation: Desk, hanoi: Province) -> None:
    from collectors.entries import Sighted

    now_us = time.time_ns() // 1000
    names = [f"s{number:04d}" for number in range(1200)]
    hanoi.desk.journal.commit([Sighted(name, "", now_us, 5, 1) for name in names])
    hanoi.desk.journal.commit([Sighted("old", "", now_us - 2 * 86_400_000_000, 5, 1)])
    told = [hanoi.outbox.sightings() for _ in range(3)]
    assert [one.sensor for part in told for one in part] == names
    assert len(hanoi.outbox.sightings()) == messages.MAX_SIGHTINGS
    long = [Sighting("a" * 63, 2**48, -(2**62), 2**62)] * messages.MAX_SIGHTINGS
    assert len(encode(Heartbeat(2**48, sightings=long))) < messages.MAX_MESSAGE_BYTES
