"""More than two tiers: a region between province and nation, what each signs, and relays in a loop."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from desk import Desk
from tiers import ALERT, ALL, FLOW, NATION_KEYS, PROVINCE_KEYS, SENSORS, Province, kept, send

from collectors import seen
from sensor.bus import messages
from sensor.bus.keys import CentreKeys, SensorKeys
from sensor.bus.messages import encode
from sensor.bus.seal import (
    MAX_RELAYS,
    Header,
    Opener,
    ReducedHeader,
    Reduction,
    Sealer,
    SealError,
    Step,
    read_envelope,
)

NO_PAYLOAD = "{default: allow, fields: {deny: [payload]}}"
NO_FLOW = "{default: allow, events: {flow: deny}}"


def region_of(tmp_path: Path, nation: Desk, policy: str) -> Province:
    return Province(tmp_path / "north", nation, "north", policy=policy)


@pytest.mark.parametrize("above", [ALL, NO_FLOW])
@pytest.mark.parametrize("below", [ALL, NO_PAYLOAD])
def test_batches_climb_three_tiers_once_each(tmp_path: Path, nation: Desk, below: str, above: str) -> None:
    north = region_of(tmp_path, nation, above)
    hanoi = Province(tmp_path / "hanoi", north.desk, policy=below)
    tap = hanoi.tap()
    send(tap, 0, range(3))
    assert tap.send(0, 3, tap.seal(0, 3, ALERT % 3, FLOW % 3)) == []
    tap.desk.commit()
    hanoi.pump()
    north.pump()
    found = list(nation.journal.read(0, 10))
    assert [(entry.sensor, entry.seq) for entry in found] == [("tap1", seq) for seq in range(4)]
    originals = {
        entry.seq: hanoi.desk.opener.read_verified(entry.sealed).digest
        for entry in hanoi.desk.journal.read(0, 10)
    }
    province, region = hanoi.relay_keys.public().signer, north.relay_keys.public().signer
    for entry in found:
        header = read_envelope(entry.sealed).header
        assert nation.opener.read_verified(entry.sealed).digest == originals[entry.seq]
        _, ndjson = nation.opener.read(entry.sealed)
        assert (b"payload" in ndjson) is (below is ALL)
        assert (b'"flow"' in ndjson) is (above is ALL and entry.seq == 3)
        changed_above = above is not ALL and entry.seq == 3
        if below is ALL and not changed_above:
            assert header.signer == SENSORS["tap1"].public().signer
            continue
        assert isinstance(header, ReducedHeader) and header.reduction is not None
        assert header.signer == region and header.reduction.events == 2
        steps = [step.signer for step in header.reduction.steps]
        assert steps == ([] if below is ALL else [province])
    # The region's own number of the flow's event was the nation's to miss.
    withheld = 1 if above is not ALL else 0
    (row,) = seen.origins(nation.journal.path)
    assert (row.via, row.batches, row.withheld) == ("north", 4, withheld)
    assert nation.registry.path("tap1") == [province, region]
    hanoi.close()
    north.close()


def test_a_batch_that_comes_back_to_a_relay_is_known_there(tmp_path: Path) -> None:
    """hanoi relays to north and north, by mistake, to hanoi."""
    (tmp_path / "n").mkdir()
    north = Desk(tmp_path / "n", NATION_KEYS)
    hanoi = Province(tmp_path / "hanoi", north, policy=NO_PAYLOAD)
    own = hanoi.relay_keys.public().signer
    hanoi.desk.origins._own = lambda: own
    send(hanoi.tap(), 0, range(3))
    back = Back(tmp_path, north, hanoi.desk)
    hanoi.pump()
    back.pump()
    assert len(list(kept(north))) == 3 == len(list(kept(hanoi.desk)))
    assert hanoi.desk.receiver.counts["came_back"] == 3
    assert hanoi.desk.receiver.counts["origins_refused"] == 1
    # Nothing waits on either side: a loop does not hold a journal.
    assert back.outbox.books()[0].pending == 0 and back.outbox.states()[0].later == 0
    assert back.outbox.gather() == 0 and hanoi.outbox.gather() == 0
    back.close()
    hanoi.close()
    north.close()


class Back(Province):
    """The relay of a centre that is there already, down to one of its own provinces."""

    def __init__(self, tmp_path: Path, desk: Desk, to: Desk) -> None:
        from collectors.relay.backlog import Backlog

        self.nation, self.name, self.directory = to, "north", desk.journal.path.parent
        self.desk, self.relay_keys = desk, SensorKeys.generate()
        to.enrol("north", self.relay_keys, [])
        self.backlog = Backlog(desk.journal.path)
        self.open(ALL)

    def close(self) -> None:
        self.outbox.close()
        self.backlog.close()


def test_so_many_relays_and_no_more(nation: Desk, hanoi: Province) -> None:
    steps = tuple(Step(bytes([number]) * 8, 60_000, bytes(8)) for number in range(MAX_RELAYS - 1))
    header = ReducedHeader(
        "a" * 63,
        2**63 - 1,
        3,
        2**48,
        65_536,
        2**62,
        2**62,
        bytes(range(32)),
        hanoi.relay_keys.public().signer,
    )
    longest = msgspec.structs.replace(header, reduction=Reduction(bytes(32), 65_536, bytes(8), steps))
    assert len(msgspec.msgpack.encode(longest)) <= 512  # the format's bound
    small = msgspec.structs.replace(longest, sensor="tap1", events=1, signer=b"z" * 8)
    record = Sealer(hanoi.relay_keys, PROVINCE_KEYS.public()).seal(small, b"{}\n").record
    assert read_envelope(record).header == small
    with pytest.raises(SealError, match="passed 8 relays"):
        hanoi.outbox._forwarder.forward(sealed_as(record))
    more = (*steps, Step(b"x" * 8, 1, bytes(8)))
    over = msgspec.structs.replace(small, reduction=Reduction(bytes(32), 2, bytes(8), more))
    with pytest.raises(SealError, match="header"):
        read_envelope(Sealer(hanoi.relay_keys, PROVINCE_KEYS.public()).seal(over, b"{}\n").record)
    own = (Step(hanoi.relay_keys.public().signer, 2, bytes(8)),)
    again = msgspec.structs.replace(small, signer=b"y" * 8, reduction=Reduction(bytes(32), 2, bytes(8), own))
    with pytest.raises(SealError, match="before"):
        hanoi.outbox._forwarder.forward(
            sealed_as(Sealer(hanoi.relay_keys, PROVINCE_KEYS.public()).seal(again, b"{}\n").record)
        )
    for length, said in ((MAX_RELAYS, ""), (MAX_RELAYS + 1, "comes over 9 relays, more than 8")):
        peer = nation.registry.peer(hanoi.relay_keys.curve_public)
        assert peer is not None
        path = [bytes([number]) * 8 for number in range(length)]
        assert said in nation.origins.introduce(peer, "tap2", [SENSORS["tap2"].public()], path)


def sealed_as(record: bytes):
    from sensor.bus.records import Record

    header = read_envelope(record).header
    fields = dict.fromkeys(Record._fields)
    fields |= {"sensor": header.sensor, "sealed": record}
    return Record(**fields)


class OldReduction(msgspec.Struct, frozen=True, array_like=True):
    original: bytes
    events: int
    policy: bytes


class OldHeader(Header, frozen=True, array_like=True):
    reduction: OldReduction | None = None


def test_a_centre_of_the_first_version_takes_what_a_chain_of_relays_made(tmp_path: Path) -> None:
    """It knows three elements of a reduction and ignores the fourth; the signatures are its relay's."""
    region, top = SensorKeys.generate(), CentreKeys.generate()
    sealer = Sealer(region, top.public())
    header = ReducedHeader("tap1", 1, 0, 0, 1, 0, 0, bytes(32), sealer.signer)
    reduction = Reduction(b"d" * 32, 3, b"p" * 8, (Step(b"s" * 8, 2, b"q" * 8),))
    record = sealer.seal(msgspec.structs.replace(header, reduction=reduction), b"{}\n").record
    envelope = read_envelope(record)
    old = msgspec.msgpack.decode(envelope.header_bytes, type=OldHeader)
    assert old.signer == sealer.signer and old.reduction == OldReduction(b"d" * 32, 3, b"p" * 8)
    opener = Opener({top.public().recipient: top.opening_key()})
    assert opener.open(envelope, {sealer.signer: region.public().verifiers()}).digest == b"d" * 32
    # And a relay of the first version makes reductions of three elements, and names no path.
    fields = msgspec.to_builtins(header, builtin_types=(bytes,))[:9]
    first = msgspec.msgpack.encode([*fields, [b"d" * 32, 3, b"p" * 8]])
    read = msgspec.msgpack.decode(first, type=ReducedHeader)
    assert read.reduction == Reduction(b"d" * 32, 3, b"p" * 8)
    whole = msgspec.msgpack.decode(encode(messages.Origin(1, "tap1", [SENSORS["tap1"].public()])))
    assert "path" not in whole
