"""Sealed batches: what goes in comes out, and nothing else is ever accepted."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.bus import seal
from sensor.bus.encryption import Recipient
from sensor.bus.keys import CentreKeys, SensorKeys
from sensor.bus.seal import (
    NO_PREVIOUS,
    Header,
    Opener,
    ReducedHeader,
    Reduction,
    Sealer,
    SealError,
    read_envelope,
)

NDJSON = b"".join(b'{"event_type":"alert","n":%d}\n' % n for n in range(20))


def header(sealer: Sealer, **changes: object) -> Header:
    whole = Header("tap1", 7, 0, 3, 20, 1_000_000, 2_000_000, NO_PREVIOUS, sealer.signer)
    return msgspec.structs.replace(whole, **changes)


@pytest.fixture(scope="module")
def opener(centre_keys: CentreKeys) -> Opener:
    return Opener({centre_keys.public().recipient: centre_keys.opening_key()})


def verifiers(keys: SensorKeys) -> dict[bytes, object]:
    return {keys.public().signer: keys.public().verifiers()}


def test_a_batch_comes_out_as_it_went_in(sealer: Sealer, opener: Opener, sensor_keys: SensorKeys) -> None:
    sealed = sealer.seal(header(sealer), NDJSON)
    opened = opener.open(read_envelope(sealed.record), verifiers(sensor_keys))
    assert (opened.header, opened.ndjson, opened.digest) == (header(sealer), NDJSON, sealed.digest)
    assert opener.read(sealed.record) == (header(sealer), NDJSON)
    assert b"event_type" not in sealed.record


def test_every_flipped_bit_is_noticed(sealer: Sealer, opener: Opener, sensor_keys: SensorKeys) -> None:
    record = sealer.seal(header(sealer), NDJSON).record
    keys = verifiers(sensor_keys)
    positions = [*range(200), *random.Random(1).sample(range(200, len(record)), 200)]
    for position in positions:
        for bit in (0, 7):
            damaged = bytearray(record)
            damaged[position] ^= 1 << bit
            with pytest.raises(SealError):
                opener.open(read_envelope(bytes(damaged)), keys)


@pytest.mark.parametrize("cut", [0, 1, 14, 15, 16, 100, 1500, -1])
def test_a_cut_record_is_refused(cut: int, sealer: Sealer, opener: Opener, sensor_keys: SensorKeys) -> None:
    record = sealer.seal(header(sealer), NDJSON).record[:cut]
    with pytest.raises(SealError):
        opener.open(read_envelope(record), verifiers(sensor_keys))


def test_only_the_suites_of_the_allow_list_are_opened(sealer: Sealer) -> None:
    record = bytearray(sealer.seal(header(sealer), NDJSON).record)
    for suite in (0, 3, 255):
        record[4] = suite
        with pytest.raises(SealError) as refused:
            read_envelope(bytes(record))
        assert refused.value.reason == "suite"


def test_a_suite_cannot_be_exchanged_for_another(
    sealer: Sealer, opener: Opener, sensor_keys: SensorKeys, centre_keys: CentreKeys
) -> None:
    both = Sealer(sensor_keys, centre_keys.public(), CentreKeys.generate().public())
    for made, suite in ((sealer, 2), (both, 1)):
        record = bytearray(made.seal(header(sealer), NDJSON).record)
        record[4] = suite
        with pytest.raises(SealError) as refused:
            opener.open(read_envelope(bytes(record)), verifiers(sensor_keys))
        assert refused.value.reason in ("malformed", "sealed", "recipient")


def test_another_centre_cannot_open_it(sealer: Sealer, sensor_keys: SensorKeys) -> None:
    envelope = read_envelope(sealer.seal(header(sealer), NDJSON).record)
    other = CentreKeys.generate()
    with pytest.raises(SealError) as refused:
        Opener({other.public().recipient: other.opening_key()}).open(envelope, verifiers(sensor_keys))
    assert refused.value.reason == "recipient"
    with pytest.raises(SealError) as refused:
        Opener({envelope.recipients[0]: other.opening_key()}).open(envelope, verifiers(sensor_keys))
    assert refused.value.reason == "sealed"


def test_half_of_the_hybrid_key_is_not_enough(
    sealer: Sealer, centre_keys: CentreKeys, sensor_keys: SensorKeys
) -> None:
    envelope = read_envelope(sealer.seal(header(sealer), NDJSON).record)
    other = CentreKeys.generate()
    for half in ("x25519_seed", "mlkem768_seed"):
        mixed = msgspec.structs.replace(other, **{half: getattr(centre_keys, half)})
        with pytest.raises(SealError) as refused:
            Opener({envelope.recipients[0]: mixed.opening_key()}).open(envelope, verifiers(sensor_keys))
        assert refused.value.reason == "sealed"


def test_both_signatures_must_hold(
    sealer: Sealer, opener: Opener, sensor_keys: SensorKeys, centre_keys: CentreKeys
) -> None:
    other = SensorKeys.generate()
    for half in ("ed25519_seed", "mldsa65_seed"):
        mixed = msgspec.structs.replace(sensor_keys, **{half: getattr(other, half)})
        forger = Sealer(mixed, centre_keys.public())
        forged = forger.seal(header(sealer), NDJSON)  # names the honest key
        with pytest.raises(SealError) as refused:
            opener.open(read_envelope(forged.record), verifiers(sensor_keys))
        assert refused.value.reason == "signature"
        own_name = forger.seal(header(forger), NDJSON)
        with pytest.raises(SealError) as refused:
            opener.open(read_envelope(own_name.record), verifiers(sensor_keys))
        assert refused.value.reason == "signer"


@pytest.mark.parametrize(
    "ndjson",
    [NDJSON[:-1], NDJSON + b"{}\n", b"\n", b""],
    ids=["no last newline", "one too many", "too few", "empty"],
)
def test_the_header_must_count_the_events(
    ndjson: bytes, sealer: Sealer, opener: Opener, sensor_keys: SensorKeys
) -> None:
    sealed = sealer.seal(header(sealer), ndjson)
    with pytest.raises(SealError) as refused:
        opener.open(read_envelope(sealed.record), verifiers(sensor_keys))
    assert refused.value.reason == "content"


def test_a_bomb_is_not_decompressed(
    sealer: Sealer, opener: Opener, sensor_keys: SensorKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = seal.MAX_NDJSON_BYTES
    monkeypatch.setattr(seal, "MAX_NDJSON_BYTES", 1 << 40)
    bomb = sealer.seal(header(sealer), b"\n" * (64 << 20)).record
    monkeypatch.setattr(seal, "MAX_NDJSON_BYTES", limit)
    assert len(bomb) < 20_000
    with pytest.raises(SealError) as refused:
        opener.open(read_envelope(bomb), verifiers(sensor_keys))
    assert refused.value.reason == "content"


def test_a_batch_beyond_the_bound_is_not_made(sealer: Sealer) -> None:
    with pytest.raises(ValueError, match="exceeds"):
        sealer.seal(header(sealer), b"x" * (seal.MAX_NDJSON_BYTES + 1))


def test_a_newer_header_with_more_fields_is_read(sealer: Sealer) -> None:
    newer = msgspec.msgpack.encode(
        [*msgspec.to_builtins(header(sealer), builtin_types=(bytes,)), None, "more", 1]
    )
    record = struct.pack(">4sB8sH", b"HDB1", 1, bytes(8), len(newer)) + newer + b"x"
    assert read_envelope(record).header == header(sealer)


def test_each_of_several_centres_opens_the_same_batch(
    sensor_keys: SensorKeys, centre_keys: CentreKeys
) -> None:
    other = CentreKeys.generate()
    sealer = Sealer(sensor_keys, centre_keys.public(), other.public())
    sealed = sealer.seal(header(sealer), NDJSON)
    for centre in (centre_keys, other):
        opener = Opener({centre.public().recipient: centre.opening_key()})
        opened = opener.open(read_envelope(sealed.record), verifiers(sensor_keys))
        assert (opened.header, opened.ndjson, opened.digest) == (header(sealer), NDJSON, sealed.digest)
    with pytest.raises(SealError) as refused:
        stranger = CentreKeys.generate()
        Opener({stranger.public().recipient: stranger.opening_key()}).read(sealed.record)
    assert refused.value.reason == "recipient"
    for position in [*range(200), *random.Random(2).sample(range(200, len(sealed.record)), 100)]:
        damaged = bytearray(sealed.record)
        damaged[position] ^= 1
        ring = {centre_keys.public().recipient: centre_keys.opening_key()}
        if 200 + 1168 <= position < 200 + 2 * 1168:
            continue  # the other centre's copy of the key
        try:
            opened = Opener(ring).open(read_envelope(bytes(damaged)), verifiers(sensor_keys))
        except SealError:
            continue
        # What is only the other centre's is not looked at by this one; its own part must be whole.
        assert opened.ndjson == NDJSON


def test_a_batch_sealed_anew_keeps_its_signatures(
    sensor_keys: SensorKeys, centre_keys: CentreKeys, opener: Opener
) -> None:
    nation, alternate = CentreKeys.generate(), CentreKeys.generate()
    upper = Opener({nation.public().recipient: nation.opening_key()})
    for centres in ((centre_keys.public(),), (alternate.public(), centre_keys.public())):
        sealer = Sealer(sensor_keys, *centres)
        sealed = sealer.seal(header(sealer), NDJSON)
        anew = opener.reseal(sealed.record, Recipient.of(nation.public()))
        opened = upper.open(read_envelope(anew), verifiers(sensor_keys))
        assert (opened.header, opened.ndjson, opened.digest) == (header(sealer), NDJSON, sealed.digest)
        with pytest.raises(SealError):
            opener.open(read_envelope(anew), verifiers(sensor_keys))


def test_a_reduced_batch_names_its_original(centre_keys: CentreKeys, opener: Opener) -> None:
    relay = SensorKeys.generate()
    sealer = Sealer(relay, centre_keys.public())
    whole = header(sealer, events=2)
    reduced = ReducedHeader(
        **{name: getattr(whole, name) for name in Header.__struct_fields__},
        reduction=Reduction(
            bytes(range(32)),
            20,
            b"policy..",
        ),
    )
    opened = opener.open(read_envelope(sealer.seal(reduced, b"{}\n{}\n").record), verifiers(relay))
    assert opened.digest == bytes(range(32)) and opened.header == reduced
    assert opened.reduction is not None and opened.reduction.events == 20


@given(st.binary(max_size=2000))
@settings(max_examples=500)
def test_any_bytes_are_refused_with_a_reason(data: bytes) -> None:
    for record in (data, b"HDB1\x01" + data, b"HDB1\x02" + bytes(8) + b"\x00\x20" + data):
        try:
            read_envelope(record)
        except SealError as error:
            assert error.reason in SealError.REASONS


@given(data=st.binary(max_size=3000))
@settings(max_examples=200)
def test_any_sealed_bytes_are_refused_with_a_reason(data: bytes, centre_keys: CentreKeys) -> None:
    recipient = centre_keys.public().recipient
    inner = msgspec.msgpack.encode(Header("a", 1, 0, 0, 1, 0, 0, NO_PREVIOUS, bytes(8)))
    for suite in (1, 2):
        record = struct.pack(">4sB8sH", b"HDB1", suite, recipient, len(inner)) + inner + b"\x02" + data
        with pytest.raises(SealError) as refused:
            Opener({recipient: centre_keys.opening_key()}).open(read_envelope(record), {})
        assert refused.value.reason in SealError.REASONS


@given(st.binary(max_size=500))
def test_any_body_is_refused_with_a_reason(body: bytes) -> None:
    for data in (body, zstandard.compress(body)):
        try:
            text = seal._decompress(data, 1)
            assert text.count(b"\n") == 1
        except SealError as error:
            assert error.reason == "content"


@pytest.mark.parametrize("vector", json.loads(Path(__file__).with_name("vectors.json").read_text()))
def test_what_was_sealed_once_opens_for_ever(vector: dict[str, Any]) -> None:
    sensor = msgspec.convert(vector["sensor"], SensorKeys)
    centre = msgspec.convert(vector["centre"], CentreKeys)
    assert [sensor.public().fingerprint, centre.public().fingerprint] == vector["fingerprints"]
    assert (sensor.public().signer.hex(), centre.public().recipient.hex()) == (
        vector["signer"],
        vector["recipient"],
    )
    envelope = read_envelope(bytes.fromhex(vector["record"]))
    assert envelope.suite == vector["suite"]
    opened = Opener({centre.public().recipient: centre.opening_key()}).open(envelope, verifiers(sensor))
    assert (opened.ndjson.decode(), opened.digest.hex()) == (vector["ndjson"], vector["digest"])
    assert (opened.header.sensor, opened.header.epoch, opened.header.seq) == ("tap1", 2**62 + 1, 9)
