"""The journal's table of facts, for those who close intervals and those who ask."""

from __future__ import annotations

from collections.abc import Sequence

from collectors.entries import Measured
from collectors.journal import Journal
from collectors.quality import facts


class Ledger:
    """What was counted, in one journal. Intervals are named by their beginning, in seconds since 1970."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def read(self, since: int, until: int, sensor: str = "") -> list[Measured]:
        """What was counted in intervals that begin at since <= begin < until."""
        with self._journal.reading() as database:
            return [Measured(*row) for row in facts.read(database, since, until, sensor)]

    def upto(self) -> int:
        """Intervals that begin before this are closed."""
        with self._journal.reading() as database:
            return int(database.execute("SELECT upto FROM measured").fetchone()[0])

    def first(self, since: int) -> int | None:
        """The first interval from this one on that has counts."""
        with self._journal.reading() as database:
            row = database.execute("SELECT min(begin) FROM measure WHERE begin >= ?", (since,)).fetchone()
        found: int | None = row[0]
        return found

    def brought(self, since: int) -> set[str]:
        """Sensors of which a relay said that they spoke since then."""
        with self._journal.reading() as database:
            rows = database.execute(
                "SELECT DISTINCT sensor FROM sighting WHERE via != '' AND heard_us >= ?", (since * 1_000_000,)
            )
            return {row[0] for row in rows}

    def close(self, begin: int, measured: Sequence[Measured]) -> None:
        """Add these last counts to the interval that begins then, and close it."""
        with self._journal.transaction() as database:
            for entry in measured:
                facts.add(database, *entry)
            facts.close(database, begin + facts.INTERVAL_SECONDS)
