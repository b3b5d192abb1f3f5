"""Keys that follow keys: proven, overlapping, revocable, and a link that goes on through it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from desk import CENTRE_KEYS, SENSOR_KEYS, Desk, Tap, wait_until
from keyhouse import House

from collectors.keyring import KeyDesk, Keyring, drop, read_keys, renew
from collectors.registry import MAX_KEYS, OVERLAP_SECONDS
from sensor.bus import messages, rotation
from sensor.bus.enrol import load_enrolment
from sensor.bus.identity import FreshSealer, Identity
from sensor.bus.keys import CentreKeys, SensorKeys, save_keys
from sensor.bus.layout import Pending
from sensor.bus.messages import encode
from sensor.bus.renewal import Renewal, prove
from sensor.bus.seal import Opener, read_envelope
from sensor.bus.spool import Spool
from sensor.errors import UserError


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    save_keys(tmp_path / "keys.json", CENTRE_KEYS)
    return Keyring(tmp_path / "keys.json")


@pytest.fixture
def keydesk(desk: Desk, keyring: Keyring) -> KeyDesk:
    desk.enrol()
    return KeyDesk(desk.registry, keyring)


NEW_KEYS = SensorKeys.generate()


def test_new_keys_signed_by_the_old_are_registered_and_the_old_go_on(desk: Desk, keydesk: KeyDesk) -> None:
    asked = rotation.request("tap1", SENSOR_KEYS, NEW_KEYS)
    for _ in range(2):  # a sensor that missed the answer asks again
        assert keydesk.rotate("tap1", SENSOR_KEYS.curve_public, asked) == messages.Rotated()
    for keys in (SENSOR_KEYS, NEW_KEYS):
        peer = desk.registry.peer(keys.curve_public)
        assert peer is not None and peer.sensor == "tap1"
        assert peer.verifiers.keys() == {SENSOR_KEYS.public().signer, NEW_KEYS.public().signer}
    assert [row.state(0) for row in desk.registry.all_keys()].count("replaced") == 1


@pytest.mark.parametrize("half", ["by_old", "by_new", "ed25519", "mldsa65", "sensor", "connection"])
def test_what_one_signature_does_not_cover_is_refused(desk: Desk, keydesk: KeyDesk, half: str) -> None:
    other = SensorKeys.generate()
    asked = rotation.request("tap1", SENSOR_KEYS, NEW_KEYS)
    curve = SENSOR_KEYS.curve_public
    if half in ("by_old", "by_new"):
        forged = rotation.request("tap1", other, other)
        asked = msgspec.structs.replace(asked, **{half: getattr(forged, half)})
    elif half in ("ed25519", "mldsa65"):  # the thief of one of the two signing keys
        thief = msgspec.structs.replace(SENSOR_KEYS, **{f"{half}_seed": getattr(other, f"{half}_seed")})
        asked = rotation.request("tap1", SENSOR_KEYS, NEW_KEYS)
        forged = rotation.request("tap1", thief, NEW_KEYS)
        asked = msgspec.structs.replace(asked, by_old=forged.by_old)
    elif half == "sensor":
        asked = rotation.request("tap2", SENSOR_KEYS, NEW_KEYS)
    else:
        desk.enrol("tap2", other)
        curve = other.curve_public
    assert keydesk.rotate("tap1", curve, asked).reason
    assert desk.registry.peer(NEW_KEYS.curve_public) is None


def test_revoked_keys_do_not_come_back_and_nobody_takes_anothers(desk: Desk, keydesk: KeyDesk) -> None:
    asked = rotation.request("tap1", SENSOR_KEYS, NEW_KEYS)
    curve = SENSOR_KEYS.curve_public
    assert not keydesk.rotate("tap1", curve, asked).reason
    desk.registry.revoke("tap1", NEW_KEYS.public().fingerprint[:20])
    assert desk.registry.peer(NEW_KEYS.curve_public) is None and desk.registry.peer(curve) is not None
    assert "revoked" in keydesk.rotate("tap1", curve, asked).reason
    other = SensorKeys.generate()
    desk.enrol("tap2", other)
    assert "known" in keydesk.rotate("tap1", curve, rotation.request("tap1", SENSOR_KEYS, other)).reason
    peer = desk.registry.peer(other.curve_public)
    assert peer is not None and peer.sensor == "tap2"
    with pytest.raises(UserError, match="no key ffff"):
        desk.registry.revoke("tap1", "ffff")
    assert desk.registry.revoke("tap1") == 1 and desk.registry.peer(curve) is None


def test_a_sensor_gone_bad_does_not_fill_the_registry(desk: Desk, keydesk: KeyDesk) -> None:
    for number in range(MAX_KEYS + 2):
        asked = rotation.request("tap1", SENSOR_KEYS, SensorKeys.generate())
        refused = keydesk.rotate("tap1", SENSOR_KEYS.curve_public, asked).reason
        assert bool(refused) == (number >= MAX_KEYS - 1)
    assert len(desk.registry.all_keys()) == MAX_KEYS


def test_a_replaced_key_ends_only_after_its_successor_was_in_use(
    desk: Desk, keydesk: KeyDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a key that nothing follows never ends, whatever the clock says."""
    now = time.time()
    monkeypatch.setattr("collectors.registry.time.time", lambda: now)
    monkeypatch.setattr("collectors.registry._CACHE_SECONDS", 0.0)
    old, new = SENSOR_KEYS.curve_public, NEW_KEYS.curve_public
    desk.registry.note_use(old)
    now += 10 * 365 * 86_400
    assert desk.registry.peer(old) is not None
    assert not keydesk.rotate("tap1", old, rotation.request("tap1", SENSOR_KEYS, NEW_KEYS)).reason
    now += 365 * 86_400
    assert desk.registry.peer(old) is not None, "the new keys were never used"
    desk.registry.note_use(new)
    now += OVERLAP_SECONDS - 10
    assert desk.registry.peer(old) is not None
    now += 20
    assert desk.registry.peer(old) is None
    peer = desk.registry.peer(new)
    assert peer is not None and SENSOR_KEYS.public().signer in peer.verifiers, (
        "its spool may hold old batches"
    )
    states = {row.fingerprint: row.state(int(now)) for row in desk.registry.all_keys()}
    assert states == {SENSOR_KEYS.public().fingerprint: "ended", NEW_KEYS.public().fingerprint: "active"}


