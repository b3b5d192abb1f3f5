"""Memory of an idle TCP flow: what a hundred thousand more of them, all alive, add to the process.

    python tests/bench/flow_memory.py [KIND…] [--few 20000] [--many 120000] [--rules FILE…] [--out FOLDER]

Kinds of flows, each established by a handshake from an address and port of its own:
- bare    nothing more
- opaque  a request and an answer of a protocol nobody knows
- http    a GET request and its answer, complete

Few and then many flows of a kind go through an engine of their own each. When it has done with the last
packet, and all flows are alive and idle, its resident memory is taken. The difference by the number of flows
is what one costs. Caps that would end flows early are raised out of the way, and it is checked that none was
ended.

Exit code: 0 when every kind is within --limit (1,024 bytes), 1 when one is not, 2 when something could not be
run.
"""

from __future__ import annotations

import argparse
import struct
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from laps import HEADER
from paired import CONFIGURATION
from piped import Piped
from runs import RunError, environment, write_json

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

EXIT_ABOVE, EXIT_CANNOT_RUN = 1, 2
LIMIT_BYTES = 1024
FLOWS_A_SECOND = 1000  # of packet time: the first must not have timed out when the last has come
BEGIN_SECONDS = 1_750_000_000
# What memory is limited to is not what is measured here.
SETTINGS = ("flow.memcap=8gb", "stream.memcap=8gb", "stream.reassembly.memcap=8gb")
PIECE_BYTES = 1 << 20


@dataclass(frozen=True)
class Kind:
    """A kind of flow: the server's port, and what both say, the client first."""

    port: int
    request: bytes = b""
    answer: bytes = b""


KINDS = {
    "bare": Kind(8444),
    "opaque": Kind(8444, b"\x07\x01ask me something\x00\xfe", b"\x07\x02and so I answer\x00\xfe"),
    "http": Kind(
        80,
        b"GET /index.html HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n",
    ),
}

_HEAD = struct.Struct("<IIII")
_IP = struct.Struct(">12xHBBHHHBBH4s4s")
_TCP = struct.Struct(">HHIIBBHHH")
_SYN, _SYN_ACK, _ACK, _PUSH = 0x02, 0x12, 0x10, 0x18
_SERVER = bytes((10, 20, 0, 80))


def flow(number: int, kind: Kind) -> bytes:
    """The records of one flow; every number has an address of its own, up to 14 million."""
    client = bytes((10, 100 + (number >> 16), (number >> 8) & 255, number & 255))
    ports = (1024 + number % 60_000, kind.port)
    seconds, part = divmod(number, FLOWS_A_SECOND)
    mine, theirs = 1_000 + number, 2_000 + number
    asked, answered = len(kind.request), len(kind.answer)
    steps = [
        (0, _SYN, mine, 0, b""),
        (1, _SYN_ACK, theirs, mine + 1, b""),
        (0, _ACK, mine + 1, theirs + 1, b""),
    ]
    if kind.request:
        steps += [
            (0, _PUSH, mine + 1, theirs + 1, kind.request),
            (1, _PUSH, theirs + 1, mine + 1 + asked, kind.answer),
            (0, _ACK, mine + 1 + asked, theirs + 1 + answered, b""),
        ]
    records = b""
    for step, (side, flags, seq, ack, payload) in enumerate(steps):
        ends = (client, _SERVER) if side == 0 else (_SERVER, client)
        size = 40 + len(payload)
        ip = _IP.pack(0x0800, 0x45, 0, size, 0, 0, 64, 6, 0, *ends)
        tcp = _TCP.pack(ports[side], ports[1 - side], seq, ack, 0x50, flags, 0xFFFF, 0, 0)
        micros = part * (1_000_000 // FLOWS_A_SECOND) + step
        records += _HEAD.pack(BEGIN_SECONDS + seconds, micros, 14 + size, 14 + size) + ip + tcp + payload
    return records


def capture(flows: int, kind: Kind) -> Iterator[bytes]:
    """A capture of so many flows, in pieces."""
    piece = bytearray(HEADER)
    for number in range(flows):
        piece += flow(number, kind)
        if len(piece) >= PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


@dataclass
class Alive:
    """Resident memory with so many flows alive."""

    flows: int
    resident_bytes: int


@dataclass
class Cost:
    """What one idle flow of a kind costs."""

    kind: str
    few: Alive
    many: Alive

    @property
    def bytes_per_flow(self) -> float:
        more = self.many.flows - self.few.flows
        return (self.many.resident_bytes - self.few.resident_bytes) / more


def alive(flows: int, kind: Kind, rules: Sequence[Path], conf: Path) -> Alive:
    """Resident memory once so many flows stand idle. Raises RunError when one of them did not live."""
    with (
        tempfile.TemporaryDirectory(prefix="haidang-flows-") as folder,
        Piped(Path(folder), rules, conf, SETTINGS) as replay,
    ):
        replay.open()
        for piece in capture(flows, kind):
            replay.write(piece)
        replay.wait_until_idle()
        resident = replay.memory().resident
        counters = replay.finish()["counters"]
    check(counters, flows)
    return Alive(flows, resident)


def check(counters: dict[str, int], flows: int) -> None:
    """Raises RunError unless all flows lived to the end of the capture, established."""
    made, lived = counters["flow.tcp"], counters["flow.end.state.established"]
    at_end = counters["flow.end.shutdown"]
    if not made == lived == at_end == flows:
        raise RunError(f"of {flows} flows {made} were made, {lived} established, {at_end} alive at the end")


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)} (default: all)")
    add("--few", type=int, default=20_000, help="flows of the first run (default 20000)")
    add("--many", type=int, default=120_000, help="flows of the second run (default 120000)")
    shipped = sorted((ROOT / "rules").glob("*.rules"))
    add("--rules", type=Path, nargs="+", default=shipped, help="the rule files (default: the shipped ones)")
    add("--conf", type=Path, default=CONFIGURATION, help="the configuration")
    add("--limit", type=float, default=LIMIT_BYTES, help="bytes a flow that pass (default 1024)")
    add("--out", type=Path, default=Path("bench-out"), help="where figures go (default bench-out)")
    args = parser.parse_args()
    if not set(args.kinds) <= set(KINDS) or not 0 < args.few < args.many <= 10_000_000:
        print(f"flow-memory: kinds are {', '.join(KINDS)}, and few are less than many", file=sys.stderr)
        return EXIT_CANNOT_RUN
    record = environment()
    costs = []
    try:
        for name in args.kinds or KINDS:
            few, many = (alive(n, KINDS[name], args.rules, args.conf) for n in (args.few, args.many))
            cost = Cost(name, few, many)
            costs.append(cost)
            sizes = ", ".join(f"{a.resident_bytes >> 20} MiB with {a.flows:,}" for a in (few, many))
            verdict = "pass" if cost.bytes_per_flow <= args.limit else f"ABOVE {args.limit:.0f}"
            print(f"{name:8}{cost.bytes_per_flow:8.0f} bytes per idle flow ({sizes})  {verdict}", flush=True)
    except RunError as error:
        print(f"flow-memory: {error}", file=sys.stderr)
        return EXIT_CANNOT_RUN
    figures = {cost.kind: {"bytes_per_flow": cost.bytes_per_flow, **vars(cost)} for cost in costs}
    write_json(args.out / "flow-memory.json", record | {"limit_bytes": args.limit, "kinds": figures})
    return EXIT_ABOVE if any(cost.bytes_per_flow > args.limit for cost in costs) else 0


if __name__ == "__main__":
    sys.exit(main())
