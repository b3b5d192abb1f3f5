"""Where the outlets stand, for those who carry and those who ask."""

from __future__ import annotations

import time

from collectors.journal import Journal
from collectors.outlets import cursors
from collectors.outlets.cursors import Place


class Places:
    """The cursors of all outlets in one journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def settle(self, begins: dict[str, int]) -> list[str]:
        """These outlets exist, a new one beginning after that record; returns those that are forgotten."""
        with self._journal.transaction() as database:
            return cursors.settle(database, begins)

    def all(self) -> list[Place]:
        """Every outlet's, by name."""
        with self._journal.reading() as database:
            return cursors.read(database)

    def of(self, name: str) -> Place:
        """One outlet's. KeyError when it was never settled."""
        for place in self.all():
            if place.name == name:
                return place
        raise KeyError(name)

    def advance(self, name: str, upto: int, sent: int) -> None:
        """Everything up to this record is confirmed by the outlet; so many events were its."""
        with self._journal.transaction() as database:
            cursors.advance(database, name, upto, sent, int(time.time()))

    def fail(self, name: str, error: str) -> None:
        """The outlet takes nothing, for this reason."""
        with self._journal.transaction() as database:
            cursors.fail(database, name, error, int(time.time()))
