"""A live capture for long at 80 % of the rate at which it loses nothing: memory flat, no loss, books closed.

    python tests/bench/live_soak.py --pcap mix-open.pcap --rules etopen.rules [--seconds 600] [--rate 200000]

Needs root. Without --rate that at which nothing is lost is looked for first: as many as the sender can offer,
then a tenth less each time; what loses nothing for five seconds must lose nothing for a minute too, since a
shared machine has fast seconds (RFC 2544, section 24: trials of 60 seconds, shorter ones only on the way).
One interface, one worker, all logs within a quota of 1 GiB.
Memory is looked at every second and judged as by soak.py. All figures go to live-soak.json in --out.
Exit code: 0 when all holds, 1 when not, 2 when something could not be run.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, cast

import yaml
from live import SEND, SENDER_CPU, SETTLE_SECONDS, configuration, counts, inside, sensor, wire
from piped import Memory, cpu_seconds, memory_of
from runs import are_there, environment, write_json
from soak import MIB, judge
from soak import SETTLE_SECONDS as MEMORY_SETTLES
from suricata_socket import Client

SHARE = 0.8
TRIAL_SECONDS = (5.0, 60.0)
TRY_LESS = 0.9
TRIES = 16


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pcap", type=Path, nargs="+", required=True)
    parser.add_argument("--rules", type=Path, nargs="+", required=True)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--rate", type=float, help="packets a second (80 %% of what loses nothing)")
    parser.add_argument("--settle", type=float, default=MEMORY_SETTLES, help="seconds that do not count (60)")
    parser.add_argument("--out", type=Path, default=Path("bench-out"))
    args = parser.parse_args()
    if os.geteuid() != 0:
        print("live_soak: network namespaces need root", file=sys.stderr)
        return 2
    if not are_there("live_soak", *args.pcap, *args.rules):
        return 2
    record = environment() | {"command": shlex.join(sys.argv), "load_before": os.getloadavg()}
    with wire(), tempfile.TemporaryDirectory(prefix="haidang-live-soak-") as folder:
        out = Path(folder)
        conf = configuration(out, all_logs=True)
        tree = yaml.safe_load(conf.read_text())
        for name in ("block-size", "ring-memory", "ring-size"):  # as shipped
            tree["af-packet"][0].pop(name, None)
        tree["haidang"] = {"logs": {"total": "1gb", "rotate-size": "64mb"}}
        conf.write_text("%YAML 1.1\n---\n" + yaml.safe_dump(tree))
        rules = out / "all.rules"
        rules.write_text("\n".join(one.read_text() for one in args.rules))
        with sensor("haidang", conf, rules, out) as (process, client):
            rate = args.rate or SHARE * lossless(client, args.pcap)
            before, cpu = counters(client), cpu_seconds(process.pid)
            samples, sent, took = soak(process.pid, client, args.pcap, rate, args.seconds)
            time.sleep(SETTLE_SECONDS)
            after, cpu = counters(client), cpu_seconds(process.pid) - cpu
        console = (out / "console.txt").read_text(errors="replace")
    came = {name: after.get(name, 0) - before.get(name, 0) for name in after}
    verdict = judge([(at, float(memory.resident)) for at, memory in samples], args.settle)
    faults = [f"memory {fault}" for fault in verdict.faults]
    for name in ("capture.kernel_drops", "haidang.event_queue.lost_logs", "haidang.logs.lost_lines"):
        if lost := came.get(name, 0):
            faults.append(f"{name}: {lost}")
    for name in ("capture.kernel_packets", "haidang.capture.frames", "decoder.pkts"):
        if came[name] != sent:
            faults.append(f"{sent} packets were sent, {name} is {came[name]}")
    faults += [
        line for line in console.splitlines() if "do not close" in line or "the kernel counted" in line
    ]
    print(f"{sent:,} packets in {took:.0f} s ({sent / took:,.0f} a second), {cpu / sent * 1e6:.2f} µs each")
    print(verdict.told())
    load = os.getloadavg()
    print(f"load of the machine before {record['load_before'][0]:.1f}, at the end {load[0]:.1f}")
    args.out.mkdir(parents=True, exist_ok=True)
    write_json(
        args.out / "live-soak.json",
        record
        | {
            "load_after": load,
            "packets": sent,
            "seconds": took,
            "asked_rate": rate,
            "cpu_us_per_packet": cpu / sent * 1e6,
            "verdict": verdict,
            "faults": faults,
            "counters": {name: value for name, value in came.items() if value},
            "samples": [(at, *memory) for at, memory in samples],
        },
    )
    print("\n".join(f"WRONG: {fault}" for fault in faults) or "flat, nothing lost, books closed")
    return 1 if faults else 0


def lossless(client: Client, pcap: list[Path]) -> float:
    """The rate that was offered for a minute and of which nothing was lost, packets a second."""
    rate = 0.0
    for _ in range(TRIES):
        for seconds in TRIAL_SECONDS:
            offered, lost = trial(client, pcap, rate, seconds)
            if lost:
                break
        else:
            return offered
        rate = offered * TRY_LESS
    raise SystemExit("live_soak: something is lost at every rate: is the machine busy otherwise?")


def trial(client: Client, pcap: list[Path], rate: float, seconds: float) -> tuple[float, int]:
    """Packets a second that were offered, and packets lost."""
    _, dropped = counts(client)
    done = subprocess.run(sender(pcap, rate, seconds), capture_output=True, text=True, check=True)
    sent, took, _ = done.stdout.split()
    time.sleep(SETTLE_SECONDS)
    offered, lost = int(sent) / float(took), counts(client)[1] - dropped
    print(f"{offered:,.0f} a second for {seconds:.0f} s: {lost:,} of {int(sent):,} lost", flush=True)
    return offered, lost


def soak(
    process_id: int, client: Client, pcap: list[Path], rate: float, seconds: float
) -> tuple[list[tuple[float, Memory]], int, float]:
    """Samples of memory, with the seconds; packets sent, and the seconds that took."""
    _, lost_before = counts(client)
    send = subprocess.Popen(sender(pcap, rate, seconds), stdout=subprocess.PIPE, text=True)
    begun = time.monotonic()
    samples: list[tuple[float, Memory]] = []
    while send.poll() is None:
        samples.append((time.monotonic() - begun, memory_of(process_id)))
        if len(samples) % 60 == 0:
            seconds_on, memory = samples[-1]
            # A client that says nothing for ten minutes is no longer served.
            lost = counts(client)[1] - lost_before
            of_it = f"{memory.anonymous / MIB:.0f} MiB of it no file"
            print(f"{seconds_on:.0f} s: {memory.resident / MIB:.0f} MiB, {of_it}; {lost:,} lost", flush=True)
        time.sleep(1)
    sent, took, _ = send.communicate()[0].split()
    return samples, int(sent), float(took)


def sender(pcap: list[Path], rate: float, seconds: float) -> list[str]:
    return ["taskset", "-c", SENDER_CPU, *inside(sys.executable, SEND, "out0", rate, f"{seconds}s", *pcap)]


def counters(client: Client) -> dict[str, int]:
    def flat(prefix: str, node: dict[str, Any]) -> dict[str, int]:
        found: dict[str, int] = {}
        for name, value in node.items():
            if isinstance(value, dict):
                found |= flat(f"{prefix}{name}.", value)
            elif isinstance(value, int):
                found[prefix + name] = value
        return found

    return flat("", cast(dict[str, Any], client.command("dump-counters")))


if __name__ == "__main__":
    sys.exit(main())
