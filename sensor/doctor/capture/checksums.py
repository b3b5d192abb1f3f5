"""Checksums of TCP and UDP: left to the card by the capturing host itself, or spoilt on the way."""

from __future__ import annotations

from sensor.doctor.check import OK, CaptureCheck, Result
from sensor.doctor.frame import Frame, checksum

BAD_MIN = 4  # fewer are one broken sender
MAX_HOSTS = 65_536


class _Checksums(CaptureCheck):
    def __init__(self) -> None:
        self._checked = 0
        self._hosts: dict[bytes, list[int]] = {}  # right, wrong, left to the card

    def frame(self, frame: Frame) -> None:
        verdict = checksum(frame) if frame.protocol in (6, 17) else ""
        if not verdict:
            return
        self._checked += 1
        counts = self._hosts.get(frame.source)
        if counts is None:
            if len(self._hosts) >= MAX_HOSTS:
                return
            counts = self._hosts[frame.source] = [0, 0, 0]
        counts[("right", "wrong", "partial").index(verdict)] += 1

    def _split(self) -> tuple[int, int, int]:
        """Bad ones of hosts that send hardly any right one; how many such hosts; all other bad ones."""
        own = hosts = other = 0
        for right, wrong, partial in self._hosts.values():
            if not wrong and not partial:
                continue
            # A card that fills them in leaves none right in front of it; corruption hits one in many.
            is_own = partial >= wrong or wrong > 4 * right
            own += (partial + wrong) * is_own
            hosts += is_own
            other += (partial + wrong) * (not is_own)
        if hosts > 1 and 2 * hosts > len(self._hosts):  # both ends of everything: no host's own side
            return 0, 0, own + other
        return own, hosts, other


class ChecksumOffload(_Checksums):
    name = "checksum-offload"
    doc = (
        "one host's own packets have no checksum yet: the capture was made on it, before the card",
        "gói của chính một máy chưa có tổng kiểm: bắt ngay trên máy đó, trước card mạng",
    )
    evidence = (
        "{bad} of {checked} checksums are wrong, all from {hosts} host(s) that send hardly any right one",
        "{bad} trên {checked} tổng kiểm sai, đều từ {hosts} máy hầu như không gửi tổng kiểm đúng",
    )
    remedy = (
        "read it with `haidang replay -k none -r FILE`, and on that host `ethtool -K IFACE tx off rx off`",
        "đọc bằng `haidang replay -k none -r TỆP`, và trên máy đó `ethtool -K IFACE tx off rx off`",
    )

    def result(self) -> Result:
        own, hosts, _ = self._split()
        if own < BAD_MIN or own < 0.02 * self._checked:
            return OK
        return Result("warn", {"bad": own, "checked": self._checked, "hosts": hosts})


class ChecksumCorrupt(_Checksums):
    name = "checksum-corrupt"
    doc = (
        "packets of many hosts are spoilt: a bad cable, transceiver or broker, or rewritten addresses",
        "gói của nhiều máy bị hỏng: cáp, module quang hoặc bộ phân phối gói lỗi, hoặc địa chỉ bị viết lại",
    )
    evidence = (
        "{bad} of {checked} checksums are wrong, not from one host's own side only",
        "{bad} trên {checked} tổng kiểm sai, không chỉ từ phía của một máy",
    )
    remedy = (
        "`ethtool -S IFACE | grep -iE 'crc|err'`; change cable and transceiver, then the broker's port",
        "`ethtool -S IFACE | grep -iE 'crc|err'`; đổi cáp và module quang, rồi cổng của bộ phân phối",
    )
    explains = ("tcp-gaps",)

    def result(self) -> Result:
        other = self._split()[2]
        if other < BAD_MIN or other < 0.01 * self._checked:
            return OK
        return Result("fail", {"bad": other, "checked": self._checked})
