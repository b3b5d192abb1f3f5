"""Frames that come twice."""

from __future__ import annotations

from collections import OrderedDict

from sensor.doctor.check import OK, CaptureCheck, Result
from sensor.doctor.frame import Frame

WINDOW = 1024  # frames looked back
WINDOW_NS = 5_000_000  # both copies leave one switch within microseconds; retransmissions take a round trip


class Duplicates(CaptureCheck):
    name = "duplicates"
    doc = (
        "packets come twice: the mirror sends them as they enter and again as they leave",
        "gói đến hai lần: bản sao gửi cả lúc vào lẫn lúc ra",
    )
    evidence = (
        "{copies} of {packets} packets are copies of one at most 5 ms older",
        "{copies} trên {packets} gói là bản sao của gói cũ hơn không quá 5 ms",
    )
    remedy = (
        "mirror one direction only: `monitor session 1 source vlan X rx`; or let the packet broker "
        "deduplicate",
        "chỉ nhân bản một chiều: `monitor session 1 source vlan X rx`; hoặc bật khử trùng lặp ở bộ phân phối",
    )
    explains = ("reordering", "tcp-gaps", "vlan-tags")

    SHARE = 0.05  # a mirror of one VLAN among twenty that is routed back

    def __init__(self) -> None:
        self._seen: OrderedDict[int, list[int]] = OrderedDict()  # digest -> time, copies
        self._packets = self._copies = self._copied = 0

    def frame(self, frame: Frame) -> None:
        if frame.ip < 0 or not frame.l4_ok or frame.group:
            return
        if frame.protocol == 6 and not (frame.payload or frame.flags & 3):
            return  # repeated acknowledgements look alike and are meant
        data = frame.packet.data
        is_v4 = data[frame.ip] >> 4 == 4
        self._packets += 1
        # Routers change TTL, header checksum, addresses of the link; nothing else.
        body = data[frame.l4 : frame.ip + frame.ip_bytes] if frame.ip_bytes else data[frame.l4 :]
        digest = hash((frame.source, frame.destination, is_v4 and frame.ip_id, body))
        now = frame.packet.time_ns
        before = self._seen.get(digest)
        if before is not None and abs(now - before[0]) <= WINDOW_NS:
            self._copied += before[1] == 0
            before[1] += 1
            self._copies += 1
            return
        self._seen[digest] = [now, 0]
        self._seen.move_to_end(digest)
        if len(self._seen) > WINDOW:
            self._seen.popitem(last=False)

    def result(self) -> Result:
        if self._copies < 3 or self._copies < self.SHARE * self._packets:
            return OK
        if self._copies > 3 * self._copied:  # a flood of one and the same packet is the sender's
            return OK
        return Result("fail", {"copies": self._copies, "packets": self._packets})
