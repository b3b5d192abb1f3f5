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
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "e2e")]

import load  # noqa: E402
import swarm  # noqa: E402
from delays import Costs, Given, Watch  # noqa: E402
from house import House  # noqa: E402
from runs import write_json  # noqa: E402

from sensor.bus.enrol import load_enrolment  # noqa: E402
from sensor.bus.identity import Identity  # noqa: E402
from sensor.bus.keys import CentreKeys, load_keys  # noqa: E402
from sensor.bus.layout import Pending  # noqa: E402
from sensor.bus.seal import Sealer  # noqa: E402
from sensor.bus.spool import Spool  # noqa: E402

WANTED_ONE, WANTED_MANY, WANTED_P99_SECONDS = 30_000, 20_000, 1.0
PATIENCE_SECONDS = 60.0
ENGINE_FLUSH_SECONDS = 0.25  # how often the engine gives out what it has
MANY_FLUSH_SECONDS = 0.5
EXIT_BELOW, EXIT_CANNOT_RUN = 1, 2


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
        costs = Costs(house)
        points = list(swarm.run(sensors, bound(house), keys.curve_public))
        start = points[0][0]
        alerts = {sensor.name: sum(len(given.made) for given in sensor.given) for sensor in sensors}
        watch.wait_for(
            lambda seen: all(seen.get(name, 0) >= made for name, made in alerts.items()), PATIENCE_SECONDS
        )
        cpu = costs.told()
        found = watch.stages({sensor.name: sensor.given for sensor in sensors})
    finally:
        house.close()
    told = {"sensors": count, "events": total, "events_per_second": round(total / (points[-1][0] - start))}
    return told | found | {"cpu_seconds": cpu}


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
        costs = Costs(house)
        link.start()
        given: list[Given] = []
        count = 0
        start = time.monotonic()
        for step in range(round(seconds / ENGINE_FLUSH_SECONDS)):
            opened = start + step * ENGINE_FLUSH_SECONDS
            made = [opened + ENGINE_FLUSH_SECONDS * index / alerts for index in range(alerts)]
            lines = [load.line_of(chance, True, count + number + 1) for number in range(alerts)]
            count += alerts
            due = opened + ENGINE_FLUSH_SECONDS
            time.sleep(max(0.0, due - time.monotonic()))
            spool.append([Pending(0, alerts, b"".join(lines)), Pending(3, each - alerts, logs)], sealer)
            given.append(Given(made, due, time.monotonic()))
        watch.wait_for(lambda seen: seen.get("tap1", 0) >= count, PATIENCE_SECONDS)
        cpu = costs.told()
        found = watch.stages({"tap1": given})
        link.stop()
        link.join(10)
        spool.close()
    finally:
        house.close()
    return {"events_per_second": round(each / ENGINE_FLUSH_SECONDS)} | found | {"cpu_seconds": cpu}


def bound(house: House) -> str:
    return str(json.loads((house.centre_directory / "run" / "bound.json").read_bytes())["address"])


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
