"""A replay as a stream of decoded events, for commands that look at events instead of writing them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sensor.config import Config, load
from sensor.config.values import Json
from sensor.desk.events import Event

if TYPE_CHECKING:
    from sensor._engine import Batch, Ruleset

BATCH_WAIT_SECONDS = 0.25
EVERYTHING = Path(__file__).with_name("everything.yaml")
_decoder = msgspec.json.Decoder()


def batches(
    config_json: str, ruleset: Ruleset, paths: Sequence[str], watch: Callable[[int, int], None] | None = None
) -> Iterator[Batch]:
    """The batches of a replay with one worker. watch: told (bytes read, bytes in all) now and then."""
    from sensor._engine import Replay

    replay = Replay(config_json, ruleset, paths, 1)
    try:
        while not replay.finished:
            batch = replay.next_batch(BATCH_WAIT_SECONDS)
            if batch is not None:
                yield batch
            if watch is not None:
                watch(*replay.progress)
    finally:
        replay.stop()


def events(config: Config, ruleset: Ruleset, paths: Sequence[str]) -> Iterator[Event]:
    """The events of a replay in order."""
    for batch in batches(config.engine_json(), ruleset, paths):
        for line in batch.data.splitlines():
            yield _decoder.decode(line)


def everything() -> tuple[Config, Ruleset]:
    """A configuration that writes all the engine knows, and no rules."""
    from sensor._engine import Ruleset

    config = load(EVERYTHING, checksums="none")
    return config, Ruleset.compile(config.engine_json(), [])


def only_types(config: Config, types: Sequence[str]) -> Config:
    """The same configuration writing these types of events, with their options where it gives some."""
    wanted = {name: config.eve_types().get(name, {}) for name in types}
    outputs: Json = [{"eve-log": {"enabled": True, "types": [{name: dict(o)} for name, o in wanted.items()]}}]
    return replace(config, tree={**config.tree, "outputs": outputs}, _engine_json="")
