"""The link's budget in bytes a second, alone and in a session."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sensor.bus import messages
from sensor.bus.budget import Budget
from sensor.bus.layout import Pending
from sensor.bus.messages import decode, encode
from sensor.bus.seal import Sealer
from sensor.bus.session import Session
from sensor.bus.spool import Spool


@given(
    rate=st.integers(1_000, 1_000_000),
    sizes=st.lists(st.integers(1, 300_000), min_size=5, max_size=60),
    steps=st.lists(st.floats(0.001, 3.0), min_size=5, max_size=200),
)
def test_over_any_time_no_more_goes_out_than_the_rate_and_one_batch(
    rate: int, sizes: list[int], steps: list[float]
) -> None:
    budget, now, sent = Budget(rate), 0.0, 0
    waiting = list(sizes)
    for step in steps:
        now += step
        while waiting and budget.allows(now):
            sent += waiting[0]
            budget.spend(waiting.pop(0))
        assert sent <= rate * (now + 1.0) + max(sizes)


def test_without_a_limit_nothing_waits() -> None:
    budget = Budget(0)
    budget.spend(10**12)
    assert budget.allows(0.0)


def test_a_clock_that_stands_or_goes_back_earns_nothing() -> None:
    budget = Budget(1000)
    assert budget.allows(100.0)
    budget.spend(5000)
    assert not budget.allows(100.0) and not budget.allows(50.0)
    assert budget.allows(60.0)


def test_a_session_keeps_to_its_budget_and_alerts_go_first(spool: Spool, sealer: Sealer) -> None:
    for number in range(12):
        spool.append([Pending(3 if number % 2 else 0, 1, b'{"x":"%b"}\n' % (b"y" * 300))], sealer)
    rate = 10_000  # two batches a second
    session = Session(spool, software="test", budget=Budget(rate))
    now, session_bytes = 100.0, 0
    session.restart(now)
    session.sent(session.next_message(now), now)
    session.receive(encode(messages.Welcome(1, 9, [messages.Cursor(lane, 0) for lane in range(4)], 64)), now)
    order, begin = [], now
    while len(order) < 12:
        now += 0.05
        while (out := session.next_message(now)) is not None:
            session.sent(out, now)
            session_bytes += sum(map(len, out.frames))
            if isinstance(message := decode(out.frames[0]), messages.Batch):
                order.append(message.lane)
                session.receive(
                    encode(messages.Ack(9, [messages.Cursor(message.lane, message.seq + 1)])), now
                )
            assert session_bytes <= rate * (now - begin + 1.0) + 6000
    assert order == [0] * 6 + [3] * 6
    assert now - begin > 4, "twelve batches of 5 kB take more than four seconds at 10 kB/s"
