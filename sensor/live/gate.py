"""Whether a sensor is in service: commissioning > in service <> degraded, by the checks of `fitness`.

It captures and alerts in every state. What the state says is whether anybody may rely on it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from sensor.cli.language import say
from sensor.doctor.examine import Answer
from sensor.errors import UserError
from sensor.live.fitness import NAMES

COMMISSIONING, IN_SERVICE, DEGRADED = STATES = ("commissioning", "in service", "degraded")
SECONDS = 30.0
"""Between two looks; while commissioning at most COMMISSIONING_SECONDS, since somebody stands beside it."""
COMMISSIONING_SECONDS = 5.0
RECORD_FILE = "commissioning.jsonl"
MAX_RECORD_BYTES = 1 << 20


class Gate:
    """The state. accepted: checks that may fail, because somebody said so. required: those of which a warning
    counts as a failure. record: where changes of state and what was accepted are written down.
    """

    def __init__(
        self,
        examine: Callable[[], list[Answer]],
        *,
        required: Collection[str],
        accepted: Collection[str],
        seconds: float,
        record: Path,
        tell: Callable[[str], None],
    ) -> None:
        for names, where in ((required, "haidang.commissioning.required"), (accepted, "--accept-failing")):
            for name in names:
                if name not in NAMES:
                    raise UserError(
                        f"`{name}` is no check", where=where, fix=f"write one of: {', '.join(sorted(NAMES))}"
                    )
        self.state = COMMISSIONING
        self.since = time.time()
        self.failing: list[Answer] = []
        self.accepted: list[Answer] = []
        self._examine, self._required, self._may_fail = examine, frozenset(required), frozenset(accepted)
        self._seconds, self._record, self._tell = seconds, record, tell
        self._due = 0.0
        self._told: tuple[str, frozenset[str], frozenset[str]] | None = None

    def look(self) -> bool:
        """Look at the checks when it is time; whether something changed."""
        now = time.monotonic()
        if now < self._due:
            return False
        answers = self._examine()
        failing = [answer for answer in answers if self._fails(answer)]
        self.accepted = [answer for answer in failing if answer.check.name in self._may_fail]
        self.failing = [answer for answer in failing if answer.check.name not in self._may_fail]
        fallen = COMMISSIONING if self.state == COMMISSIONING else DEGRADED
        state = fallen if self.failing else IN_SERVICE
        if state != self.state:
            self.state, self.since = state, time.time()
        wait = self._seconds
        self._due = now + (min(wait, COMMISSIONING_SECONDS) if state == COMMISSIONING else wait)
        failing_names, accepted_names = (
            frozenset(answer.check.name for answer in some) for some in (self.failing, self.accepted)
        )
        current = (state, failing_names, accepted_names)
        if current == self._told:
            return False
        self._told = current
        self._announce()
        return True

    def lines(self) -> list[str]:
        """For people: the state, then each reason with its remedy."""
        return list(gate_lines(self.told()))

    def told(self) -> dict[str, Any]:
        """For the status."""
        return {
            "state": self.state,
            "since": self.since,
            "failing": [_row(answer) for answer in self.failing],
            "accepted": [_row(answer) for answer in self.accepted],
        }

    def counters(self) -> Mapping[str, int]:
        """For the stats event: one of the three states is 1."""
        states = {f"haidang.service.{name.replace(' ', '_')}": int(name == self.state) for name in STATES}
        return {
            **states,
            "haidang.service.failing": len(self.failing),
            "haidang.service.accepted": len(self.accepted),
        }

    def summary(self) -> str:
        """On one line, for the service manager."""
        text = self.state
        if self.failing:
            text += ": " + ", ".join(dict.fromkeys(answer.check.name for answer in self.failing))
        if self.accepted:
            names = ", ".join(dict.fromkeys(answer.check.name for answer in self.accepted))
            text += f" (accepted as failing: {names})"
        return text

    def _fails(self, answer: Answer) -> bool:
        verdict = answer.result.verdict
        return verdict == "fail" or (verdict == "warn" and answer.check.name in self._required)

    def _announce(self) -> None:
        for line in self.lines():
            self._tell(line.strip())
        entry = {"time": time.time(), "user": os.getuid(), "sudo_user": os.environ.get("SUDO_USER", "")}
        try:
            if self._record.exists() and self._record.stat().st_size > MAX_RECORD_BYTES:
                self._record.replace(self._record.with_suffix(".old.jsonl"))
            with self._record.open("a", encoding="utf-8") as file:
                file.write(json.dumps({**entry, **self.told()}) + "\n")
        except OSError as error:
            self._tell(f"{self._record}: {error.strerror}: what was accepted is not written down")


def gate_lines(told: Mapping[str, Any]) -> list[str]:
    """The state as the status has it, for people."""
    names = {
        COMMISSIONING: say("commissioning", "đang nghiệm thu"),
        IN_SERVICE: say("in service", "đang phục vụ"),
        DEGRADED: say("degraded", "suy giảm"),
    }
    lines = [f"{say('service', 'dịch vụ')}: {names.get(told['state'], told['state'])}"]
    for kind, title in (
        ("failing", say("fails", "hỏng")),
        ("accepted", say("fails, accepted", "hỏng, được chấp nhận")),
    ):
        for row in told[kind]:
            lines.append(f"  {title}: {row['check']}: {say(*row['evidence'])}: {say(*row['remedy'])}")
    return lines


def _row(answer: Answer) -> dict[str, Any]:
    check, numbers = answer.check, answer.result.numbers
    return {
        "check": check.name,
        "verdict": answer.result.verdict,
        "evidence": [text.format(**numbers) for text in check.evidence],
        "remedy": [text.format(**numbers) for text in check.remedy],
    }
