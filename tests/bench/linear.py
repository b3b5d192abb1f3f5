"""Cost must grow with the size of the input, whatever the input: instructions of 1, 2, 4 … 32 times as much.

    python tests/bench/linear.py [NAME…] [--list] [--jobs N] [--keep DIR]

Each generator of the package `hostile` makes captures of growing size: the smallest stays under the engine's
caps, the largest goes far past them. Valgrind counts the instructions of each replay in a process that has
loaded the engine already, so that neither start-up nor a busy machine shows. Past the caps, a unit of what a
doubling adds may cost at most LIMIT times what a unit cost before; on the way there, at most RISE_MAX times
the cheapest before it. The largest input is then replayed without valgrind: its memory has a cap too.

Exit code: 0 when all are linear, 1 when one is not, 2 when valgrind or the engine is missing.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import instructions
from hostile import GENERATORS
from mutation import write

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

CONFIG = Path(__file__).with_name("everything.yaml")
SIZES = (1, 2, 4, 8, 16, 32)
PAST_CAPS = 2  # index of the first size from which on every cap is reached
LIMIT = 1.3
# Up to the caps a unit may become dearer: more is held, and events begin to be written. A search through all
# that is held shows here.
RISE_MAX = 8.0
NOISE_INSTRUCTIONS = 500_000  # keyed hashes and waiting differ from run to run
MEMORY_MAX_BYTES = 512 << 20
TOGETHER = 4  # generators measured in one process

# One rule for each way a packet, a stream, a transaction, a file or a frame is inspected.
RULES = r"""
alert ip any any -> any any (msg:"packet"; content:"zq"; sid:1;)
alert tcp any any -> any any (msg:"stream"; flow:established; content:"qz"; pcre:"/(q+)+z[0-9]/"; sid:2;)
alert http any any -> any any (msg:"uri"; http.uri; content:"zq"; http.header; content:"qz"; sid:3;)
alert http any any -> any any (msg:"answer"; http.stat_code; content:"599"; file.data; content:"zq"; sid:4;)
alert http any any -> any any (msg:"header"; http.request_header; content:"zq"; sid:5;)
alert dns any any -> any any (msg:"query"; dns.query; content:"zq"; sid:6;)
alert tls any any -> any any (msg:"name"; tls.sni; content:"zq"; sid:7;)
alert smtp any any -> any any (msg:"mail"; file.data; content:"zq"; sid:8;)
alert smb any any -> any any (msg:"smb"; smb.share; content:"zq"; sid:9;)
alert mqtt any any -> any any (msg:"mqtt"; mqtt.publish.topic; content:"zq"; sid:10;)
alert modbus any any -> any any (msg:"modbus"; modbus: function 90; sid:11;)
alert enip any any -> any any (msg:"enip"; enip_command:4; sid:12;)
alert http2 any any -> any any (msg:"http2"; http2.header_name; content:"zq"; sid:13;)
alert ftp any any -> any any (msg:"ftp"; ftp.command; content:"zq"; sid:14;)
alert nfs any any -> any any (msg:"nfs"; nfs_procedure:90; sid:15;)
alert ldap any any -> any any (msg:"ldap"; ldap.request.operation:90; sid:16;)
alert sip any any -> any any (msg:"sip"; sip.method; content:"zq"; sid:17;)
alert websocket any any -> any any (msg:"websocket"; websocket.payload; content:"zq"; sid:18;)
alert http any any -> any any (msg:"event"; app-layer-event:http.invalid_request_field_folding; sid:19;)
"""


@dataclass
class Figures:
    """Instructions at each size, and peak memory in bytes and packets of the largest."""

    name: str
    instructions: list[int]
    peak_bytes: int
    packets: int

    @property
    def _units(self) -> list[float]:
        """What each doubling adds, per n. What is done but once falls out, so that it hides nothing."""
        pairs = zip(self.instructions, self.instructions[1:], strict=False)
        return [(b - a) / units for (a, b), units in zip(pairs, SIZES, strict=False)]

    @property
    def doublings(self) -> list[float]:
        """The cost of a unit in each doubling by that in the one before: 1 is linear, 2 a square."""
        units = [max(cost, NOISE_INSTRUCTIONS / size) for cost, size in zip(self._units, SIZES, strict=False)]
        return [b / a for a, b in itertools.pairwise(units)]

    @property
    def growth(self) -> float:
        """The worst cost of a unit in a doubling past the caps, by that of a unit before it: 1 is linear."""
        units = self._units
        worst = 1.0
        for at in range(PAST_CAPS + 1, len(units)):
            weights = SIZES[PAST_CAPS:at]
            total = sum(cost * weight for cost, weight in zip(units[PAST_CAPS:at], weights, strict=True))
            noise = NOISE_INSTRUCTIONS / SIZES[at]
            worst = max(worst, (units[at] - noise) / max(total / sum(weights), noise))
        return worst

    @property
    def rise(self) -> float:
        """The dearest unit by the cheapest before it: what a cap that is reached allows."""
        worst, cheapest = 1.0, float("inf")
        for cost, size in zip(self._units, SIZES, strict=False):
            noise = NOISE_INSTRUCTIONS / size
            worst = max(worst, (cost - noise) / cheapest)
            cheapest = min(cheapest, max(cost, noise))
        return worst

    @property
    def fault(self) -> str | None:
        """What is wrong, None: nothing."""
        if self.growth > LIMIT:
            return f"grows {self.growth:.2f} times faster than its input (limit {LIMIT})"
        if self.rise > RISE_MAX:
            return f"costs {self.rise:.1f} times as much a unit once much is held (limit {RISE_MAX})"
        if self.peak_bytes > MEMORY_MAX_BYTES:
            return f"takes {self.peak_bytes >> 20} MiB (limit {MEMORY_MAX_BYTES >> 20})"
        return None


def prepare(folder: Path) -> Path:
    """Writes what the measured process needs: the engine's configuration and the rules, read and parsed."""
    from sensor import config as configuration
    from sensor.rules import text

    loaded = configuration.load(CONFIG, checksums="none")
    loaded.tree["default-log-dir"] = str(folder)
    # With the usual 512 the parser of HTTP/1 stops before anything could grow.
    protocols = loaded.tree["app-layer"]["protocols"]
    protocols.setdefault("http", {})["libhtp"] = {"default-config": {"max-tx": 65_536}}
    protocols.setdefault("http2", {})["max-streams"] = 512  # usually 4096, which takes long to pass
    rules = text.parse(RULES.encode(), "linear.rules", loaded.variables).rules
    return instructions.prepare(folder / "engine.json", loaded.engine_json(), rules)


