"""Schedules of what befalls sensors and their centres (`world.py`).

    python tests/e2e/chaos.py --seed 7 --schedules 200     `make bench BENCH=chaos`
    python tests/e2e/chaos.py --seed 123 --minutes 30      one long schedule

A schedule is made from its seed alone: the seed that a failure prints replays it. Needs root.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests" / "e2e")]

from world import CENTRE, DISK_BYTES, SPARE, World  # noqa: E402

FINISH_SECONDS = 150
YEAR_SECONDS = 365 * 86_400
FAILOVER_SECONDS = 2.0
SPARE_SHARE = 0.4  # of the schedules, in which sensors have a second centre to turn to


class Chaos:
    """One schedule: what happens is drawn from the seed, in this order."""

    def __init__(self, world: World, seed: int, *, pause_seconds: float = 0.4) -> None:
        """pause_seconds: at most, between two things."""
        self.world = world
        self.pause_seconds = pause_seconds
        self.chance = random.Random(seed)
        self.happened: Counter[str] = Counter()
        self.under_way = 0  # how many of them while a sensor still had something to deliver
        self.acts: dict[str, Callable[[], None]] = {
            "kill sensor": self.kill_sensor, "kill centre": self.kill_centre, "cut": self.cut,
            "64 kbit/s": self.thin, "shake": self.shake, "full disk": self.full_disk,
            "clock jump": self.clock, "swap": self.swap, "rotate": self.rotate,
        }  # fmt: skip
        self.weights = [6, 5, 3, 2, 3, 3, 3, 2, 1]
        if SPARE in world.centres:
            self.acts["fail over"] = self.fail_over
            self.weights.append(6)

    def happen(self) -> None:
        act = self.chance.choices(list(self.acts), self.weights)[0]
        self.happened[act] += 1
        self.under_way += any(self.world.processes[name].poll() is None for name in self.world.names)
        self.acts[act]()
        time.sleep(self.chance.uniform(0.0, self.pause_seconds))

    def anyone(self) -> str:
        return self.chance.choice([*self.world.centres, *self.world.names])

    def wait(self, least: float, most: float) -> None:
        time.sleep(self.chance.uniform(least, most))

    def kill_sensor(self) -> None:
        name = self.chance.choice(self.world.names)
        self.world.kill(name)
        self.wait(0.0, 0.3)
        self.world.start(name)

    def kill_centre(self) -> None:
        name = self.chance.choice(self.world.centres)
        self.world.kill(name)
        self.wait(0.0, 0.6)
        self.world.start(name)

    def cut(self) -> None:
        self.world.wire.is_cut = True
        self.wait(0.2, 2.0)
        self.world.wire.mend()

    def thin(self) -> None:
        self.world.wire.bits_per_second = 64_000
        self.wait(0.5, 2.5)
        self.world.wire.mend()

    def shake(self) -> None:
        self.world.wire.is_shaken = True
        self.wait(0.5, 2.5)
        self.world.wire.mend()

    def full_disk(self) -> None:
        name = self.anyone()
        self.world.fill(name)
        self.wait(0.3, 1.5)
        if self.chance.random() < 0.3:
            self.world.kill(name)
        self.world.free(name)
        self.world.start(name)

    def clock(self) -> None:
        self.world.move_clock(self.anyone(), self.chance.choice((-1, 1)) * YEAR_SECONDS)

    def swap(self) -> None:
        self.world.swap()
        self.world.start(CENTRE)

    def fail_over(self) -> None:
        """One centre is away for longer than its sensors wait for it."""
        name = self.chance.choice(self.world.centres)
        self.world.kill(name)
        self.wait(FAILOVER_SECONDS, 3 * FAILOVER_SECONDS)
        self.world.start(name)

    def rotate(self) -> None:
        """May be refused when nobody answers; then the old keys stay in use."""
        if self.chance.random() < 0.5:
            name = self.chance.choice(self.world.names)
            self.world.run(name, "bus", "rotate", "-d", self.world.home(name), check=False)
        else:
            name = self.chance.choice(self.world.centres)
            self.world.run(name, "centre", "rotate", "-d", self.world.home(name))


def write_events(directory: Path, name: str, count: int, files: int, chance: random.Random) -> list[Path]:
    """Events of one sensor, all different; alerts of a flow are counted."""
    directory.mkdir(parents=True)
    flows = [chance.randrange(1, 2**50) for _ in range(12)]
    alerts: Counter[int] = Counter()
    paths = []
    for index in range(files):
        lines = []
        for number in range(index * count // files, (index + 1) * count // files):
            kind = chance.choices(("alert", "flow", "stats", "anomaly"), (40, 50, 4, 6))[0]
            event: dict[str, Any] = {
                "timestamp": f"2026-02-03T04:05:06.{number:06d}+0700",
                "flow_id": chance.choice(flows), "event_type": kind, "sensor": name, "n": number,
                "padding": chance.randbytes(chance.randrange(10, 200)).hex(),
            }  # fmt: skip
            if kind == "alert":
                alerts[event["flow_id"]] += 1
                event["alert"] = {"signature_id": 1, "count": alerts[event["flow_id"]]}
            lines.append(json.dumps(event, separators=(",", ":")) + "\n")
        paths.append(directory / f"{index:04d}.json")
        paths[-1].write_text("".join(lines))
    return paths


def check(world: World, sent: dict[str, list[Path]]) -> str:
    """The centre's set is the union of the sensors', each once, alerts in order; how many events."""
    from collectors.journal import Journal
    from collectors.keyring import Keyring
    from sensor.bus import lanes
    from sensor.bus.layout import ELSEWHERE
    from sensor.bus.seal import Opener
    from sensor.bus.spool import Spool

    home = world.home(CENTRE)
    joined = f" (by the spare one: {world.join()})" if SPARE in world.centres else ""
    journal = Journal(home / "journal.sqlite")
    opener = Opener(Keyring(home / "keys.json"))
    found: Counter[tuple[str, str]] = Counter()
    order: dict[tuple[str, int], int] = {}
    following: Counter[tuple[str, int, int]] = Counter()
    records = list(journal.read(0, journal.last_id()))
    if SPARE in world.centres:  # what came on the stick comes after what came by itself
        records.sort(key=lambda record: (record.sensor, record.epoch, record.lane, record.seq))
    for record in records:
        place = (record.sensor, record.epoch, record.lane)
        assert record.seq == following[place], f"{place}: {record.seq} follows {following[place] - 1}"
        following[place] += 1
        for line in opener.read(record.sealed)[1].decode().splitlines():
            found[record.sensor, line] += 1
            if record.lane == lanes.ALERT:
                event = json.loads(line)
                flow, count = (record.sensor, event["flow_id"]), event["alert"]["count"]
                assert count == order.get(flow, 0) + 1, f"alerts of flow {flow} are out of order"
                order[flow] = count
    # What the other centre had when a sensor came back is no loss: the numbers above are all there.
    gaps = [gap for gap in journal.gaps() if not (SPARE in world.centres and gap[2] == ELSEWHERE)]
    refused = journal.quarantined()
    journal.close()
    expected = Counter((name, line) for name, paths in sent.items() for path in paths
                       for line in path.read_text().splitlines())  # fmt: skip
    missing, extra = expected - found, found - expected
    assert not missing and not extra, f"{missing.total()} missing, {extra.total()} extra"
    assert not gaps and not refused, f"gaps {gaps}, quarantine {refused}"
    for name in world.names:
        spool = Spool(world.home(name) / "spool.sqlite", name)
        for book in spool.books():
            assert book.made == book.delivered and not book.pending and not book.lost, f"{name}: {book}"
        spool.close()
    return f"{expected.total()} events{joined}"


def play(seed: int, *, minutes: float = 0.0, store: bool = False) -> str:
    """One schedule; a line about it. AssertionError with the logs' ends when something is wrong."""
    chance = random.Random(seed ^ 0x5EED)
    sensors, acts = chance.randrange(1, 4), chance.randrange(5, 12)
    count, files = (chance.randrange(300, 900), 60) if not minutes else (int(3_000 * minutes), 600)
    bandwidth = ("--bandwidth", "16K" if minutes else chance.choice(("80K", "150K", "300K")))
    has_spare = random.Random(seed ^ 0xFA11).random() < SPARE_SHARE
    failover = ("--failover", FAILOVER_SECONDS) if has_spare else ()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="haidang-chaos-") as name:
        disk_bytes = DISK_BYTES * 6 if minutes else DISK_BYTES
        world = World(Path(name), sensors, seed=seed, store=store, has_spare=has_spare, disk_bytes=disk_bytes)
        chaos = Chaos(world, seed, pause_seconds=10.0 if minutes else 0.4)
        try:
            sent = {
                tap: write_events(Path(name) / "events" / tap, tap, count, files, chance)
                for tap in world.names
            }
            for tap in world.names:
                run = ["sensor", "run", "-d", world.home(tap), "--metrics", "", "--drain", "300"]
                world.commands[tap] = [*map(str, (*run, *bandwidth, *failover, "--events", *sent[tap]))]
                world.start(tap)
            while acts > 0 or time.monotonic() < begin + 60 * minutes:
                chaos.happen()
                acts -= 1
            for each in (*world.centres, *world.names):
                world.start(each)
            world.finish(FINISH_SECONDS + 60 * minutes)
            for centre in world.centres:
                world.kill(centre)
            events = check(world, sent)
        except BaseException as error:
            told = "\n".join(
                f"== {log.name}\n{log.read_text(errors='replace')[-1500:]}"
                for log in Path(name).glob("*.log")
            )
            keep = Path(tempfile.gettempdir()) / f"haidang-chaos-{seed}"
            shutil.rmtree(keep, ignore_errors=True)
            shutil.copytree(name, keep, ignore=shutil.ignore_patterns("*reserve", "filler"))
            raise AssertionError(
                f"seed {seed}: {error!r}\n{dict(chaos.happened)}\n{told}\nkept: {keep}"
            ) from error
        finally:
            world.close()
    seconds = time.monotonic() - begin
    what = ", ".join(f"{act} {times}" for act, times in sorted(chaos.happened.items()))
    done = f"{sum(chaos.happened.values())} things, {chaos.under_way} of them with events under way"
    centres = f", {len(world.centres)} centres" if has_spare else ""
    return f"seed {seed}: {sensors} sensors{centres}, {events}, {seconds:.0f} s; {done}: {what}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="of the first schedule (random)")
    parser.add_argument("--schedules", type=int, default=200, help="how many (200)")
    parser.add_argument("--minutes", type=float, default=0.0, help="one schedule of this length instead")
    parser.add_argument("--seconds", type=float, default=0.0, help="begin no schedule after this long")
    parser.add_argument("--store", action="store_true", help="with the embedded store running, too")
    args = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("namespaces and file systems of one's own take root")
    first = random.SystemRandom().randrange(1 << 31) if args.seed is None else args.seed
    begin = time.monotonic()
    done = 0
    for number in range(1 if args.minutes else args.schedules):
        if args.seconds and time.monotonic() - begin > args.seconds:
            break
        print(play(first + number, minutes=args.minutes, store=args.store), flush=True)
        done += 1
    print(f"{done} schedules from seed {first}: all sets equal, each event once, alerts in order")
    return 0


if __name__ == "__main__":
    sys.exit(main())
