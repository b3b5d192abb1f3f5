"""Lengths of time as people write them: 30s, 15m, 24h, 7d, 2w."""

from __future__ import annotations

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
"""Seconds."""
