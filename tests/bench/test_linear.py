"""Cost grows no faster than its input: a few generators in each run of the tests, all with `make linear`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import linear
from hostile_input import GENERATORS

# The ways that had to be mended once, and one of the stream.
ALWAYS = ("every-other-segment", "h2-streams", "mqtt-one-open")


def test_generators_are_the_same_on_every_run_and_grow_with_n() -> None:
    for name, (generator, smallest) in GENERATORS.items():
        small, large = generator(smallest), generator(smallest * 2)
        assert small == generator(smallest), name
        assert sum(len(f) for _, f in large) > 1.5 * sum(len(f) for _, f in small), name


@pytest.mark.parametrize(
    ("costs", "linear_enough"),
    [
        ([12, 24, 48, 96], True),
        ([12, 48, 192, 768], False),
        ([0, -29, 12, 96], True),  # measured on a machine that was busy
        ([100, 200, 400, 1100], False),
    ],
)
def test_growth_tells_noise_from_a_square(costs: list[int], *, linear_enough: bool) -> None:
    counts = [(475 + cost) * 1_000_000 for cost in costs]
    assert (linear.Figures("made up", counts, 0, 0).fault is None) is linear_enough


@pytest.mark.parametrize("name", ALWAYS)
def test_cost_is_linear(name: str, tmp_path: Path) -> None:
    reason = linear.missing()
    if reason:
        pytest.skip(reason)
    figures, said = linear.measure(name, linear.prepare(tmp_path), tmp_path)
    assert said["rule_faults"] == []
    assert figures.fault is None, figures
