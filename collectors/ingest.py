"""What the centre does with what sensors say, without a socket: check everything, keep what holds, then
acknowledge.

A sensor's bytes are believed in nothing: who it is comes from the key of its connection, what it may sign
with from the registry, where its streams stand from the journal. Batches gather until `commit`, which makes
them durable in one transaction and answers.
"""

from __future__ import annotations

import logging
import secrets
import sqlite3
import time
from collections import Counter
from dataclasses import dataclass, field

import msgspec

from collectors.enrolment import Enroller
from collectors.entries import Beat, Entry, Gap, Heard, NewRecord, Quarantined, Relayed, Sighted, Stream, Told
from collectors.handover import Handover
from collectors.journal import Journal
from collectors.keeping import MAX_QUARANTINED_BYTES
from collectors.keyring import KeyDesk
from collectors.peers import Peer
from collectors.quality.tally import Tally, now_us
from collectors.registry import Registry
from collectors.relay.origins import Origins, open_relayed, relayed
from sensor.bus import lanes, messages
from sensor.bus.heartbeats import numbers
from sensor.bus.seal import Opener, SealError, read_envelope

log = logging.getLogger("haidang.ingest")

WINDOW_BATCHES = 32  # of one sensor, sent and not acknowledged; MIN_WINDOW_BATCHES when many share the centre
MIN_WINDOW_BATCHES = 2
MAX_CREDIT_BATCHES = 8192  # of all sensors together
MAX_GATHERED_BYTES = 8 * 1024 * 1024  # then commit: bounds memory and how long an acknowledgement waits
_HEARD_SECONDS = 5.0  # heartbeats are written down this often; each would cost an fsync of its own otherwise
_MAX_TALKS = 20_000  # sensors and stale connections remembered at once
_LOG_SECONDS = 1.0  # between two lines about refused batches of one sensor

Reply = tuple[bytes, bytes]
"""(routing id, frame)."""


@dataclass
class _Talk:
    """One connection that said hello."""

    sensor: str
    epoch: int
    session: int
    streams: dict[int, Stream]
    software: str
    stray: bool = False  # it sent something that does not follow; everything until its next hello is ignored
    wants_welcome: bool = False
    unanswered: int = 0  # batches since the last answer
    heard_noted: float = field(default=float("-inf"))


