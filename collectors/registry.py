"""Who may speak to this centre: sensors, their keys, and enrolment tokens. It must not touch what they send.

A SQLite database, so that `haidang centre token` and `revoke` act on a running centre: every look-up goes to
the file, through a cache that is dropped when another process has written.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from collectors.peers import KeyRow, Peer, SensorRow, TokenRow, Verifiers
from sensor.bus.enrol import Token
from sensor.bus.keys import KEY_ID_BYTES, SensorPublic
from sensor.bus.records import open_database, transaction
from sensor.errors import UserError

_APPLICATION = 0x48445247  # "HDRG"
_VERSION = 1
_SCHEMA = """
CREATE TABLE sensor_key (
  curve    TEXT PRIMARY KEY,
  sensor   TEXT NOT NULL,
  ed25519  BLOB NOT NULL,
  mldsa65  BLOB NOT NULL,
  added    INTEGER NOT NULL,  -- seconds since 1970
  revoked  INTEGER            -- seconds since 1970, or NULL
) WITHOUT ROWID;
CREATE INDEX key_by_sensor ON sensor_key (sensor);
CREATE TABLE token (
  curve     TEXT PRIMARY KEY,  -- the public half; the secret is only in the token
  proof_key BLOB NOT NULL,
  sensor    TEXT NOT NULL,     -- the only name it may register, or ''
  expires   INTEGER NOT NULL,
  used_by   TEXT               -- fingerprint of the keys it registered
) WITHOUT ROWID
"""
_RELAYS = """
CREATE TABLE IF NOT EXISTS relay (         -- names that bring batches of other sensors
  sensor TEXT PRIMARY KEY, patterns TEXT NOT NULL  -- of the sensors' names, space between; '': any
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS relay_token (   -- tokens that enrol a relay
  curve TEXT PRIMARY KEY, patterns TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS origin_key (    -- keys of sensors that relays brought
  sensor TEXT, signer BLOB, curve TEXT NOT NULL, ed25519 BLOB NOT NULL, mldsa65 BLOB NOT NULL,
  relay TEXT NOT NULL, added INTEGER NOT NULL, PRIMARY KEY (sensor, signer)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS origin_path (   -- relays that a sensor passes, by ids of their keys
  sensor TEXT, relay TEXT, path BLOB NOT NULL, PRIMARY KEY (sensor, relay)
) WITHOUT ROWID
"""
_USE_SCHEMA = """
CREATE TABLE IF NOT EXISTS key_use (  -- beside sensor_key since rotation; a registry without it gains it
  curve       TEXT PRIMARY KEY,
  replaced_by TEXT,             -- the CURVE key that follows this one
  first_used  INTEGER,          -- seconds since 1970
  last_used   INTEGER
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS key_reach (curve TEXT PRIMARY KEY, served TEXT NOT NULL) WITHOUT ROWID
"""
OVERLAP_SECONDS = 7 * 24 * 3600  # a replaced key is honoured so long after its successor was first used
MAX_KEYS = 16  # of one sensor that are not revoked: a sensor gone bad must not fill the registry
_CACHE_SECONDS = 30.0  # the allow-list is read anew this often, so that a replaced key ends on time
_USE_SECONDS = 3600  # the time of a key's last use is written down this often


class Registry:
    """The live allow-list."""

    def __init__(self, path: Path, *, overlap_seconds: int = OVERLAP_SECONDS) -> None:
        self._database = open_database(path, _SCHEMA, application=_APPLICATION, version=_VERSION)
        self._database.executescript(_RELAYS)
        self._database.executescript(_USE_SCHEMA)
        self._overlap_seconds = overlap_seconds
        self._lock = threading.Lock()
        self._peers: dict[str, Peer | None] = {}
        self._seen_version = -1
        self._read_again = 0.0
        self._used: dict[tuple[str, str], float] = {}
        self._reached: dict[str, str] = {}

    def close(self) -> None:
        self._database.close()

    def peer(self, curve: str) -> Peer | None:
        """The sensor with this CURVE key, or None when it is unknown or revoked. Cheap: asked for every
        message.
        """
        with self._lock:
            version = self._database.execute("PRAGMA data_version").fetchone()[0]
            if version != self._seen_version or time.monotonic() >= self._read_again:
                self._peers.clear()
                self._seen_version = version
                self._read_again = time.monotonic() + _CACHE_SECONDS
            if curve not in self._peers:
                self._peers[curve] = self._load(curve)
                if len(self._peers) > 10_000:  # unknown keys are remembered too; do not let them pile up
                    self._peers.clear()
            return self._peers.get(curve)

    def _load(self, curve: str) -> Peer | None:
        row = self._database.execute(
            "SELECT sensor FROM sensor_key WHERE curve = ? AND revoked IS NULL", (curve,)
        ).fetchone()
        if row is None or self._has_ended(curve):
            return None
        # Batches may have been signed before a key was changed: every key of the sensor that was not revoked
        # counts.
        verifiers: Verifiers = {}
        for key in self._database.execute(
            "SELECT curve, ed25519, mldsa65 FROM sensor_key WHERE sensor = ? AND revoked IS NULL", row
        ):
            public = SensorPublic(*key)
            verifiers[public.signer] = public.verifiers()
        relay = self._database.execute("SELECT patterns FROM relay WHERE sensor = ?", row).fetchone()
        return Peer(row[0], verifiers, None if relay is None else tuple(relay[0].split()))

    def _has_ended(self, curve: str) -> bool:
        """Whether another key follows this one and has been in use for the time of overlap. A key that
        nothing follows never ends.
        """
        row = self._database.execute(
            "SELECT next.first_used FROM key_use old JOIN key_use next ON next.curve = old.replaced_by "
            "WHERE old.curve = ?",
            (curve,),
        ).fetchone()
        return row is not None and row[0] is not None and row[0] + self._overlap_seconds <= time.time()

    def note_use(self, curve: str, served: str = "") -> None:
        """This key began a session, and reached us by our CURVE key `served`. sqlite3.Error when it cannot be
        written down.
        """
        now = time.monotonic()
        with self._lock:
            if now < self._used.get((curve, served), float("-inf")) + _USE_SECONDS:
                return
            self._database.execute(
                "INSERT INTO key_use (curve, first_used, last_used) VALUES (?1, ?2, ?2) "
                "ON CONFLICT DO UPDATE SET first_used = coalesce(first_used, ?2), last_used = ?2",
                (curve, int(time.time())),
            )
            if served:
                self._database.execute("INSERT OR REPLACE INTO key_reach VALUES (?, ?)", (curve, served))
                self._used.pop((curve, self._reached.get(curve, served)), None)
                self._reached[curve] = served
            self._used[curve, served] = now

    def behind(self, served: str) -> list[str]:
        """Sensors that may speak and did not reach us by this CURVE key of ours when they last spoke."""
        with self._lock:
            rows = self._database.execute(
                "SELECT k.sensor, max(r.served IS ?) FROM sensor_key k LEFT JOIN key_reach r ON "
                "r.curve = k.curve WHERE k.revoked IS NULL GROUP BY k.sensor ORDER BY k.sensor",
                (served,),
            ).fetchall()
        return [sensor for sensor, has_followed in rows if not has_followed]

    def public(self, curve: str) -> SensorPublic | None:
        """The whole public key that this CURVE key belongs to."""
        with self._lock:
            row = self._database.execute(
                "SELECT curve, ed25519, mldsa65 FROM sensor_key WHERE curve = ?", (curve,)
            ).fetchone()
        return None if row is None else SensorPublic(*row)

    def replace(self, sensor: str, old: str, keys: SensorPublic) -> str:
        """Register keys that follow those of the CURVE key `old`, in one durable step. Returns why not, or
        ''. May be repeated. Who asks must have been verified.
        """
        with self._lock, transaction(self._database):
            known = self._database.execute(
                "SELECT sensor, ed25519, mldsa65, revoked FROM sensor_key WHERE curve = ?", (keys.curve,)
            ).fetchone()
            if known is not None:
                same = known[:3] == (sensor, keys.ed25519, keys.mldsa65)
                if not same or known[3] is not None:
                    return "these keys are known already" if not same else "these keys were revoked"
            held = self._database.execute(
                "SELECT count(*) FROM sensor_key WHERE sensor = ? AND revoked IS NULL", (sensor,)
            ).fetchone()[0]
            if known is None and held >= MAX_KEYS:
                return f"{sensor} has {held} keys: its operator must revoke some"
            self._database.execute(
                "INSERT OR IGNORE INTO sensor_key VALUES (?, ?, ?, ?, ?, NULL)",
                (keys.curve, sensor, keys.ed25519, keys.mldsa65, int(time.time())),
            )
            self._database.execute(
                "INSERT INTO key_use (curve, replaced_by) VALUES (?1, ?2) "
                "ON CONFLICT DO UPDATE SET replaced_by = ?2",
                (old, keys.curve),
            )
            self._peers.clear()
        return ""

    def all_keys(self) -> list[KeyRow]:
        """Every key that was ever registered, with its use, by sensor and age."""
        with self._lock:
            rows = self._database.execute(
                "SELECT k.sensor, k.curve, k.ed25519, k.mldsa65, k.added, k.revoked, u.first_used, "
                "u.last_used, u.replaced_by, n.first_used FROM sensor_key k "
                "LEFT JOIN key_use u ON u.curve = k.curve LEFT JOIN key_use n ON n.curve = u.replaced_by "
                "ORDER BY k.sensor, k.added, k.curve"
            ).fetchall()
        found = []
        for sensor, curve, ed25519, mldsa65, added, revoked, first, last, replaced_by, next_used in rows:
            fingerprint = SensorPublic(curve, ed25519, mldsa65).fingerprint
            ends = None if next_used is None else next_used + self._overlap_seconds
            found.append(
                KeyRow(sensor, fingerprint, added, revoked, first, last, replaced_by is not None, ends)
            )
        return found

    def add_token(self, token: Token, sensor: str, *, relay: Sequence[str] | None = None) -> None:
        """Let this token's holder in until it expires; old tokens are swept out.

        relay: it enrols a relay, for sensors whose names match these patterns (none: any name).
        """
        with self._lock, transaction(self._database):
            self._database.execute("DELETE FROM token WHERE expires < ?", (int(time.time()) - 86_400,))
            self._database.execute(
                "INSERT INTO token VALUES (?, ?, ?, ?, NULL)",
                (token.client_public, token.proof_key, sensor, token.expires),
            )
            self._database.execute("DELETE FROM relay_token WHERE curve NOT IN (SELECT curve FROM token)")
            if relay is not None:
                self._database.execute(
                    "INSERT INTO relay_token VALUES (?, ?)", (token.client_public, " ".join(relay))
                )

    def token(self, curve: str) -> TokenRow | None:
        """The token with this CURVE key, while it is valid."""
        with self._lock:
            row = self._database.execute(
                "SELECT curve, proof_key, sensor, expires, used_by FROM token WHERE curve = ? AND "
                "expires >= ?",
                (curve, int(time.time())),
            ).fetchone()
        return None if row is None else TokenRow(*row)

    def enrol(self, token: TokenRow, sensor: str, keys: SensorPublic) -> str:
        """Register these keys and spend the token, in one step. Returns why not, or ''. May be repeated with
        the same keys.
        """
        with self._lock, transaction(self._database):
            used_by = self._database.execute(
                "SELECT used_by FROM token WHERE curve = ?", (token.curve,)
            ).fetchone()
            if used_by is None:
                return "unknown token"
            if used_by[0] is not None:
                return "" if used_by[0] == keys.fingerprint else "the token was used before"
            others = self._database.execute(
                "SELECT count(*) FROM sensor_key WHERE sensor = ? AND revoked IS NULL AND curve != ?",
                (sensor, keys.curve),
            ).fetchone()[0]
            # A name that is taken needs a token made for it: nobody takes over a sensor's name with any
            # token.
            if token.sensor != sensor and (others or self._is_anothers(sensor, keys)):
                return f"there is a sensor {sensor} already"
            owner = self._database.execute(
                "SELECT sensor FROM sensor_key WHERE curve = ?", (keys.curve,)
            ).fetchone()
            if owner is not None and owner[0] != sensor:
                return f"these keys belong to {owner[0]}"
            self._database.execute(
                "INSERT OR REPLACE INTO sensor_key VALUES (?, ?, ?, ?, ?, NULL)",
                (keys.curve, sensor, keys.ed25519, keys.mldsa65, int(time.time())),
            )
            self._database.execute(
                "INSERT OR REPLACE INTO relay SELECT ?, patterns FROM relay_token WHERE curve = ?",
                (sensor, token.curve),
            )
            self._database.execute(
                "UPDATE token SET used_by = ? WHERE curve = ?", (keys.fingerprint, token.curve)
            )
            self._peers.clear()
        return ""

    def _is_anothers(self, sensor: str, keys: SensorPublic) -> bool:
        """Whether a relay brings a sensor of this name that signs with other keys."""
        signers = self._database.execute("SELECT signer FROM origin_key WHERE sensor = ?", (sensor,))
        known = {row[0] for row in signers}
        return bool(known) and keys.signer not in known

    def trust(self, name: str, keys: SensorPublic, patterns: Sequence[str]) -> str:
        """Register a relay by its keys as people carried them here. Returns why not, or ''."""
        with self._lock, transaction(self._database):
            for sensor, curve in self._database.execute(
                "SELECT sensor, curve FROM sensor_key WHERE (sensor = ? OR curve = ?) AND revoked IS NULL",
                (name, keys.curve),
            ):
                if sensor != name:
                    return f"these keys belong to {sensor}"
                if curve != keys.curve:
                    return f"there is a sensor {name} already"
            self._database.execute(
                "INSERT OR REPLACE INTO sensor_key VALUES (?, ?, ?, ?, ?, NULL)",
                (keys.curve, name, keys.ed25519, keys.mldsa65, int(time.time())),
            )
            self._database.execute("INSERT OR REPLACE INTO relay VALUES (?, ?)", (name, " ".join(patterns)))
            self._peers.clear()
        return ""

    def public_keys(self, sensor: str) -> list[SensorPublic]:
        """All keys of a sensor, enrolled here or brought by relays, newest first; the revoked ones last:
        batches of before bear them.
        """
        with self._lock:
            rows = self._database.execute(
                "SELECT curve, ed25519, mldsa65 FROM (SELECT curve, ed25519, mldsa65, added, revoked FROM "
                "sensor_key WHERE sensor = ?1 UNION ALL SELECT curve, ed25519, mldsa65, added, NULL FROM "
                "origin_key WHERE sensor = ?1) ORDER BY revoked IS NOT NULL, added DESC",
                (sensor,),
            ).fetchall()
        return list(dict.fromkeys(SensorPublic(*row) for row in rows))

    def path(self, sensor: str) -> list[bytes]:
        """The relays that a sensor's batches pass on the shortest way here, by the ids of their keys."""
        with self._lock:
            row = self._database.execute(
                "SELECT path FROM origin_path WHERE sensor = ? ORDER BY length(path) LIMIT 1", (sensor,)
            ).fetchone()
        packed = b"" if row is None else row[0]
        return [packed[at : at + KEY_ID_BYTES] for at in range(0, len(packed), KEY_ID_BYTES)]

    def signed_by(self, signer: bytes) -> Peer | None:
        """The sensor or relay that signs with the key of this id, while it is not revoked."""
        with self._lock:
            for curve, ed25519, mldsa65 in self._database.execute(
                "SELECT curve, ed25519, mldsa65 FROM sensor_key WHERE revoked IS NULL"
            ):
                if SensorPublic(curve, ed25519, mldsa65).signer == signer:
                    return self._load(curve)
        return None

    def relays(self) -> dict[str, str]:
        """Names that are enrolled as relays, with their patterns."""
        with self._lock:
            return dict(self._database.execute("SELECT sensor, patterns FROM relay ORDER BY sensor"))

    def revoke(self, sensor: str, fingerprint: str = "") -> int:
        """Shut this sensor, or the one of its keys whose fingerprint begins so, out from its next message
        on. Returns how many keys that took; UserError when there is none.
        """
        with self._lock, transaction(self._database):
            rows = self._database.execute(
                "SELECT curve, ed25519, mldsa65 FROM sensor_key WHERE sensor = ? AND revoked IS NULL",
                (sensor,),
            ).fetchall()
            doomed = [
                row[0] for row in rows if SensorPublic(*row).fingerprint.startswith(fingerprint.lower())
            ]
            if fingerprint and len(doomed) > 1:
                raise UserError(f"{fingerprint} fits {len(doomed)} keys of {sensor}", fix="give more of it")
            self._database.executemany(
                "UPDATE sensor_key SET revoked = ? WHERE curve = ?",
                [(int(time.time()), curve) for curve in doomed],
            )
            self._peers.clear()
        if not rows:
            raise UserError(f"no sensor {sensor!r} is enrolled", fix="`haidang centre sensors` lists them")
        if not doomed:
            raise UserError(
                f"{sensor} has no key {fingerprint} that is not revoked",
                fix="`haidang centre keys` lists them",
            )
        return len(doomed)

    def sensors(self) -> list[SensorRow]:
        """Every key that was ever registered, by sensor."""
        with self._lock:
            rows = self._database.execute(
                "SELECT sensor, curve, ed25519, mldsa65, added, revoked FROM sensor_key ORDER BY sensor, "
                "added"
            ).fetchall()
        return [
            SensorRow(sensor, SensorPublic(curve, ed25519, mldsa65).fingerprint, added, revoked)
            for sensor, curve, ed25519, mldsa65, added, revoked in rows
        ]
