"""A link's budget: so many bytes a second on average, for lines that others need, too."""

from __future__ import annotations

_BURST_SECONDS = 1.0  # what may be saved up while nothing was sent


class Budget:
    """A token bucket. A batch goes out whole as soon as anything is left, and the next ones wait until it is
    paid for, so that no batch is too large for a small budget. Times are seconds of a monotonic clock.
    """

    def __init__(self, bytes_per_second: float) -> None:
        """0: no limit."""
        self.bytes_per_second = bytes_per_second
        self._left = bytes_per_second * _BURST_SECONDS
        self._counted_at: float | None = None

    def allows(self, now: float) -> bool:
        """Whether something may be sent now."""
        if not self.bytes_per_second:
            return True
        if self._counted_at is not None:
            earned = max(0.0, now - self._counted_at) * self.bytes_per_second
            self._left = min(self._left + earned, self.bytes_per_second * _BURST_SECONDS)
        self._counted_at = now
        return self._left > 0

    def spend(self, size: int) -> None:
        """So many bytes were sent."""
        self._left -= size
