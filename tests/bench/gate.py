"""The gate against slowness: instructions of a fixed replay, against those of the baseline in the repository.

    python tests/bench/gate.py            compare; `make bench BENCH=gate`
    python tests/bench/gate.py --bless    write the baseline anew; `make bench BENCH=bless`

CAPTURES, joined to one and repeated, go through the engine with RULES, both of this repository, under
valgrind, which counts instructions from the start of the replay to its end. The first replay warms up, the
second counts. A busy machine makes no difference; from run to run the count differs by less than 0.1 %.

More than LIMIT above the baseline fails. A count depends on what the engine was built with, on the libraries
it runs with, and on which of their code paths the processor takes: they are written beside the baseline.
Where they differ, counts cannot be compared, and the gate says so and passes; it bites on the machine the
baseline is from. When captures or rules have changed, the baseline is of something else, and the gate fails.

Exit code: 0 when within the limit or not comparable here, 1 when above it or when the baseline is of other
captures or rules, 2 when something could not be run.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import json
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import instructions
import join
import runs

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

BASELINE = Path(__file__).with_name("gate.json")
LIMIT = 0.03
LAPS = 5
BLESS = "make bench BENCH=bless"
EXIT_ABOVE, EXIT_CANNOT_RUN = 1, 2

# What a network carries most, some of what attackers send, and what is hard on each stage.
CAPTURES = (
    "binary-beacon", "dcerpc-call", "dhcp-lease", "dns-answers", "dns-tcp", "dns-tunnel", "dns-udp",
    "flood-syn", "fragments-ipv4", "ftp-session", "http-chunked", "http-eicar", "http-gzip",
    "http-pipelined", "http-post", "http-ranges", "http-variety", "http2-get", "icmp-ping",
    "ike-strong", "krb5-login", "ldap-search", "link-qinq", "modbus-read", "mqtt-meter", "nfs-notes",
    "pop3-session", "quic-hello", "rdp-user", "scan-syn", "sip-call", "smb-program-copied",
    "smb2-negotiate", "smtp-mail", "snmp-public", "ssh-session", "tcp-byte-by-byte", "tcp-gap",
    "tcp-out-of-order", "tcp-overlap", "tcp-retransmit", "tls-12", "tls-13", "web-benign",
    "web-login-burst", "web-scanners", "web-sql-injection",
)  # fmt: skip
RULES = ("dns", "malware-c2", "policy", "recon", "tls", "web-attack", "windows")

# What valgrind 3.19 shows of the processor, as far as libraries choose their code by it.
PROCESSOR_FLAGS = ("sse4_2", "avx", "avx2", "bmi1", "bmi2", "abm", "f16c", "rdrand", "rdseed")


@dataclass
class Count:
    """Instructions of the fixed replay, and all that they depend on."""

    instructions: int
    packets: int
    events: int
    inputs: str  # digest of captures and rules
    toolchain: dict[str, str]


@dataclass
class Judgement:
    """Whether the gate is passed, and what there is to say."""

    is_passed: bool
    said: str


def judge(now: Count, baseline: Count) -> Judgement:
    """Compares a count with the baseline."""
    if now.inputs != baseline.inputs:
        return Judgement(
            False,
            "captures or rules are others than those of the baseline, which says nothing about them; "
            f"compare before you change them, then write it anew: {BLESS}",
        )
    changed = [
        f"{name} {now.toolchain.get(name, 'absent')} (baseline {baseline.toolchain.get(name, 'absent')})"
        for name in sorted(now.toolchain | baseline.toolchain)
        if now.toolchain.get(name) != baseline.toolchain.get(name)
    ]
    change = now.instructions / baseline.instructions - 1
    figures = f"{now.instructions:,} instructions, baseline {baseline.instructions:,}: {change:+.2%}"
    if changed:
        return Judgement(
            True,
            f"NOT COMPARED, this is another machine than the baseline's: {'; '.join(changed)}\n"
            f"for what it is worth: {figures}; if this is where the gate shall hold: {BLESS}",
        )
    if change > LIMIT:
        return Judgement(
            False,
            f"{figures}, limit {LIMIT:+.0%}\nfind out why (--keep, callgrind_annotate); if it is worth its "
            f"price, say so in the commit and write the baseline anew: {BLESS}",
        )
    better = f"\nbetter than the baseline: hold it with {BLESS}" if change < -LIMIT else ""
    events = f"\nevents {now.events}, baseline {baseline.events}" if now.events != baseline.events else ""
    return Judgement(True, f"{figures}, limit {LIMIT:+.0%}{events}{better}")


def inputs() -> tuple[list[Path], list[Path], str]:
    """The captures, the rules, and the digest of both. Raises FileNotFoundError when one is gone."""
    pcaps = [ROOT / "pcaps" / f"{name}.pcap" for name in CAPTURES]
    rules = [ROOT / "rules" / f"{name}.rules" for name in RULES]
    digest = hashlib.sha256()
    for path in (*pcaps, *rules):
        data = path.read_bytes()
        digest.update(f"{path.name} {len(data)}\n".encode() + data)
    return pcaps, rules, digest.hexdigest()


def toolchain() -> dict[str, str]:
    """What the count depends on but the project."""
    engine = next((ROOT / "sensor").glob("_engine*.so"))
    compiler = re.search(rb"rustc version ([^\0]+)", engine.read_bytes())
    flags = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    has = set(flags[1].split()) if flags else set()
    valgrind = subprocess.run(["valgrind", "--version"], capture_output=True, text=True, check=True)
    return {
        "rustc": compiler[1].decode() if compiler else "unknown",
        "layout": runs.engine_layout(),
        "libhs": _library_version("libhs.so.5", "hs_version"),
        "libc": " ".join(platform.libc_ver()),
        "valgrind": valgrind.stdout.strip(),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "processor": " ".join([platform.machine(), *(flag for flag in PROCESSOR_FLAGS if flag in has)]),
    }


def _library_version(library: str, function: str) -> str:
    try:
        ask = getattr(ctypes.CDLL(library), function)
    except (OSError, AttributeError):
        return "unknown"
    ask.restype = ctypes.c_char_p
    return str(ask().decode())


def measure(folder: Path) -> Count:
    """Counts the fixed replay. Raises OSError or CalledProcessError when valgrind cannot."""
    from sensor.config import load
    from sensor.rules.findings import RuleReport
    from sensor.rules.loading import read_files

    pcaps, rules, digest = inputs()
    capture = folder / "gate.pcap"
    join.join(pcaps, capture, together=len(pcaps), laps=LAPS)
    config = load(checksums="none")
    config.tree["default-log-dir"] = config.tree["default-data-dir"] = str(folder)
    read = list(read_files(rules, config, RuleReport(), set(rules)))
    settings = instructions.prepare(folder / "engine.json", config.engine_json(), read)
    command = [sys.executable, str(Path(__file__).resolve()), "--replay", str(settings), str(capture)]
    said = folder / "said.json"
    _, count = instructions.count([*command, str(said)], 3, folder)
    answer = json.loads(said.read_text())
    if answer["rule_faults"]:
        raise OSError(f"a rule of the gate does not load: {answer['rule_faults'][0]}")
    return Count(count, answer["counters"]["decoder.pkts"], answer["events"], digest, toolchain())


def replay(settings: Path, capture: Path, said: Path) -> None:
    """The measured process."""
    engine = instructions.Engine(settings)
    instructions.mark()
    engine.replay(capture)
    instructions.mark()
    answer = engine.replay(capture)
    instructions.mark()
    said.write_text(json.dumps(answer))


def read_baseline() -> Count:
    return Count(**json.loads(BASELINE.read_text(encoding="utf-8")))


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if list(arguments[:1]) == ["--replay"]:
        replay(*map(Path, arguments[1:]))
        return 0
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bless", action="store_true", help="write the baseline anew")
    parser.add_argument("--keep", type=Path, help="keep what callgrind wrote in this folder")
    args = parser.parse_args(arguments)
    reason = instructions.missing()
    if reason:
        print(f"gate: {reason}", file=sys.stderr)
        return EXIT_CANNOT_RUN
    try:
        if args.keep is not None:
            args.keep.mkdir(parents=True, exist_ok=True)
            return compare(measure(args.keep.resolve()), bless=args.bless)
        with tempfile.TemporaryDirectory(prefix="haidang-gate-") as folder:
            return compare(measure(Path(folder)), bless=args.bless)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"gate: {error}", file=sys.stderr)
        return EXIT_CANNOT_RUN


def compare(now: Count, *, bless: bool) -> int:
    """Says what a count is worth, or makes it the baseline."""
    judgement = judge(now, read_baseline()) if BASELINE.exists() else None
    if bless:
        print(f"gate: before: {judgement.said if judgement else 'no baseline'}")
        BASELINE.write_text(json.dumps(asdict(now), indent=1) + "\n", encoding="utf-8")
        print(
            f"gate: {BASELINE} written: {now.instructions:,} instructions, {now.packets} packets; commit it"
        )
        return 0
    if judgement is None:
        print(f"gate: there is no baseline {BASELINE}: {BLESS}", file=sys.stderr)
        return EXIT_ABOVE
    print(f"gate: {judgement.said}")
    return 0 if judgement.is_passed else EXIT_ABOVE


if __name__ == "__main__":
    sys.exit(main())
