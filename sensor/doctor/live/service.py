"""What the service needs around it."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from sensor.bus.enrol import load_enrolment
from sensor.doctor.check import OK, LiveCheck, Result, skipped
from sensor.doctor.machine import Machine
from sensor.errors import UserError


class DiskRoom(LiveCheck):
    name = "disk-room"
    doc = ("little room for spool and logs", "ít chỗ cho vùng đệm và nhật ký")
    evidence = ("{free} MiB free ({percent} %) at {path}", "còn {free} MiB ({percent} %) tại {path}")
    remedy = (
        "`du -xh --max-depth=2 {path} | sort -h | tail`, then move or delete",
        "`du -xh --max-depth=2 {path} | sort -h | tail`, rồi chuyển hoặc xóa",
    )

    FREE_MIN = 1 << 30  # bytes: a day of alerts and a spool at its least quota
    SHARE_MIN = 0.05

    def look(self, machine: Machine) -> Result:
        place = machine.directory
        while not place.exists() and place != place.parent:
            place = place.parent
        usage = shutil.disk_usage(place)
        share = usage.free / usage.total if usage.total else 0.0
        if usage.free >= self.FREE_MIN and share >= self.SHARE_MIN:
            return OK
        return Result(
            "fail" if usage.free < self.FREE_MIN / 10 else "warn",
            {"free": usage.free >> 20, "percent": round(100 * share), "path": str(place)},
        )


class RulesAge(LiveCheck):
    name = "rules-age"
    doc = ("the rules are older than a week", "bộ luật cũ hơn một tuần")
    evidence = ("the newest of {path} is {days} days old", "tệp mới nhất trong {path} đã {days} ngày")
    remedy = ("`haidang rules update`", "`haidang rules update`")

    DAYS_MAX = 7

    def look(self, machine: Machine) -> Result:
        folder = machine.rules
        try:
            files = [path.stat().st_mtime for path in folder.rglob("*.rules")]
        except OSError:
            files = []
        if not files:
            return skipped(f"no rules in {folder}", f"không có luật trong {folder}")
        days = int((time.time() - max(files)) / 86_400)
        return OK if days <= self.DAYS_MAX else Result("warn", {"path": str(Path(folder)), "days": days})


class Centre(LiveCheck):
    name = "centre"
    doc = ("the sensor is not enrolled at a centre", "cảm biến chưa đăng ký với trung tâm")
    evidence = ("{what}", "{what}")
    remedy = (
        "`haidang centre token` at the centre, then `haidang sensor enrol TOKEN` here",
        "`haidang centre token` tại trung tâm, rồi `haidang sensor enrol MÃ` ở đây",
    )

    def look(self, machine: Machine) -> Result:
        if not machine.directory.is_dir():
            return skipped(f"no sensor at {machine.directory}", f"không có cảm biến tại {machine.directory}")
        try:
            load_enrolment(machine.directory)
        except (UserError, OSError) as error:
            return Result("warn", {"what": str(error)})
        return OK
