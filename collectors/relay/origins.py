"""Whose sensors a relay may bring, and the keys by which their batches are verified here.

The nation's operator says which names a relay may bring when it makes the relay's token, or leaves that open:
then a name belongs to the relay that brought it first. Others may bring that sensor's batches too (a sensor
that fails over to another province), but no keys for it, and nothing that they reduced.
"""

from __future__ import annotations

import fnmatch
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from collectors.entries import NewRecord, Relayed
from collectors.peers import Peer, Verifiers
from sensor.bus.keys import SensorPublic
from sensor.bus.records import open_beside, transaction
from sensor.bus.seal import MAX_RELAYS, Envelope, Header, Opened, Opener, ReducedHeader, SealError

_MAX_KEYS = 64  # of one sensor: a change of keys a month for five years
_MAX_SENSORS = 50_000  # that one relay may introduce: more than a nation has


class Origins:
    """The origin keys of a registry's file. Opened after the registry, which makes the tables."""

    def __init__(self, path: Path, own: Callable[[], bytes | None] = lambda: None) -> None:
        """own: the id of the key that this centre signs with as a relay, if it is one."""
        self._own = own
        self._database = open_beside(path)
        self._lock = threading.Lock()
        self._cache: dict[str, Verifiers] = {}
        self._seen_version = -1

    def close(self) -> None:
        self._database.close()

    def may_bring(self, relay: Peer, sensor: str) -> bool:
        """Whether this relay may bring batches of a sensor of this name."""
        patterns = relay.relay or ()
        return not patterns or any(fnmatch.fnmatchcase(sensor, pattern) for pattern in patterns)

    def vouches(self, relay: Peer, sensor: str) -> bool:
        """Whether this relay's word on this sensor counts: it may add keys and reduce batches."""
        if relay.relay and self.may_bring(relay, sensor):
            return True
        with self._lock:
            own = self._database.execute(
                "SELECT 1 FROM origin_key WHERE sensor = ? AND relay = ? LIMIT 1", (sensor, relay.sensor)
            ).fetchone()
        return own is not None and self.may_bring(relay, sensor)

    def introduce(
        self, relay: Peer, sensor: str, keys: Sequence[SensorPublic], path: Sequence[bytes] = ()
    ) -> str:
        """Take these keys for the sensor's, which come over these relays; why not, or ''."""
        if not self.may_bring(relay, sensor):
            return f"{sensor} is not among the sensors of {relay.sensor}"
        if self.is_own(path):
            return f"{sensor} has been here before: {relay.sensor} and this centre relay in a loop"
        if len(path) > MAX_RELAYS:
            return f"{sensor} comes over {len(path)} relays, more than {MAX_RELAYS}"
        refusal = self._introduce(relay, sensor, keys)
        if not refusal:
            self._note_path(relay, sensor, b"".join(path))
        return refusal

    def is_own(self, signers: Iterable[bytes]) -> bool:
        """Whether this centre is one of the relays with these keys."""
        own = self._own()
        return own is not None and own in signers

    def _note_path(self, relay: Peer, sensor: str, path: bytes) -> None:
        with self._lock:
            place = (sensor, relay.sensor)
            known = self._database.execute(
                "SELECT path FROM origin_path WHERE sensor = ? AND relay = ?", place
            ).fetchone()
            if (b"" if known is None else known[0]) != path:
                self._database.execute("INSERT OR REPLACE INTO origin_path VALUES (?, ?, ?)", (*place, path))

    def _introduce(self, relay: Peer, sensor: str, keys: Sequence[SensorPublic]) -> str:
        known, revoked = self._known(sensor)
        new = [key for key in keys if key.signer not in known]
        if not new:
            return ""
        if any(key.signer in revoked for key in new):
            return f"a key of {sensor} is revoked here"
        if known and not self.vouches(relay, sensor):
            return f"there is a sensor {sensor} with other keys already"
        try:
            for key in new:
                key.verifiers()
        except ValueError:
            return "these are no keys"
        with self._lock, transaction(self._database):
            brought = self._database.execute(
                "SELECT count(DISTINCT sensor) FROM origin_key WHERE relay = ?", (relay.sensor,)
            ).fetchone()[0]
            if len(known) + len(new) > _MAX_KEYS or brought >= _MAX_SENSORS:
                return "too many keys"
            self._database.executemany(
                "INSERT OR IGNORE INTO origin_key VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (sensor, key.signer, key.curve, key.ed25519, key.mldsa65, relay.sensor, int(time.time()))
                    for key in new
                ],
            )
            self._cache.clear()
        return ""

    def knows(self, relay: Peer, sensor: str) -> bool:
        """Whether this relay may bring the sensor, and the sensor's keys are here."""
        return self.may_bring(relay, sensor) and bool(self.verifiers(sensor))

    def verifiers(self, sensor: str) -> Verifiers:
        """The keys that a batch of this sensor may be signed with; empty when it is not known."""
        with self._lock:
            version = self._database.execute("PRAGMA data_version").fetchone()[0]
            if version != self._seen_version:
                self._cache.clear()
                self._seen_version = version
            found = self._cache.get(sensor)
        if found is None:
            known, _ = self._known(sensor)
            found = {signer: key.verifiers() for signer, key in known.items()}
            with self._lock:
                if len(self._cache) > 10_000:
                    self._cache.clear()
                self._cache[sensor] = found
        return found

    def _known(self, sensor: str) -> tuple[dict[bytes, SensorPublic], set[bytes]]:
        """Keys by id, brought by relays or enrolled here, and the ids of those that were revoked here."""
        with self._lock:
            brought = self._database.execute(
                "SELECT curve, ed25519, mldsa65, NULL FROM origin_key WHERE sensor = ?", (sensor,)
            ).fetchall()
            enrolled = self._database.execute(
                "SELECT curve, ed25519, mldsa65, revoked FROM sensor_key WHERE sensor = ?", (sensor,)
            ).fetchall()
        known: dict[bytes, SensorPublic] = {}
        revoked: set[bytes] = set()
        for *key, gone in [*brought, *enrolled]:
            public = SensorPublic(*key)
            if gone is None:
                known[public.signer] = public
            else:
                revoked.add(public.signer)
        return {signer: key for signer, key in known.items() if signer not in revoked}, revoked


