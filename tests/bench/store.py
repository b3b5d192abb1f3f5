"""What an analyst waits for: typical questions to a store of five million events, asked as the command line
asks them.

    python tests/bench/store.py [--count 5000000] [--url http://user:password@host:8123] [--rounds 15]
                                [--keep FOLDER] [--out FOLDER]

Without --url it is the embedded store, filled through the daemon as the filler does, and the ClickHouse
server is left out, said so. With --url it is that server: the bench makes a database `haidang_bench` there
and drops it; it goes no further when there is one. --keep leaves the embedded store in a folder and uses it
again.

Every question is asked in so many rounds, each time for another address, host, flow or sensor, and its answer
is read to the end. Exit code: 0 when every median is below --limit-ms (300), 1 when one is not, 2 when
something could not be run.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from runs import RunError, environment, write_json  # noqa: E402
from store_events import COMMON, RARE, Made, groups, plan  # noqa: E402

from collectors.store import migrate, schema  # noqa: E402
from collectors.store.client import connect, embedded_address, server_address  # noqa: E402
from collectors.store.figures import flow, timeline, top  # noqa: E402
from collectors.store.fill import GROUP_EVENTS  # noqa: E402
from collectors.store.search import Question, search, size  # noqa: E402
from sensor.errors import UserError  # noqa: E402

DATABASE = "haidang_bench"
EXIT_SLOW, EXIT_CANNOT_RUN = 1, 2
LIMIT_MS = 300.0
END = 1_790_000_000  # when the last event happened: the same events in every run
_START_SECONDS = 60.0
_SETTLE_SECONDS = 120.0


@dataclass(frozen=True)
class Asked:
    """One question over all rounds."""

    name: str
    milliseconds: list[float]
    rows: list[int]

    @property
    def median(self) -> float:
        return statistics.median(self.milliseconds)


@contextlib.contextmanager
def embedded(directory: Path) -> Iterator[Any]:
    """A client of a store daemon of our own in this directory."""
    endpoint = directory / "endpoint.json"
    endpoint.unlink(missing_ok=True)
    command = [sys.executable, "-m", "collectors.store.daemon", str(directory / "data"), str(endpoint)]
    daemon = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not endpoint.exists():
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise RunError("the store daemon does not start")
            time.sleep(0.05)
        client = connect(embedded_address(endpoint))
        yield client
        client.close()
    finally:
        assert daemon.stdin is not None
        daemon.stdin.close()
        daemon.wait(60)


def load(client: Any, made: Made, count: int) -> float:
    """Fill the store group by group; the seconds that the store took."""
    spent = 0.0
    for number, (received, lines) in enumerate(groups(made, count, GROUP_EVENTS)):
        head = f"\t1\t3\t{number}\t{received * 1_000_000}\t".encode()
        data = b"".join(
            b"%b%b%d\t%b\n" % (sensor.encode(), head, row, line) for row, (sensor, line) in enumerate(lines)
        )
        begin = time.perf_counter()
        client.raw_insert(
            f"{DATABASE}.inbox",
            schema.INBOX_COLUMNS,
            data,
            settings={**schema.insert_settings(), "insert_deduplication_token": str(number)},
            fmt="TSVRaw",
        )
        spent += time.perf_counter() - begin
    return spent


def settle(client: Any) -> None:
    """Wait until the merges in the background have ended, or long enough."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < deadline:
        if not client.query("SELECT count() FROM system.merges").result_rows[0][0]:
            return
        time.sleep(0.5)


def questions(client: Any, made: Made) -> dict[str, Callable[[random.Random], int]]:
    """What analysts ask, by name; each returns how many rows it got."""
    end = datetime.fromtimestamp(made.end, UTC)
    day = datetime.fromtimestamp(made.end - 86_400, UTC)
    week = datetime.fromtimestamp(made.end - 7 * 86_400, UTC)

    def found(**asked: Any) -> int:
        return sum(1 for _ in search(client, DATABASE, Question(**asked)))

    def one_flow(chance: random.Random) -> int:
        number = chance.choice(made.flows)
        flow(client, DATABASE, Question(flow_id=number))
        return found(flow_id=number, oldest_first=True, limit=1000)

    def one_sensor(chance: random.Random) -> int:
        asked = Question(sensor=chance.choice(made.sensors), since=day, until=end)
        return len(timeline(client, DATABASE, asked)[1])

    return {
        "alerts of the last day by signature": lambda _: len(
            top(client, DATABASE, "signature", Question(since=day, limit=50))
        ),
        "one address, its last 100 events": lambda chance: found(
            address=chance.choice(made.addresses), limit=100
        ),
        "a busy address, its last 100 events": lambda chance: found(
            address=made.addresses[chance.randrange(50)], limit=100
        ),
        "a host name over 7 days": lambda chance: found(
            host=chance.choice(made.hosts), since=week, limit=1000
        ),
        "a rare word in payload, 7 days": lambda _: found(text=RARE, since=week, limit=100),
        "a common word in payload, 7 days": lambda _: found(text=COMMON, since=week, limit=100),
        "one flow, everything": one_flow,
        "one sensor over a day, step by step": one_sensor,
        "the newest 100 alerts": lambda _: found(event_type="alert", limit=100),
        "who raised most alerts in 7 days": lambda _: len(
            top(client, DATABASE, "src", Question(event_type="alert", since=week, limit=20))
        ),
    }


