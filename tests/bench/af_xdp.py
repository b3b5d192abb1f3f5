"""What receiving costs by AF_PACKET (TPACKET_V3) and by AF_XDP, on the same frames at the same rates.

    python tests/bench/af_xdp.py --pcap mix-open.pcap [--rates 50000,200000,0] [--passes 0,8] [--runs 5]

Needs root and a C compiler. receive.c takes frames from one end of a veth pair, tests/live/send.py gives them
to the other, each on a processor of its own; the ways take turns. The cost is processor time of the receiver
and of the sender, in which a veth pair does the kernel's part of receiving, by frames. Median, lowest and
highest of the runs. Passes are how often each byte of a frame is read: work that grows with what is cached.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from live import NAMESPACE, SEND, SENDER_CPU, SENSOR_CPU, inside, wire

WAYS = ("packet", "xdp-generic", "xdp-native")
MTU = 3000  # what the native way of a veth pair takes, and more than any frame of the capture
SETTLE_SECONDS = 0.3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pcap", type=Path, nargs="+", required=True)
    parser.add_argument("--rates", default="50000,200000,0")
    parser.add_argument("--passes", default="0,8")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    args = parser.parse_args()
    if os.geteuid() != 0:
        print("af_xdp: network namespaces need root", file=sys.stderr)
        return 2
    with wire(), tempfile.TemporaryDirectory() as folder:
        for end in ("out0", "in0"):
            subprocess.run(["ip", "-n", NAMESPACE, "link", "set", end, "mtu", str(MTU)], check=True)
        program = Path(folder) / "receive"
        source = Path(__file__).with_name("receive.c")
        subprocess.run(["cc", "-O2", "-o", program, source], check=True)
        titles = f"{'receiver µs':>20} {'sender µs':>20} {'both µs':>20} {'loss %':>18}"
        for passes in map(int, args.passes.split(",")):
            for rate in map(float, args.rates.split(",")):
                offered = f"{rate:,.0f}/s" if rate else "as many as go"
                print(f"\n{passes} passes, {offered}\n{'way':<12} {titles}", flush=True)
                told = defaultdict(list)
                for _ in range(args.runs):
                    for way in WAYS:
                        told[way].append(measure(program, way, passes, rate, args.seconds, args.pcap))
                for way in WAYS:
                    columns = [list(column) for column in zip(*told[way], strict=True)]
                    print(f"{way:<12}", *(spread(column) for column in columns), flush=True)
    return 0


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):>6.2f} ({min(values):.2f} to {max(values):.2f})"


def measure(
    program: Path, way: str, passes: int, rate: float, seconds: float, pcap: list[Path]
) -> tuple[float, float, float, float]:
    """Microseconds a frame of the receiver, of the sender, of both; frames lost in a hundred."""
    receiver = subprocess.Popen(
        ["taskset", "-c", SENSOR_CPU, *inside(program, "in0", way, passes)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert receiver.stdout
    if receiver.stdout.readline() != "ready\n":
        raise RuntimeError(f"{way} cannot be had here (exit code {receiver.wait()})")
    send = inside(sys.executable, SEND, "out0", rate, f"{seconds}s", *pcap)
    done = subprocess.run(
        ["taskset", "-c", SENDER_CPU, *send], capture_output=True, text=True, check=True, timeout=seconds + 60
    )
    time.sleep(SETTLE_SECONDS)
    receiver.terminate()
    taken, _, user, system, _ = receiver.communicate(timeout=20)[0].split()
    sent, _, sender = done.stdout.split()
    of_receiver = (int(user) + int(system)) / max(1, int(taken))
    of_sender = float(sender) * 1e6 / int(sent)
    return of_receiver, of_sender, of_receiver + of_sender, 100 * (1 - int(taken) / int(sent))


if __name__ == "__main__":
    sys.exit(main())
