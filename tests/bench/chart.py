"""A chart as SVG, written by hand: bars with whiskers, stacked bars and lines over axes with units.

Knows shapes and scales; what the figures mean is for those who draw with it. Sizes are in pixels at a width
of 800, where the smallest text is still read with ease.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

WIDTH = 800
TEXT, SMALL = 13, 11
INK, FAINT = "#222222", "#d8d8d8"
# Told apart by people with any kind of colour vision (Okabe and Ito, 2008).
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#999999", "#444444")
CHAR_PIXELS = 0.56  # of the height of a letter, for texts that must not run into each other


@dataclass
class Box:
    """Where a panel's axes are."""

    left: float
    top: float
    width: float
    height: float

    @property
    def bottom(self) -> float:
        return self.top + self.height


@dataclass
class Bar:
    """A figure with its lowest and highest value."""

    label: str
    value: float
    low: float
    high: float
    colour: str = COLOURS[0]


@dataclass
class Stack:
    """A bar of parts that lie end to end."""

    label: str
    parts: dict[str, float]


@dataclass
class Chart:
    """Shapes on white; `svg()` is the file."""

    height: int
    title: str
    shapes: list[str] = field(default_factory=list)

    def rect(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        self.shapes.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{max(height, 0):.1f}" '
            f'fill="{colour}"/>'
        )

    def line(self, points: Sequence[tuple[float, float]], colour: str = INK, width: float = 1) -> None:
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.shapes.append(
            f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="{width}"/>'
        )

    def text(self, x: float, y: float, said: str, anchor: str = "start", size: int = TEXT) -> None:
        self.shapes.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
            f'fill="{INK}">{escape(said)}</text>'
        )

    def svg(self) -> str:
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}" width="{WIDTH}" '
            f'height="{self.height}" font-family="sans-serif" role="img">\n'
            f"<title>{escape(self.title)}</title>\n"
            f'<rect width="{WIDTH}" height="{self.height}" fill="#ffffff"/>'
        )
        return "\n".join([head, *self.shapes, "</svg>"]) + "\n"


def ticks(top: float, most: int = 5) -> list[float]:
    """Round values from 0 to `top` or a little above, for an axis."""
    if top <= 0 or not math.isfinite(top):
        return [0.0, 1.0]
    rough = top / most
    power = 10 ** math.floor(math.log10(rough))
    step = next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= rough * (1 - 1e-9))
    return [step * number for number in range(math.ceil(top / step - 1e-9) + 1)]


def number(value: float) -> str:
    """A figure with three digits that say something."""
    if value >= 100 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.{max(2 - math.floor(math.log10(abs(value))), 0)}f}"


def tick_name(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:g}"


def bars(chart: Chart, box: Box, title: str, unit: str, figures: Sequence[Bar]) -> None:
    """Upright bars, each with its value above and the words of its name below, one a line."""
    scale = _upright_axis(chart, box, title, unit, max(bar.high for bar in figures))
    pitch = box.width / len(figures)
    for at, bar in enumerate(figures):
        middle = box.left + pitch * (at + 0.5)
        chart.rect(
            middle - pitch * 0.3, scale(bar.value), pitch * 0.6, box.bottom - scale(bar.value), bar.colour
        )
        chart.line([(middle, scale(bar.low)), (middle, scale(bar.high))])
        chart.text(middle, scale(bar.high) - 4, number(bar.value), "middle", SMALL)
        for line, word in enumerate(bar.label.split()):
            chart.text(middle, box.bottom + 15 + 13 * line, word, "middle", SMALL)
    chart.line([(box.left, box.bottom), (box.left + box.width, box.bottom)])


def stacks(chart: Chart, box: Box, title: str, unit: str, figures: Sequence[Stack]) -> float:
    """Bars that lie, parts named by a legend below; returns where the legend ends."""
    chart.text(box.left, box.top - 10, f"{title}, {unit}")
    marks = ticks(max(sum(stack.parts.values()) for stack in figures))
    per_pixel = box.width / marks[-1]
    for mark in marks:
        x = box.left + mark * per_pixel
        chart.line([(x, box.top), (x, box.bottom)], FAINT)
        chart.text(x, box.bottom + 15, tick_name(mark), "middle", SMALL)
    names = list(dict.fromkeys(name for stack in figures for name in stack.parts))
    colours = {name: COLOURS[at % len(COLOURS)] for at, name in enumerate(names)}
    pitch = box.height / len(figures)
    for at, stack in enumerate(figures):
        x, y = box.left, box.top + pitch * (at + 0.2)
        for name, value in stack.parts.items():
            chart.rect(x, y, value * per_pixel, pitch * 0.6, colours[name])
            x += max(value, 0) * per_pixel
        chart.text(x + 4, y + pitch * 0.3 + 4, number(sum(stack.parts.values())), size=SMALL)
        chart.text(box.left - 6, y + pitch * 0.3 + 4, stack.label, "end", SMALL)
    return _legend(chart, box.left, box.bottom + 36, box.left + box.width, colours)


def lines(
    chart: Chart,
    box: Box,
    title: str,
    unit: str,
    x_unit: str,
    series: dict[str, Sequence[tuple[float, float]]],
) -> float:
    """Lines over a common axis, named by a legend below; returns where the legend ends."""
    points = [point for line in series.values() for point in line]
    scale = _upright_axis(chart, box, title, unit, max(y for _, y in points))
    marks = ticks(max(x for x, _ in points), 8)
    for mark in marks:
        x = box.left + mark / marks[-1] * box.width
        chart.line([(x, box.bottom), (x, box.bottom + 4)])
        chart.text(x, box.bottom + 17, tick_name(mark), "middle", SMALL)
    chart.text(box.left + box.width, box.bottom + 33, x_unit, "end", SMALL)
    chart.line([(box.left, box.bottom), (box.left + box.width, box.bottom)])
    colours = {name: COLOURS[at % len(COLOURS)] for at, name in enumerate(series)}
    for name, line in series.items():
        chart.line([(box.left + x / marks[-1] * box.width, scale(y)) for x, y in line], colours[name], 1.5)
    return _legend(chart, box.left, box.bottom + 38, box.left + box.width - 80, colours)


class _Scale:
    def __init__(self, box: Box, top: float) -> None:
        self.box, self.top = box, top

    def __call__(self, value: float) -> float:
        return self.box.bottom - value / self.top * self.box.height


def _upright_axis(chart: Chart, box: Box, title: str, unit: str, highest: float) -> _Scale:
    marks = ticks(highest)
    scale = _Scale(box, marks[-1])
    chart.text(box.left, box.top - 22, title)
    chart.text(box.left, box.top - 8, unit, size=SMALL)
    for mark in marks:
        chart.line([(box.left, scale(mark)), (box.left + box.width, scale(mark))], FAINT)
        chart.text(box.left - 5, scale(mark) + 4, tick_name(mark), "end", SMALL)
    return scale


def _legend(chart: Chart, left: float, top: float, right: float, colours: dict[str, str]) -> float:
    x = left
    for name, colour in colours.items():
        width = 18 + len(name) * SMALL * CHAR_PIXELS + 14
        if x > left and x + width > right:
            x, top = left, top + 18
        chart.rect(x, top - 9, 11, 11, colour)
        chart.text(x + 16, top, name, size=SMALL)
        x += width
    return top
