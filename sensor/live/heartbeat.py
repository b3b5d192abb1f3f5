"""The heartbeat: at an interval the sensor sends itself a packet on an interface of its own, and follows it
through capture, decode, detect, event, spool and to the centre. Where it stays away, that stage is broken.
"""

from __future__ import annotations

import secrets
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sensor.bus import lanes
from sensor.bus.heartbeats import numbers
from sensor.bus.messages import Proof

if TYPE_CHECKING:
    from sensor.bus.messages import Book
    from sensor.config.values import Json
    from sensor.source import Events

RULES_FILE = Path(__file__).with_name("heartbeat.rules")
SECONDS = 60.0
GRACE_SECONDS = 10.0
"""A packet that is nowhere after so long, or after the interval where that is shorter, is missing."""
STAGES = ("inject", "capture", "decode", "detect", "event", "spool", "centre")
"""In the order of the line; a heartbeat breaks at the first that it did not pass."""

_SOURCE_MAC, _TARGET_MAC = bytes.fromhex("026864626501"), bytes.fromhex("026864626502")
_NETWORK = 198 << 24 | 18 << 16  # 198.18.0.0/15 is set aside for tests of devices (RFC 2544) and met nowhere
_HOST_BITS = 17
_DISCARD_PORT = 9
_BLOCK_BYTES, _BLOCKS = 128 << 10, 4
_COUNTERS = {"capture": "frames", "decode": "decoded", "detect": "matched"}


class Pair(Protocol):
    """What frames are sent on (sensor.live.veth.OwnPair)."""

    def send(self, frame: bytes) -> None: ...


class Engine(Protocol):
    """What counts them (sensor._engine.Live)."""

    def counters(self) -> Mapping[str, int]: ...


class Books(Protocol):
    """What knows how far events are (sensor.bus.spool.Spool)."""

    def books(self) -> list[Book]: ...


@dataclass
class _Beat:
    number: int
    sent_at: float
    before: dict[str, int]
    is_sent: bool = True
    is_seen: bool = False
    wanted: int | None = None  # events of its lane that the centre must have; None: not spooled yet
    lost_before: int = 0
    is_delivered: bool = False


def interface_document(name: str, workers: int) -> dict[str, Json]:
    """What the engine is told of the interface (node `live.heartbeat`): nothing but our frames comes in."""
    high, low = int.from_bytes(_SOURCE_MAC[:4]), int.from_bytes(_SOURCE_MAC[4:])
    ours: list[Json] = [
        [0x20, 0, 0, 6], [0x15, 0, 3, high],
        [0x28, 0, 0, 10], [0x15, 0, 1, low],
        [6, 0, 0, 1 << 18], [6, 0, 0, 0],
    ]  # fmt: skip
    return {
        "interface": name,
        "threads": workers,
        "cluster-id": None,
        "cluster-type": "cluster_pair",
        "promiscuous": False,
        "block-bytes": _BLOCK_BYTES,
        "blocks": _BLOCKS,
        "block-timeout-ms": 10,
        "filter": ours,
        "excluded-networks": [],
        "excluded-vlans": [],
    }


def frame(number: int) -> bytes:
    """A datagram between two hosts chosen by chance: in the course of time every worker gets one."""
    payload = b"haidang-heartbeat %d" % number
    datagram = struct.pack(">HHHH", 1024 + secrets.randbelow(64_000), _DISCARD_PORT, 8 + len(payload), 0)
    hosts = [_NETWORK | secrets.randbits(_HOST_BITS) for _ in range(2)]
    header = struct.pack(">BBHHHBBHII", 0x45, 0, 28 + len(payload), 0, 0, 64, 17, 0, *hosts)
    total = sum(struct.unpack(">10H", header))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    header = header[:10] + struct.pack(">H", ~total & 0xFFFF) + header[12:]
    return _TARGET_MAC + _SOURCE_MAC + b"\x08\x00" + header + datagram + payload


class Heart:
    """Sends and follows. All but `proof` is called in the capture's own thread."""

    def __init__(self, pair: Pair, engine: Engine, *, seconds: float) -> None:
        self.seconds = seconds
        self.sent = self.delivered = 0
        self.broken = ""
        """The stage at which the last heartbeat stayed away; '' while all is well."""
        self.books: Books | None = None
        self._pair, self._engine = pair, engine
        self._due = 0.0
        self._beat: _Beat | None = None
        self._proven_number = 0

    def tick(self) -> None:
        """Once a second, while packets come in."""
        now = time.monotonic()
        beat = self._beat
        if beat is not None and not beat.is_delivered:
            stage = self._stage(beat)
            if not stage:
                beat.is_delivered = True
                self.delivered += 1
                self._proven_number = beat.number
                self.broken = ""
            elif now - beat.sent_at >= min(GRACE_SECONDS, self.seconds):
                self.broken = stage
        if now >= self._due:
            self._due = now + self.seconds
            self._send(now)

    def batch(self, batch: Events) -> None:
        """A batch before it is written: is the heartbeat in it?"""
        beat = self._beat
        if beat is None or beat.is_seen:
            return
        _, lines = batch.lane(lanes.HEALTH)
        beat.is_seen = beat.number in numbers(lines)

    def spooled(self) -> None:
        """The batches so far are written and spooled."""
        beat = self._beat
        if beat is not None and beat.is_seen and beat.wanted is None and self.books is not None:
            book = self._book()
            if book is not None:
                beat.wanted, beat.lost_before = book.made, sum(book.lost.values())

    def proof(self) -> Proof:
        """For the centre, beside the books; from any thread."""
        beat = self._beat
        return Proof(beat.number if beat else 0, int(self.seconds), self.broken)

    def counters(self) -> Mapping[str, int]:
        """For the stats event."""
        return {
            "haidang.heartbeat.sent": self.sent,
            "haidang.heartbeat.delivered": self.delivered,
            "haidang.heartbeat.broken": int(bool(self.broken)),
        }

    def told(self) -> dict[str, Any]:
        """For the status."""
        return {
            "broken": self.broken,
            "proven": self.proven_at,
            "sent": self.sent,
            "delivered": self.delivered,
        }

    @property
    def proven_at(self) -> float:
        """When the newest heartbeat that the centre has was sent, seconds since the epoch; 0: none yet."""
        return self._proven_number / 1e6

    def _send(self, now: float) -> None:
        # Numbers go on rising through restarts, without being written down.
        number = time.time_ns() // 1000
        beat = _Beat(number, now, self._counted())
        try:
            self._pair.send(frame(number))
        except OSError:
            beat.is_sent = False
        self.sent += 1
        self._beat = beat

    def _stage(self, beat: _Beat) -> str:
        """The first stage that it did not pass; '' when the centre has it."""
        if not beat.is_sent:
            return "inject"
        if not beat.is_seen:
            counted = self._counted()
            for stage in _COUNTERS:
                if counted[stage] <= beat.before[stage]:
                    return stage
            return "event"
        book = self._book()
        if beat.wanted is None or book is None:
            return "spool"
        lost = sum(book.lost.values())
        if book.delivered + lost < beat.wanted:
            return "centre"
        return "spool" if lost > beat.lost_before else ""

    def _book(self) -> Book | None:
        books = self.books.books() if self.books is not None else []
        return next((book for book in books if book.lane == lanes.HEALTH), None)

    def _counted(self) -> dict[str, int]:
        counters = self._engine.counters()
        return {stage: counters.get(f"haidang.heartbeat.{name}", 0) for stage, name in _COUNTERS.items()}
