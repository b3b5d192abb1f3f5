"""What `centre sensors`, `centre stats` and `relay status` show of two tiers, as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collectors.home import Home
    from collectors.seen import OriginRow


def relay_rows(home: Home) -> list[dict[str, Any]] | None:
    """The relay's books by lane, or None when this centre has none."""
    import time

    from collectors.relay.ledger import OUTBOX_FILE, read_books
    from collectors.relay.uplink import relay_directory
    from sensor.bus import lanes
    from sensor.bus.layout import POLICY

    path = relay_directory(home) / OUTBOX_FILE
    if not path.exists():
        return None
    rows = []
    for book, state in read_books(path):
        lost = {reason: events for reason, events in book.lost.items() if reason != POLICY}
        oldest_seconds = 0.0 if state.oldest_us is None else max(0.0, time.time() - state.oldest_us / 1e6)
        rows.append(
            {
                "lane": lanes.NAMES[book.lane],
                "delivered": book.delivered,
                "withheld": book.lost.get(POLICY, 0),
                "waiting": book.pending,
                "put_off": state.later,
                "lost": sum(lost.values()),
                "oldest_s": round(oldest_seconds),
                "reasons": ", ".join(f"{reason} {events}" for reason, events in sorted(lost.items())),
            }
        )
    return rows


def origin_rows(origins: list[OriginRow]) -> list[dict[str, Any]]:
    """Sensors that relays and sticks brought; what others left out of their batches counts as withheld."""
    from datetime import UTC, datetime

    return [
        {
            "sensor": row.sensor,
            "state": f"via {row.via}",
            "enrolled": "",
            "heard": datetime.fromtimestamp(row.changed_us / 1e6, UTC),
            "skew_ms": 0,
            "batches": row.batches,
            "events": row.events,
            "waiting": 0,
            "lost": row.lost,
            "withheld": row.withheld,
            "reduced": row.reduced,
            "software": "",
            "fingerprint": "",
        }
        for row in origins
    ]


def stats_rows(home: Home) -> list[dict[str, Any]]:
    """Rows of `centre stats`: what is missing of other centres' sensors, and the relay's books."""
    from collectors.seen import missing
    from sensor.bus import lanes

    rows: list[dict[str, Any]] = [
        {
            "sensor": sensor,
            "what": f"missing, {lanes.NAMES[lane]}: {batches} batches, not brought yet",
            "events": 0,
            "first": "",
            "last": "",
        }
        for sensor, lane, batches in missing(home.journal_file)
    ]
    return rows + [
        {"sensor": "", "what": f"relay, {row['lane']}: {what}", "events": row[what], "first": "", "last": ""}
        for row in relay_rows(home) or []
        for what in ("delivered", "withheld", "waiting", "put_off", "lost")
        if row[what]
    ]


def gap_text(lane: str, reason: str, gaps: int) -> str:
    """A reason for missing numbers in words: not all of them are losses."""
    from sensor.bus.layout import ELSEWHERE, POLICY

    told = {ELSEWHERE: "at another collector", POLICY: "kept back by policy"}.get(reason)
    return f"{told}, {lane} ({gaps} gaps)" if told else f"lost, {lane}: {reason} ({gaps} gaps)"
