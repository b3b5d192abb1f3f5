"""The CURVE keys that a centre is known by, each with the address at which it is served (docs/spec/bus.md,
"Rotation").

A ROUTER socket has one CURVE key, so a new key takes an address of its own. transport.json holds the present
key and, until the operator ends it, the one before; without it there is the key of keys.json at `listen`.
"""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Annotated

import msgspec
import zmq

from sensor.bus.keys import CentreKeys, CentrePublic, CurveText, load_keys, save_keys
from sensor.errors import UserError, from_os_error

TRANSPORT_FILE = "transport.json"


class Transport(msgspec.Struct, frozen=True):
    """A CURVE pair, where it is served, and how sensors reach it from outside ('': as bound)."""

    created: int  # seconds since 1970
    curve_public: CurveText
    curve_secret: CurveText
    listen: str
    address: str = ""


class _Written(msgspec.Struct, frozen=True):
    serving: Annotated[tuple[Transport, ...], msgspec.Meta(min_length=1, max_length=2)]


def read_transports(keys_file: Path, listen: str = "", address: str = "") -> tuple[Transport, ...]:
    """The present one, then the one before it. listen, address: of a centre that never rotated. UserError."""
    path = keys_file.with_name(TRANSPORT_FILE)
    if path.exists():
        return load_keys(path, _Written).serving
    keys = load_keys(keys_file, CentreKeys)
    return (Transport(keys.created, keys.curve_public, keys.curve_secret, listen, address),)


def as_served(keys: CentreKeys, keys_file: Path) -> CentreKeys:
    """These keys of a centre with the CURVE pair that it is known by now."""
    present = read_transports(keys_file)[0]
    return msgspec.structs.replace(keys, curve_public=present.curve_public, curve_secret=present.curve_secret)


def known_by(public: CentrePublic, curve: str) -> CentrePublic:
    """The same centre as those know it who connect with this CURVE key."""
    return msgspec.structs.replace(public, curve=curve) if curve else public


def reachable(address: str, bound: str) -> str:
    """How sensors reach a centre: as its operator says, else as it is bound, by the host's name where that is
    any address.
    """
    if address:
        return address if "://" in address else f"tcp://{address}"
    for anywhere in ("//0.0.0.0:", "//[::]:"):
        bound = bound.replace(anywhere, f"//{socket.getfqdn()}:")
    return bound


def begin_transport(
    keys_file: Path, settings_listen: str, settings_address: str, listen: str, address: str
) -> tuple[Transport, Transport]:
    """Make a new CURVE key, to be served at `listen` beside the present one; (old, new). UserError when two
    are served already, or the address is taken by the present one.
    """
    serving = read_transports(keys_file, settings_listen, settings_address)
    if len(serving) > 1:
        raise UserError(
            f"the key before is still served at {serving[1].listen}",
            fix="`haidang centre rotate --end-transport` once every sensor has followed",
        )
    if not listen and serving[0].listen != settings_listen:
        listen, address = settings_listen, address or settings_address
    is_taken = listen == serving[0].listen and not listen.endswith(":0")  # port 0 is any free one
    if not listen or is_taken:
        raise UserError(
            "a new transport key needs an address of its own while the old one is served",
            where="--listen",
            fix="give one, such as tcp://0.0.0.0:5515, that sensors can reach",
        )
    public, secret = zmq.curve_keypair()
    made = Transport(int(time.time()), public.decode(), secret.decode(), listen, address)
    _write(keys_file, (made, serving[0]))
    return serving[0], made


def end_transport(keys_file: Path) -> Transport:
    """Serve the key before no longer; returns it. UserError when there is none."""
    serving = read_transports(keys_file)
    if len(serving) < 2:
        raise UserError("no older transport key is served", fix="`haidang centre keys` lists them")
    _write(keys_file, serving[:1])
    return serving[1]


def _write(keys_file: Path, serving: tuple[Transport, ...]) -> None:
    path = keys_file.with_name(TRANSPORT_FILE)
    try:
        save_keys(path, _Written(serving))
    except OSError as error:
        raise from_os_error(error, where=path) from error
