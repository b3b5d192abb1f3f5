"""The benchmark's figures as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from figures import Sensor, Stages, ratios
from runs import Spread

MIB = 1 << 20


def sensor_table(sensors: Sequence[Sensor]) -> str:
    """Medians, with the lowest and highest behind them."""
    rows: list[tuple[str, list[str]]] = []

    def row(name: str, cells: list[str]) -> None:
        rows.append((name, cells))

    row("", [sensor.name for sensor in sensors])
    row("CPU µs per packet", [spread_text(s.us_per_packet, 2) for s in sensors])
    row("packets per CPU second", [_number(s.packets_per_second, 0) for s in sensors])
    row("CPU s, packets alone", [spread_text(Spread.of(s.packet_seconds), 2) for s in sensors])
    row("peak memory, MiB", [spread_text(s.peak_bytes, 0, 1 / MIB) for s in sensors])
    row("start-up cold, wall s", [spread_text(s.start_wall(cold=True), 2) for s in sensors])
    row("start-up cold, CPU s", [spread_text(s.start_cpu(cold=True), 2) for s in sensors])
    row("start-up warm, wall s", [_warm(s, s.start_wall(cold=False)) for s in sensors])
    row("start-up warm, CPU s", [_warm(s, s.start_cpu(cold=False)) for s in sensors])
    lines = [f"{name:24}" + "".join(f"{cell:>26}" for cell in cells) for name, cells in rows]
    lines += [
        f"warning: {s.name}: too few packets to tell them from start-up" for s in sensors if s.is_too_short
    ]
    return "\n".join(lines)


def ratio_table(ours: Sensor, theirs: Sensor) -> str:
    """Ours against theirs; more than 1 is in our favour."""
    lines = [f"{ours.name} against {theirs.name} (more than 1: better), median of pairs, lowest .. highest"]
    lines += [
        f"  {ratio.name:24}{spread_text(ratio.spread, 2, sign='×'):>26}" for ratio in ratios(ours, theirs)
    ]
    return "\n".join(lines)


def event_table(ours: Sensor, theirs: Sensor) -> str:
    """Events by type, the most frequent first; a mark where the two differ."""
    kinds = sorted(
        ours.events | theirs.events, key=lambda kind: (-max(ours.events[kind], theirs.events[kind]), kind)
    )
    lines = [f"{'events written':20}{ours.name:>12}{theirs.name:>12}"]
    for kind in kinds:
        mine, others = ours.events[kind], theirs.events[kind]
        differs = "" if mine == others else f"  {mine - others:+,}"
        lines.append(f"{kind:20}{mine:12,}{others:12,}{differs}")
    lines.append(f"{'all':20}{ours.events.total():12,}{theirs.events.total():12,}")
    return "\n".join(lines)


def stage_table(found: Stages) -> str:
    """Our stages and the floor, ns per packet."""
    lines = [f"{'ns of CPU per packet':28}{'':>8}"]
    lines += [f"  {name:26}{cost:8.0f}" for name, cost in found.stages.items()]
    lines += [
        f"  {'clock, fetching of batches':26}{found.outside:8.0f}",
        f"{'all, stages timed':28}{found.timed_total:8.0f}",
        f"{'all, stages not timed':28}{found.plain_total:8.0f}",
        "floor, one database for each protocol and direction",
    ]
    lines += [f"  {name:26}{cost:8.0f}" for name, cost in found.floor_steps.items()]
    scans = f"{found.scans:,} scans of {found.scanned_bytes:,} bytes, {found.packets:,} packets"
    lines += [
        f"{'floor, all':28}{found.floor['scan']:8.0f}",
        f"{'all by floor':28}{_number(found.times_floor, 2):>7}×",
        f"{'floor, databases narrowed':28}{found.narrowed:8.0f}  ({scans})",
        f"{'all by that floor':28}{_number(found.times_narrowed, 2):>7}×",
    ]
    return "\n".join(lines)


def _number(value: float | None, digits: int) -> str:
    return "?" if value is None else f"{value:,.{digits}f}"


def _warm(sensor: Sensor, spread: Spread) -> str:
    return spread_text(spread, 2) if sensor.cold else "no cache"


def spread_text(spread: Spread, digits: int, scale: float = 1.0, sign: str = "") -> str:
    """The median, and the lowest and highest behind it."""
    median, low, high = (f"{value * scale:,.{digits}f}" for value in (spread.median, spread.low, spread.high))
    return f"{sign}{median} ({low} .. {high})"