def open_relayed(envelope: Envelope, relay: Peer, opener: Opener, origins: Origins) -> Opened:
    """A batch of another sensor: whole, with its sensor's signatures, or reduced and signed by the relay.
    SealError.
    """
    sensor = envelope.header.sensor
    if isinstance(envelope.header, ReducedHeader):
        if not origins.vouches(relay, sensor) and not came_back(envelope.header, origins):
            raise SealError("origin", f"{relay.sensor} may not reduce batches of {sensor}")
        return opener.open(envelope, relay.verifiers)
    verifiers = origins.verifiers(sensor) if origins.may_bring(relay, sensor) else {}
    if not verifiers:
        raise SealError("origin", f"of {sensor}, which {relay.sensor} has not introduced or may not bring")
    return opener.open(envelope, verifiers)


def came_back(header: Header, origins: Origins) -> bool:
    """Whether this centre signed this batch before, as a relay: it is not kept again."""
    reduction = header.reduction if isinstance(header, ReducedHeader) else None
    return reduction is not None and origins.is_own([step.signer for step in reduction.steps])


def relayed(
    via: str, opened: Opened, record: bytes, number: tuple[int, int, int] | None, origins: Origins
) -> Relayed:
    """The journal's entry for a batch of another sensor."""
    header, reduction = opened.header, opened.reduction
    if came_back(header, origins):
        return Relayed(via, None, number)
    place = (header.sensor, header.epoch, header.lane, header.seq)
    what = NewRecord(*place, header.events, opened.digest, record, header.previous)
    withheld = max(0, reduction.events - header.events) if reduction is not None else 0
    return Relayed(via, what, number, reduction is not None, withheld, header.last_us)
