"""What a centre takes from a stick: the same checks as over the link, the same journal, each batch once
whatever was imported before.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Container
from pathlib import Path
from typing import NamedTuple

from collectors import seen
from collectors.entries import Entry, Gap, NewRecord, Quarantined, Relayed
from collectors.journal import Journal
from collectors.keeping import MAX_QUARANTINED_BYTES
from collectors.peers import Peer
from collectors.registry import Registry
from collectors.relay.origins import Origins, open_relayed, relayed
from sensor.bus import messages
from sensor.bus.layout import ELSEWHERE
from sensor.bus.seal import Opener, SealError, read_envelope
from sensor.bus.segments import BATCH, SUFFIX, Head, Segment, SegmentError, Verifiers, read, read_head

log = logging.getLogger("haidang.import")

_GROUP_BYTES = 8 * 1024 * 1024  # then commit: bounds how long a running centre waits for the journal
OWN = "stick"
"""By whom a sensor's batches came that were on its own stick."""


class Taken(NamedTuple):
    """What one segment gave. refused: batches in quarantine; again: it was imported before."""

    head: Head
    batches: int
    events: int
    duplicates: int
    refused: Counter[str]
    is_last: bool
    again: bool = False


class Importer:
    """Takes segments into a centre's journal. The centre may be running."""

    def __init__(
        self,
        registry: Registry,
        origins: Origins,
        journal: Journal,
        opener: Opener,
        recipients: Container[bytes],
    ) -> None:
        """recipients: ids of the keys of this centre."""
        self._registry = registry
        self._origins = origins
        self._journal = journal
        self._opener = opener
        self._recipients = recipients

    def take(self, path: Path) -> Taken:
        """Import one file. SegmentError when it cannot be taken as a whole; OSError."""
        peers: list[Peer] = []

        def verifiers(head: Head) -> Verifiers | None:
            if head.recipient not in self._recipients:
                raise SegmentError("sealed to another centre")
            peer = self._registry.signed_by(head.signer)
            if peer is None:
                return None
            peers.append(peer)
            return peer.verifiers[head.signer]

        segment = read(path, verifiers)
        if seen.was_imported(self._journal.path, segment.digest):
            return Taken(segment.head, 0, 0, segment.tail.batches, Counter(), segment.tail.is_last, True)
        return self._take(segment, peers[0])

    def _take(self, segment: Segment, peer: Peer) -> Taken:
        refused: Counter[str] = Counter()
        group: list[Entry] = []
        size = batches = events = 0
        for entry in segment.entries:
            try:
                made = (
                    self._batch(peer, entry.content)
                    if entry.kind == BATCH
                    else self._message(peer, entry.content)
                )
            except SealError as error:
                refused[error.reason] += 1
                log.warning("%s: a batch is refused: %s", peer.sensor, error)
                made = Quarantined(peer.sensor, error.reason, entry.content[:MAX_QUARANTINED_BYTES])
            if made is None:
                continue
            group.append(made)
            size += len(entry.content)
            if size >= _GROUP_BYTES:
                kept = self._journal.commit(group)
                batches, events = batches + kept.batches, events + kept.events
                group, size = [], 0
        kept = self._journal.commit(group)
        batches, events = batches + kept.batches, events + kept.events
        if not refused:
            seen.note_import(self._journal.path, segment.digest)
        duplicates = segment.tail.batches - batches - refused.total()
        return Taken(segment.head, batches, events, duplicates, refused, segment.tail.is_last)

    def _batch(self, peer: Peer, record: bytes) -> Entry:
        envelope = read_envelope(record)
        if peer.relay is not None:
            opened = open_relayed(envelope, peer, self._opener, self._origins)
            return relayed(peer.sensor, opened, record, None, self._origins)
        if envelope.header.sensor != peer.sensor:
            raise SealError("header", "is another sensor's")
        header, _, digest = self._opener.open(envelope, peer.verifiers)
        what = NewRecord(header.sensor, header.epoch, header.lane, header.seq, header.events, digest, record)
        return Relayed(OWN, what, last_us=header.last_us)

    def _message(self, peer: Peer, content: bytes) -> Entry | None:
        try:
            message = messages.decode(content)
        except messages.MessageError as error:
            raise SealError("malformed", str(error)) from error
        if isinstance(message, messages.Origin) and peer.relay is not None:
            refusal = self._origins.introduce(peer, message.sensor, message.keys, message.path)
            if refusal:
                log.warning("%s introduces %s: %s", peer.sensor, message.sensor, refusal)
            return None
        place = message.origin if isinstance(message, messages.Lost) else None
        if not isinstance(message, messages.Lost) or place is None or place.last < place.first:
            return None
        may_say = (
            place.sensor == peer.sensor if peer.relay is None else self._origins.may_bring(peer, place.sensor)
        )
        if not may_say or message.reason == ELSEWHERE:
            return None
        gap = Gap(
            place.sensor, place.epoch, place.lane, place.first, place.last, message.events, message.reason
        )
        return Relayed(OWN if peer.relay is None else peer.sensor, gap)


class Found(NamedTuple):
    """Segments in a directory, by export, in order; what is no segment; and which numbers are missing."""

    paths: list[Path]
    unreadable: list[tuple[Path, str]]
    missing: list[str]


def find(directory: Path, watch: Callable[[Path], None] = lambda _path: None) -> Found:
    """The segments in a directory. OSError when it cannot be read."""
    heads: list[tuple[bytes, int, Path]] = []
    unreadable: list[tuple[Path, str]] = []
    for path in sorted(directory.iterdir()):
        if path.name.startswith(".") or path.suffix != SUFFIX:
            continue
        watch(path)
        try:
            head = read_head(path)
        except (SegmentError, OSError) as error:
            unreadable.append((path, str(error)))
            continue
        heads.append((head.export, head.number, path))
    heads.sort()
    missing = []
    for export in sorted({export for export, _, _ in heads}):
        numbers = {number for name, number, _ in heads if name == export}
        missing += [f"{export.hex()}-{number:06d}" for number in range(max(numbers)) if number not in numbers]
    return Found([path for _, _, path in heads], unreadable, missing)
