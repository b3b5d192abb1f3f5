"""A centre's CURVE key follows another: served side by side, announced with proof, ended by no clock."""

from __future__ import annotations

import socket as network
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from desk import wait_until
from keyhouse import LISTEN, House

from collectors.transport import begin_transport, end_transport, read_transports
from sensor.bus import link as links
from sensor.bus import messages
from sensor.bus.enrol import Token, enrol, load_enrolment
from sensor.bus.identity import FreshSealer, Identity
from sensor.bus.keys import CentreKeys
from sensor.bus.layout import Pending
from sensor.bus.link import Link
from sensor.bus.renewal import Renewal, prove
from sensor.bus.spool import Spool
from sensor.errors import UserError


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


class Running:
    """A sensor that runs."""

    def __init__(self, house: House, directory: Path | None = None) -> None:
        self.directory = directory or house.sensor
        self.spool = Spool(self.directory / "spool.sqlite", load_enrolment(self.directory)[1].sensor)
        self.link: Link = Identity(self.directory).link(self.spool, software="test")
        self.sealer = FreshSealer(self.directory)
        self.sent = 0
        self.link.start()

    def flow(self, count: int) -> None:
        for _ in range(count):
            self.spool.append([Pending(0, 1, b'{"n":%d}\n' % self.sent)], self.sealer)
            self.sent += 1
        wait_until(lambda: self.spool.pending_batches() == 0, 20)

    def close(self) -> None:
        self.link.stop()
        self.link.join(10)
        self.spool.close()


@pytest.fixture
def running(house: House) -> Iterator[Running]:
    made = Running(house)
    yield made
    made.close()


def begin(house: House, listen: str = LISTEN, settings_listen: str = "tcp://127.0.0.1:1") -> str:
    """A new key, served; its CURVE key."""
    _, new = begin_transport(house.keys_file, settings_listen, "", listen, "")
    wait_until(lambda: next(iter(house.listener.served)) == new.curve_public, 10)
    return new.curve_public


def again(sensor: Running) -> None:
    """As after a broken connection: the next welcome names the key."""
    sensor.link.session.restart(time.monotonic())


def test_a_sensor_follows_without_a_token_and_loses_nothing(house: House, running: Running) -> None:
    running.flow(20)
    old = house.listener.bound
    curve = begin(house)
    assert house.listener.bound != old and len(house.listener.served) == 2
    assert house.registry.behind(curve) == ["tap1"]
    running.flow(20)
    again(running)
    wait_until(lambda: load_enrolment(house.sensor)[1].centre.curve == curve, 15)
    running.flow(20)
    _, enrolment = load_enrolment(house.sensor)
    assert enrolment.address == house.listener.bound and enrolment.centre == house.keyring.present
    wait_until(lambda: house.registry.behind(curve) == [], 10)
    end_transport(house.keys_file)
    wait_until(lambda: list(house.listener.served) == [curve], 10)
    running.flow(20)
    assert running.link.failure is None and running.spool.books()[0].lost == {}
    assert [record.seq for record in house.journal.read(0, 10**9)] == list(range(running.sent))


def test_a_sensor_that_was_away_follows_as_long_as_the_old_key_is_served(house: House) -> None:
    """However long that is: nothing ends by itself, and two rotations cannot overtake a sensor."""
    curve = begin(house)
    with pytest.raises(UserError, match="the key before is still served"):
        begin_transport(house.keys_file, "tcp://127.0.0.1:1", "", "tcp://127.0.0.1:2", "")
    late = Running(house)
    late.flow(5)
    wait_until(lambda: load_enrolment(house.sensor)[1].centre.curve == curve, 15)
    late.flow(5)
    late.close()
    # A start from the files alone.
    late = Running(house)
    late.flow(5)
    assert late.link.reconnects == 0
    late.close()


def test_where_the_new_address_is_closed_the_sensor_stays(
    house: House, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "_PROBE_SECONDS", 0.5)
    running.link._return_seconds = 0.5
    with network.socket() as closed:  # bound and not listening: nobody answers
        closed.bind(("127.0.0.1", 0))
        nowhere = f"tcp://127.0.0.1:{closed.getsockname()[1]}"
        begin_transport(house.keys_file, "tcp://127.0.0.1:1", "", LISTEN, nowhere)
        wait_until(lambda: len(house.listener.served) == 2, 10)
        before = load_enrolment(house.sensor)[1]
        again(running)
        for _ in range(4):
            running.flow(5)
            time.sleep(0.5)
        assert running.link.collector.renewal is not None and running.link.collector.renewal.moved is not None
        assert load_enrolment(house.sensor)[1] == before and running.link.reconnects == 0


