"""Cost grows no faster than its input: a few generators in each run of the tests, all with `make linear`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import instructions
import linear
from hostile import GENERATORS, decode, stream
from mutation import write

# The ways that had to be mended once, and one of the stream.
ALWAYS = ("http-endless-line", "h2-streams", "mqtt-one-open", "nfs-unanswered")


def test_generators_are_the_same_on_every_run_and_grow_with_n() -> None:
    for name, (generator, smallest) in GENERATORS.items():
        small, large = generator(smallest), generator(smallest * 2)
        assert small == generator(smallest), name
        assert sum(len(f) for _, f in large) > 1.5 * sum(len(f) for _, f in small), name


@pytest.mark.parametrize(
    ("millions", "linear_enough"),
    [
        ([12.0, 24.1, 48.0, 96.2, 192, 384], True),
        ([12, 15, 21, 33, 57, 105], True),  # much of the first is for beginning
        ([0.1, 0.3, 0.4, 0.7, 1.3, 2.6], True),  # too little to tell
        ([12, 48, 192, 768, 3072, 12288], False),
        ([900, 903, 915, 963, 1155, 1923], False),  # a square behind a long beginning
        ([12, 24, 48, 96, 192, 510], False),
        ([12, 24, 84, 204, 444, 924], True),  # a cap is reached, events begin
        ([12, 24, 348, 996, 2292, 4884], False),  # all that is held is searched
    ],
)
def test_growth_tells_a_square_from_a_line(millions: list[float], *, linear_enough: bool) -> None:
    counts = [int(cost * 1_000_000) for cost in millions]
    assert (linear.Figures("made up", counts, 0, 0).fault is None) is linear_enough


def test_memory_has_a_cap() -> None:
    assert linear.Figures("made up", [1, 2], linear.MEMORY_MAX_BYTES + 1, 0).fault is not None


def test_generators_reach_the_parsers_they_are_for(tmp_path: Path) -> None:
    if not list((linear.ROOT / "sensor").glob("_engine*.so")):
        pytest.skip("the engine is not built (make setup)")
    engine = instructions.Engine(linear.prepare(tmp_path))
    assert engine.rule_faults == []
    for name, (generator, smallest) in GENERATORS.items():
        if name in decode.GENERATORS or name in stream.GENERATORS:
            continue
        write(tmp_path / "one.pcap", 1, [generator(smallest)])
        counters = engine.replay(tmp_path / "one.pcap")["counters"]
        assert any(counter.startswith("app_layer.flow.") for counter in counters), name


def test_cost_is_linear(tmp_path: Path) -> None:
    reason = instructions.missing()
    if reason:
        pytest.skip(reason)
    for figures, _ in linear.measure(ALWAYS, linear.prepare(tmp_path)):
        assert figures.fault is None, figures
