"""Order and completeness of TCP."""

from __future__ import annotations

from sensor.doctor.check import OK, CaptureCheck, Result
from sensor.doctor.conversations import Conversation

SEGMENTS_MIN = 3  # of events: networks swap or lose one now and then
DATA_MIN = 20  # segments with data: fewer tell of a made-up conversation, or of none


class Reordering(CaptureCheck):
    name = "reordering"
    doc = (
        "segments arrive behind later ones, too soon to be retransmissions",
        "đoạn đến sau đoạn kế tiếp, quá sớm để là gửi lại",
    )
    evidence = (
        "{late} of {segments} TCP segments came late by less than 3 ms",
        "{late} trên {segments} đoạn TCP đến muộn dưới 3 ms",
    )
    remedy = (
        "one queue, or symmetric hashing: `ethtool -L IFACE combined 1`, or `ethtool -X IFACE hkey "
        "$(printf '6d:5a:%.0s' $(seq 19))6d:5a`; bundle the tap's outputs in one broker",
        "dùng một hàng đợi, hoặc băm đối xứng: `ethtool -L IFACE combined 1`, hoặc `ethtool -X IFACE hkey "
        "$(printf '6d:5a:%.0s' $(seq 19))6d:5a`; gộp các đầu ra của tap tại một bộ phân phối",
    )

    def __init__(self) -> None:
        self._late = self._segments = 0

    def closed(self, conversation: Conversation) -> None:
        for side in conversation.sides:
            self._late += side.late
            self._segments += side.segments

    def result(self) -> Result:
        if self._late < SEGMENTS_MIN or self._late < 0.03 * self._segments:
            return OK
        return Result("warn", {"late": self._late, "segments": self._segments})


class TcpGaps(CaptureCheck):
    name = "tcp-gaps"
    doc = (
        "bytes the receiver acknowledged never arrived here: loss before the sensor",
        "byte mà bên nhận đã xác nhận không đến đây: mất trước cảm biến",
    )
    evidence = (
        "{gaps} gaps in {segments} TCP segments with data, in conversations with both sides",
        "{gaps} lỗ hổng trong {segments} đoạn TCP có dữ liệu, ở các cuộc trao đổi đủ hai chiều",
    )
    remedy = (
        "the mirror port is overbooked or the ring is too small: mirror less into it, and `ethtool -G IFACE "
        "rx 4096`; compare `ethtool -S IFACE | grep -i drop`",
        "cổng nhân bản quá tải hoặc vòng đệm quá nhỏ: nhân bản ít hơn, `ethtool -G IFACE rx 4096`; so sánh "
        "`ethtool -S IFACE | grep -i drop`",
    )

    def __init__(self) -> None:
        self._gaps = self._segments = 0

    def closed(self, conversation: Conversation) -> None:
        there, back = conversation.sides
        if there.packets and back.packets:
            self._gaps += conversation.gaps()
            self._segments += there.segments + back.segments

    def result(self) -> Result:
        few = self._gaps < SEGMENTS_MIN or self._segments < DATA_MIN
        if few or self._gaps < 0.01 * self._segments:
            return OK
        return Result("fail", {"gaps": self._gaps, "segments": self._segments})
