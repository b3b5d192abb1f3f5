"""The sensor's side of a session, played without a socket: what it says to what it hears."""

from __future__ import annotations

import pytest

from sensor.bus import messages, session
from sensor.bus.layout import Pending
from sensor.bus.messages import decode, encode
from sensor.bus.seal import Sealer
from sensor.bus.session import Conflict, Session
from sensor.bus.spool import Spool


class Play:
    """A session with its clock, and what it has said."""

    def __init__(self, spool: Spool) -> None:
        self.session = Session(spool, software="test")
        self.now = 100.0
        self.session.restart(self.now)

    def hear(self, message: messages.AnyMessage) -> int:
        return self.session.receive(encode(message), self.now)

    def said(self) -> list[messages.AnyMessage]:
        """Everything it wants to say now, heartbeats left out."""
        told = []
        while (out := self.session.next_message(self.now)) is not None:
            self.session.sent(out, self.now)
            message = decode(out.frames[0])
            if not isinstance(message, messages.Heartbeat):
                told.append(message)
        return told

    def welcome(self, *following: int, window: int = 8) -> None:
        assert isinstance(self.said()[0], messages.Hello)
        cursors = [messages.Cursor(lane, next_) for lane, next_ in enumerate(following)]
        self.hear(messages.Welcome(1, 9, cursors, window))


def fill(spool: Spool, sealer: Sealer, *lanes: int) -> None:
    for lane in lanes:
        spool.append([Pending(lane, 1, b"{}\n")], sealer)


def numbers(told: list[messages.AnyMessage]) -> list[tuple[int, int]]:
    return [(message.lane, message.seq) for message in told if isinstance(message, messages.Batch)]


def test_nothing_is_sent_before_the_welcome_and_hello_is_repeated(spool: Spool, sealer: Sealer) -> None:
    fill(spool, sealer, 0)
    play = Play(spool)
    hello = play.said()
    assert [type(message) for message in hello] == [messages.Hello]
    assert hello[0].spans[0] == messages.Span(0, 0, 1)
    assert play.said() == []
    play.now += session.HELLO_RETRY_SECONDS
    assert [type(message) for message in play.said()] == [messages.Hello]


def test_higher_lanes_go_first_and_in_order(spool: Spool, sealer: Sealer) -> None:
    fill(spool, sealer, 3, 3, 1, 0, 0)
    play = Play(spool)
    play.welcome(0, 0, 0, 0)
    assert numbers(play.said()) == [(0, 0), (0, 1), (1, 0), (3, 0), (3, 1)]


def test_the_window_bounds_what_is_in_flight(spool: Spool, sealer: Sealer) -> None:
    fill(spool, sealer, 0, 0, 0, 0)
    play = Play(spool)
    play.welcome(0, 0, 0, 0, window=2)
    assert numbers(play.said()) == [(0, 0), (0, 1)]
    assert play.said() == [] and play.session.in_flight == 2
    assert play.hear(messages.Ack(9, [messages.Cursor(0, 1)])) == 1
    assert numbers(play.said()) == [(0, 2)]


def test_a_new_welcome_rewinds_to_where_the_centre_stands(spool: Spool, sealer: Sealer) -> None:
    fill(spool, sealer, 0, 0, 0)
    play = Play(spool)
    play.welcome(0, 0, 0, 0)
    assert len(numbers(play.said())) == 3
    play.hear(messages.Again("restarted"))
    play.welcome(1, 0, 0, 0)
    assert numbers(play.said()) == [(0, 1), (0, 2)]
    assert spool.books()[0].delivered == 1


def test_without_acknowledgement_it_begins_anew(spool: Spool, sealer: Sealer) -> None:
    fill(spool, sealer, 0)
    play = Play(spool)
    play.welcome(0, 0, 0, 0)
    assert numbers(play.said()) == [(0, 0)]
    play.now += session.ACK_TIMEOUT_SECONDS + 0.1
    assert [type(message) for message in play.said()] == [messages.Hello]
    assert not play.session.established


def test_an_acknowledgement_of_another_session_or_of_the_unsent_counts_for_nothing(
    spool: Spool, sealer: Sealer
) -> None:
    fill(spool, sealer, 0, 0)
    play = Play(spool)
    play.welcome(0, 0, 0, 0, window=1)
    play.said()
    assert play.hear(messages.Ack(8, [messages.Cursor(0, 1)])) == 0
    assert play.hear(messages.Ack(9, [messages.Cursor(0, 2)])) == 0
    assert spool.pending_batches() == 2


def test_a_centre_that_has_more_than_the_spool_ever_made_is_a_conflict(spool: Spool) -> None:
    play = Play(spool)
    with pytest.raises(Conflict, match="alert"):
        play.welcome(5, 0, 0, 0)


def test_a_hole_is_said_as_lost(spool: Spool, sealer: Sealer) -> None:
    fill(spool, sealer, 3)
    spool.drop(3, 0, "shed")
    fill(spool, sealer, 3)
    play = Play(spool)
    play.welcome(0, 0, 0, 0)
    assert play.said() == [messages.Lost(9, 3, 0, 0, 1, "shed"), messages.Batch(9, 3, 1)]


def test_a_batch_refused_twice_is_given_up_and_said_as_lost(spool: Spool, sealer: Sealer) -> None:
    fill(spool, sealer, 0, 0)
    play = Play(spool)
    for _ in range(2):
        play.welcome(0, 0, 0, 0)
        assert numbers(play.said()) == [(0, 0), (0, 1)]
        play.hear(messages.Refused(9, 0, 0, "content"))
    play.welcome(0, 0, 0, 0)
    assert play.said() == [messages.Lost(9, 0, 0, 0, 1, "refused: content"), messages.Batch(9, 0, 1)]
    assert spool.books()[0].lost == {"refused: content": 1}


def test_when_the_keys_do_not_match_nothing_is_given_up(spool: Spool, sealer: Sealer) -> None:
    fill(spool, sealer, 0)
    play = Play(spool)
    for _ in range(5):
        play.welcome(0, 0, 0, 0)
        assert numbers(play.said()) == [(0, 0)]
        play.hear(messages.Refused(9, 0, 0, "recipient"))
        play.welcome(0, 0, 0, 0)
        assert play.said() == []
        play.now += session.HOLD_SECONDS + session.ACK_TIMEOUT_SECONDS
        play.session.restart(play.now)
    assert spool.books()[0].lost == {} and spool.pending_batches() == 1
    assert play.session.hold_reason == "recipient"


def test_of_two_welcomes_the_later_counts_and_stale_answers_change_nothing(
    spool: Spool, sealer: Sealer
) -> None:
    fill(spool, sealer, 0, 0)
    play = Play(spool)
    play.said()
    play.hear(messages.Again("hello first"))  # to a batch that was sent before the hello
    assert play.said() == []
    cursors = [messages.Cursor(lane, 0) for lane in range(4)]
    play.hear(messages.Welcome(1, 9, cursors, 8))
    assert numbers(play.said()) == [(0, 0), (0, 1)]
    play.hear(messages.Welcome(1, 10, [messages.Cursor(0, 1), *cursors[1:]], 8))
    assert play.said() == [messages.Batch(10, 0, 1)]
    assert play.hear(messages.Ack(9, [messages.Cursor(0, 2)])) == 0
    assert play.hear(messages.Ack(10, [messages.Cursor(0, 2)])) == 1
    assert play.session.in_flight == 0
