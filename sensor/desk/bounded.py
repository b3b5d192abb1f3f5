"""Counting what comes from the wire without growing with it."""

from __future__ import annotations

from collections import Counter
from typing import Generic, TypeVar

Key = TypeVar("Key")


class TopCounter(Generic[Key]):
    """Counts keys; past the bound the rarer half is let go, and is_exact says so. What is frequent stays."""

    def __init__(self, bound: int = 20_000) -> None:
        self.counts: Counter[Key] = Counter()
        self.bound = bound
        self.is_exact = True

    def add(self, key: Key, count: int = 1) -> None:
        """Count a key."""
        self.counts[key] += count
        if len(self.counts) > self.bound:
            self.counts = Counter(dict(self.counts.most_common(self.bound // 2)))
            self.is_exact = False

    def top(self, number: int) -> list[tuple[Key, int]]:
        """The most frequent."""
        return self.counts.most_common(number)


class Timeline:
    """Counts by time in at most MAX_BINS bins, of a width that doubles when the time grows beyond them."""

    MAX_BINS = 400

    def __init__(self) -> None:
        self.width_seconds = 1
        self.bins: dict[int, list[int]] = {}

    def add(self, seconds: float, series: int, of: int = 2, count: int = 1) -> None:
        """Count something of one of several series."""
        self.bins.setdefault(int(seconds // self.width_seconds), [0] * of)[series] += count
        while len(self.bins) > self.MAX_BINS or self._span() > 2 * self.MAX_BINS:
            self.width_seconds *= 2
            halved: dict[int, list[int]] = {}
            for at, counts in self.bins.items():
                into = halved.setdefault(at // 2, [0] * of)
                for number, value in enumerate(counts):
                    into[number] += value
            self.bins = halved

    def _span(self) -> int:
        return max(self.bins) - min(self.bins) if self.bins else 0
