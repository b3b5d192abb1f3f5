"""What opens the batches that are sealed to a centre, for those who read its journal beside it."""

from __future__ import annotations

from collectors.home import Home
from sensor.bus.keys import CentreKeys, load_keys
from sensor.bus.seal import Opener


def opener_of(home: Home) -> tuple[Opener, frozenset[bytes]]:
    """The opener, and the ids of the keys that it has. UserError when there are none."""
    keys = load_keys(home.keys_file, CentreKeys)
    recipient = keys.public().recipient
    return Opener({recipient: keys.opening_key()}), frozenset({recipient})
