"""Where compiled rules are kept from run to run (docs/spec/cache.md). What is kept, and whether it is
trusted, is the engine's business.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from sensor.config import Config
from sensor.rules import sources, text, variables

if TYPE_CHECKING:
    from sensor._engine import RulesetCache

MIN_BYTES = 1 << 20  # of rule text: less compiles in about a tenth of a second, and would fill the disk


def of(config: Config, files: Iterable[Path]) -> RulesetCache | None:
    """The cache for these rule files; None when it is off, not worth it, or has no place."""
    if config.get("haidang.rule-cache.enabled") is False or sum(map(sources.size, files)) < MIN_BYTES:
        return None
    place = folder(config)
    if place is None:
        return None
    from sensor._engine import RulesetCache

    parts = (json.dumps(config.get("vars"), sort_keys=True).encode(), *_readers())
    return RulesetCache(str(place), os.geteuid(), config.engine_json(), parts)


def is_asked_for(config: Config) -> bool:
    """Whether the configuration names a place, so that it matters if nothing can be kept there."""
    return bool(config.text("haidang.rule-cache.directory"))


def folder(config: Config) -> Path | None:
    """Where compiled rules are kept; None: nowhere."""
    if named := config.text("haidang.rule-cache.directory"):
        return Path(named)
    state = config.text("default-data-dir")
    if state and os.access(state, os.W_OK):
        return Path(state) / "rule-cache"
    if home := os.environ.get("XDG_CACHE_HOME", ""):
        return Path(home) / "haidang" / "rules"
    try:
        return Path.home() / ".cache" / "haidang" / "rules"
    except RuntimeError:  # nobody's home
        return None


@functools.cache
def _readers() -> tuple[bytes, ...]:
    """What makes rules of text, as its own text: a version that reads otherwise must not find what this one
    kept.
    """
    return tuple(Path(str(module.__file__)).read_bytes() for module in (text, variables))
