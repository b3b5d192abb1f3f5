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
        """Those left to the card and bad ones of hosts that send hardly any right one; of how many hosts; all
        other bad ones.
        """
        own = spoilt = other = hosts = spoilt_hosts = 0
        for right, wrong, partial in self._hosts.values():
            # What a system leaves to its card, or has joined from several packets, is never an accident.
            own += partial
            # A card that fills them in leaves none right in front of it; corruption hits one in many.
            is_own = wrong > 0 and (partial >= wrong or wrong > 4 * right)
            hosts += is_own or partial > 0
            spoilt_hosts += is_own
            spoilt += wrong * is_own
            other += wrong * (not is_own)
        if spoilt_hosts > 1 and 2 * spoilt_hosts > len(self._hosts):
            return own, hosts, spoilt + other  # both ends of everything: no host's own side
        return own + spoilt, hosts, other


class ChecksumOffload(_Checksums):
    name = "checksum-offload"
    doc = (
        "packets have no checksum yet: captured on their own host, before the card, or joined by it",
        "gói chưa có tổng kiểm: bắt ngay trên máy gửi, trước card mạng, hoặc máy đó đã ghép chúng",
    )
    evidence = (
        "{bad} of {checked} checksums are left to the card, of {hosts} host(s)",
        "{bad} trên {checked} tổng kiểm để lại cho card mạng, của {hosts} máy",
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
