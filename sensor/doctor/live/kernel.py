"""What the kernel allows and offers."""

from __future__ import annotations

import ctypes
import os
import socket

from sensor.doctor.check import OK, LiveCheck, Result, skipped
from sensor.doctor.machine import Machine

_CAP_NET_RAW = 13
_SOL_PACKET, _PACKET_VERSION, _TPACKET_V3 = 263, 10, 2
_AF_XDP = 44


class Capabilities(LiveCheck):
    name = "capabilities"
    doc = (
        "this process may not open packet sockets (CAP_NET_RAW)",
        "tiến trình không được mở socket gói (CAP_NET_RAW)",
    )
    evidence = ("effective capabilities {mask}, user {user}", "quyền hiệu lực {mask}, người dùng {user}")
    remedy = (
        "run as root, or `systemctl edit haidang` with `AmbientCapabilities=CAP_NET_RAW CAP_NET_ADMIN`",
        "chạy bằng root, hoặc `systemctl edit haidang` với `AmbientCapabilities=CAP_NET_RAW CAP_NET_ADMIN`",
    )

    def look(self, machine: Machine) -> Result:
        for line in machine.read("/proc/self/status").splitlines():
            if line.startswith("CapEff:"):
                mask = line.split()[1]
                if int(mask, 16) >> _CAP_NET_RAW & 1:
                    return OK
                return Result("fail", {"mask": mask, "user": os.geteuid()})
        return skipped("no /proc/self/status", "không có /proc/self/status")


class Features(LiveCheck):
    name = "kernel-features"
    doc = ("the kernel lacks TPACKET_V3 or AF_XDP", "nhân thiếu TPACKET_V3 hoặc AF_XDP")
    evidence = ("kernel {release} has no {missing}", "nhân {release} không có {missing}")
    remedy = (
        "a kernel of Debian 11 or later: `apt-get install linux-image-amd64`, then reboot",
        "nhân của Debian 11 trở lên: `apt-get install linux-image-amd64`, rồi khởi động lại",
    )

    def look(self, machine: Machine) -> Result:  # noqa: ARG002  # the kernel is asked
        missing = []
        try:
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as end:
                end.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V3)
        except PermissionError:
            return skipped("packet sockets are not allowed here", "không được mở socket gói ở đây")
        except OSError:
            missing.append("TPACKET_V3")
        try:
            socket.socket(_AF_XDP, socket.SOCK_RAW).close()
        except OSError:
            missing.append("AF_XDP")
        if not missing:
            return OK
        verdict = "fail" if "TPACKET_V3" in missing else "warn"
        return Result(verdict, {"release": os.uname().release, "missing": ", ".join(missing)})


class Clock(LiveCheck):
    name = "clock"
    doc = ("the clock is not synchronised", "đồng hồ chưa được đồng bộ")
    evidence = (
        "the kernel says unsynchronised (adjtimex {state}, status {status})",
        "nhân báo chưa đồng bộ (adjtimex {state}, trạng thái {status})",
    )
    remedy = ("`timedatectl set-ntp true`, or install chrony", "`timedatectl set-ntp true`, hoặc cài chrony")

    STA_UNSYNC, TIME_ERROR = 0x40, 5

    def look(self, machine: Machine) -> Result:  # noqa: ARG002  # the kernel is asked
        buffer = (ctypes.c_long * 64)()  # struct timex is 208 bytes; modes 0 only reads
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(buffer))
        if state < 0:
            return skipped("adjtimex is not allowed here", "không được gọi adjtimex ở đây")
        # modes, offset, freq, maxerror, esterror, status (an int, each padded to a long)
        status = buffer[5] & 0xFFFFFFFF
        if state != self.TIME_ERROR and not status & self.STA_UNSYNC:
            return OK
        return Result("warn", {"state": state, "status": f"0x{status:x}"})
