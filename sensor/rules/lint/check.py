"""What a lint check is. A check looks at rules that load and says where something is; it must not change
them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from sensor.rules.lint.rule import Rule

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")  # worst first

Place = tuple[int, str]
"""The index of the option it is about (WHOLE_RULE for none), and what is to be said beyond the title."""

WHOLE_RULE = -1

Look = Callable[[Rule], Iterable[Place]]


@dataclass(frozen=True, slots=True, eq=False)  # one of a kind; compared and hashed by identity
class Check:
    """One check.

    severity: "error" (the rule cannot do what it says), "warning" (it costs, or is likely a mistake), "note"
    (style). title: what is found, without a full stop. bad, good: rules, one a line; `bad` makes the check
    speak, `good` does not; both are its tests. on: the check is asked only about rules with one of these
    keywords, in any spelling; about all rules when empty. look: one rule; look_at_all: the whole set at once.
    """

    code: str
    title: str
    severity: Severity
    why: str
    fix: str
    bad: str
    good: str
    on: tuple[str, ...] = ()
    look: Look | None = None
    look_at_all: Callable[[Sequence[Rule]], Iterable[tuple[Rule, int, str]]] | None = None
    needs: str = ""  # a package beyond the usual ones; such a check runs only when it is selected by its code