class Receiver:
    """The centre's side of all sessions."""

    def __init__(
        self,
        registry: Registry,
        journal: Journal,
        opener: Opener,
        enroller: Enroller,
        origins: Origins,
        keys: KeyDesk | None = None,
        handover: Handover | None = None,
    ) -> None:
        """handover: where the texts of batches go, for the filler."""
        self._keys = keys
        self._handover = handover
        self._registry = registry
        self._origins = origins
        self._journal = journal
        self._opener = opener
        self._enroller = enroller
        self._talks: dict[bytes, _Talk] = {}
        self._current: dict[str, bytes] = {}  # sensor: the routing id that spoke last
        self._owed: dict[bytes, _Talk] = {}  # who gets an answer after the next commit
        self._entries: list[Entry] = []
        self._gathered_bytes = 0
        self._refusal_logged: dict[str, float] = {}
        self.counts: Counter[str] = Counter()
        self.batch_events: Counter[str] = Counter()
        self._tally = Tally()

    @property
    def gathered_bytes(self) -> int:
        return self._gathered_bytes

    def receive(self, routing: bytes, user: str, frames: list[bytes], served: str = "") -> list[Reply]:
        """Take one message of the connection `routing` that was made with the CURVE key `user` to our CURVE
        key `served` ('' is the only one); what to answer at once.
        """
        try:
            message = messages.decode(frames[0])
        except messages.MessageError:
            self.counts["malformed"] += 1
            if (known := self._registry.peer(user)) is not None:
                self._tally.of(known.sensor).unreadable += 1
            return []
        peer = self._registry.peer(user)
        if peer is None:
            return self._stranger(routing, user, message)
        if isinstance(message, messages.Hello):
            return self._hello(routing, user, peer, message, served)
        self._tally.heard(peer.sensor)
        if isinstance(message, messages.Rotate | messages.Renew):
            return self._about_keys(routing, user, peer, message, served)
        talk = self._talks.get(routing)
        session = getattr(message, "session", None)
        if talk is None or session != talk.session or talk.sensor != peer.sensor:
            return [(routing, messages.encode(messages.Again("hello first")))]
        if isinstance(message, messages.Heartbeat):
            self._owed[routing] = talk
            self._note_heard(talk, peer, message)
            return []
        if talk.stray:
            return []
        if isinstance(message, messages.Batch) and len(frames) == 2:
            return self._batch(routing, talk, peer, message, frames[1])
        if isinstance(message, messages.Lost) and len(frames) == 1:
            return self._lost(routing, talk, peer, message)
        if isinstance(message, messages.Origin) and peer.relay is not None:
            return self._introduced(peer, message)
        self.counts["malformed"] += 1
        self._tally.of(peer.sensor).unreadable += 1
        return []

    def commit(self) -> list[Reply]:
        """Make durable what has gathered; then the acknowledgements. On failure the sensors are told to
        begin anew.
        """
        self._entries += self._tally.take(with_others=bool(self._entries))
        try:
            if self._entries:
                self._journal.commit(self._entries)
        except sqlite3.Error as error:
            # Full disk, or worse: nothing was kept, so nothing may be acknowledged, and what is in memory is
            # wrong.
            log.error("the journal takes nothing: %s", error)
            self.counts["journal_errors"] += 1
            lost = list(self._talks)
            self._talks.clear()
            self._owed.clear()
            self._forget_gathered()
            return [(routing, messages.encode(messages.Again("journal"))) for routing in lost]
        for entry in self._entries:
            what = entry.what if isinstance(entry, Relayed) else entry
            if isinstance(what, NewRecord):
                self.counts["batches"] += 1
                self.batch_events[lanes.NAMES[what.lane]] += what.events
        self._forget_gathered()
        owed, self._owed = self._owed, {}
        return [(routing, messages.encode(self._answer(talk))) for routing, talk in owed.items()]

    @property
    def window(self) -> int:
        """Batches that a sensor may have under way: its share of the credit of all."""
        share = MAX_CREDIT_BATCHES // max(1, len(self._talks))
        return max(MIN_WINDOW_BATCHES, min(WINDOW_BATCHES, share))

    def _answer(self, talk: _Talk) -> messages.AnyMessage:
        talk.unanswered = 0
        if talk.wants_welcome:
            talk.wants_welcome = False
            recipient = None if self._keys is None else self._keys.recipient
            curve = None if self._keys is None or self._keys.moved_to is None else self._keys.moved_to[0]
            return messages.Welcome(
                messages.VERSION, talk.session, _cursors(talk), self.window, now_us(), recipient, curve
            )
        return messages.Ack(talk.session, _cursors(talk), self.window, now_us())

    def _forget_gathered(self) -> None:
        self._entries = []
        self._gathered_bytes = 0

    def _stranger(self, routing: bytes, user: str, message: messages.AnyMessage) -> list[Reply]:
        if self._registry.token(user) is not None:
            try:
                return [(routing, messages.encode(self._enroller.answer(user, message)))]
            except sqlite3.Error as error:
                log.error("the registry takes nothing: %s", error)
                return [(routing, messages.encode(messages.EnrolRefused("the centre's disk refuses")))]
        # Revoked while connected: the socket is still open, nothing it says counts.
        self.counts["unknown_key"] += 1
        self._talks.pop(routing, None)
        return []

    def _about_keys(
        self,
        routing: bytes,
        user: str,
        peer: Peer,
        message: messages.Rotate | messages.Renew,
        served: str,
    ) -> list[Reply]:
        answer: messages.Rotated | messages.Renewed | None
        if self._keys is None:
            return []
        if isinstance(message, messages.Rotate):
            answer = self._keys.rotate(peer.sensor, user, message)
        else:
            answer = self._keys.renew(peer.sensor, message, served)
        is_refused = answer is None or (isinstance(answer, messages.Rotated) and answer.reason)
        self.counts["key_refusals" if is_refused else "key_changes"] += 1
        return [] if answer is None else [(routing, messages.encode(answer))]

    def _hello(
        self, routing: bytes, user: str, peer: Peer, message: messages.Hello, served: str
    ) -> list[Reply]:
        """Begin a session. The welcome follows the next commit: it must not name what is not durable yet."""
        if message.sensor != peer.sensor:
            self.counts["impostor"] += 1
            return []
        self._tally.heard(peer.sensor)
        previous = self._current.get(peer.sensor)
        old = self._talks.pop(previous, None) if previous is not None else None
        if previous is not None:
            self._owed.pop(previous, None)
        if len(self._talks) >= _MAX_TALKS:
            self._talks.clear()
        if old is not None and old.epoch == message.epoch:
            streams = old.streams  # with what has gathered and is not in the journal yet
        else:
            held = self._journal.streams(peer.sensor, message.epoch)
            streams = {lane: Stream() for lane in range(lanes.COUNT)} | held
            if not held and self._journal.is_new_epoch(peer.sensor, message.epoch):
                # Its spool is another one: what the old one held and did not send is known to nobody.
                self._entries.append(Gap(peer.sensor, message.epoch, 0, 0, -1, 0, "new spool"))
                self._tally.new_spool(peer.sensor, message.epoch)
        talk = _Talk(peer.sensor, message.epoch, secrets.randbits(48), streams, message.software)
        talk.wants_welcome = True
        try:
            self._registry.note_use(user, served)
        except sqlite3.Error as error:
            log.error("the registry takes nothing: %s", error)
        self._current[peer.sensor] = routing
        self._talks[routing] = self._owed[routing] = talk
        self.counts["hellos"] += 1
        return []

    def _batch(
        self, routing: bytes, talk: _Talk, peer: Peer, message: messages.Batch, record: bytes
    ) -> list[Reply]:
        self._owed[routing] = talk
        talk.unanswered += 1
        if talk.unanswered > WINDOW_BATCHES:
            self.counts["over_credit"] += 1
            talk.stray = True
            return [(routing, messages.encode(messages.Again("more than the window")))]
        stream = talk.streams[message.lane]
        if message.seq < stream.next:
            self.counts["duplicates"] += 1
            self._tally.of(talk.sensor).duplicates += 1
            return []
        if message.seq > stream.next:
            return self._astray(routing, talk)
        try:
            envelope = read_envelope(record)
            header = envelope.header
            if peer.relay is not None:
                opened = open_relayed(envelope, peer, self._opener, self._origins)
            elif (header.sensor, header.epoch, header.lane, header.seq) != (
                talk.sensor,
                talk.epoch,
                message.lane,
                message.seq,
            ):
                raise SealError("header", "is sealed under another number than it was sent with")
            else:
                opened = self._opener.open(envelope, peer.verifiers)
        except SealError as error:
            self._log_refusal(talk.sensor, message, error)
            self.counts["refused"] += 1
            self._tally.refused(talk.sensor, error.reason)
            if peer.relay is not None and (origin := _origin(record)) and self._origins.knows(peer, origin):
                self._tally.refused(origin, error.reason)
            self._entries.append(Quarantined(talk.sensor, error.reason, record[:MAX_QUARANTINED_BYTES]))
            talk.stray = True
            refused = messages.Refused(talk.session, message.lane, message.seq, error.reason)
            return [(routing, messages.encode(refused))]
        if self._handover is not None:
            self._handover.put(record, opened.ndjson)
        if peer.relay is not None:
            talk.streams[message.lane] = Stream(message.seq + 1, b"")
            number = (talk.epoch, message.lane, message.seq)
            entry = relayed(talk.sensor, opened, record, number, self._origins)
            self._entries.append(entry)
            self._gathered_bytes += len(record)
            self._tally.batch(talk.sensor, header.events, header.last_us)
            self.counts["came_back"] += entry.what is None
            return []
        if stream.digest and header.previous != stream.digest:
            self.counts["chain_breaks"] += 1
            self._tally.of(talk.sensor).chain_breaks += 1
            self._entries.append(
                Gap(talk.sensor, talk.epoch, message.lane, header.seq, header.seq - 1, 0, "chain")
            )
        talk.streams[message.lane] = Stream(header.seq + 1, opened.digest)
        self._entries.append(
            NewRecord(talk.sensor, talk.epoch, header.lane, header.seq, header.events, opened.digest, record)
        )
        if header.lane == lanes.HEALTH and (beats := numbers(opened.ndjson)):
            self._entries.append(Beat(talk.sensor, max(beats), now_us()))
        self._gathered_bytes += len(record)
        self._tally.batch(talk.sensor, header.events, header.last_us)
        return []

    def _introduced(self, relay: Peer, message: messages.Origin) -> list[Reply]:
        """A sensor's keys by its relay. A refusal is not answered: the sensor's batches will be."""
        try:
            refusal = self._origins.introduce(relay, message.sensor, message.keys, message.path)
        except sqlite3.Error as error:
            refusal = f"the registry takes nothing: {error}"
        if refusal:
            self.counts["origins_refused"] += 1
            log.warning("%s introduces %s: %s", relay.sensor, message.sensor, refusal)
        return []

    def _log_refusal(self, sensor: str, message: messages.Batch, error: SealError) -> None:
        now = time.monotonic()
        if now < self._refusal_logged.get(sensor, float("-inf")) + _LOG_SECONDS:
            return  # a sensor gone bad must not fill the log; the quarantine and the counters have it all
        if len(self._refusal_logged) >= _MAX_TALKS:
            self._refusal_logged.clear()
        self._refusal_logged[sensor] = now
        log.warning("%s lane %d batch %d refused: %s", sensor, message.lane, message.seq, error)

    def _lost(self, routing: bytes, talk: _Talk, peer: Peer, message: messages.Lost) -> list[Reply]:
        self._owed[routing] = talk
        stream = talk.streams[message.lane]
        if message.last < stream.next:
            return []
        if message.first > stream.next or message.last < message.first:
            return self._astray(routing, talk)
        talk.streams[message.lane] = Stream(message.last + 1, b"")
        self.counts["gaps"] += 1
        place = message.origin
        if peer.relay is not None and place is not None and self._origins.may_bring(peer, place.sensor):
            span = (place.sensor, place.epoch, place.lane, place.first, place.last)
            gap = Gap(*span, message.events, message.reason)
            number = (talk.epoch, message.lane, message.last)
            self._entries.append(Relayed(talk.sensor, gap, number))
            return []
        self._tally.lost(talk.sensor, message.last + 1 - stream.next, message.events)
        self._entries.append(
            Gap(
                talk.sensor,
                talk.epoch,
                message.lane,
                stream.next,
                message.last,
                message.events,
                message.reason,
            )
        )
        return []

    def _astray(self, routing: bytes, talk: _Talk) -> list[Reply]:
        talk.stray = True
        self.counts["out_of_order"] += 1
        return [(routing, messages.encode(messages.Again("out of order")))]

    def _note_heard(self, talk: _Talk, peer: Peer, message: messages.Heartbeat) -> None:
        skew_us, bound_us = self._tally.beat(talk.sensor, message)
        if peer.relay is not None:
            self._note_sightings(peer, message, skew_us, bound_us)
        now = time.monotonic()
        if now - talk.heard_noted < _HEARD_SECONDS:
            return
        talk.heard_noted = now
        books = msgspec.json.encode(message.books).decode()
        self._entries.append(Heard(talk.sensor, now_us(), skew_us, books, talk.software))
        self._entries.append(Sighted(talk.sensor, "", now_us(), skew_us, bound_us))
        if message.proof is not None:
            self._entries.append(Told(talk.sensor, message.proof.interval, message.proof.stage, now_us()))

    def _note_sightings(
        self, relay: Peer, message: messages.Heartbeat, skew_us: int, bound_us: int | None
    ) -> None:
        """What a relay says of sensors that it hears; their clocks are off by its own error more."""
        for one in message.sightings:
            if not self._origins.knows(relay, one.sensor):
                continue
            bound = None if bound_us is None or one.bound_us is None else bound_us + one.bound_us
            skew, heard_us = skew_us + one.skew_us, now_us() - one.silence_ms * 1000
            self._tally.sighted(one.sensor, one.silence_ms / 1000, skew, bound)
            self._entries.append(Sighted(one.sensor, relay.sensor, heard_us, skew, bound))


def _origin(record: bytes) -> str:
    """The sensor that a relay's batch claims to be of; '' when it claims none."""
    try:
        return read_envelope(record).header.sensor
    except SealError:
        return ""


def _cursors(talk: _Talk) -> list[messages.Cursor]:
    return [messages.Cursor(lane, stream.next) for lane, stream in sorted(talk.streams.items())]
