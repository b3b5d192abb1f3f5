"""What a sensor in service must be fit for: the doctor's live checks, and what the capture alone knows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sensor.doctor.check import OK, Check, Result, skipped
from sensor.doctor.examine import Answer, in_order
from sensor.doctor.machine import Machine
from sensor.doctor.registry import CARD_CHECKS, MACHINE_CHECKS, PRIVILEGED_CHECKS

if TYPE_CHECKING:
    from sensor.live.heartbeat import Heart
    from sensor.live.keeper import Keeper

SILENCE_SECONDS = 300
_DROPS = 3  # the level at which packets of new flows are left out


@dataclass
class Facts:
    """What the running capture knows. silence_seconds: how long an interface may bring nothing."""

    interfaces: Sequence[str]
    keeper: Keeper
    rules_loaded: Callable[[], int]
    silence_seconds: float = SILENCE_SECONDS
    heart: Heart | None = None
    _packets: dict[str, tuple[int, float]] = field(default_factory=dict)

    def silent(self) -> list[tuple[str, float]]:
        """Interfaces that brought no packet for too long, or none ever, with the seconds; -1 for ever."""
        found = []
        now = time.monotonic()
        for name, packets in self.keeper.packets().items():
            before, since = self._packets.get(name, (0, now))
            if packets != before:
                before, since = packets, now
            self._packets[name] = (before, since)
            if not before:
                found.append((name, -1.0))
            elif now - since > self.silence_seconds:
                found.append((name, now - since))
        return found


class ServiceCheck(Check):
    """Looks at the running capture."""

    def look(self, facts: Facts) -> Result:
        """Reads only."""
        raise NotImplementedError


class Traffic(ServiceCheck):
    name = "traffic"
    doc = ("an interface brings no packets", "một giao diện không có gói nào")
    evidence = (
        "no packet yet on: {never}; no more packets on: {quiet}",
        "chưa có gói nào trên: {never}; không còn gói trên: {quiet}",
    )
    remedy = (
        "look at the mirror session of the switch, and with `tcpdump -ni {first} -c 5` at what comes",
        "kiểm phiên nhân bản trên switch, và xem có gói không bằng `tcpdump -ni {first} -c 5`",
    )

    def look(self, facts: Facts) -> Result:
        silent = facts.silent()
        if not silent:
            return OK
        never = ", ".join(name for name, seconds in silent if seconds < 0)
        quiet = ", ".join(f"{name} ({seconds:.0f} s)" for name, seconds in silent if seconds >= 0)
        return Result("fail", {"never": never or "-", "quiet": quiet or "-", "first": silent[0][0]})


class Books(ServiceCheck):
    name = "books"
    doc = ("the books of the capture do not close", "sổ của việc bắt gói không khớp")
    evidence = ("{what}", "{what}")
    remedy = (
        "report it with `haidang sensor status --json`; a restart begins new books",
        "báo lỗi kèm `haidang sensor status --json`; khởi động lại sẽ mở sổ mới",
    )

    def look(self, facts: Facts) -> Result:
        page = facts.keeper.page
        return Result("fail", {"what": page.imbalances[0]}) if page and page.imbalances else OK


class Losses(ServiceCheck):
    name = "losses"
    doc = ("packets were lost at the sensor", "cảm biến đã mất gói")
    evidence = ("{what}", "{what}")
    remedy = (
        "`haidang sensor status` names each loss with its remedy",
        "`haidang sensor status` nêu từng mất mát và cách chữa",
    )

    def look(self, facts: Facts) -> Result:
        page = facts.keeper.page
        return Result("warn", {"what": str(page.losses[0])}) if page and page.losses else OK


class Rules(ServiceCheck):
    name = "rules"
    doc = ("no rule is in force", "không có luật nào có hiệu lực")
    evidence = ("{loaded} rules are loaded", "đã nạp {loaded} luật")
    remedy = (
        "`haidang rules update`, or name rule files with `-S` or `rule-files`; see `haidang rules check`",
        "`haidang rules update`, hoặc chỉ tệp luật bằng `-S` hay `rule-files`; xem `haidang rules check`",
    )

    def look(self, facts: Facts) -> Result:
        loaded = facts.rules_loaded()
        return OK if loaded else Result("fail", {"loaded": loaded})


class Heartbeat(ServiceCheck):
    name = "heartbeat"
    doc = (
        "the sensor's own packet does not come through its line",
        "gói tin của chính cảm biến không đi hết dây chuyền",
    )
    evidence = (
        "the last heartbeat stayed away at stage {stage}",
        "nhịp tim gần nhất không qua được chặng {stage}",
    )
    remedy = (
        "see what `haidang sensor status` says of that stage; centre: is the centre up, and the way to it",
        "xem `haidang sensor status` về chặng đó; centre: trung tâm và đường tới đó có hoạt động không",
    )

    def look(self, facts: Facts) -> Result:
        heart = facts.heart
        if heart is None:
            return skipped("there is no heartbeat", "không có nhịp tim")
        if not heart.broken:
            return OK
        # Without a centre it goes on working: what it finds waits in the spool.
        return Result("warn" if heart.broken == "centre" else "fail", {"stage": heart.broken})


class Memory(ServiceCheck):
    name = "memory"
    doc = ("work is left out for want of memory", "một phần việc bị bỏ vì thiếu bộ nhớ")
    evidence = (
        "level {level} of 3: {used} of {limit} MiB are in use",
        "mức {level} trên 3: đang dùng {used} trên {limit} MiB",
    )
    remedy = (
        "raise `haidang.memory.limit`, lower the memcaps, or give the machine more memory",
        "tăng `haidang.memory.limit`, giảm các memcap, hoặc thêm bộ nhớ cho máy",
    )

    def look(self, facts: Facts) -> Result:
        page = facts.keeper.page
        counters = page.counters if page else {}
        level = counters.get("haidang.shed.level", 0)
        if not level:
            return OK
        used, limit = (counters.get(f"haidang.memory.{name}", 0) >> 20 for name in ("used", "limit"))
        verdict = "fail" if level == _DROPS else "warn"
        return Result(verdict, {"level": level, "used": used, "limit": limit})


SERVICE_CHECKS: tuple[type[ServiceCheck], ...] = (Traffic, Books, Losses, Rules, Heartbeat, Memory)

NAMES: tuple[str, ...] = tuple(
    check.name for check in (*CARD_CHECKS, *PRIVILEGED_CHECKS, *MACHINE_CHECKS, *SERVICE_CHECKS)
)
"""Every check of a sensor in service."""


class Examination:
    """All checks of a running sensor. Made before privileges are dropped: some can be answered only then."""

    def __init__(self, facts: Facts, directory: Path, rules: Path) -> None:
        self._facts = facts
        self._machines = [Machine(name, directory, rules) for name in facts.interfaces]
        self._checks = [check() for check in MACHINE_CHECKS]
        self._own = [check() for check in SERVICE_CHECKS]
        self._cards = [(check(), machine) for machine in self._machines for check in CARD_CHECKS]
        first = self._machines[0]
        self._before = [Answer(check, check.look(first)) for check in (kind() for kind in PRIVILEGED_CHECKS)]

    def answers(self) -> list[Answer]:
        """Every check's answer now, causes first."""
        return in_order(
            [
                *(Answer(check, check.look(machine)) for check, machine in self._cards),
                *self._before,
                *(Answer(check, check.look(self._machines[0])) for check in self._checks),
                *(Answer(check, check.look(self._facts)) for check in self._own),
            ]
        )
