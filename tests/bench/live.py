"""Live capture against Suricata's: the rate up to which nothing is lost, and the cost of a packet.

    python tests/bench/live.py --pcap mix-open.pcap --rules etopen.rules [--rates 50000,0] [--rounds 5]

Needs root. Both sensors get one worker on one interface of their own, the same rules and the same
configuration (paired.yaml), once with all logs and once with alerts alone. They run side by side, and each
rate is offered to them in turn, so that a machine that becomes slower or faster meanwhile does so for both.
The sender (tests/live/send.py) and the sensors are kept to a processor each; what the kernel does for a
packet on a veth pair is done in the sender's. Rate 0 is the most the sender can offer. Loss and packets are
the kernel's own counts, asked through the command socket that both have. All figures go to live.json in
--out.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import yaml
from piped import cpu_seconds, thread_seconds
from runs import Spread, are_there, environment, write_json
from suricata_socket import Client, SuricataError
from tables import spread_text

ROOT = Path(__file__).resolve().parents[2]
SEND = ROOT / "tests" / "live" / "send.py"
CONF = Path(__file__).with_name("paired.yaml")
NAMESPACE = f"haidang-bench-{os.getpid()}"
START_SECONDS = 900.0
SETTLE_SECONDS = 3.0  # Suricata tells its counters once a second at best
COUNTED_SECONDS = 15.0  # after that a packet that is not counted is taken for never told of
WARM_RATE = 50_000.0
SENDER_CPU, SENSOR_CPU = "0", "1"
RING_BYTES, BLOCK_BYTES = 64 << 20, 1 << 20
MTU_BYTES, HEADER_BYTES = 65_000, 128  # of a frame in the ring, the latter about
SENSORS = ("haidang", "suricata")
LOGS = ("all logs", "alerts only")
WORKERS = {"haidang": "worker-", "suricata": "W#"}  # what the threads that take packets are called


@dataclass(frozen=True)
class Row:
    """What one sensor did at one rate. offered: packets a second; cpu_us: microseconds of the sensor's
    processor time a packet; worker_us: of its worker's, which in Suricata writes the events too."""

    offered: float
    sent: int
    seen: int
    dropped: int
    cpu_us: float
    worker_us: float


@dataclass(frozen=True)
class Running:
    """A sensor that captures on a wire of its own."""

    name: str
    wire: int
    process: subprocess.Popen[bytes]
    client: Client


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pcap", type=Path, required=True)
    parser.add_argument("--rules", type=Path, required=True)
    parser.add_argument("--rates", default="50000,100000,200000,300000,0")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=5, help="how often each rate is offered to each (5)")
    parser.add_argument("--only", choices=SENSORS)
    parser.add_argument("--out", type=Path, default=Path("bench-out"))
    args = parser.parse_args()
    if os.geteuid() != 0:
        print("live: network namespaces need root", file=sys.stderr)
        return 2
    if not are_there("live", args.pcap, args.rules):
        return 2
    names = [name for name in SENSORS if args.only in (None, name)]
    if "suricata" in names and not shutil.which("suricata"):
        names.remove("suricata")
        print("live: suricata is not installed; without it there is nothing to compare", file=sys.stderr)
    rates = [float(rate) for rate in args.rates.split(",")]
    record = environment() | {"command": shlex.join(sys.argv), "load_before": os.getloadavg()}
    tables: dict[str, dict[str, dict[float, list[Row]]]] = {}
    with wire(len(names)), tempfile.TemporaryDirectory() as folder:
        for logs in LOGS:
            with ExitStack() as stack:
                running = [
                    stack.enter_context(started(name, number, logs, args.rules, Path(folder)))
                    for number, name in enumerate(names)
                ]
                tables[logs] = measure(running, rates, args)
            print(
                f"\n{logs}: medians of {args.rounds}, lowest .. highest",
                *table(tables[logs]),
                sep="\n",
                flush=True,
            )
    args.out.mkdir(parents=True, exist_ok=True)
    write_json(args.out / "live.json", record | {"load_after": os.getloadavg(), "rows": tables})
    return 0


