"""How long the frames are, and how much of them was kept."""

from __future__ import annotations

from collections import Counter

from sensor.doctor.check import OK, CaptureCheck, Result
from sensor.doctor.frame import Frame

MTU = 1500  # bytes of an IP packet on Ethernet
JUMBO_MTU = 9216  # what switches forward at most
SEGMENTS_MIN = 3  # two may be one oddity sent twice


class Truncation(CaptureCheck):
    name = "truncation"
    doc = ("frames are cut: a snapshot length too small", "khung bị cắt: độ dài bắt quá nhỏ")
    evidence = (
        "{cut} of {frames} frames are cut, most of them at {bytes} bytes",
        "{cut} trên {frames} khung bị cắt, phần lớn ở {bytes} byte",
    )
    remedy = (
        "capture whole frames: `tcpdump -s 0 -i IFACE -w FILE`; on the packet broker switch off slicing",
        "bắt trọn khung: `tcpdump -s 0 -i IFACE -w TỆP`; tắt chế độ cắt gói trên bộ phân phối gói",
    )
    explains = ("tcp-gaps", "checksum-corrupt", "unknown-encapsulation", "non-ip", "super-packets", "jumbo")

    SHARE = 0.01  # what a sensor misses at one frame in a hundred is more than noise

    def __init__(self) -> None:
        self._frames = 0
        self._cut: Counter[int] = Counter()

    def frame(self, frame: Frame) -> None:
        self._frames += 1
        kept, wire = len(frame.packet.data), frame.packet.original_bytes
        # A slicer in front of the port shortens the frame and its length with it; the IP header still tells.
        ip_wire = frame.ip + frame.ip_bytes if frame.ip >= 0 and not frame.tunnel else 0
        if (kept < wire or kept < ip_wire) and (kept in self._cut or len(self._cut) < 4096):
            self._cut[kept] += 1

    def result(self) -> Result:
        cut = self._cut.total()
        if cut < 3 or cut < self.SHARE * self._frames:
            return OK
        most = self._cut.most_common(1)[0][0]
        return Result("fail", {"cut": cut, "frames": self._frames, "bytes": most})


class SuperPackets(CaptureCheck):
    name = "super-packets"
    doc = (
        "segments longer than any wire carries: GRO, LRO or TSO joined them",
        "đoạn dài hơn mọi đường truyền: GRO, LRO hoặc TSO đã ghép chúng",
    )
    evidence = (
        "{super} of {segments} TCP segments with data are longer than the receiver's MSS or {mtu} bytes, the "
        "longest {longest}",
        "{super} trên {segments} đoạn TCP có dữ liệu dài hơn MSS của bên nhận hoặc {mtu} byte, dài nhất "
        "{longest}",
    )
    remedy = (
        "`ethtool -K IFACE gro off lro off tso off gso off` on the machine that captures",
        "`ethtool -K IFACE gro off lro off tso off gso off` trên máy bắt gói",
    )
    explains = ("jumbo", "checksum-offload")

    MAX_MSS = 65_536

    def __init__(self) -> None:
        self._mss: dict[tuple[bytes, int], int] = {}
        self._super = self._segments = self._longest = 0

    def frame(self, frame: Frame) -> None:
        if frame.protocol != 6 or not frame.l4_ok:
            return
        if frame.mss and len(self._mss) < self.MAX_MSS:
            self._mss[frame.source, frame.ports[0]] = frame.mss
        if not frame.payload:
            return
        self._segments += 1
        size = frame.ip_bytes or frame.packet.original_bytes - frame.ip
        mss = self._mss.get((frame.destination, frame.ports[1]), 0)
        if size > JUMBO_MTU or (size > MTU and mss and frame.payload > mss):
            self._super += 1
            self._longest = max(self._longest, size)

    def result(self) -> Result:
        if self._super < SEGMENTS_MIN or self._super < 0.01 * self._segments:
            return OK
        return Result(
            "fail",
            {"super": self._super, "segments": self._segments, "mtu": JUMBO_MTU, "longest": self._longest},
        )


class Jumbo(CaptureCheck):
    name = "jumbo"
    doc = (
        "packets longer than 1,500 bytes: the sensor's interface must take them",
        "gói dài hơn 1.500 byte: giao diện của cảm biến phải nhận được",
    )
    evidence = (
        "{long} of {packets} IP packets are longer than 1500 bytes, the longest {longest}",
        "{long} trên {packets} gói IP dài hơn 1500 byte, dài nhất {longest}",
    )
    remedy = (
        "`ip link set dev IFACE mtu 9216` on the sensor; if GRO or LRO made them: `ethtool -K IFACE gro off "
        "lro off`",
        "`ip link set dev IFACE mtu 9216` trên cảm biến; nếu do GRO hoặc LRO: `ethtool -K IFACE gro off lro "
        "off`",
    )

    def __init__(self) -> None:
        self._long = self._packets = self._longest = 0

    def frame(self, frame: Frame) -> None:
        self._packets += frame.ip >= 0
        if frame.ip >= 0 and MTU < frame.ip_bytes <= JUMBO_MTU and not frame.tunnel:
            self._long += 1
            self._longest = max(self._longest, frame.ip_bytes)

    def result(self) -> Result:
        if self._long < SEGMENTS_MIN or self._long < 0.01 * self._packets:
            return OK
        return Result("warn", {"long": self._long, "packets": self._packets, "longest": self._longest})