def test_the_centres_new_key_is_believed_only_with_the_proof_of_the_old(tmp_path: Path) -> None:
    kept: list[object] = []
    old, new, thief = CENTRE_KEYS, CentreKeys.generate(), CentreKeys.generate()
    renewal = Renewal("tap1", old.public(), lambda centre, _address: kept.append(centre))
    assert renewal.welcomed(None) is None and renewal.welcomed(old.public().recipient) is None
    asked = renewal.welcomed(new.public().recipient)
    assert asked is not None
    assert prove(asked, "tap1", thief.opening_key(), old.public(), thief.public()) is None
    assert prove(asked, "tap2", old.opening_key(), old.public(), new.public()) is None
    for half in ("x25519_seed", "mlkem768_seed"):  # half of the old key is not enough
        mixed = msgspec.structs.replace(thief, **{half: getattr(old, half)})
        assert prove(asked, "tap1", mixed.opening_key(), old.public(), thief.public()) is None
    forged = messages.Renewed(thief.public(), bytes(32))
    assert not renewal.receive(forged) and not renewal.receive(forged)
    asked = renewal.welcomed(new.public().recipient)
    assert asked is not None
    answer = prove(asked, "tap1", old.opening_key(), old.public(), new.public())
    assert answer is not None and renewal.receive(answer)
    assert kept == [new.public()]
    assert not renewal.receive(answer), "an answer counts once"
    assert renewal.refused == 3


def test_a_centres_older_keys_open_until_they_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    save_keys(path, CENTRE_KEYS)
    ring = Keyring(path)
    old, new = renew(path)
    assert old.curve == new.curve and old.recipient != new.recipient
    ring._look_due = 0.0
    assert ring.refresh() and ring.present == new and set(ring) == {old.recipient, new.recipient}
    assert not ring.refresh()
    files = [path, *(tmp_path / "keys.old").iterdir()]
    assert len(files) == 2 and all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    assert [key.public() for key in read_keys(path)] == [new, old]
    with pytest.raises(UserError, match="in use"):
        drop(path, new.recipient.hex())
    for wrong in ("00", "../keys", ""):
        with pytest.raises(UserError, match="no older key"):
            drop(path, wrong)
    drop(path, old.recipient.hex())
    assert [key.public() for key in read_keys(path)] == [new]


