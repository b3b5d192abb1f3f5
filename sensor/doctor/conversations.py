"""Conversations of TCP, both ways: what was seen, what was missed, what came late. Bounded in number."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from sensor.doctor.frame import Frame, Key

MAX_CONVERSATIONS = 50_000  # about 50 MB; the one that was quiet longest is closed first
MAX_HOLES = 16  # a side with more has been told ill long before
MAX_TAGS = 4
LATE_NS = 3_000_000  # a retransmission takes a round trip; what a mirror swaps comes within 3 ms
_HALF = 1 << 31
_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16


def after(one: int, other: int) -> bool:
    """one is behind other in sequence space (RFC 9293, 3.4)."""
    return 0 < (one - other) & 0xFFFFFFFF < _HALF


@dataclass(slots=True)
class Side:
    """One direction."""

    packets: int = 0
    segments: int = 0  # with payload
    syn: bool = False
    acked: int | None = None  # the highest acknowledgement it sent
    acked_progress: bool = False
    next_seq: int | None = None
    vlans: set[tuple[int, ...]] = field(default_factory=set)
    holes: list[tuple[int, int, int, int]] = field(default_factory=list)  # from, to, time, IP id
    late: int = 0  # segments that came behind a later one, too soon for a retransmission
    lost: int = 0  # holes given up for want of room


@dataclass(slots=True)
class Conversation:
    """sides[0] is the side whose address and port sort first."""

    key: Key
    sides: tuple[Side, Side] = field(default_factory=lambda: (Side(), Side()))

    def gaps(self) -> int:
        """Holes that the receiver acknowledged: it had the bytes, the sensor never did."""
        count = 0
        for side, peer in (self.sides, self.sides[::-1]):
            count += side.lost
            for _, end, _, _ in side.holes:
                count += peer.acked is None or not after(end, peer.acked)
            if peer.acked is not None and side.next_seq is not None and side.packets:
                # Nothing but the end of stream (one number) may be acknowledged unseen.
                count += after(peer.acked, (side.next_seq + 1) & 0xFFFFFFFF)
        return count


class Conversations:
    """All that are open; `add` gives the one that had to be closed for it, if any."""

    def __init__(self) -> None:
        self._open: OrderedDict[Key, Conversation] = OrderedDict()

    def add(self, frame: Frame) -> Conversation | None:
        """Count a TCP segment in."""
        key = frame.key
        closed = None
        conversation = self._open.get(key)
        if frame.flags & _SYN and not frame.flags & _ACK and conversation is not None:
            side = conversation.sides[(frame.source, frame.ports[0]) != key.one]
            if side.next_seq is not None and side.segments and frame.seq + 1 & 0xFFFFFFFF != side.next_seq:
                closed, conversation = self._open.pop(key), None  # the ports are used again
        if conversation is None:
            if len(self._open) >= MAX_CONVERSATIONS:
                closed = self._open.popitem(last=False)[1]
            conversation = self._open[key] = Conversation(key)
        self._open.move_to_end(key)
        index = (frame.source, frame.ports[0]) != key.one
        _count(conversation.sides[index], frame)
        return closed

    def rest(self) -> Iterator[Conversation]:
        """Those still open at the end."""
        yield from self._open.values()


def _count(side: Side, frame: Frame) -> None:
    side.packets += 1
    if len(side.vlans) < MAX_TAGS:
        side.vlans.add(frame.vlans)
    if frame.flags & _RST:
        return  # resets of middle boxes carry numbers of their own
    if frame.flags & _ACK:
        if side.acked is not None and after(frame.ack, side.acked):
            side.acked_progress = True
        if side.acked is None or after(frame.ack, side.acked):
            side.acked = frame.ack
    if frame.flags & _SYN:
        side.syn = True
        side.next_seq = (frame.seq + 1 + frame.payload) & 0xFFFFFFFF
        return
    if not frame.payload:
        if side.next_seq is None:
            side.next_seq = frame.seq
        return
    side.segments += 1
    end = (frame.seq + frame.payload) & 0xFFFFFFFF
    if side.next_seq is None:
        side.next_seq = end
    elif not after(frame.seq, side.next_seq):
        if side.holes:
            _fill(side, frame, end)
        if after(end, side.next_seq):
            side.next_seq = end
    else:
        if frame.payload > 1 or frame.seq != side.next_seq:  # not a probe of a closed window
            if len(side.holes) >= MAX_HOLES:
                side.holes.pop(0)
                side.lost += 1
            side.holes.append((side.next_seq, frame.seq, frame.packet.time_ns, frame.ip_id))
        side.next_seq = end


def _fill(side: Side, frame: Frame, end: int) -> None:
    left = []
    for start, stop, time_ns, ip_id in side.holes:
        if not after(end, start) or not after(stop, frame.seq):
            left.append((start, stop, time_ns, ip_id))
            continue
        is_earlier = 0 < (ip_id - frame.ip_id) & 0xFFFF < 64 and frame.ip_id != 0
        side.late += is_earlier or abs(frame.packet.time_ns - time_ns) < LATE_NS
        if after(frame.seq, start):
            left.append((start, frame.seq, time_ns, ip_id))
        if after(stop, end):
            left.append((end, stop, time_ns, ip_id))
    side.holes = left[-MAX_HOLES:]