def measure(
    running: list[Running], rates: list[float], args: argparse.Namespace
) -> dict[str, dict[float, list[Row]]]:
    """Each rate is offered to all sensors in turn, and who goes first changes too. The first packets after a
    start, which find nothing in any cache, do not count."""
    for one in running:
        offer(one, WARM_RATE, args.seconds, args.pcap)
    rows: dict[str, dict[float, list[Row]]] = {one.name: {rate: [] for rate in rates} for one in running}
    for number in range(args.rounds):
        for rate in rates:
            for one in running if number % 2 == 0 else reversed(running):
                rows[one.name][rate].append(offer(one, rate, args.seconds, args.pcap))
        print(f"round {number + 1} of {args.rounds} done", file=sys.stderr, flush=True)
    return rows


def offer(one: Running, rate: float, seconds: float, pcap: Path) -> Row:
    """Sends at a rate, and waits until the sensor has counted what was sent."""
    before, cpu_before = counts(one.client), used(one)
    send = inside(sys.executable, SEND, f"out{one.wire}", rate, f"{seconds}s", pcap)
    done = subprocess.run(
        ["taskset", "-c", SENDER_CPU, *send],
        capture_output=True, text=True, check=True, timeout=seconds + 60,
    )  # fmt: skip
    sent, took, _ = done.stdout.split()
    until = time.monotonic() + COUNTED_SECONDS
    while time.monotonic() < until:
        time.sleep(SETTLE_SECONDS)
        after = counts(one.client)
        if after[0] - before[0] >= int(sent):
            break
    cpu, worker_cpu = (now - then for now, then in zip(used(one), cpu_before, strict=True))
    seen, dropped = after[0] - before[0], after[1] - before[1]
    handled = max(1, seen - dropped)
    return Row(
        int(sent) / float(took), int(sent), seen, dropped, cpu / handled * 1e6, worker_cpu / handled * 1e6
    )


def table(rows: dict[str, dict[float, list[Row]]]) -> list[str]:
    """Lines: a rate each, with what every sensor lost, what a packet cost it, and ours by theirs."""
    lines = [f"{'rate':>8}  {'':10}{'offered/s':>10} {'lost':>11} {'µs/packet':>22} {'worker':>22}"]
    for rate in next(iter(rows.values())):
        told = f"{rate:,.0f}" if rate else "most"
        for name in rows:
            of_it = rows[name][rate]
            offered = Spread.of([row.offered for row in of_it])
            lost = f"{sum(row.dropped for row in of_it):,}"
            if missing := sum(max(0, row.sent - row.seen) for row in of_it):
                lost += f" (of {missing:,} it told nothing)"
            costs = (spread([row.cpu_us for row in of_it]), spread([row.worker_us for row in of_it]))
            lines.append(
                f"{told:>8}  {name:10}{offered.median:>10,.0f} {lost:>11} {costs[0]:>22} {costs[1]:>22}"
            )
            told = ""
        if len(rows) == len(SENSORS):
            pairs = list(zip(*(rows[name][rate] for name in SENSORS), strict=True))
            whole = spread([mine.cpu_us / theirs.cpu_us for mine, theirs in pairs])
            worker = spread([mine.worker_us / theirs.worker_us for mine, theirs in pairs])
            lines.append(f"{'':10}{'ours/theirs':10}{'':>21} {whole:>22} {worker:>22}")
    return lines


def spread(figures: list[float]) -> str:
    return spread_text(Spread.of(figures), 2)


def used(one: Running) -> tuple[float, float]:
    """Seconds of processor time that the sensor has used, and of them its worker."""
    return cpu_seconds(one.process.pid), thread_seconds(one.process.pid, WORKERS[one.name])


@contextmanager
def started(name: str, number: int, logs: str, rules: Path, folder: Path) -> Iterator[Running]:
    out = folder / f"{name}-{logs.replace(' ', '-')}"
    out.mkdir()
    conf = configuration(out, all_logs=logs == LOGS[0], interface=f"in{number}")
    with sensor(name, conf, rules, out, interface=f"in{number}") as (process, client):
        yield Running(name, number, process, client)


