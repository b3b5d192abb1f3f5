"""What a centre shows to others that it shall not meet over a network: the keys it is sealed to, and those it
signs with. Public, as a small JSON file.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from collectors.home import Home
from collectors.transport import as_served
from sensor.bus.durable import make_private_directory
from sensor.bus.enrol import KEYS_FILE
from sensor.bus.keys import CentreKeys, CentrePublic, SensorKeys, SensorPublic, load_keys, save_keys
from sensor.bus.seal import SensorName
from sensor.errors import UserError, from_os_error

_MAX_BYTES = 64 * 1024


class Identity(msgspec.Struct, frozen=True):
    """A centre's public keys."""

    centre: CentrePublic
    signer: SensorPublic

    def text(self) -> str:
        return msgspec.json.format(msgspec.json.encode(self)).decode() + "\n"

    @classmethod
    def load(cls, path: Path) -> Identity:
        """UserError for what is no identity."""
        try:
            with path.open("rb") as file:
                identity = msgspec.json.decode(file.read(_MAX_BYTES), type=cls)
            identity.centre.sealing_key()
            identity.signer.verifiers()
        except OSError as error:
            raise from_os_error(error, where=path) from error
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
            raise UserError(
                f"is no centre's identity: {error}",
                where=path,
                fix="`haidang relay identity -d DIR > FILE` at the other centre makes one",
            ) from error
        return identity


def identity_of(home: Home) -> Identity:
    """A centre's identity; makes the keys it signs with when it has none yet. UserError."""
    return Identity(
        as_served(load_keys(home.keys_file, CentreKeys), home.keys_file).public(), signing_keys(home).public()
    )


def signing_keys(home: Home) -> SensorKeys:
    """The keys with which this centre signs as a relay and an exporter."""
    path = home.directory / "relay" / KEYS_FILE
    if path.exists():
        return load_keys(path, SensorKeys)
    keys = SensorKeys.generate()
    try:
        make_private_directory(path.parent)
        save_keys(path, keys)
    except OSError as error:
        raise from_os_error(error, where=path) from error
    return keys


def exporter_name(home: Home) -> SensorName:
    """What this centre calls itself on a stick: its name as a relay, else the host's."""
    import socket

    from sensor.bus.enrol import CENTRE_FILE, load_enrolment

    if (home.directory / "relay" / CENTRE_FILE).exists():
        return load_enrolment(home.directory / "relay")[1].sensor
    name = "".join(letter for letter in socket.gethostname().split(".")[0].lower() if letter.isalnum())
    return name[:63] or "centre"
