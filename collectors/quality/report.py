"""What the journal knows of the sensors over a span of time, step by step, for `haidang centre quality`."""

from __future__ import annotations

from typing import NamedTuple

from collectors.journal import Journal
from collectors.quality.facts import BROUGHT_SECONDS, INTERVAL_SECONDS, Facts, merge
from collectors.quality.ledger import Ledger
from collectors.registry import Registry


class Stretch(NamedTuple):
    """One sensor over one step. begin: seconds since 1970. seconds: how long the centre listened."""

    sensor: str
    begin: int
    seconds: int
    facts: Facts


def report(
    journal: Journal, registry: Registry, since: int, until: int, *, step: int = 0, sensor: str = ""
) -> list[Stretch]:
    """Every sensor that may speak and every one that spoke, over since <= time < until; one step for all when
    `step` is 0. Steps are whole intervals.
    """
    ledger = Ledger(journal)
    since -= since % INTERVAL_SECONDS
    step = max(step - step % INTERVAL_SECONDS, INTERVAL_SECONDS) if step else max(until - since, 1)
    held: dict[tuple[str, int], Facts] = {}
    seconds: dict[tuple[str, int], int] = {}

    def note(name: str, begin: int, length: int, facts: Facts) -> None:
        place = (name, since + (begin - since) // step * step)
        held[place] = merge(held.get(place, Facts()), facts)
        seconds[place] = seconds.get(place, 0) + length

    upto = min(max(ledger.upto(), since), until)
    for name, begin, facts in ledger.read(since, until, sensor):
        note(name, begin, INTERVAL_SECONDS if begin < upto else 0, facts)
    added = dict.fromkeys(ledger.brought(until - BROUGHT_SECONDS), 0)
    for row in registry.sensors():
        # What is not closed yet has no line of its own for a sensor that is silent.
        if row.revoked is None:
            added[row.sensor] = min(added.get(row.sensor, row.added), row.added)
    for name, since_added in added.items():
        if sensor not in ("", name):
            continue
        open_from = max(upto, since_added)
        for begin in range(open_from - open_from % INTERVAL_SECONDS, until, INTERVAL_SECONDS):
            length = min(begin + INTERVAL_SECONDS, until) - max(begin, open_from)
            note(name, begin, length, Facts())
    return [
        Stretch(name, begin, seconds[name, begin], facts)
        for (name, begin), facts in sorted(held.items(), key=lambda entry: (entry[0][1], entry[0][0]))
        if seconds[name, begin] > 0
    ]
