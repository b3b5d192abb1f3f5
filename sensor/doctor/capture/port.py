"""What comes out of the port at all."""

from __future__ import annotations

from collections import Counter

from sensor.doctor.check import OK, CaptureCheck, Result
from sensor.doctor.frame import LAYER_2, TAGS, Frame

FRAMES_MIN = 30  # fewer are what any quiet LAN gives in a minute
SHARE = 0.2  # some unknown frames (loop tests, vendors' hellos) are on every network
NO_IP = 0.02
MAX_TYPES = 256
_CARRIES_IP = {0x0800, 0x86DD, 0x8847, 0x8848, 0x8864}


class DeadPort(CaptureCheck):
    name = "dead-port"
    doc = (
        "only broadcast, multicast and switch protocols arrive: the port is no mirror",
        "chỉ có quảng bá, multicast và giao thức của switch: cổng không phải cổng nhân bản",
    )
    evidence = (
        "{frames} frames in {seconds} s, {unicast} of them unicast",
        "{frames} khung trong {seconds} s, {unicast} khung unicast",
    )
    remedy = (
        "set the session's destination on the switch to this port: `monitor session 1 source interface X "
        "both`, `monitor session 1 destination interface Y`; check with `show monitor`",
        "đặt đích của phiên nhân bản trên switch là cổng này: `monitor session 1 source interface X both`, "
        "`monitor session 1 destination interface Y`; kiểm tra bằng `show monitor`",
    )
    explains = ("non-ip", "unknown-encapsulation")

    SECONDS_MIN = 20  # ten STP hellos; a shorter silence is an accident

    def __init__(self) -> None:
        self._frames = self._unicast = 0
        self._first = self._last = 0

    def frame(self, frame: Frame) -> None:
        if frame.packet.link != 1:
            self._unicast += 1
        else:
            self._unicast += not frame.group
        self._first = self._first or frame.packet.time_ns
        self._last = frame.packet.time_ns
        self._frames += 1

    def result(self) -> Result:
        seconds = (self._last - self._first) / 1e9
        if self._frames >= FRAMES_MIN and not self._unicast and seconds >= self.SECONDS_MIN:
            return Result(
                "fail", {"frames": self._frames, "seconds": round(seconds), "unicast": self._unicast}
            )
        return OK


class _Kinds(CaptureCheck):
    def __init__(self) -> None:
        self._frames = self._ip = 0
        self._unknown: Counter[str] = Counter()

    def frame(self, frame: Frame) -> None:
        if frame.group and frame.ip < 0:
            return
        self._frames += 1
        self._ip += frame.ip >= 0
        if frame.ip >= 0 or (frame.ether in LAYER_2 and frame.link_known):
            return
        if frame.link_known and frame.ether == 0 and frame.packet.data[14:15] in (b"\x42", b"\xfe"):
            return  # STP and IS-IS
        if frame.ether in _CARRIES_IP and len(frame.packet.data) < 54:
            return  # cut
        kind = f"0x{frame.ether:04x}" if frame.link_known else f"link type {frame.packet.link}"
        if frame.ether in TAGS:
            kind = "stacked tags"
        if len(self._unknown) < MAX_TYPES or kind in self._unknown:
            self._unknown[kind] += 1


class UnknownEncapsulation(_Kinds):
    name = "unknown-encapsulation"
    doc = (
        "frames whose link type or ethertype the sensor cannot read",
        "khung có kiểu liên kết hoặc ethertype mà cảm biến không đọc được",
    )
    evidence = (
        "{unknown} of {frames} frames cannot be read, most of them {kind}",
        "{unknown} trên {frames} khung không đọc được, phần lớn là {kind}",
    )
    remedy = (
        "switch off the packet broker's own header (VN-tag, FabricPath, time stamp trailer, MACsec) on the "
        "mirror's output; look with `tcpdump -e -XX -c 5 -r FILE`",
        "tắt phần đầu riêng của bộ phân phối gói (VN-tag, FabricPath, dấu thời gian, MACsec) ở đầu ra nhân "
        "bản; xem bằng `tcpdump -e -XX -c 5 -r TỆP`",
    )
    explains = ("non-ip",)

    def result(self) -> Result:
        unknown = self._unknown.total()
        if self._frames < FRAMES_MIN or unknown < SHARE * self._frames:
            return OK
        kind = self._unknown.most_common(1)[0][0]
        return Result(
            "fail" if self._ip < unknown else "warn",
            {"unknown": unknown, "frames": self._frames, "kind": kind},
        )


class NonIp(_Kinds):
    name = "non-ip"
    doc = (
        "unicast frames arrive, and none of them carries IP",
        "có khung unicast, nhưng không khung nào mang IP",
    )
    evidence = ("{ip} of {frames} frames carry IP", "{ip} trên {frames} khung mang IP")
    remedy = (
        "the mirror's source is the wrong VLAN or port, or a filter keeps IP out: `show monitor session 1 "
        "detail`",
        "nguồn nhân bản sai VLAN hoặc sai cổng, hoặc bộ lọc chặn IP: `show monitor session 1 detail`",
    )

    def result(self) -> Result:
        if self._frames < FRAMES_MIN or self._ip > NO_IP * self._frames:
            return OK
        return Result("fail", {"ip": self._ip, "frames": self._frames})


class MirrorOfMirror(CaptureCheck):
    name = "mirror-of-mirror"
    doc = (
        "the mirror is itself carried in a tunnel (ERSPAN, VXLAN, GRE)",
        "bản sao được chở trong đường hầm (ERSPAN, VXLAN, GRE)",
    )
    evidence = (
        "{tunnelled} of {frames} IP packets come in {kind} and none goes back",
        "{tunnelled} trên {frames} gói IP nằm trong {kind} và không có chiều về",
    )
    remedy = (
        "end the tunnel at the sensor's own address or mirror locally; if it must stay, raise the MTU of the "
        "whole path by 50 bytes: `ip link set dev IFACE mtu 9000`",
        "kết thúc đường hầm tại địa chỉ của cảm biến hoặc nhân bản tại chỗ; nếu phải giữ, tăng MTU cả đường "
        "đi thêm 50 byte: `ip link set dev IFACE mtu 9000`",
    )

    MAX_PAIRS = 1024

    def __init__(self) -> None:
        self._frames = 0
        self._kinds: Counter[str] = Counter()
        self._pairs: set[tuple[bytes, bytes]] = set()

    def frame(self, frame: Frame) -> None:
        self._frames += frame.ip >= 0
        if frame.tunnel:
            self._kinds[frame.tunnel] += 1
            if len(self._pairs) < self.MAX_PAIRS:
                self._pairs.add(frame.outer)

    def result(self) -> Result:
        tunnelled = self._kinds.total()
        # An overlay network goes both ways; a mirror only comes. Half: the rest may be the tunnel's control.
        if tunnelled < 10 or tunnelled < self._frames / 2:
            return OK
        kind = self._kinds.most_common(1)[0][0]
        if kind != "ERSPAN" and any((there, here) in self._pairs for here, there in self._pairs):
            return OK
        return Result("warn", {"tunnelled": tunnelled, "frames": self._frames, "kind": kind})
