"""Speed and delay of the bus on this machine: durable and acknowledged, CURVE, seal and signatures on, the
embedded store filled beside it.

    python tests/bench/bus.py [--sensors 200] [--seconds 15] [--only PART] [--out FOLDER]

1. one sensor: `haidang sensor run --events`, a real process; events a second from the first acknowledgement
   to the last.
2. many sensors: their batches made beforehand, shipped by one process over a connection each (`swarm.py`).
3. delay at half of the wanted rates: from the moment an alert comes to be (inside an interval after which a
   sensor gives its batch out, as the engine does) to the moment a query finds it in the store, looked for
   every 50 ms.

The wanted figures are for a machine of one's own: sensors, centre and store share these cores. Exit code: 0
when all figures are reached, 1 when one is not, 2 when something could not be run.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "e2e")]

import load  # noqa: E402
import swarm  # noqa: E402
from house import House  # noqa: E402
from runs import write_json  # noqa: E402

from collectors.store.client import connect_embedded  # noqa: E402
from sensor.bus.enrol import load_enrolment  # noqa: E402
from sensor.bus.identity import Identity  # noqa: E402
from sensor.bus.keys import CentreKeys, load_keys  # noqa: E402
from sensor.bus.layout import Pending  # noqa: E402
from sensor.bus.seal import Sealer  # noqa: E402
from sensor.bus.spool import Spool  # noqa: E402

WANTED_ONE, WANTED_MANY, WANTED_P99_SECONDS = 30_000, 20_000, 1.0
LOOK_SECONDS = 0.05
ENGINE_FLUSH_SECONDS = 0.25  # how often the engine gives out what it has
MANY_FLUSH_SECONDS = 0.5
EXIT_BELOW, EXIT_CANNOT_RUN = 1, 2


class Watch(threading.Thread):
    """Notes when alerts become searchable: the highest flow_id of every sensor's alerts, as a query finds
    them.
    """

    def __init__(self, house: House) -> None:
        super().__init__(daemon=True)
        self.seen: list[tuple[float, dict[str, int]]] = []
        self.stop = threading.Event()
        self._client = connect_embedded(house.centre_directory / "run" / "store.json", patience_seconds=30)

    def run(self) -> None:
        query = "SELECT sensor, max(flow_id) FROM haidang.events WHERE event_type = 'alert' GROUP BY sensor"
        while not self.stop.wait(LOOK_SECONDS):
            rows = self._client.query(query).result_rows
            self.seen.append((time.monotonic(), {str(name): int(highest) for name, highest in rows}))

    def delays(self, name: str, made: list[float]) -> list[float]:
        """Seconds from each alert (number n has flow_id n + 1) to the query that found it."""
        found = []
        at = 0
        for number, moment in enumerate(made):
            while at < len(self.seen) and self.seen[at][1].get(name, 0) <= number:
                at += 1
            assert at < len(self.seen), f"alert {number} of {name} was never found"
            found.append(self.seen[at][0] - moment)
        return found

    def wait_for(self, everything: Callable[[dict[str, int]], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not (self.seen and everything(self.seen[-1][1])):
            assert time.monotonic() < deadline, "not everything became searchable"
            time.sleep(LOOK_SECONDS)
        self.stop.set()
        self.join(20)


def journaled(house: House) -> int:
    """Events that are durable at the centre."""
    with closing(sqlite3.connect(house.centre_directory / "journal.sqlite", timeout=20)) as journal:
        return int(journal.execute("SELECT coalesce(sum(events), 0) FROM stream").fetchone()[0])


def begin(directory: Path) -> House:
    directory.mkdir()
    house = House(directory)
    house.start_centre()
    house.wait_for_centre()
    house.wait_for_store()
    return house


def one_sensor(directory: Path, events: int) -> dict[str, Any]:
    """Throughput of `haidang sensor run`."""
    house = begin(directory)
    try:
        house.enrol()
        chance = random.Random(2)
        path = directory / "eve.json"
        with path.open("wb") as file:
            for number in range(events):
                file.write(load.line_of(chance, number % 10 == 0, number))
        points: list[tuple[float, int]] = []
        began = time.monotonic()
        house.start_sensor("--events", path, "--drain", "120")
        assert house.sensor is not None
        while house.sensor.poll() is None:
            points.append((time.monotonic(), journaled(house)))
            time.sleep(0.02)
        assert house.sensor.returncode == 0, house.sensor_log.read_text()[-2000:]
        whole = time.monotonic() - began
        first = next(moment for moment, count in points if count)
        last = next((moment for moment, count in points if count >= events), points[-1][0])
        house.wait_until_filled(300)
        filled = time.monotonic() - first
    finally:
        house.close()
    return {
        "events": events,
        "events_per_second": round(events / (last - first)),
        "with_start_and_end": round(events / whole),
        "searchable_per_second": round(events / filled),
    }


def many_sensors(directory: Path, count: int, seconds: float) -> dict[str, Any]:
    """Throughput of the centre with many connections."""
    house = begin(directory)
    try:
        keys = load_keys(house.centre_directory / "keys.json", CentreKeys)
        sensors = swarm.enrol(house.centre_directory, keys.public(), count)
        rate = WANTED_MANY / count
        total = swarm.plan(sensors, keys.public(), seconds=seconds, rate=rate, flush=1.0, paced=False)
        batches = sum(len(sensor.waiting) for sensor in sensors)
        points = list(swarm.run(sensors, bound(house), keys.curve_public))
        begin_at, end_at = points[0][0], points[-1][0]
        assert points[-1][1] == total == journaled(house)
        house.wait_until_filled(300)
        filled = time.monotonic() - begin_at
    finally:
        house.close()
    return {
        "sensors": count,
        "events": total,
        "batches": batches,
        "events_per_second": round(total / (end_at - begin_at)),
        "batches_per_second": round(batches / (end_at - begin_at)),
        "searchable_per_second": round(total / filled),
    }


def delay_of_many(directory: Path, count: int, seconds: float) -> dict[str, Any]:
    """Alert to searchable, many sensors at half of the wanted rate together."""
    house = begin(directory)
    try:
        keys = load_keys(house.centre_directory / "keys.json", CentreKeys)
        sensors = swarm.enrol(house.centre_directory, keys.public(), count)
        rate = WANTED_MANY / 2 / count
        total = swarm.plan(
            sensors, keys.public(), seconds=seconds, rate=rate, flush=MANY_FLUSH_SECONDS, paced=True
        )
        watch = Watch(house)
        watch.start()
        points = list(swarm.run(sensors, bound(house), keys.curve_public))
        start = points[0][0]
        watch.wait_for(
            lambda seen: all(seen.get(sensor.name, 0) >= len(sensor.alerts) for sensor in sensors), 60
        )
        delays = [
            delay
            for sensor in sensors
            for delay in watch.delays(sensor.name, [start + moment for moment in sensor.alerts])
        ]
    finally:
        house.close()
    told = {"sensors": count, "events": total, "events_per_second": round(total / (points[-1][0] - start))}
    return told | summary(delays)


def delay_of_one(directory: Path, seconds: float) -> dict[str, Any]:
    """Alert to searchable, one sensor at half of the wanted rate: spool, sealer and link as `sensor run`
    has them.
    """
    house = begin(directory)
    try:
        house.enrol()
        keys, enrolment = load_enrolment(house.sensor_directory)
        spool = Spool(house.sensor_directory / "spool.sqlite", enrolment.sensor, mend=True)
        link = Identity(house.sensor_directory).link(spool, software="bench")
        sealer = Sealer(keys, enrolment.centre)
        chance = random.Random(3)
        each = round(WANTED_ONE / 2 * ENGINE_FLUSH_SECONDS)
        alerts = each // 10
        logs = b"".join(load.line_of(chance, False, chance.randrange(1 << 50)) for _ in range(each - alerts))
        watch = Watch(house)
        watch.start()
        link.start()
        made: list[float] = []
        start = time.monotonic()
        late = 0.0
        for step in range(round(seconds / ENGINE_FLUSH_SECONDS)):
            opened = start + step * ENGINE_FLUSH_SECONDS
            lines = []
            for index in range(alerts):
                made.append(opened + ENGINE_FLUSH_SECONDS * index / alerts)
                lines.append(load.line_of(chance, True, len(made)))
            time.sleep(max(0.0, opened + ENGINE_FLUSH_SECONDS - time.monotonic()))
            late = max(late, time.monotonic() - opened - ENGINE_FLUSH_SECONDS)
            spool.append([Pending(0, alerts, b"".join(lines)), Pending(3, each - alerts, logs)], sealer)
        watch.wait_for(lambda seen: seen.get("tap1", 0) >= len(made), 60)
        delays = watch.delays("tap1", made)
        link.stop()
        link.join(10)
        spool.close()
    finally:
        house.close()
    return {
        "events_per_second": round(each / ENGINE_FLUSH_SECONDS),
        "producer_late_ms": round(late * 1e3),
    } | (summary(delays))


def bound(house: House) -> str:
    return str(json.loads((house.centre_directory / "run" / "bound.json").read_bytes())["address"])


def summary(delays: list[float]) -> dict[str, Any]:
    ordered = sorted(delays)
    return {
        "alerts": len(ordered),
        "p50_ms": round(statistics.median(ordered) * 1e3),
        "p99_ms": round(ordered[int(len(ordered) * 0.99)] * 1e3),
        "max_ms": round(ordered[-1] * 1e3),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sensors", type=int, default=200, help="simulated sensors (200)")
    parser.add_argument(
        "--seconds", type=float, default=15.0, help="length of each run at the wanted rate (15)"
    )
    parser.add_argument("--only", choices=("one", "many", "delay-one", "delay-many"), help="one part")
    parser.add_argument("--out", type=Path, default=None, help="write bus.json here")
    args = parser.parse_args()
    size = load.check()
    with tempfile.TemporaryDirectory(prefix="haidang-bus-") as name:
        place = Path(name)
        parts: dict[str, Callable[[], dict[str, Any]]] = {
            "one": lambda: one_sensor(place / "one", int(WANTED_ONE * args.seconds)),
            "many": lambda: many_sensors(place / "many", args.sensors, args.seconds),
            "delay-one": lambda: delay_of_one(place / "delay-one", args.seconds),
            "delay-many": lambda: delay_of_many(place / "delay-many", args.sensors, args.seconds),
        }
        found: dict[str, Any] = {"bytes_per_event": size}
        for part, measure in parts.items():
            if args.only in (None, part):
                try:
                    found[part] = measure()
                except (AssertionError, OSError, subprocess.SubprocessError) as error:
                    print(f"{part}: could not be run: {error}", file=sys.stderr)
                    return EXIT_CANNOT_RUN
                print(f"{part}: {json.dumps(found[part])}", flush=True)
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
        write_json(args.out / "bus.json", found)
    wanted = {
        "one": ("events_per_second", WANTED_ONE, False),
        "many": ("events_per_second", WANTED_MANY, False),
        "delay-one": ("p99_ms", WANTED_P99_SECONDS * 1e3, True),
        "delay-many": ("p99_ms", WANTED_P99_SECONDS * 1e3, True),
    }
    is_reached = True
    for part, (figure, bound_, is_upper) in wanted.items():
        if part in found:
            value = found[part][figure]
            holds = value < bound_ if is_upper else value >= bound_
            is_reached &= holds
            print(f"{part}: {figure} {value}, wanted {'<' if is_upper else '>='} {bound_:.0f}: {holds}")
    return 0 if is_reached else EXIT_BELOW


if __name__ == "__main__":
    sys.exit(main())
