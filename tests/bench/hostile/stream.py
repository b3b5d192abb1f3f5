"""TCP segments that are tiny, overlap, come backwards or leave holes."""

from __future__ import annotations

import random

from .wire import MSS, Packet, Registry, Talk


def tiny_segments(n: int) -> list[Packet]:
    """An upload in segments of one byte."""
    talk = Talk(80)
    talk.client(b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % n)
    talk.client(b"a" * n, 1)
    return talk.packets()


def overlapping_segments(n: int) -> list[Packet]:
    """Behind a hole that is filled at the end: segments that each overlap the 20 before them and differ."""
    talk = Talk(80)
    talk.client(b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (n * 50))
    begin = talk.next[0]
    for i in range(n):
        talk.segment(0, bytes([65 + i % 26]) * 1000, seq=begin + 100 + i * 50)
    talk.segment(0, b"x" * 100)
    return talk.packets()


def backward_segments(n: int) -> list[Packet]:
    """The last byte first: every segment goes before all that is held."""
    talk = Talk(80)
    talk.client(b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (n * 8))
    for i in reversed(range(n)):
        talk.segment(0, b"b" * 8, seq=talk.next[0] + i * 8)
    return talk.packets()


def every_other_segment(n: int) -> list[Packet]:
    """Stretches of one byte with holes between them, never filled."""
    talk = Talk(80)
    talk.client(b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (n * 2))
    order = list(range(n))
    random.Random(1).shuffle(order)
    for i in order:
        talk.segment(0, b"c", seq=talk.next[0] + 1 + i * 2)
    return talk.packets()


def almost_matches(n: int) -> list[Packet]:
    """Bytes that a rule's pattern begins to match at every place and never does, past the depth too."""
    talk = Talk(9999)
    for _ in range(n):
        talk.client(b"q" * (MSS - 3) + b"qzx")
    return talk.packets()


GENERATORS: Registry = {
    "tiny-segments": (tiny_segments, 500),
    "overlapping-segments": (overlapping_segments, 250),
    "backward-segments": (backward_segments, 250),
    "every-other-segment": (every_other_segment, 250),
    "almost-matches": (almost_matches, 200),
}