@contextmanager
def sensor(
    name: str, conf: Path, rules: Path, out: Path, interface: str = "in0"
) -> Iterator[tuple[subprocess.Popen[bytes], Client]]:
    path = out / "command.socket"
    command: list[object]
    if name == "suricata":
        command = ["suricata", f"--af-packet={interface}", "-c", conf, "-S", rules, "-l", out, "-k", "none"]
    else:
        command = [sys.executable, "-m", "sensor.cli", "capture", "-i", interface, "-c", conf, "-S", rules]
        command += ["-l", out, "-k", "none", "--unix-socket", path]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (out / "console.txt").open("wb") as console:
        process = subprocess.Popen(
            ["taskset", "-c", SENSOR_CPU, *inside(*command)],
            stdout=console, stderr=console, env=env, cwd=out, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    try:
        with connect(process, path, out) as connection:
            client = Client(connection)
            until = time.monotonic() + 60
            while not tells(client):
                if time.monotonic() > until:
                    raise RuntimeError(f"{name} does not capture; see {out / 'console.txt'}")
                time.sleep(0.5)
            yield process, client
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(60)
        if process.poll() is None:
            process.kill()
            process.wait()


def connect(process: subprocess.Popen[bytes], path: Path, out: Path) -> socket.socket:
    until = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(path))
            return connection
        except OSError:
            connection.close()
            time.sleep(0.5)
    raise RuntimeError(f"it did not come up: {(out / 'console.txt').read_text()[-2000:]}")


def counts(client: Client) -> tuple[int, int]:
    """Packets for the sensor, and those of them that were dropped."""
    found = captured(client)
    return found.get("kernel_packets", 0), found.get("kernel_drops", 0)


def tells(client: Client) -> bool:
    """Whether the sensor counts captured packets yet."""
    try:
        return "kernel_packets" in captured(client)
    except SuricataError:  # "stats not yet synchronized"
        return False


def captured(client: Client) -> dict[str, int]:
    """The sensor's counters of its capture; none before it has begun."""
    return cast(dict[str, dict[str, int]], client.command("dump-counters")).get("capture", {})


def configuration(out: Path, *, all_logs: bool, interface: str = "in0") -> Path:
    """paired.yaml for one interface, one worker and a ring of the same size in both."""
    conf = yaml.safe_load(CONF.read_text())
    conf["stats"] = {"enabled": True, "interval": 1}
    conf["unix-command"] = {"enabled": True, "filename": str(out / "command.socket")}
    conf["af-packet"] = [
        {
            "interface": interface,
            "threads": 1,
            "cluster-id": 99,
            "cluster-type": "cluster_flow",
            "use-mmap": True,
            "tpacket-v3": True,
            "block-size": BLOCK_BYTES,
            "ring-memory": RING_BYTES,
            # Suricata counts packets, each as long as the longest the interface takes.
            "ring-size": (RING_BYTES // BLOCK_BYTES - 1) * (BLOCK_BYTES // (MTU_BYTES + HEADER_BYTES)),
        }
    ]
    if not all_logs:
        for entry in conf["outputs"]:
            if "eve-log" in entry:
                entry["eve-log"]["types"] = ["alert"]
    path = out / "sensor.yaml"
    path.write_text("%YAML 1.1\n---\n" + yaml.safe_dump(conf))
    return path


def inside(*command: object) -> list[str]:
    return ["ip", "netns", "exec", NAMESPACE, *map(str, command)]


@contextmanager
def wire(count: int = 1) -> Iterator[None]:
    """Pairs of interfaces, out0 to in0 and so on, in a network namespace."""

    def run(*command: object) -> None:
        subprocess.run([str(word) for word in command], check=True, capture_output=True, timeout=20)

    run("ip", "netns", "add", NAMESPACE)
    try:
        run(*inside("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6"))
        for number in range(count):
            ends = f"out{number}", f"in{number}"
            run("ip", "-n", NAMESPACE, "link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
            for end in ends:
                run("ip", "-n", NAMESPACE, "link", "set", end, "mtu", MTU_BYTES, "up")
        yield
    finally:
        run("ip", "netns", "del", NAMESPACE)


if __name__ == "__main__":
    sys.exit(main())
