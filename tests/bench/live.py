"""Live capture against Suricata's: the rate up to which nothing is lost, and the cost of a packet.

    python tests/bench/live.py --pcap mix-open.pcap --rules etopen.rules [--rates 50000,0]

Needs root. Both sensors get one worker on one interface, the same rules and the same configuration
(paired.yaml), once with all logs and once with alerts alone. The sender (tests/live/send.py) and the sensor
are kept to a processor each; what the kernel does for a packet on a veth pair is done in the sender's. Rate 0
is the most the sender can offer. Loss and packets are the kernel's own counts, asked through the command
socket that both have.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import yaml
from piped import cpu_seconds, thread_seconds
from suricata_socket import Client

ROOT = Path(__file__).resolve().parents[2]
SEND = ROOT / "tests" / "live" / "send.py"
CONF = Path(__file__).with_name("paired.yaml")
NAMESPACE = f"haidang-bench-{os.getpid()}"
START_SECONDS = 900.0
SETTLE_SECONDS = 3.0  # Suricata tells its counters once a second at best
SENDER_CPU, SENSOR_CPU = "0", "1"
RING_BYTES = 64 << 20
WORKERS = {"haidang": "worker-", "suricata": "W#"}  # what the threads that take packets are called


@dataclass(frozen=True)
class Row:
    """One rate. offered: packets a second; cpu_us: microseconds of the sensor's processor time a packet;
    worker_us: of its worker's, which in Suricata writes the events too."""

    offered: float
    sent: int
    seen: int
    dropped: int
    cpu_us: float
    worker_us: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pcap", type=Path, required=True)
    parser.add_argument("--rules", type=Path, required=True)
    parser.add_argument("--rates", default="50000,100000,150000,200000,0")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--only", choices=("haidang", "suricata"))
    args = parser.parse_args()
    if os.geteuid() != 0:
        print("live: network namespaces need root", file=sys.stderr)
        return 2
    sensors = [name for name in ("haidang", "suricata") if args.only in (None, name)]
    if "suricata" in sensors and not shutil.which("suricata"):
        sensors.remove("suricata")
        print("live: suricata is not installed; without it there is nothing to compare", file=sys.stderr)
    rates = [float(rate) for rate in args.rates.split(",")]
    with wire(), tempfile.TemporaryDirectory() as folder:
        for logs in ("all logs", "alerts only"):
            for name in sensors:
                out = Path(folder) / f"{name}-{logs.replace(' ', '-')}"
                out.mkdir()
                titles = f"{'offered/s':>10} {'sent':>10} {'dropped':>9} {'loss %':>7} {'µs/packet':>10}"
                titles += f" {'worker':>7}"
                print(f"\n{name}, {logs}", titles, sep="\n")
                for row in measure(name, args, out, rates, all_logs=logs == "all logs"):
                    lost = 100 * row.dropped / max(1, row.seen)
                    counted = f"{row.offered:>10,.0f} {row.sent:>10,} {row.dropped:>9,}"
                    print(f"{counted} {lost:>7.2f} {row.cpu_us:>10.2f} {row.worker_us:>7.2f}", flush=True)
    return 0


def measure(
    name: str, args: argparse.Namespace, out: Path, rates: list[float], *, all_logs: bool
) -> Iterator[Row]:
    with sensor(name, configuration(out, all_logs=all_logs), args.rules, out) as (process, client):
        for rate in rates:
            before, cpu_before = counts(client), used(name, process)
            send = inside(sys.executable, SEND, "out0", rate, f"{args.seconds}s", args.pcap)
            done = subprocess.run(
                ["taskset", "-c", SENDER_CPU, *send],
                capture_output=True, text=True, check=True, timeout=args.seconds + 60,
            )  # fmt: skip
            time.sleep(SETTLE_SECONDS)
            after = counts(client)
            cpu, worker_cpu = (now - then for now, then in zip(used(name, process), cpu_before, strict=True))
            sent, seconds, _ = done.stdout.split()
            seen, dropped = after[0] - before[0], after[1] - before[1]
            handled = max(1, seen - dropped)
            per_packet = (cpu / handled * 1e6, worker_cpu / handled * 1e6)
            yield Row(int(sent) / float(seconds), int(sent), seen, dropped, *per_packet)


def used(name: str, process: subprocess.Popen[bytes]) -> tuple[float, float]:
    """Seconds of processor time that the sensor has used, and of them its worker."""
    return cpu_seconds(process.pid), thread_seconds(process.pid, WORKERS[name])


@contextmanager
def sensor(name: str, conf: Path, rules: Path, out: Path) -> Iterator[tuple[subprocess.Popen[bytes], Client]]:
    path = out / "command.socket"
    command: list[object]
    if name == "suricata":
        command = ["suricata", "--af-packet=in0", "-c", conf, "-S", rules, "-l", out, "-k", "none"]
    else:
        command = [sys.executable, "-m", "sensor.cli", "capture", "-i", "in0", "-c", conf, "-S", rules]
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
            while not counts(client, is_quiet=True)[2]:
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


def counts(client: Client, *, is_quiet: bool = False) -> tuple[int, int, bool]:
    """Packets for the sensor, those of them that were dropped, whether it tells of capture at all."""
    told = cast(dict[str, dict[str, int]], client.command("dump-counters"))
    capture = told.get("capture", {})
    return capture.get("kernel_packets", 0), capture.get("kernel_drops", 0), "kernel_packets" in capture


def configuration(out: Path, *, all_logs: bool) -> Path:
    """paired.yaml for one interface, one worker and a ring of the same size in both."""
    conf = yaml.safe_load(CONF.read_text())
    conf["stats"] = {"enabled": True, "interval": 1}
    conf["unix-command"] = {"enabled": True, "filename": str(out / "command.socket")}
    block = 1 << 20
    frame = 1600
    conf["af-packet"] = [
        {
            "interface": "in0",
            "threads": 1,
            "cluster-id": 99,
            "cluster-type": "cluster_flow",
            "use-mmap": True,
            "tpacket-v3": True,
            "ring-size": RING_BYTES // frame,
            "block-size": block,
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
def wire() -> Iterator[None]:
    def run(*command: object) -> None:
        subprocess.run([str(word) for word in command], check=True, capture_output=True, timeout=20)

    run("ip", "netns", "add", NAMESPACE)
    try:
        run(*inside("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6"))
        run("ip", "-n", NAMESPACE, "link", "add", "out0", "type", "veth", "peer", "name", "in0")
        for end in ("out0", "in0"):
            run("ip", "-n", NAMESPACE, "link", "set", end, "mtu", 65000, "up")
        yield
    finally:
        run("ip", "netns", "del", NAMESPACE)


if __name__ == "__main__":
    sys.exit(main())