def ask(client: Any, made: Made, rounds: int) -> list[Asked]:
    """All questions, in turn, so that none finds what it asked for a moment ago at hand."""
    answers: dict[str, Asked] = {}
    chance = random.Random(3)
    for _ in range(rounds):
        for name, question in questions(client, made).items():
            begin = time.perf_counter()
            rows = question(chance)
            spent = (time.perf_counter() - begin) * 1000
            entry = answers.setdefault(name, Asked(name, [], []))
            entry.milliseconds.append(spent)
            entry.rows.append(rows)
    return list(answers.values())


def measure(client: Any, args: argparse.Namespace, what: str) -> list[str]:
    """Fill, ask, print and write; what was too slow."""
    made = plan(END)
    existing = size(client, DATABASE)[0]
    load_seconds = 0.0
    if existing == 0:
        migrate.bring_up(client, DATABASE)
        load_seconds = load(client, made, args.count)
        settle(client)
    else:
        for _ in groups(made, min(args.count, 20 * GROUP_EVENTS), GROUP_EVENTS):
            pass  # only for what was noted of it
        migrate.bring_up(client, DATABASE)
    events, stored, parts = size(client, DATABASE)
    raw = client.query(f"SELECT avg(length(raw)) FROM {DATABASE}.events").result_rows[0][0]
    print(f"{what}: {events:,} events, {parts} parts, {stored / events:.0f} bytes each (raw {raw:.0f})")
    if load_seconds:
        print(f"filled at {events / load_seconds:,.0f} events a second")
    asked = ask(client, made, args.rounds)
    print(f"{'question':<42} {'median ms':>10} {'worst ms':>10} {'rows':>8}")
    for entry in asked:
        print(
            f"{entry.name:<42} {entry.median:>10.1f} {max(entry.milliseconds):>10.1f} "
            f"{statistics.median(entry.rows):>8.0f}"
        )
    write_json(
        args.out / "store.json",
        {
            "store": what,
            "events": events,
            "bytes_per_event": stored / events,
            "raw_bytes_per_event": raw,
            "parts": parts,
            "load_events_per_second": events / load_seconds if load_seconds else None,
            "questions": {entry.name: {"ms": entry.milliseconds, "rows": entry.rows} for entry in asked},
            "environment": environment(),
        },
    )
    return [entry.name for entry in asked if entry.median >= args.limit_ms]


def on_server(args: argparse.Namespace) -> list[str]:
    """The same on a ClickHouse server."""
    client = connect(server_address(args.url))
    found = client.query(
        "SELECT count() FROM system.databases WHERE name = {name:String}", {"name": DATABASE}
    )
    if found.result_rows[0][0]:
        raise RunError(f"there is a database {DATABASE} on that server: drop it first, if it may go")
    try:
        return measure(client, args, f"ClickHouse {client.server_version}")
    finally:
        client.command(f"DROP DATABASE IF EXISTS {DATABASE} SYNC")
        client.close()


def on_embedded(args: argparse.Namespace) -> list[str]:
    """The store of a centre."""
    with contextlib.ExitStack() as cleanup:
        directory = args.keep or Path(cleanup.enter_context(tempfile.TemporaryDirectory()))
        directory.mkdir(parents=True, exist_ok=True)
        client = cleanup.enter_context(embedded(directory))
        slow = measure(client, args, f"embedded store (ClickHouse {client.server_version})")
    print("ClickHouse server: skipped, none was given (--url)")
    return slow


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--count", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--url", default="")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--limit-ms", type=float, default=LIMIT_MS)
    parser.add_argument("--out", type=Path, default=Path("bench-out"))
    args = parser.parse_args(argv)
    if args.count < 1 or args.rounds < 1:
        parser.error("--count and --rounds are at least 1")
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        slow = on_server(args) if args.url else on_embedded(args)
    except (RunError, UserError, OSError) as error:
        print(f"store: {error}", file=sys.stderr)
        return EXIT_CANNOT_RUN
    for name in slow:
        print(f"too slow: {name}", file=sys.stderr)
    return EXIT_SLOW if slow else 0


if __name__ == "__main__":
    sys.exit(main())
