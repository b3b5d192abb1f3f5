"""Replays of which nothing is kept: what they would write goes into a folder that goes with them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from sensor.config import Config


@contextmanager
def scratch(config: Config) -> Iterator[None]:
    """Until it is left, outputs of this configuration go nowhere. To be entered before rules are loaded, for
    the engine's document is made then.
    """
    with tempfile.TemporaryDirectory() as folder:
        config.tree["default-log-dir"] = config.tree["default-data-dir"] = folder
        yield
