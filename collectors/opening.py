"""What opens the batches that are sealed to a centre, for those who read its journal beside it."""

from __future__ import annotations

from collectors.home import Home
from collectors.keyring import Keyring
from sensor.bus.seal import Opener


def opener_of(home: Home) -> tuple[Opener, Keyring]:
    """The opener, and the keys that it has: the present one and those still honoured. Who runs for long calls
    `refresh` of them. UserError when there are none.
    """
    keyring = Keyring(home.keys_file)
    return Opener(keyring), keyring
