"""The centre's hybrid keys: the present one, and the older ones it still opens (docs/spec/bus.md,
"Rotation").

keys.json is the present key; keys.old/ID.json are older ones, ID the recipient id in hex. A centre that runs
sees a change within a second. It also answers the two messages about keys: a sensor's new ones, and a
sensor's question for the centre's.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey

from collectors.registry import Registry
from collectors.transport import TRANSPORT_FILE, as_served, known_by
from sensor.bus import messages
from sensor.bus.durable import make_private_directory, sync_directory
from sensor.bus.keys import CentreKeys, CentrePublic, load_keys, save_keys
from sensor.bus.proofs import is_signed, statement
from sensor.bus.renewal import prove
from sensor.errors import UserError, from_os_error

log = logging.getLogger("haidang.centre")

OLD_KEYS = "keys.old"
_LOOK_SECONDS = 1.0


class Keyring(Mapping[bytes, MLKEM768X25519PrivateKey]):
    """Opening keys by recipient id; `present` is the public half of the one to seal to."""

    def __init__(self, keys_file: Path) -> None:
        """UserError when a key file is absent, damaged or readable by others."""
        self._file = keys_file
        self._look_due = 0.0
        self._seen = self._look()
        self.changes = 0
        self._load()

    def _load(self) -> None:
        keys = read_keys(self._file)
        self._publics = {key.public().recipient: key.public() for key in keys}
        self._opening = {key.public().recipient: key.opening_key() for key in keys}
        self.present: CentrePublic = keys[0].public()

    def refresh(self) -> bool:
        """Read the files anew when they have changed (looked at once a second); whether the present key is
        another now. What cannot be read is logged, and the keys stay as they were.
        """
        now = time.monotonic()
        if now < self._look_due:
            return False
        self._look_due = now + _LOOK_SECONDS
        seen = self._look()
        if seen == self._seen:
            return False
        self._seen = seen
        before = self.present
        try:
            self._load()
            self.changes += 1
        except (UserError, OSError) as error:
            log.error("the keys were not read anew: %s", error)
            return False
        return self.present != before

    def public(self, recipient: bytes) -> CentrePublic | None:
        return self._publics.get(recipient)

    def __getitem__(self, recipient: bytes) -> MLKEM768X25519PrivateKey:
        return self._opening[recipient]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._opening)

    def __len__(self) -> int:
        return len(self._opening)

    def _look(self) -> tuple[int, ...]:
        seen = []
        for path in (self._file, self._file.with_name(OLD_KEYS), self._file.with_name(TRANSPORT_FILE)):
            try:
                seen.append(path.stat().st_mtime_ns)
            except OSError:
                seen.append(0)
        return tuple(seen)


def read_keys(keys_file: Path) -> list[CentreKeys]:
    """The present keys, then the older ones, youngest first. UserError as `load_keys`."""
    present = as_served(load_keys(keys_file, CentreKeys), keys_file)
    directory = keys_file.with_name(OLD_KEYS)
    old = [load_keys(path, CentreKeys) for path in directory.glob("*.json")] if directory.exists() else []
    known = present.public().recipient
    older = sorted(
        (key for key in old if key.public().recipient != known), key=lambda key: key.created, reverse=True
    )
    return [present, *older]


def renew(keys_file: Path) -> tuple[CentrePublic, CentrePublic]:
    """A new hybrid key for this centre, and the old one kept beside it; (old, new). The CURVE key stays: it
    is how sensors find this socket.

    A crash in between leaves the old key in use, at most with a second copy of it. Both are returned as those
    know them who connect now.
    """
    old = load_keys(keys_file, CentreKeys)
    made = CentreKeys.generate()
    new = CentreKeys(made.created, old.curve_public, old.curve_secret, made.x25519_seed, made.mlkem768_seed)
    directory = keys_file.with_name(OLD_KEYS)
    try:
        make_private_directory(directory)
        save_keys(_old_file(keys_file, old.public().recipient), old)
        sync_directory(keys_file.parent)
        save_keys(keys_file, new)
    except OSError as error:
        raise from_os_error(error, where=directory) from error
    return as_served(old, keys_file).public(), as_served(new, keys_file).public()


def drop(keys_file: Path, recipient: str) -> None:
    """Forget an older key for good. UserError when there is none of this id, or it is the present one."""
    present = load_keys(keys_file, CentreKeys).public().recipient.hex()
    if recipient == present:
        raise UserError("this is the key in use", fix="`haidang centre rotate` first")
    path = keys_file.with_name(OLD_KEYS) / f"{recipient}.json"
    if not recipient.isalnum() or not path.exists():
        raise UserError(f"there is no older key {recipient}", fix="`haidang centre keys` lists them")
    path.unlink()
    sync_directory(path.parent)


def _old_file(keys_file: Path, recipient: bytes) -> Path:
    return keys_file.with_name(OLD_KEYS) / f"{recipient.hex()}.json"


class KeyDesk:
    """Answers what sensors say about keys."""

    def __init__(self, registry: Registry, keyring: Keyring) -> None:
        self._registry = registry
        self._keyring = keyring
        self.moved_to: tuple[str, str] | None = None
        """The CURVE key that sensors should know, and the address where it is served."""

    @property
    def recipient(self) -> bytes:
        """The id of the key that batches should be sealed to."""
        return self._keyring.present.recipient

    def rotate(self, sensor: str, curve: str, message: messages.Rotate) -> messages.Rotated:
        """Register the keys that follow those of the connection `curve`, which belongs to `sensor`."""
        refusal = self._refusal(sensor, curve, message)
        if not refusal:
            try:
                refusal = self._registry.replace(sensor, curve, message.keys)
            except sqlite3.Error as error:
                log.error("the registry takes nothing: %s", error)
                refusal = "the centre's disk refuses"
        if refusal:
            log.warning("%s may not change its keys: %s", sensor, refusal)
        else:
            log.info("%s has new keys: %s", sensor, message.keys.fingerprint)
        return messages.Rotated(refusal)

    def _refusal(self, sensor: str, curve: str, message: messages.Rotate) -> str:
        old = self._registry.public(curve)
        if message.sensor != sensor or old is None:
            return "this connection is another sensor's"
        said = statement(sensor, old, message.keys)
        if not is_signed(old, message.by_old, said):
            return "the old keys did not sign it"
        if not is_signed(message.keys, message.by_new, said):
            return "the new keys did not sign it"
        return ""

    def renew(self, sensor: str, message: messages.Renew, served: str = "") -> messages.Renewed | None:
        """The centre's present keys with their proof, for a sensor that knows an older one. served: the CURVE
        key by which it reached us ('' is the present one).
        """
        old, key = self._keyring.public(message.recipient), self._keyring.get(message.recipient)
        if old is None or key is None:
            return None
        old, new = known_by(old, served), known_by(self._keyring.present, served)
        moved_to = self.moved_to if self.moved_to is not None and self.moved_to[0] != new.curve else None
        return prove(message, sensor, key, old, new, moved_to)
