"""The bundle: a folder with the rules that sensors load, a manifest that says what they are and where they
came from, and two signatures (Ed25519 and ML-DSA-65) over the manifest, both of which must hold.

    signature = Ed25519(64) ML-DSA-65(3309), both over "haidang rules" 0 manifest.json

A bundle is written once and never changed; `current` is a link to the one in use. This module must not decide
which rules are in it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from cryptography.exceptions import InvalidSignature

from sensor.bus.durable import sync_directory, write_whole
from sensor.bus.keys import PublisherKeys, PublisherPublic
from sensor.errors import UserError, from_os_error
from sensor.rules import sources

MANIFEST, SIGNATURE, RULES, CURRENT, BUNDLES = (
    "manifest.json", "manifest.sig", "haidang.rules", "current", "bundles",
)  # fmt: skip
FORMAT = 1
MAX_MANIFEST_BYTES = 4 << 20  # a source takes 200 bytes

_DOMAIN = b"haidang rules\0"
_ED25519_BYTES = 64
_SIGNATURE_BYTES = _ED25519_BYTES + 3309  # FIPS 204, table 2
_NUMBER = re.compile(r"(\d{6,})-[0-9a-f]{12}")

Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class FileFact(msgspec.Struct, frozen=True):
    """A file of the bundle, or a source it was made from."""

    name: str
    sha256: Sha256
    bytes: Annotated[int, msgspec.Meta(ge=0)]


class Counts(msgspec.Struct, frozen=True):
    """Rules by what became of them."""

    enabled: int
    disabled: int
    quarantined: int


class Manifest(msgspec.Struct, frozen=True):
    """What manifest.json says. number: counts the bundles of one output folder from 1."""

    format: int
    number: int
    created: str
    publisher: Sha256
    engine: str
    counts: Counts
    files: list[FileFact]
    sources: list[FileFact]


def write(folder: Path, manifest: Manifest, files: Mapping[str, bytes], keys: PublisherKeys) -> Path:
    """Write a bundle below `folder` and make it the current one; its path."""
    encoded = msgspec.json.format(msgspec.json.encode(manifest)) + b"\n"
    name = f"{manifest.number:06}-{hashlib.sha256(encoded).hexdigest()[:12]}"
    path = folder / BUNDLES / name
    try:
        path.mkdir(parents=True)
        for file, content in files.items():
            write_whole(path / file, content, mode=0o644)
        write_whole(path / SIGNATURE, sign(encoded, keys), mode=0o644)
        write_whole(path / MANIFEST, encoded, mode=0o644)
        make_current(folder, name)
    except OSError as error:
        shutil.rmtree(path, ignore_errors=True)
        raise from_os_error(error, where=path) from None
    return path


def sign(manifest: bytes, keys: PublisherKeys) -> bytes:
    """Both signatures over a manifest's bytes."""
    ed25519, mldsa65 = keys.signers()
    return ed25519.sign(_DOMAIN + manifest) + mldsa65.sign(_DOMAIN + manifest)


def make_current(folder: Path, name: str) -> None:
    """Point `current` at a bundle, at once or not at all."""
    temporary = folder / f".{CURRENT}.{secrets.token_hex(6)}"
    temporary.symlink_to(Path(BUNDLES) / name)
    temporary.replace(folder / CURRENT)
    sync_directory(folder)


def load_public(path: Path) -> PublisherPublic:
    """The publisher's public key file. Raises UserError."""
    try:
        public = msgspec.json.decode(path.read_bytes(), type=PublisherPublic)
        public.verifiers()
    except OSError as error:
        raise from_os_error(error, where=path) from None
    except (msgspec.DecodeError, ValueError) as error:
        raise UserError(f"no publisher's public key: {error}", where=path, fix="copy publisher.pub") from None
    return public


def verify(path: Path, public: PublisherPublic) -> Manifest:
    """The manifest of a bundle whose signatures and files hold. Raises UserError naming what does not."""
    encoded, signature = (_read(path / name, MAX_MANIFEST_BYTES) for name in (MANIFEST, SIGNATURE))
    again = "fetch the bundle again, or check that its publisher is the one you trust"
    if len(signature) != _SIGNATURE_BYTES:
        raise UserError("the signature has another length", where=path / SIGNATURE, fix=again)
    ed25519, mldsa65 = public.verifiers()
    try:
        ed25519.verify(signature[:_ED25519_BYTES], _DOMAIN + encoded)
        mldsa65.verify(signature[_ED25519_BYTES:], _DOMAIN + encoded)
    except InvalidSignature:
        raise UserError("a signature does not hold", where=path / SIGNATURE, fix=again) from None
    try:
        manifest = msgspec.json.decode(encoded, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"cannot be read: {error}", where=path / MANIFEST, fix=again) from None
    if manifest.format != FORMAT:
        raise UserError(f"format {manifest.format}", where=path / MANIFEST, fix="update haidang")
    for fact in manifest.files:
        if Path(fact.name).name != fact.name:
            raise UserError(f"names {fact.name!r}", where=path / MANIFEST, fix=again)
        if hashlib.sha256(_read(path / fact.name, sources.MAX_FILE_BYTES)).hexdigest() != fact.sha256:
            raise UserError("is not what was signed", where=path / fact.name, fix=again)
    named = {fact.name for fact in manifest.files}
    strangers = sorted(file.name for file in path.rglob("*.rules") if file.name not in named)
    if strangers:
        raise UserError("is not in the manifest", where=path / strangers[0], fix="remove it")
    return manifest


def numbers(folder: Path) -> dict[int, Path]:
    """The bundles below an output folder by number, oldest first."""
    found = {}
    for path in (folder / BUNDLES).glob("*-*"):
        form = _NUMBER.fullmatch(path.name)
        if form and (path / MANIFEST).is_file():
            found[int(form[1])] = path
    return dict(sorted(found.items()))


def current(folder: Path) -> Path | None:
    """The bundle in use."""
    link = folder / CURRENT
    return folder / link.readlink() if link.is_symlink() else None


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise from_os_error(error, where=path, fix="is this a bundle of `haidang rules update`?") from None
    if len(data) > limit:
        raise UserError(f"larger than {limit} bytes", where=path, fix="is this a bundle?")
    return data
