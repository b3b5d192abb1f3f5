"""What a commit does to the journal's tables, entry by entry, inside its transaction; and what is counted of
sensors whose batches others bring, where it is known whether a batch is new (docs/spec/quality.md).
"""

from __future__ import annotations

import sqlite3

from collectors import pulses, seen, sightings
from collectors.entries import (
    Beat,
    Entry,
    Gap,
    Heard,
    Kept,
    Measured,
    NewRecord,
    Quarantined,
    Relayed,
    Sighted,
    Told,
)
from collectors.quality import facts as measures
from collectors.quality.facts import Facts
from sensor.bus.layout import POLICY
from sensor.bus.records import add_record

MAX_QUARANTINED_BYTES = 64 * 1024  # of each; with the number below 64 MB in all
_QUARANTINE_ENTRIES = 1000  # the newest: evidence for people, bounded against who sends nothing else


class Keeper:
    """Keeps the entries of one commit. now_us: this machine's clock."""

    def __init__(self, database: sqlite3.Connection, now_us: int) -> None:
        self._database = database
        self._now_us = now_us
        self._brought: dict[str, Facts] = {}
        self._batches = self._events = 0

    def take(self, entry: Entry) -> None:
        """Keep this one. sqlite3.Error."""
        match entry:
            case NewRecord():
                self._keep(entry)
            case Gap():
                self._note_gap(entry)
            case Relayed():
                self._keep_relayed(entry)
            case Quarantined():
                self._quarantine(entry)
            case Heard():
                self._database.execute("INSERT OR REPLACE INTO heard VALUES (?, ?, ?, ?, ?)", entry)
            case Sighted():
                sightings.note(self._database, entry)
            case Beat():
                pulses.note(self._database, entry)
            case Told():
                pulses.tell(self._database, entry)
            case Measured():
                measures.add(self._database, *entry)

    def finish(self) -> Kept:
        """Write down what was counted; what was new."""
        begin = measures.begin_of(self._now_us)
        for sensor, facts in self._brought.items():
            measures.add(self._database, sensor, begin, facts)
        return Kept(self._batches, self._events)

    def _of(self, sensor: str) -> Facts:
        return self._brought.setdefault(sensor, Facts())

    def _keep(self, entry: NewRecord) -> None:
        if self._add(entry):
            events = entry.events
            if seen.highest(self._database, entry.sensor, entry.epoch, entry.lane) > entry.seq:
                self._of(entry.sensor).late += 1  # a stick was faster with those that follow
        else:
            events = 0
        self._advance(entry.sensor, entry.epoch, entry.lane, entry.seq + 1, entry.digest, events, 0)

    def _keep_relayed(self, entry: Relayed) -> None:
        what = entry.what
        if isinstance(what, Gap):
            self._keep_relayed_gap(entry.via, what)
        elif what is not None:
            self._keep_relayed_batch(entry, what)
        if entry.number is not None:
            epoch, lane, seq = entry.number
            self._advance(entry.via, epoch, lane, seq + 1, b"", 0, 0)

    def _keep_relayed_batch(self, entry: Relayed, what: NewRecord) -> None:
        highest = seen.highest(self._database, what.sensor, what.epoch, what.lane)
        is_new_epoch = highest < 0 and seen.is_new_epoch(self._database, what.sensor, what.epoch)
        facts = self._of(what.sensor)
        if not self._add(what):
            facts.duplicates += 1
            seen.count(self._database, what.sensor, entry.via, self._now_us, duplicates=1)
            return
        facts.batches += 1
        facts.events += what.events
        facts.reduced += entry.reduced
        facts.withheld += entry.withheld
        facts.skipped += max(0, what.seq - highest - 1)
        facts.late += what.seq < highest
        facts.new_spools += is_new_epoch
        facts.chain_breaks += self._breaks_chain(what)
        if entry.last_us:
            lag = self._now_us - entry.last_us
            facts.packet_lag_us = lag if facts.packet_lag_us is None else max(facts.packet_lag_us, lag)
        counts = {"batches": 1, "events": what.events, "withheld": entry.withheld}
        reduced = int(entry.reduced)
        seen.count(self._database, what.sensor, entry.via, self._now_us, **counts, reduced=reduced)

    def _keep_relayed_gap(self, via: str, gap: Gap) -> None:
        highest = seen.highest(self._database, gap.sensor, gap.epoch, gap.lane)
        unknown = seen.unknown(self._database, gap)
        if not self._insert_gap(gap):
            return
        facts = self._of(gap.sensor)
        facts.skipped += max(0, gap.first - highest - 1)
        facts.late += min(unknown, max(0, min(gap.last, highest) + 1 - gap.first))
        if gap.reason == POLICY:
            facts.withheld += gap.events
            seen.count(self._database, gap.sensor, via, self._now_us, withheld=gap.events)
            return
        facts.missing += gap.last + 1 - gap.first
        facts.lost += gap.events
        facts.missing_uncounted += gap.events == 0
        seen.count(self._database, gap.sensor, via, self._now_us, lost=gap.events)

    def _breaks_chain(self, entry: NewRecord) -> bool:
        """Whether a batch does not name the one before it, where that one is here; it is noted."""
        held = self._database.execute(
            "SELECT digest FROM record WHERE sensor = ? AND epoch = ? AND lane = ? AND seq = ?",
            (entry.sensor, entry.epoch, entry.lane, entry.seq - 1),
        ).fetchone()
        if held is None or not entry.previous or held[0] == entry.previous:
            return False
        place = (entry.sensor, entry.epoch, entry.lane, entry.seq, entry.seq - 1)
        return self._insert_gap(Gap(*place, 0, "chain"))

    def _add(self, entry: NewRecord) -> bool:
        """Add the record, whoever brought it; False when it is here, or was."""
        place = (entry.sensor, entry.epoch, entry.lane, entry.seq)
        if not seen.note(self._database, *place):
            held = self._database.execute(
                "SELECT digest FROM record WHERE sensor = ? AND epoch = ? AND lane = ? AND seq = ?", place
            ).fetchone()
            if held is not None and held[0] != entry.digest:
                self._quarantine(Quarantined(entry.sensor, "conflict", entry.sealed))
            return False
        self._batches += 1
        self._events += entry.events
        add_record(
            self._database,
            sensor=entry.sensor,
            epoch=entry.epoch,
            lane=entry.lane,
            seq=entry.seq,
            events=entry.events,
            digest=entry.digest,
            added_us=self._now_us,
            sealed=entry.sealed,
        )
        return True

    def _note_gap(self, entry: Gap) -> None:
        self._insert_gap(entry)
        if entry.last >= entry.first:
            self._advance(entry.sensor, entry.epoch, entry.lane, entry.last + 1, b"", 0, entry.events)

    def _insert_gap(self, entry: Gap) -> bool:
        # An oddity is noted once, however often it is met.
        added = self._database.execute(
            "INSERT INTO gap (sensor, epoch, lane, first, last, events, reason, noted_us) "
            "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE NOT EXISTS (SELECT 1 FROM gap WHERE sensor = ?1 AND "
            "epoch = ?2 AND lane = ?3 AND first = ?4 AND reason = ?7)",
            (*entry, self._now_us),
        )
        return bool(added.rowcount)

    def _quarantine(self, entry: Quarantined) -> None:
        self._database.execute(
            "INSERT INTO quarantine (sensor, reason, noted_us, bytes) VALUES (?, ?, ?, ?)",
            (entry.sensor, entry.reason, self._now_us, entry.sealed[:MAX_QUARANTINED_BYTES]),
        )
        self._database.execute(
            "DELETE FROM quarantine WHERE id <= (SELECT max(id) FROM quarantine) - ?", (_QUARANTINE_ENTRIES,)
        )

    def _advance(
        self, sensor: str, epoch: int, lane: int, following: int, digest: bytes, events: int, lost: int
    ) -> None:
        self._database.execute(
            "INSERT INTO stream VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET next = "
            "excluded.next, "
            "digest = excluded.digest, events = events + excluded.events, lost = lost + excluded.lost, "
            "changed_us = excluded.changed_us",
            (sensor, epoch, lane, following, digest, events, lost, self._now_us),
        )
