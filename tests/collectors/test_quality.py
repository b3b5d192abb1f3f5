"""The four words are computed from what was counted, and what is counted survives what it counts."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from desk import CENTRE_KEYS, Desk, Tap
from hypothesis import given
from hypothesis import strategies as st

from collectors.quality.facts import INTERVAL_SECONDS, KEEP_SECONDS, Facts, begin_of, merge, note_clock
from collectors.quality.ledger import Ledger
from collectors.quality.report import report
from collectors.quality.tally import clock
from collectors.quality.words import NAMES, clock_error_us, judge
from sensor.bus import messages
from sensor.bus.keys import SensorKeys
from sensor.bus.messages import Book, Heartbeat, encode
from sensor.bus.seal import Sealer
from sensor.cli.centre_actions.quality import stretch

MINUTE_US = INTERVAL_SECONDS * 1_000_000
YEARS_US = 5 * 365 * 86_400 * 1_000_000

FINE = Facts(
    batches=10, events=1000, words=30, live_us=MINUTE_US, stored=1000, skew_us=10, bound_us=500,
    skew_low_us=0, skew_high_us=20, store_lag_us=400_000, kernel_packets=10_000,
)  # fmt: skip

_COUNT = st.integers(0, 2**40)
_TIME = st.one_of(st.none(), st.integers(-(2**60), 2**60))
_FACTS = st.builds(
    Facts, batches=_COUNT, lost=_COUNT, silence_us=_COUNT, heard_us=_COUNT, skew_low_us=_TIME,
    skew_high_us=_TIME, packet_lag_us=_TIME, imbalances=_COUNT,
)  # fmt: skip


def test_what_is_fine_holds() -> None:
    quality = judge(FINE, MINUTE_US)
    assert [(word.holds, word.ratio, word.reasons) for word in quality] == [(True, 1.0, ())] * 4


@pytest.mark.parametrize(
    ("change", "word", "said"),
    [
        ({"forged": 3}, "correct", "3 batches refused for key or signature"),
        ({"skew_us": YEARS_US, "skew_high_us": YEARS_US}, "correct", "its clock is off by +157680000.000 s"),
        ({"skew_us": -YEARS_US, "bound_us": None}, "correct", "its clock is off by some -157680000.000 s"),
        ({"skew_low_us": -3_000_000}, "correct", "its clock is off by +0.000 s"),
        ({"bound_us": 2_000_000}, "correct", "its clock is off by +0.000 s"),
        ({"lost": 1}, "complete", "1 events lost"),
        ({"missing_uncounted": 1}, "complete", "1 stretches missing, nobody knows how much"),
        ({"chain_breaks": 1}, "complete", "1 batches do not follow the one before"),
        ({"new_spools": 1}, "complete", "1 times another spool"),
        ({"books_open": 7}, "complete", "its books are off by 7 events"),
        ({"kernel_drops": 1}, "complete", "1 packets dropped before the engine"),
        ({"queue_lost": 1}, "complete", "1 events given up inside the sensor"),
        ({"imbalances": 1}, "complete", "1 books of its capture do not close"),
        ({"invalid": 1}, "clean", "1 lines are no event"),
        ({"unreadable": 1}, "clean", "1 batches or messages unreadable"),
        ({"live_us": MINUTE_US // 2}, "live", "silent for 30 s"),
        ({"store_lag_us": 31_000_000}, "live", "in the store after 31 s"),
    ],
)
def test_one_thing_against_a_word_and_it_does_not_hold(change: dict[str, int], word: str, said: str) -> None:
    facts = merge(FINE, Facts())
    for name, value in change.items():
        setattr(facts, name, value)
    for name, found in zip(NAMES, judge(facts, MINUTE_US), strict=True):
        assert found.holds is (name != word)
        assert [english for english, _ in found.reasons] == ([said] if name == word else [])


def test_of_nothing_nothing_is_known_but_that_it_is_not_live() -> None:
    assert [word.holds for word in judge(Facts(), MINUTE_US)] == [None, None, None, False]


def test_what_came_again_and_was_left_out_is_no_fault() -> None:
    facts = merge(FINE, Facts(duplicates=5))
    assert facts.duplicates == 5 and all(word.holds for word in judge(facts, MINUTE_US))


@given(_FACTS, _FACTS, _FACTS)
def test_facts_can_be_put_together_in_any_order(one: Facts, two: Facts, three: Facts) -> None:
    assert merge(merge(one, two), three) == merge(one, merge(two, three))
    if one.heard_us != two.heard_us:
        assert merge(one, two) == merge(two, one)
    assert merge(one, Facts()) == one


@given(
    offset=st.integers(-(2**50), 2**50),
    there=st.integers(0, 10**8),
    back=st.integers(0, 10**8),
    held=st.integers(0, 10**7),
)
def test_the_clocks_true_error_is_within_its_bound(offset: int, there: int, back: int, held: int) -> None:
    sent = 2**52
    heard = sent + there
    beat = Heartbeat(1, [], clock_us=heard + held + offset, echo_us=sent, echo_at_us=heard + offset)
    skew, bound = clock(beat, heard + held + back)
    assert bound is not None and abs(skew - offset) <= bound + 1 and bound <= (there + back + 1) // 2


@given(st.integers(0, 2**62), st.integers(0, 2**62), st.integers(0, 2**62), st.integers(0, 2**62))
def test_whatever_a_sensor_says_of_its_clock_has_an_answer(a: int, b: int, c: int, d: int) -> None:
    skew, bound = clock(Heartbeat(1, [], clock_us=a, echo_us=b, echo_at_us=c), d)
    assert abs(skew) <= 2**62 and (bound is None or bound >= 0)


def test_the_best_sample_counts_and_the_extremes_are_kept() -> None:
    facts = Facts()
    for skew, bound in ((900, None), (500, 40), (510, 20), (490, 30)):
        note_clock(facts, skew, bound)
    assert (facts.skew_us, facts.bound_us, facts.skew_low_us, facts.skew_high_us) == (510, 20, 490, 900)
    assert clock_error_us(facts) == 920


def counted(desk: Desk) -> Facts:
    """Everything counted of tap1 so far."""
    made = Facts()
    for entry in Ledger(desk.journal).read(0, 2**40):
        assert entry.sensor == "tap1"
        made = merge(made, entry.facts)
    return made


def test_ingest_counts_everything_it_decides(desk: Desk, tap: Tap) -> None:
    now_us = time.time_ns() // 1000
    record = tap.seal(0, 0, b'{"a":1}', b'{"a":2}', last_us=now_us - 5_000_000)
    tap.send(0, 0, record)
    tap.send(0, 0, record)
    tap.previous[0] = bytes(range(32))
    tap.send(0, 1, tap.seal(0, 1))
    tap.say(encode(messages.Lost(tap.session, 3, 0, 4, 400, "shed")))
    tap.say(encode(messages.Lost(tap.session, 3, 5, 6, 0, "missing")))
    book = Book(0, made=10, delivered=5, pending=1, lost={"shed": 3})
    beat = Heartbeat(
        tap.session, [book], now_us + YEARS_US, echo_us=now_us - 1000, echo_at_us=now_us + YEARS_US - 500
    )
    tap.say(encode(beat))
    tap.say(b"no message")
    desk.commit()
    found = counted(desk)
    assert (found.batches, found.events, found.duplicates, found.chain_breaks) == (2, 3, 1, 1)
    assert (found.missing, found.lost, found.missing_uncounted) == (7, 400, 1)
    assert (found.made, found.delivered, found.pending, found.given_up, found.books_open) == (10, 5, 1, 3, 1)
    assert found.words == 1 and found.unreadable == 1 and found.forged == 0
    assert found.skew_us is not None and abs(found.skew_us - YEARS_US) < 5_000_000
    assert found.bound_us is not None and found.bound_us < 5_000_000
    assert found.packet_lag_us is not None and 5_000_000 <= found.packet_lag_us < 10_000_000


def test_refusals_are_told_apart_and_survive_a_restart(desk: Desk, tap: Tap) -> None:
    good = tap.sealer
    tap.sealer = Sealer(SensorKeys.generate(), CENTRE_KEYS.public())
    tap.send(0, 0, tap.seal(0, 0))
    tap.sealer = good
    desk.commit()
    tap.hello()
    tap.send(0, 0, b"nothing")
    desk.commit()
    desk.begin()
    found = counted(desk)
    assert (found.forged, found.unreadable, found.batches) == (1, 1, 0)


def test_what_the_journal_did_not_keep_is_not_counted(
    desk: Desk, tap: Tap, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlite3

    desk.commit()
    before = counted(desk)
    tap.send(0, 0, tap.seal(0, 0))
    with monkeypatch.context() as patch:

        def full(_: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        patch.setattr(desk.journal, "commit", full)
        desk.commit()
    desk.commit()
    assert counted(desk).batches == before.batches == 0


def test_another_spool_is_counted_once(desk: Desk, tap: Tap) -> None:
    tap.send(0, 0, tap.seal(0, 0))
    desk.commit()
    for _ in range(3):
        again = Tap(desk)
        again.epoch = tap.epoch ^ 1
        again.hello()
    desk.commit()
    assert counted(desk).new_spools == 1


def test_a_report_names_who_is_silent(desk: Desk, tap: Tap, tmp_path: Path) -> None:
    now = int(time.time())
    desk.enrol("tap2", SensorKeys.generate())
    tap.send(0, 0, tap.seal(0, 0))
    desk.commit()
    found = report(desk.journal, desk.registry, now - 600, now + 5)
    assert [entry.sensor for entry in found] == ["tap1", "tap2"]
    assert found[0].facts.batches == 1 and found[1].facts == Facts()
    assert all(0 < entry.seconds <= 65 for entry in found), (
        "nobody is blamed for the time before it was enrolled"
    )
    only = report(desk.journal, desk.registry, now - 600, now + 5, step=60, sensor="tap1")
    assert {entry.sensor for entry in only} == {"tap1"} and all(entry.begin % 60 == 0 for entry in only)
    desk.registry.revoke("tap2")
    assert "tap2" not in {entry.sensor for entry in report(desk.journal, desk.registry, now - 600, now + 5)}


def test_what_comes_in_the_second_that_runs_is_reported() -> None:
    minute = 1_800_000_000
    assert stretch("", "", minute + 0.9) == (minute - 3599, minute + 1), "begun, so facts of its minute count"
    assert stretch("", "2001-01-01T00:00:00Z", minute)[1] == 978_307_200
    assert stretch("2001-01-01T00:00:00Z", "2099-01-01T00:00:00Z", minute) == (978_307_200, minute + 1)


def test_old_intervals_are_forgotten(desk: Desk) -> None:
    from collectors.entries import Measured

    now = begin_of(time.time_ns() // 1000)
    old = now - KEEP_SECONDS - INTERVAL_SECONDS
    desk.journal.commit([Measured("tap1", begin, Facts(batches=1)) for begin in (old, now)])
    Ledger(desk.journal).close(now, [Measured("tap1", now, Facts(stored=4))])
    assert [(entry.begin, entry.facts.stored) for entry in Ledger(desk.journal).read(0, 2**40)] == [(now, 4)]
    assert Ledger(desk.journal).upto() == now + INTERVAL_SECONDS


def test_a_journal_of_before_gets_its_table(tmp_path: Path) -> None:
    import sqlite3

    from collectors.journal import Journal

    Journal(tmp_path / "j.sqlite").close()
    with sqlite3.connect(tmp_path / "j.sqlite") as old:
        old.executescript("DROP TABLE measure; DROP TABLE measured")
    old.close()
    journal = Journal(tmp_path / "j.sqlite")
    assert Ledger(journal).upto() == 0 and Ledger(journal).read(0, 2**40) == []
    journal.close()


def test_facts_are_small_and_readable() -> None:
    import msgspec

    assert json.loads(msgspec.json.encode(Facts(batches=1))) == {"batches": 1}
