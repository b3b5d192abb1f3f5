"""Known answers for every primitive the bus uses, from published vectors (known_answers.json names each
source), and for the combination of suite 1, which no publication has.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
import zmq
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PrivateKey, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from zmq.utils import z85

from sensor.bus.enrol import proof
from sensor.bus.keys import CentreKeys, SensorKeys
from sensor.bus.seal import MAGIC, NO_PREVIOUS, SUITE_1, Header, Opener, Sealer, SealError, read_envelope

ANSWERS = json.loads(Path(__file__).with_name("known_answers.json").read_text())
XWING = "HPKE MLKEM768-X25519, HKDF-SHA256, ChaCha20Poly1305"
RFC9180 = "HPKE X25519, HKDF-SHA256, AES-256-GCM"
_AES_256_GCM = 2  # HPKE identifiers, RFC 9180, 7
_CHACHA20 = 3


def of(primitive: str) -> list[dict[str, bytes]]:
    """The vectors of a primitive, hex as bytes."""
    return [{name: _raw(value) for name, value in vector.items()} for vector in ANSWERS[primitive]["vectors"]]


def _raw(value: Any) -> Any:
    if isinstance(value, list):
        return [{name: _raw(inner) for name, inner in entry.items()} for entry in value]
    return value if value is None else bytes.fromhex(value)


def test_every_answer_names_its_source() -> None:
    assert all(entry["source"] and entry["vectors"] for entry in ANSWERS.values())


def test_sha_256_and_hmac() -> None:
    for vector in of("SHA-256"):
        assert hashlib.sha256(vector["msg"]).digest() == vector["md"]
    for vector in of("HMAC-SHA-256"):
        assert hmac.digest(vector["key"], vector["msg"], "sha256") == vector["mac"]
    assert proof(b"k", b"offer", b"a", b"bc") == hmac.digest(
        b"k", b"haidang enrol offer\0\0\0\1a\0\0\0\2bc", "sha256"
    )


def test_hkdf_sha_256() -> None:
    for vector in ANSWERS["HKDF-SHA-256"]["vectors"]:
        made = HKDF(
            SHA256(), int(vector["l"]), bytes.fromhex(vector["salt"]), bytes.fromhex(vector["info"])
        ).derive(bytes.fromhex(vector["ikm"]))
        assert made.hex() == vector["okm"]


def test_aes_256_gcm() -> None:
    for vector in of("AES-256-GCM"):
        cipher, text = AESGCM(vector["key"]), vector["ct"] + vector["tag"]
        if vector["pt"] is None:
            with pytest.raises(InvalidTag):
                cipher.decrypt(vector["iv"], text, vector["aad"])
        else:
            assert cipher.decrypt(vector["iv"], text, vector["aad"]) == vector["pt"]
            assert cipher.encrypt(vector["iv"], vector["pt"], vector["aad"]) == text


def test_x25519() -> None:
    for vector in of("X25519"):
        secret = X25519PrivateKey.from_private_bytes(vector["scalar"])
        assert secret.exchange(X25519PublicKey.from_public_bytes(vector["u"])) == vector["out"]


def test_curve_keys_of_the_socket() -> None:
    (vector,) = ANSWERS["CURVE"]["vectors"]
    assert z85.decode(vector["secret"]).hex() == vector["hex"]
    assert zmq.curve_public(vector["secret"].encode()).decode() == vector["public"]
    # A CURVE key is an X25519 key: two libraries agree.
    secret = X25519PrivateKey.from_private_bytes(z85.decode(vector["secret"]))
    assert secret.public_key().public_bytes_raw() == z85.decode(vector["public"])


def test_ed25519() -> None:
    for vector in of("Ed25519"):
        key = Ed25519PrivateKey.from_private_bytes(vector["seed"])
        assert key.public_key().public_bytes_raw() == vector["pk"]
        assert key.sign(vector["msg"]) == vector["sig"]
        with pytest.raises(InvalidSignature):
            key.public_key().verify(vector["sig"], vector["msg"] + b"x")


def test_ml_dsa_65() -> None:
    for vector in of("ML-DSA-65"):
        assert (
            MLDSA65PrivateKey.from_seed_bytes(vector["seed"]).public_key().public_bytes_raw() == vector["pk"]
        )
        key = MLDSA65PublicKey.from_public_bytes(vector["pk"])
        key.verify(vector["sig"], vector["msg"], vector["ctx"])
        for message, context in ((vector["msg"] + b"x", vector["ctx"]), (vector["msg"], b"")):
            with pytest.raises(InvalidSignature):
                key.verify(vector["sig"], message, context)


def test_ml_kem_768() -> None:
    for vector in of("ML-KEM-768"):
        key = MLKEM768PrivateKey.from_seed_bytes(vector["d"] + vector["z"])
        assert key.public_key().public_bytes_raw() == vector["pk"]
        assert key.decapsulate(vector["ct"]) == vector["ss"]


def test_a_sensors_and_a_centres_keys_are_those_of_their_seeds() -> None:
    (signs, *_), (post_quantum, *_), (kem, *_) = of("Ed25519"), of("ML-DSA-65"), of("ML-KEM-768")
    sensor = SensorKeys(
        created=0,
        curve_public="",
        curve_secret="",
        ed25519_seed=signs["seed"],
        mldsa65_seed=post_quantum["seed"],
    )
    assert (sensor.public().ed25519, sensor.public().mldsa65) == (signs["pk"], post_quantum["pk"])
    centre = CentreKeys(0, "", "", signs["seed"], kem["d"] + kem["z"])
    assert centre.public().mlkem768 == kem["pk"]


def test_hpke_of_rfc_9180() -> None:
    (vector,) = of(RFC9180)
    suite = (KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    first = vector["encryptions"][0]
    opened = openssl.hpke._decrypt_with_aad(
        Suite(*suite),
        vector["enc"] + first["ct"],
        X25519PrivateKey.from_private_bytes(vector["skRm"]),
        info=vector["info"],
        aad=first["aad"],
    )
    assert opened == first["pt"]


def expand_xwing(seed: bytes) -> MLKEM768X25519PrivateKey:
    """The two secret keys behind an X-Wing seed (draft-connolly-cfrg-xwing-kem, 5.2)."""
    expanded = hashlib.shake_256(seed).digest(96)
    return MLKEM768X25519PrivateKey(
        MLKEM768PrivateKey.from_seed_bytes(expanded[:64]), X25519PrivateKey.from_private_bytes(expanded[64:])
    )


def test_hpke_with_the_hybrid_kem() -> None:
    (vector,) = of(XWING)
    first = vector["encryptions"][0]
    opened = openssl.hpke._decrypt_with_aad(
        Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305),
        vector["enc"] + first["ct"],
        expand_xwing(vector["skRm"]),
        info=vector["info"],
        aad=first["aad"],
    )
    assert opened == first["pt"]


def key_schedule(shared: bytes, info: bytes, *, aead: int, key_bytes: int) -> tuple[bytes, bytes]:
    """(key, nonce) of HPKE's base mode over KEM 0x647a and HKDF-SHA256 (RFC 9180, 5.1), written out here
    as the second opinion.
    """
    suite = b"HPKE" + bytes.fromhex("647a") + (1).to_bytes(2, "big") + aead.to_bytes(2, "big")

    def extract(salt: bytes, label: bytes, ikm: bytes) -> bytes:
        return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + ikm, "sha256")

    def expand(secret: bytes, label: bytes, context: bytes, size: int) -> bytes:
        labelled = size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + context
        return hmac.digest(secret, labelled + b"\1", "sha256")[:size]

    context = b"\0" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", info)
    secret = extract(shared, b"secret", b"")
    return expand(secret, b"key", context, key_bytes), expand(secret, b"base_nonce", context, 12)


def test_the_second_opinion_agrees_with_the_published_key_schedule() -> None:
    (vector,) = of(XWING)
    key, nonce = key_schedule(vector["shared_secret"], vector["info"], aead=_CHACHA20, key_bytes=32)
    assert (key, nonce) == (vector["key"], vector["base_nonce"])
    first = vector["encryptions"][0]
    assert ChaCha20Poly1305(key).decrypt(nonce, first["ct"], first["aad"]) == first["pt"]


def test_a_record_of_suite_1_made_by_hand_opens() -> None:
    """X-Wing's published secret, HKDF-SHA256 and AES-256-GCM put together by hand: what the centre opens is
    exactly that, and one bit of the secret off is refused.
    """
    (vector,) = of(XWING)
    public = vector["pkRm"]
    seed = hashlib.shake_256(vector["skRm"]).digest(96)
    centre = CentreKeys(0, "x" * 40, "x" * 40, seed[64:], seed[:64])
    assert centre.public().mlkem768 + centre.public().x25519 == public
    (signs, *_), (post_quantum, *_) = of("Ed25519"), of("ML-DSA-65")
    sensor = SensorKeys(
        created=0,
        curve_public="x" * 40,
        curve_secret="x" * 40,
        ed25519_seed=signs["seed"],
        mldsa65_seed=post_quantum["seed"],
    )
    sealer = Sealer(sensor, centre.public())
    ndjson = b'{"event_type":"alert"}\n'
    header = Header("tap1", 1, 0, 0, 1, 0, 0, NO_PREVIOUS, sealer.signer)
    prefix = read_envelope(sealer.seal(header, ndjson).record).prefix
    assert prefix.startswith(MAGIC + bytes([SUITE_1]))
    opener = Opener({centre.public().recipient: centre.opening_key()})
    plain = opener._unseal(read_envelope(sealer.seal(header, ndjson).record))
    for secret, opens in ((vector["shared_secret"], True), (bytes(32), False)):
        key, nonce = key_schedule(secret, b"haidang seal\0" + prefix, aead=_AES_256_GCM, key_bytes=32)
        record = prefix + vector["enc"] + AESGCM(key).encrypt(nonce, b"".join(plain), b"")
        if opens:
            verifiers = {sealer.signer: sensor.public().verifiers()}
            assert opener.open(read_envelope(record), verifiers).ndjson == ndjson
        else:
            with pytest.raises(SealError) as refused:
                opener.read(record)
            assert refused.value.reason == "sealed"
