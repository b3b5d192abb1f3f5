"""What the post-quantum halves contribute: whoever recorded everything and has all classical secrets opens
nothing and signs nothing.
"""

from __future__ import annotations

import hashlib
import hmac

import msgspec
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from test_known_answers import key_schedule

from sensor.bus.keys import CentreKeys, SensorKeys
from sensor.bus.seal import NO_PREVIOUS, Header, Opener, Sealer, SealError, read_envelope

SECRET_EVENT = b'{"event_type":"alert","src_ip":"10.11.12.13"}\n'
_XWING_LABEL = b"\\.//^\\"  # draft-connolly-cfrg-xwing-kem, 5.3
_MLKEM_CIPHERTEXT_BYTES = 1088
_AES_256_GCM = 2


def combine(post_quantum: bytes, classical: bytes, ciphertext: bytes, public: bytes) -> bytes:
    """X-Wing's combiner: the secret of the hybrid KEM from the secrets of its halves."""
    return hashlib.sha3_256(post_quantum + classical + ciphertext + public + _XWING_LABEL).digest()


def open_with(record: bytes, secret: bytes) -> bytes:
    envelope = read_envelope(record)
    info = b"haidang seal\0" + envelope.prefix
    key, nonce = key_schedule(secret, info, aead=_AES_256_GCM, key_bytes=32)
    return AESGCM(key).decrypt(nonce, envelope.sealed[_MLKEM_CIPHERTEXT_BYTES + 32 :], b"")


@pytest.fixture(scope="module")
def recorded(sealer: Sealer) -> list[bytes]:
    header = Header("tap1", 7, 0, 0, 1, 0, 0, NO_PREVIOUS, sealer.signer)
    return [sealer.seal(msgspec.structs.replace(header, seq=n), SECRET_EVENT).record for n in range(5)]


def test_with_the_classical_key_leaked_a_recorded_session_stays_closed(
    recorded: list[bytes], centre_keys: CentreKeys
) -> None:
    """The attacker computes the classical half rightly: with the true other half beside it the record opens.
    With any other in its place it does not, so what keeps it closed is the KEM.
    """
    leaked = X25519PrivateKey.from_private_bytes(centre_keys.x25519_seed)
    owner = MLKEM768PrivateKey.from_seed_bytes(centre_keys.mlkem768_seed)
    public = centre_keys.public().x25519
    for record in recorded:
        assert b"10.11.12.13" not in record
        sealed = read_envelope(record).sealed
        kem_ciphertext = sealed[:_MLKEM_CIPHERTEXT_BYTES]
        ephemeral = sealed[_MLKEM_CIPHERTEXT_BYTES : _MLKEM_CIPHERTEXT_BYTES + 32]
        classical = leaked.exchange(X25519PublicKey.from_public_bytes(ephemeral))
        true = owner.decapsulate(kem_ciphertext)
        plain = open_with(record, combine(true, classical, ephemeral, public))
        assert len(plain) > 64 + 3309, "the control: both halves together open it"
        guesses = (
            bytes(32),
            classical,
            MLKEM768PrivateKey.generate().decapsulate(kem_ciphertext),
            bytes([true[0] ^ 1]) + true[1:],
        )
        for guess in guesses:
            with pytest.raises(InvalidTag):
                open_with(record, combine(guess, classical, ephemeral, public))
        for secret in (classical, hashlib.sha256(classical).digest(), hmac.digest(b"", classical, "sha256")):
            with pytest.raises(InvalidTag):
                open_with(record, secret)


def test_with_the_post_quantum_key_leaked_it_stays_closed_too(
    recorded: list[bytes], centre_keys: CentreKeys
) -> None:
    """Should ML-KEM fall, the record is as safe as X25519."""
    leaked = MLKEM768PrivateKey.from_seed_bytes(centre_keys.mlkem768_seed)
    public = centre_keys.public().x25519
    for record in recorded:
        sealed = read_envelope(record).sealed
        true = leaked.decapsulate(sealed[:_MLKEM_CIPHERTEXT_BYTES])
        ephemeral = sealed[_MLKEM_CIPHERTEXT_BYTES : _MLKEM_CIPHERTEXT_BYTES + 32]
        for guess in (
            bytes(32),
            X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(ephemeral)),
        ):
            with pytest.raises(InvalidTag):
                open_with(record, combine(true, guess, ephemeral, public))


def test_with_the_classical_signing_key_leaked_nothing_is_forged(
    sealer: Sealer, sensor_keys: SensorKeys, centre_keys: CentreKeys
) -> None:
    forger = Sealer(
        msgspec.structs.replace(sensor_keys, mldsa65_seed=SensorKeys.generate().mldsa65_seed),
        centre_keys.public(),
    )
    header = Header("tap1", 7, 0, 0, 1, 0, 0, NO_PREVIOUS, sealer.signer)
    opener = Opener({centre_keys.public().recipient: centre_keys.opening_key()})
    with pytest.raises(SealError) as refused:
        opener.open(
            read_envelope(forger.seal(header, SECRET_EVENT).record),
            {sealer.signer: sensor_keys.public().verifiers()},
        )
    assert refused.value.reason == "signature"
