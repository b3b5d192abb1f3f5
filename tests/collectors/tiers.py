"""A nation and its provinces without sockets, for the tests of this folder: what a relay's session says is
put into the nation's ear, and its answers are put back.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from desk import Desk, Tap

from collectors.relay.backlog import Backlog
from collectors.relay.outbox import Outbox
from collectors.relay.policy import Policy
from collectors.relay.sealing import Forwarder
from sensor.bus.keys import CentreKeys, SensorKeys
from sensor.bus.session import Session

NATION_KEYS = CentreKeys.generate()
PROVINCE_KEYS = CentreKeys.generate()
SENSORS = {name: SensorKeys.generate() for name in ("tap1", "tap2", "tap3")}
ALL = "default: allow"
ALERT = b'{"event_type":"alert","payload":"c2VjcmV0","n":%d}'
FLOW = b'{"event_type":"flow","n":%d}'


class Province:
    """A centre with sensors of its own, and its relay."""

    def __init__(
        self, directory: Path, nation: Desk, name: str = "hanoi", *, policy: str = ALL, sensors: str = ""
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.nation, self.name, self.directory = nation, name, directory
        self.desk = Desk(directory, PROVINCE_KEYS)
        self.relay_keys = SensorKeys.generate()
        nation.enrol(name, self.relay_keys, sensors.split())
        self.backlog = Backlog(directory / "journal.sqlite")
        self.open(policy)

    def open(self, policy: str) -> None:
        """A relay that knows what its file says, as after a start."""
        made = Policy.parse(policy.encode(), where=Path("policy.yaml"))
        forwarder = Forwarder(self.desk.opener, self.relay_keys, self.nation.keys.public(), made)
        self.outbox = Outbox(
            self.directory / "outbox.sqlite",
            self.name,
            self.backlog,
            forwarder,
            self.desk.registry.public_keys,
            self.desk.registry.path,
        )
        self.session = Session(self.outbox, software="test", origins=self.outbox)
        self.now = 100.0
        self.session.restart(self.now)

    def tap(self, name: str = "tap1", keys: SensorKeys | None = None) -> Tap:
        keys = keys or SENSORS[name]
        self.desk.enrol(name, keys)
        tap = Tap(self.desk, name, keys)
        tap.hello()
        return tap

    def pump(self, messages: int = 10_000) -> None:
        """Gather, and talk to the nation until there is nothing left to say."""
        while self.outbox.gather():
            pass
        for _ in range(messages):
            out = self.session.next_message(self.now)
            if out is not None:
                self.session.sent(out, self.now)
                replies = self.nation.receiver.receive(
                    self.name.encode(), self.relay_keys.curve_public, out.frames
                )
                self._hear(replies)
                continue
            before = (self.session.established, self.session.in_flight)
            self._hear(self.nation.receiver.commit())
            if before == (self.session.established, self.session.in_flight) and before[1] == 0:
                if before[0]:
                    return
                self.now += 1.0

    def _hear(self, replies: list[tuple[bytes, bytes]]) -> None:
        for _, frame in replies:
            self.session.receive(frame, self.now)

    def close(self) -> None:
        self.outbox.close()
        self.backlog.close()
        self.desk.close()


def kept(desk: Desk) -> Iterator[tuple[str, int, int, int, bytes]]:
    """(sensor, epoch, lane, seq, events) of everything in a centre's journal, opened."""
    for record in desk.journal.read(0, desk.journal.last_id()):
        header, ndjson = desk.opener.read(record.sealed)
        assert (header.sensor, header.epoch, header.lane, header.seq) == (
            record.sensor,
            record.epoch,
            record.lane,
            record.seq,
        )
        yield record.sensor, record.epoch, record.lane, record.seq, ndjson


def send(tap: Tap, lane: int, seqs: range, line: bytes = ALERT) -> None:
    """Batches of two events each, kept at the tap's centre."""
    for seq in seqs:
        assert tap.send(lane, seq, tap.seal(lane, seq, line % seq, line % (seq + 1000))) == []
    tap.desk.commit()


def books_close(province: Province) -> None:
    for book in province.outbox.books():
        assert book.made == book.delivered + book.pending + sum(book.lost.values())