def test_damaged_key_files_leave_a_running_centre_its_keys(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    save_keys(path, CENTRE_KEYS)
    ring = Keyring(path)
    path.write_text("{")
    ring._look_due = 0.0
    assert not ring.refresh() and CENTRE_KEYS.public().recipient in ring


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def test_both_sides_rotate_while_events_flow_and_none_is_lost_or_doubled(
    house: House, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool.sqlite", "tap1")
    link = Identity(house.sensor).link(spool, software="test")
    sealer = FreshSealer(house.sensor)
    link.start()
    old_centre, old_sensor = house.keyring.present, load_enrolment(house.sensor)[0].public()
    sent = 0

    def flow(count: int) -> None:
        nonlocal sent
        for _ in range(count):
            sealer.refresh()
            spool.append([Pending(0, 1, b'{"n":%d}\n' % sent)], sealer)
            sent += 1
            time.sleep(0.005)

    try:
        flow(40)
        old, new = rotation.rotate(house.sensor)
        assert old == old_sensor
        flow(40)
        wait_until(
            lambda: any(row.first_used for row in house.registry.all_keys() if not row.is_replaced), 10
        )
        renew(house.keys_file)
        wait_until(lambda: house.keyring.present != old_centre, 10)
        flow(40)
        link.session.restart(time.monotonic())  # as after a broken connection: the next welcome names the key
        wait_until(lambda: load_enrolment(house.sensor)[1].centre == house.keyring.present, 15)
        flow(40)
        wait_until(lambda: spool.pending_batches() == 0, 20)
    finally:
        link.stop()
        link.join(10)
    assert link.failure is None and spool.books()[0].lost == {}
    headers = [read_envelope(record.sealed) for record in house.journal.read(0, 10**9)]
    assert [envelope.header.seq for envelope in headers] == list(range(sent)), "each once, in order"
    assert {envelope.header.signer for envelope in headers} == {old.signer, new.signer}
    opener = Opener(house.keyring)
    lines = [opener.read(record.sealed)[1] for record in house.journal.read(0, 10**9)]
    assert lines == [b'{"n":%d}\n' % number for number in range(sent)]
    assert house.journal.sealed_to().keys() == {
        old_centre.recipient.hex(),
        house.keyring.present.recipient.hex(),
    }
    used = {row.fingerprint: row.first_used for row in house.registry.all_keys()}
    assert used[old.fingerprint] and used[new.fingerprint], "the link took the new keys up by itself"
    assert house.receiver.counts["chain_breaks"] == 0
    spool.close()


def test_a_rotation_that_was_killed_goes_on_with_the_same_keys(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load_enrolment(house.sensor)[0]

    ask = rotation._ask

    def answered_and_killed(*asked: Any) -> None:
        ask(*asked)
        raise KeyboardInterrupt

    monkeypatch.setattr(rotation, "_ask", answered_and_killed)
    with pytest.raises(KeyboardInterrupt):
        rotation.rotate(house.sensor)
    monkeypatch.undo()
    assert load_enrolment(house.sensor)[0] == before
    assert_welcome(house)
    rotation.rotate(house.sensor)
    after = load_enrolment(house.sensor)[0]
    assert after != before
    assert len(house.registry.all_keys()) == 2
    assert_welcome(house)


def assert_welcome(house: House) -> None:
    """The keys that the sensor's files name are let in."""
    spool = Spool(house.sensor / "spool.sqlite", "tap1")
    link = Identity(house.sensor).link(spool, software="test")
    link.start()
    wait_until(lambda: link.session.established, 10)
    link.stop()
    link.join(10)
    spool.close()


def test_without_the_centres_word_the_old_keys_stay(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "ANSWER_SECONDS", 0.5)
    before = load_enrolment(house.sensor)[0]
    house.registry.revoke("tap1")
    with pytest.raises(UserError, match="the old keys stay in use"):
        rotation.rotate(house.sensor)
    assert load_enrolment(house.sensor)[0] == before
    assert (house.sensor / rotation.NEXT_KEYS_FILE).stat().st_mode & 0o777 == 0o600


def test_an_enrolment_in_between_is_not_overwritten(house: House) -> None:
    """The answer about a centre's new key comes late: the sensor was enrolled elsewhere by then."""
    identity = Identity(house.sensor)
    other = CentreKeys.generate().public()
    elsewhere = msgspec.structs.replace(identity.enrolment, centre=other, address="tcp://192.0.2.9:5514")
    (house.sensor / "centre.json").write_bytes(msgspec.json.encode(elsewhere))
    identity._keep_centre(CentreKeys.generate().public(), "")
    assert load_enrolment(house.sensor)[1] == elsewhere


def test_an_older_sensor_that_knows_no_rotation_is_served_as_before(house: House, desk: Desk) -> None:
    """It ignores the welcome's new word and goes on sealing to the key it knows."""
    old = house.keyring.present
    renew(house.keys_file)
    wait_until(lambda: house.keyring.present != old, 10)
    keys, enrolment = load_enrolment(house.sensor)
    assert enrolment.centre == old
    tap = Tap(desk, "tap1", keys)
    tap.sealer = FreshSealer(house.sensor)
    record = tap.seal(0, 0)
    answers = house.receiver.receive(
        b"r1", keys.curve_public, [encode(messages.Hello(1, "tap1", tap.epoch, []))]
    )
    assert answers == []
    welcome = next(messages.decode(frame) for routing, frame in house.receiver.commit() if routing == b"r1")
    assert isinstance(welcome, messages.Welcome) and welcome.recipient == house.keyring.present.recipient
    assert (
        house.receiver.receive(
            b"r1", keys.curve_public, [encode(messages.Batch(welcome.session, 0, 0)), record]
        )
        == []
    )