def test_a_key_that_cannot_be_served_is_not_announced(house: House, running: Running) -> None:
    with network.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        place = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        _, new = begin_transport(house.keys_file, "tcp://127.0.0.1:1", "", place, "")
        wait_until(lambda: house.keyring.present.curve == new.curve_public, 10)
        again(running)
        running.flow(10)
        assert new.curve_public not in house.listener.served
        assert load_enrolment(house.sensor)[1].centre.curve != new.curve_public


def test_new_sensors_are_enrolled_at_the_new_key_and_old_tokens_are_void(house: House) -> None:
    old = Token.issue(house.listener.bound, house.keyring.present, 600)
    house.registry.add_token(old, "")
    curve = begin(house)
    wait_until(lambda: house.keyring.present.curve == curve, 10)
    new = Token.issue(house.listener.bound, house.keyring.present, 600)
    house.registry.add_token(new, "")
    directory = house.sensor.with_name("second")
    enrol(directory, new, "tap2")
    assert load_enrolment(directory)[1].centre.curve == curve
    with pytest.raises(UserError):
        enrol(house.sensor.with_name("third"), old, "tap3")


def test_an_older_sensor_is_served_under_the_key_that_it_knows(house: House) -> None:
    """It knows no `moved`, and takes what it is told as keys to be its centre's."""

    class Renewed(msgspec.Struct, frozen=True, tag_field="t", tag="renewed"):
        keys: messages.CentrePublic
        proof: bytes

    known = load_enrolment(house.sensor)[1].centre
    begin(house)
    keydesk = house.receiver._keys
    assert keydesk is not None
    wait_until(lambda: keydesk.moved_to is not None and keydesk.moved_to[0] != known.curve, 10)
    assert keydesk.moved_to is not None
    kept: list[object] = []
    renewal = Renewal("tap1", known, lambda *told: kept.append(told))
    asked = renewal.welcomed(known.recipient, keydesk.moved_to[0])
    assert asked is not None
    answer = keydesk.renew("tap1", asked, served=known.curve)
    assert answer is not None and answer.keys == known
    seen = msgspec.msgpack.decode(messages.encode(answer), type=Renewed)
    assert seen.keys == known
    assert renewal.receive(answer) and renewal.moved == answer.moved and kept == []


@pytest.mark.parametrize(
    "change", [{"curve": "x" * 40}, {"address": "tcp://192.0.2.1:1"}, {"proof": bytes(32)}]
)
def test_a_move_is_believed_only_with_its_proof(change: dict[str, object]) -> None:
    centre = CentreKeys.generate()
    renewal = Renewal("tap1", centre.public(), lambda *_: None)

    def ask(spoil: Callable[[messages.Moved], messages.Moved]) -> None:
        asked = renewal.welcomed(None, "c" * 40)
        assert asked is not None
        public = centre.public()
        answer = prove(asked, "tap1", centre.opening_key(), public, public, ("c" * 40, "tcp://192.0.2.9:1"))
        assert answer is not None and answer.moved is not None
        assert renewal.receive(msgspec.structs.replace(answer, moved=spoil(answer.moved)))

    ask(lambda moved: msgspec.structs.replace(moved, **change))
    assert renewal.moved is None
    ask(lambda moved: moved)
    assert renewal.moved is not None and renewal.settle().address == "tcp://192.0.2.9:1"


def test_the_file_is_private_and_two_keys_are_the_most(tmp_path: Path) -> None:
    from sensor.bus.keys import save_keys

    path = tmp_path / "keys.json"
    keys = CentreKeys.generate()
    save_keys(path, keys)
    assert read_transports(path, "tcp://0.0.0.0:5514")[0].curve_public == keys.curve_public
    with pytest.raises(UserError, match="no older transport key"):
        end_transport(path)
    for listen in ("", "tcp://0.0.0.0:5514"):
        with pytest.raises(UserError, match="needs an address of its own"):
            begin_transport(path, "tcp://0.0.0.0:5514", "", listen, "")
    old, _ = begin_transport(path, "tcp://0.0.0.0:5514", "a:5514", "tcp://0.0.0.0:5515", "a:5515")
    assert old.curve_secret == keys.curve_secret and old.address == "a:5514"
    file = tmp_path / "transport.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert end_transport(path) == old
    # The next one goes back to the address that became free.
    _, third = begin_transport(path, "tcp://0.0.0.0:5514", "a:5514", "", "")
    assert (third.listen, third.address) == ("tcp://0.0.0.0:5514", "a:5514")
    file.chmod(0o644)
    with pytest.raises(UserError, match="others can read"):
        read_transports(path)
    file.chmod(0o600)
    file.write_text("{")
    with pytest.raises(UserError, match="damaged"):
        read_transports(path)
