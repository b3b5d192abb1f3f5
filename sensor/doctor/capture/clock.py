"""The times of the packets."""

from __future__ import annotations

import time

from sensor.doctor.check import OK, CaptureCheck, Result, skipped
from sensor.doctor.frame import Frame

_SECOND = 10**9
_YEAR_1990 = 631_152_000 * _SECOND  # before it there was no capture format
_DAY = 86_400 * _SECOND


class _Times(CaptureCheck):
    def __init__(self) -> None:
        self._frames = self._last = 0
        self._first: int | None = None

    def frame(self, frame: Frame) -> None:
        if self._first is None:
            self._first = frame.packet.time_ns
        self._frames += 1


class TimesZero(_Times):
    name = "times-zero"
    doc = ("packets have no time, or one before 1990", "gói không có thời gian, hoặc trước năm 1990")
    evidence = ("{count} of {frames} packets", "{count} trên {frames} gói")
    remedy = (
        "set the capturing machine's clock: `timedatectl set-ntp true`; or host stamps: `tcpdump -j host`",
        "đặt đồng hồ của máy bắt: `timedatectl set-ntp true`; hoặc dấu thời gian của máy: `tcpdump -j host`",
    )
    explains = ("times-backwards", "times-coarse", "duplicates", "reordering")

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    def frame(self, frame: Frame) -> None:
        super().frame(frame)
        self._count += frame.packet.time_ns < _YEAR_1990

    def result(self) -> Result:
        if self._count < 3 or self._count < 0.01 * self._frames:
            return OK
        return Result("fail", {"count": self._count, "frames": self._frames})


class TimesFuture(_Times):
    name = "times-future"
    doc = ("packets from the future", "gói từ tương lai")
    evidence = (
        "{count} of {frames} packets, up to {days} days",
        "{count} trên {frames} gói, tới {days} ngày",
    )
    remedy = TimesZero.remedy
    explains = ("times-backwards",)

    def __init__(self) -> None:
        super().__init__()
        self._count = self._most = 0
        self._limit = time.time_ns() + _DAY  # a day: zones set wrong are not caught, other clocks are

    def frame(self, frame: Frame) -> None:
        super().frame(frame)
        if frame.packet.time_ns > self._limit:
            self._count += 1
            self._most = max(self._most, frame.packet.time_ns)

    def result(self) -> Result:
        if not self._count or self._count < 0.01 * self._frames:
            return OK
        days = (self._most - self._limit) // _DAY + 1
        return Result("fail", {"count": self._count, "frames": self._frames, "days": days})


class TimesBackwards(_Times):
    name = "times-backwards"
    doc = ("time goes backwards from packet to packet", "thời gian đi lùi giữa các gói")
    evidence = (
        "{count} of {frames} packets are older than the one before, by up to {milliseconds} ms",
        "{count} trên {frames} gói cũ hơn gói trước, tới {milliseconds} ms",
    )
    remedy = (
        "sort it: `reordercap FILE sorted.pcap` or `haidang pcap merge sorted.pcap FILE`; capture with one "
        "queue, and let the clock slew: `chronyc makestep` before, not during",
        "sắp lại: `reordercap TỆP sorted.pcap` hoặc `haidang pcap merge sorted.pcap TỆP`; bắt bằng một hàng "
        "đợi, và chỉnh đồng hồ trước khi bắt: `chronyc makestep`",
    )
    explains = ("reordering",)

    def __init__(self) -> None:
        super().__init__()
        self._count = self._most = self._before = 0

    def frame(self, frame: Frame) -> None:
        super().frame(frame)
        if frame.packet.time_ns < self._before:
            self._count += 1
            self._most = max(self._most, self._before - frame.packet.time_ns)
        self._before = frame.packet.time_ns

    def result(self) -> Result:
        # One in a hundred, or one jump of a second: a clock that was set.
        if not self._count or (
            self._most < _SECOND and (self._count < 3 or self._count < 0.01 * self._frames)
        ):
            return OK
        numbers = {"count": self._count, "frames": self._frames, "milliseconds": round(self._most / 1e6, 3)}
        return Result("warn", numbers)


class TimesCoarse(_Times):
    name = "times-coarse"
    doc = ("the clock ticks in milliseconds or slower", "đồng hồ chỉ nhích từng mili giây hoặc chậm hơn")
    evidence = (
        "all {frames} packets have times of whole {unit}s",
        "tất cả {frames} gói có thời gian chẵn {unit}",
    )
    remedy = (
        "use the kernel's stamps: `tcpdump -j host --time-stamp-precision micro`; on virtual machines "
        "`echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource`",
        "dùng dấu thời gian của nhân: `tcpdump -j host --time-stamp-precision micro`; trên máy ảo "
        "`echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource`",
    )

    FRAMES_MIN = 50  # that so many are whole milliseconds by chance: 1000 ** -50

    def __init__(self) -> None:
        super().__init__()
        self._together = 0
        self._before = -1
        self._is_second = self._is_millisecond = True

    def frame(self, frame: Frame) -> None:
        super().frame(frame)
        now = frame.packet.time_ns
        self._together += now == self._before
        self._before = now
        self._is_second &= now % _SECOND == 0
        self._is_millisecond &= now % 1_000_000 == 0

    def result(self) -> Result:
        if self._frames < self.FRAMES_MIN:
            return skipped("too few packets", "quá ít gói")
        # Whole milliseconds harm only where packets share one.
        if not self._is_millisecond or self._together < 0.2 * self._frames:
            return OK
        unit = "second" if self._is_second else "millisecond"
        return Result("warn", {"frames": self._frames, "unit": unit})
