"""TCP as it arrives in the field: out of order, twice, overlapping, with holes, joined late, from one side.

Most captures carry the path traversal of `web_attacks.traversal`: a rule shows whether reassembly found it.
"""

from collections.abc import Callable

from .web import OK, request, response
from .wire import OUTSIDE, Tape, Tcp

ATTACK = request("/download?file=../../../../etc/passwd")
LEAK = response(b"root:x:0:0:root:/root:/bin/sh\n")
CUT = ATTACK.index(b"/etc") + 2  # in the middle of the pattern


def start() -> tuple[Tape, Tcp]:
    tape = Tape()
    return tape, Tcp(tape, OUTSIDE).open()


def finish(talk: Tcp, answer: bytes = LEAK) -> Tape:
    talk.put(False, "A")
    talk.hear(answer)
    talk.close()
    return talk.tape


def byte_by_byte() -> Tape:
    _, talk = start()
    for position in range(len(ATTACK)):
        talk.put(True, "PA", ATTACK[position : position + 1])
    return finish(talk)


def out_of_order() -> Tape:
    tape, talk = start()
    base, third = talk.client_seq, CUT + 40
    tape.put(talk.segment(True, "PA", ATTACK[third:], seq=base + third))
    tape.put(talk.segment(True, "A", ATTACK[CUT:third], seq=base + CUT))
    tape.put(talk.segment(True, "A", ATTACK[:CUT]))
    talk.advance(True, len(ATTACK))
    return finish(talk)


def retransmitted() -> Tape:
    tape, talk = start()
    first = talk.segment(True, "A", ATTACK[:CUT])
    tape.put(first)
    tape.wait(0.3)
    tape.put(first)
    talk.advance(True, CUT)
    talk.put(True, "PA", ATTACK[CUT:])
    tape.put(first)
    return finish(talk)


def overlapping() -> Tape:
    """The second segment repeats the end of the first with other bytes; the stack chooses which counts."""
    tape, talk = start()
    base, back = talk.client_seq, 8
    tape.put(talk.segment(True, "A", ATTACK[:CUT]))
    tape.put(talk.segment(True, "PA", b"harmless" + ATTACK[CUT:], seq=base + CUT - back))
    talk.advance(True, len(ATTACK))
    return finish(talk)


def with_gap() -> Tape:
    """300 bytes of the first answer never pass the tap, though the client acknowledges them."""
    _, talk = start()
    talk.say(request("/big"))
    body = response(b"x" * 900)
    talk.put(False, "A", body[:400])
    talk.advance(False, 300)
    talk.put(False, "PA", body[700:])
    talk.put(True, "A")
    talk.say(ATTACK)
    return finish(talk)


def midstream() -> Tape:
    talk = Tcp(Tape(), OUTSIDE, client_seq=0x22222222, server_seq=0x33333333)
    talk.say(ATTACK)
    return finish(talk)


def one_sided(to_server: bool) -> Tape:
    """Asymmetric routing: the whole conversation takes place, but only one direction passes the tap."""
    full = Tape()
    talk = Tcp(full, OUTSIDE).open()
    talk.say(ATTACK)
    talk.hear(LEAK)
    talk.close()
    wanted = talk.client if to_server else talk.server
    half = Tape()
    source = bytes(map(int, wanted.split(".")))
    half.records = [one for one in full.records if one[2][26:30] == source]
    return half


def sequence_wrap() -> Tape:
    talk = Tcp(Tape(), OUTSIDE, client_seq=0xFFFFFFF0, server_seq=0xFFFFFFC0).open()
    talk.say(ATTACK, size=20)
    talk.hear(LEAK, size=50)
    talk.close()
    return talk.tape


def reset() -> Tape:
    tape, talk = start()
    talk.say(request("/slow"))
    talk.abort(to_server=True)
    tape.wait(1)
    again = Tcp(tape, OUTSIDE, client_seq=0x70000000, server_seq=0x71000000).open()
    again.say(request("/slow"))
    again.hear(OK)
    again.close()
    return tape


def decoy() -> Tape:
    """A segment whose TTL is too small to reach the server carries other bytes for the same place."""
    tape, talk = start()
    tape.put(talk.segment(True, "A", ATTACK[:CUT]))
    talk.advance(True, CUT)
    tape.put(talk.segment(True, "PA", b"x" * len(ATTACK[CUT:]), ip={"ttl": 1}))
    talk.put(True, "PA", ATTACK[CUT:])
    return finish(talk)


CAPTURES: dict[str, tuple[str, Callable[[], Tape]]] = {
    "tcp-byte-by-byte.pcap": ("a request in segments of one byte", byte_by_byte),
    "tcp-out-of-order.pcap": ("a request in three segments, last first", out_of_order),
    "tcp-retransmit.pcap": ("the first segment of a request three times", retransmitted),
    "tcp-overlap.pcap": ("a segment overlaps the one before with different bytes", overlapping),
    "tcp-gap.pcap": ("300 bytes of a response missing, then a second request", with_gap),
    "tcp-midstream.pcap": ("a conversation joined after its handshake", midstream),
    "tcp-client-only.pcap": ("only the client's packets of a conversation", lambda: one_sided(True)),
    "tcp-server-only.pcap": ("only the server's packets of a conversation", lambda: one_sided(False)),
    "tcp-sequence-wrap.pcap": ("sequence numbers pass zero in both directions", sequence_wrap),
    "tcp-reset-reuse.pcap": ("a reset, then the same ports again", reset),
    "tcp-decoy.pcap": ("a decoy segment with TTL 1 before the real one", decoy),
}
