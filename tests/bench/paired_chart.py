"""The picture of `make bench`: both sensors side by side, and our stages above the floor."""

from __future__ import annotations

from chart import COLOURS, WIDTH, Bar, Box, Chart, Stack, bars, stacks
from figures import Sensor, Stages
from runs import Spread

OURS, THEIRS = COLOURS[0], COLOURS[1]
MIB = 1 << 20
# The stage of ours that a part of the floor is the least of, and whose colour it gets.
LIKE = {"read": "capture", "decode": "decode", "scan": "prefilter"}


def draw(ours: Sensor, theirs: Sensor, found: Stages, title: str) -> str:
    """The SVG file's text."""
    chart = Chart(height=620, title=title)
    chart.text(WIDTH / 2, 24, title, "middle")
    both = ((ours, OURS), (theirs, THEIRS))
    bars(
        chart,
        Box(60, 90, 190, 190),
        "Packets alone, output included",
        "CPU µs per packet",
        [_bar(sensor.name, sensor.us_per_packet, colour) for sensor, colour in both],
    )
    starts = [("cold", ours, OURS), ("cold", theirs, THEIRS)]
    if ours.cold:
        starts.insert(1, ("warm", ours, OURS))
    bars(
        chart,
        Box(320, 90, 210, 190),
        "Start-up, to one frame read",
        "seconds, wall clock",
        [_bar(f"{s.name} {how}", s.start_wall(cold=how == "cold"), colour) for how, s, colour in starts],
    )
    bars(
        chart,
        Box(600, 90, 180, 190),
        "Peak memory",
        "MiB resident",
        [
            _bar(
                s.name,
                Spread(*(b / MIB for b in (s.peak_bytes.median, s.peak_bytes.low, s.peak_bytes.high))),
                c,
            )
            for s, c in both
        ],
    )
    chart.text(60, 345, "Bars are medians, whiskers the lowest and highest of the pairs.", size=11)
    stacks(
        chart,
        Box(130, 410, 590, 130),
        f"Where {ours.name}'s time goes, no output written",
        "ns of CPU per packet",
        [
            Stack("stages", found.stages | {"clock, batches": max(found.outside, 0.0)}),
            Stack("floor", {LIKE[name]: cost for name, cost in found.floor_steps.items()}),
        ],
    )
    return chart.svg()


def _bar(label: str, spread: Spread, colour: str) -> Bar:
    return Bar(label, spread.median, spread.low, spread.high, colour)