def replay(settings: Path, captures: list[Path]) -> None:
    """The measured process: prints what the engine said of the last capture, and its peak memory."""
    engine = instructions.Engine(settings)
    said: dict[str, Any] = {}
    for capture in captures:
        instructions.mark()
        said = engine.replay(capture)
    instructions.mark()
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(line for line in status if line.startswith("VmHWM"))
    print(json.dumps(said | {"peak_bytes": int(peak.split()[1]) * 1024}))


def measure(
    names: Sequence[str], settings: Path, keep: Path | None = None
) -> list[tuple[Figures, dict[str, Any]]]:
    """Figures of some generators, and what the engine said of each one's largest input.

    They share a process under valgrind, where to start costs as much as many packets.
    """
    command = [sys.executable, "-E", str(Path(__file__).resolve()), "--replay", str(settings)]
    with tempfile.TemporaryDirectory(prefix="haidang-linear-") as made:
        folder = Path(made)
        captures, packets = [], []
        for name in names:
            generator, smallest = GENERATORS[name]
            for size in SIZES:
                capture = (keep or folder) / f"{name}-{size}.pcap"
                frames = generator(smallest * size)
                write(capture, 1, [frames])
                captures.append(capture)
            packets.append(len(frames))
        counts = instructions.count([*command, *map(str, captures)], len(captures) + 1, folder)
        measured = []
        for at, name in enumerate(names):
            of = slice(at * len(SIZES), (at + 1) * len(SIZES))
            largest = str(captures[of][-1])
            run = subprocess.run([*command, largest], capture_output=True, text=True, check=True)
            said: dict[str, Any] = json.loads(run.stdout)
            measured.append((Figures(name, counts[of], said["peak_bytes"], packets[at]), said))
    return measured


def main() -> int:
    """Command line."""
    if sys.argv[1:2] == ["--replay"]:
        replay(Path(sys.argv[2]), [Path(capture) for capture in sys.argv[3:]])
        return 0
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="generators (default: all)")
    parser.add_argument("--list", action="store_true", help="name the generators")
    parser.add_argument("--verbose", action="store_true", help="tell the counters of each largest input too")
    parser.add_argument("--jobs", "-j", type=int, default=os.cpu_count() or 1, help="processes at a time")
    parser.add_argument("--keep", type=Path, help="keep the captures in this folder")
    args = parser.parse_args()
    if args.list:
        for name, (generator, _) in GENERATORS.items():
            print(f"{name:26} {generator.__doc__}")
        return 0
    reason = instructions.missing()
    if reason or not set(args.names) <= set(GENERATORS):
        print(f"linear: {reason or 'no such generator'}", file=sys.stderr)
        return 2
    columns = f"{'million instructions':>20} {'unit, by doubling':>20} {'growth':>7} {'rise':>5} {'MiB':>4}"
    print(f"{'':24} {'packets':>8} {columns}")
    faults = 0
    with tempfile.TemporaryDirectory(prefix="haidang-linear-") as made, ThreadPoolExecutor(args.jobs) as pool:
        settings = prepare(Path(made))
        names = args.names or list(GENERATORS)
        few = [names[at : at + TOGETHER] for at in range(0, len(names), TOGETHER)]
        measured = pool.map(lambda some: measure(some, settings, args.keep), few)
        for figures, said in itertools.chain.from_iterable(measured):
            first, last = figures.instructions[0] / 1e6, figures.instructions[-1] / 1e6
            doublings = " ".join(f"{ratio:4.2f}" for ratio in figures.doublings)
            worst = f"{figures.growth:6.2f} {figures.rise:5.1f} {figures.peak_bytes >> 20:4}"
            print(
                f"{figures.name:24} {figures.packets:8} {first:9.1f} {last:10.1f}  {doublings}"
                f" {worst}  {figures.fault or 'pass'}",
                flush=True,
            )
            if args.verbose:
                print(json.dumps(said), flush=True)
            faults += figures.fault is not None
    limits = f"growth at most {LIMIT}, rise at most {RISE_MAX}, memory at most {MEMORY_MAX_BYTES >> 20} MiB"
    print(f"{len(names) - faults} of {len(names)} pass ({limits})")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
