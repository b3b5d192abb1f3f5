"""Damaged captures through the engine: no panic, hang, memory past the cap or broken JSON may come of it.

    python tests/bench/mutants.py [--count N] [--seed S] [--plain] [--pcaps DIR] [--rules FILE…] [--keep DIR]

Mutants (see `mutation.py`) of every capture in --pcaps are replayed by `haidang` in few processes with all
rules, checksums off. --plain replays the captures themselves first. Defaults are the folders of CORPORA_DIR
when that is set, else the shipped captures and rules. What fails is reduced to the fewest packets that still
fail and kept in --keep.

Exit code: 0 when all went well, 1 when something failed, 2 when it could not be run.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from mutation import Packet, damage_file, mutant, read, write

ROOT = Path(__file__).resolve().parents[2]
CONFIG = Path(__file__).with_name("everything.yaml")
MEMORY_MAX_BYTES = 1 << 30
BATCH_BYTES = 24 << 20  # of captures in one process: what a failure is searched in
FILES_PER_BATCH = 1000
START_SECONDS = 120.0  # for rules to load and be compiled when they are not cached
SECONDS_PER_MEBIBYTE = 15.0  # some hundred times what it takes: only a hang takes longer
POLL_SECONDS = 0.05
RAW_FILES_SHARE = 40  # one mutant in so many is a damaged file, not damaged packets
MAGIC = {bytes.fromhex(text) for text in ("d4c3b2a1", "a1b2c3d4", "4d3cb2a1", "a1b23c4d", "0a0d0d0a")}
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Job:
    """How to run the engine."""

    command: list[str]  # `haidang replay` with its options
    folder: Path


@dataclass
class Result:
    """One run: what is wrong (None: nothing), peak memory in bytes, seconds, events."""

    fault: str | None
    peak_bytes: int
    seconds: float
    events: int


def job(rules: list[Path], folder: Path, command: list[str]) -> Job:
    """The rules in one file, and a configuration that turns everything on."""
    together = folder / "all.rules"
    together.write_bytes(b"\n".join(path.read_bytes() for path in rules))
    options = ["-S", str(together), "-c", str(CONFIG), "-k", "none", "--data-dir", str(folder)]
    settings = {
        "classification-file": ROOT / "rules/classification.config",
        "reference-config-file": ROOT / "rules/reference.config",
        "threshold-file": ROOT / "rules/threshold.config",
    }
    options += [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    return Job([*command, *options], folder)


def run(job: Job, captures: list[Path]) -> Result:
    """Replays captures in one process and judges it."""
    out = Path(tempfile.mkdtemp(dir=job.folder, prefix="out-"))
    size = sum(path.stat().st_size for path in captures)
    limit = START_SECONDS + SECONDS_PER_MEBIBYTE * size / 2**20
    peak, began, fault = 0, time.monotonic(), None
    try:
        with (out / "console").open("wb") as console:
            process = subprocess.Popen(
                [*job.command, "-l", str(out), *map(str, captures)],
                stdout=console,
                stderr=subprocess.STDOUT,
                env=os.environ | {"HAIDANG_BACKTRACE": "1"},  # lets a panic say where it is
            )
            while process.poll() is None:
                peak = max(peak, _resident(process.pid))
                if peak > MEMORY_MAX_BYTES:
                    fault = "memory"
                elif time.monotonic() - began > limit:
                    fault = "hang"
                if fault:
                    process.kill()
                    process.wait()
                time.sleep(POLL_SECONDS)
        events, bad = _events(out / "eve.json")
        said = (out / "console").read_text(errors="replace")
        if fault is None and process.returncode not in (0, 2):  # 2: a capture that cannot be read
            fault = f"exit code {process.returncode}: {said[-500:]}"
        elif fault is None and ((out / "quarantine.pcap").exists() or bad.startswith("panics")):
            places = Counter(re.findall(r"panicked at (\S+):\n(.*)", said))
            fault = "panic " + "; ".join(
                f"{times} x {at} {why}" for (at, why), times in places.most_common(9)
            )
        elif fault is None and bad:
            fault = bad
        return Result(fault, peak, time.monotonic() - began, events)
    finally:
        shutil.rmtree(out, ignore_errors=True)


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
    except (OSError, IndexError):
        return 0


def _events(eve: Path) -> tuple[int, str]:
    """How many events, and what is wrong with them (empty: nothing)."""
    count, last = 0, {}
    if not eve.exists():
        return 0, "no events were written, not even the statistics"
    with eve.open("rb") as lines:
        for line in lines:
            try:
                last = msgspec.json.decode(line)
                line.decode()
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                return count, f"event {count + 1} is not JSON: {error}: {line[:200]!r}"
            count += 1
    panics = last.get("stats", {}).get("haidang", {}).get("panics") if isinstance(last, dict) else None
    if panics is None:
        return count, "the statistics lack their count of panics"
    return count, f"panics: {panics}" if panics else ""


def reduce(job: Job, captures: list[Path], keep: Path) -> Path:
    """The smallest capture found that still fails, in `keep`."""
    plain = replace(job, command=[*job.command, "--disable-detection"])
    if run(plain, captures).fault:
        job = plain  # it starts much faster
    while len(captures) > 1:
        half = len(captures) // 2
        for part in (captures[:half], captures[half:]):
            if run(job, part).fault:
                captures = part
                break
        else:
            break  # only together
    keep.mkdir(parents=True, exist_ok=True)
    if len(captures) > 1:
        folder = keep / f"together-{captures[0].stem}"
        folder.mkdir(exist_ok=True)
        for path in captures:
            shutil.copy(path, folder)
        return folder
    target = keep / captures[0].name
    shutil.copy(captures[0], target)
    capture = read(target)
    if capture is None:
        return target
    link_type, packets = capture
    trial, step = job.folder / "trial.pcap", max(len(packets) // 2, 1)
    while True:
        at = 0
        while at < len(packets) and len(packets) > 1:
            fewer = packets[:at] + packets[at + step :]
            if fewer and _fails(job, trial, link_type, fewer):
                packets = fewer
            else:
                at += step
        if step == 1:
            break
        step //= 2
    if _fails(job, trial, link_type, packets):
        shutil.copy(trial, target)
    return target


def _fails(job: Job, trial: Path, link_type: int, packets: list[Packet]) -> bool:
    first = packets[0][0]
    write(trial, link_type, [[(ts - first, frame) for ts, frame in packets]])
    return run(job, [trial]).fault is not None


def batches(paths: list[Path], count: int, seed: str, folder: Path) -> Iterator[list[Path]]:
    """Writes the mutants, a batch at a time; each batch's files go when the next is asked for."""
    raw = count // RAW_FILES_SHARE
    each, more = divmod(count - raw, len(paths))
    batch: list[Path] = []
    size = place = 0
    for number, path in enumerate(paths):
        wanted = each + (number < more)
        capture = read(path) if wanted else None
        if capture is None:
            raw += wanted
            continue
        mutants = [mutant(capture, f"{seed}:{path.name}:{k}") for k in range(wanted)]
        batch.append(folder / f"{number:05}-{path.stem}.pcap")
        size += write(batch[-1], capture[0], mutants, place)
        place += wanted
        if size >= BATCH_BYTES or len(batch) == FILES_PER_BATCH:
            yield batch
            for written in batch:
                written.unlink()
            batch, size = [], 0
    if batch:
        yield batch
        for written in batch:
            written.unlink()
    # Damaged files may bring any time with them, which would end the flows of all after them: they come last.
    batch = []
    for number in range(raw):
        path = paths[number % len(paths)]
        batch.append(folder / f"raw-{number:05}-{path.name}")
        with path.open("rb") as file:
            data = file.read(256 * 1024)
        batch[-1].write_bytes(damage_file(data, f"{seed}:{path.name}:file:{number}"))
        if len(batch) == FILES_PER_BATCH or number == raw - 1:
            yield batch
            for written in batch:
                written.unlink()
            batch = []


def plain_batches(paths: list[Path]) -> Iterator[list[Path]]:
    """The captures as they are, in the order of their times: a packet from the past ends its flow at once."""
    begins = {path: capture[1][0][0] if (capture := read(path)) else 0.0 for path in paths}
    paths = sorted(paths, key=lambda path: begins[path])
    batch: list[Path] = []
    size = 0
    for path in paths:
        batch.append(path)
        size += path.stat().st_size
        if size >= BATCH_BYTES or len(batch) == FILES_PER_BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def captures_in(folder: Path) -> list[Path]:
    """Every capture below a folder, known by how it begins."""
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            if file.read(4) in MAGIC:
                found.append(path)
    return found


def judge(job: Job, work: Iterator[list[Path]], keep: Path | None, what: str) -> int:
    """Runs batches; returns how many failed."""
    failed, number, peak, events = 0, 0, 0, 0
    for number, batch in enumerate(work, start=1):
        result = run(job, batch)
        peak, events = max(peak, result.peak_bytes), events + result.events
        print(
            f"  {what} {number}: {len(batch)} files, {result.events} events, {result.seconds:.1f} s, "
            f"{result.peak_bytes >> 20} MiB: {result.fault or 'fine'}",
            flush=True,
        )
        if result.fault:
            failed += 1
            if keep is not None:
                print(f"  reduced to {reduce(job, batch, keep)}", flush=True)
    print(f"{what}: {number} batches, {events} events, peak {peak >> 20} MiB, {failed} failed", flush=True)
    return failed


def main() -> int:
    """Command line."""
    corpora = os.environ.get("CORPORA_DIR")
    pcaps = Path(corpora) / "pcaps" if corpora else ROOT / "pcaps"
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=20_000, help="mutants (default 20,000)")
    parser.add_argument("--seed", default="1", help="another seed, other mutants")
    parser.add_argument("--plain", action="store_true", help="the captures themselves too")
    parser.add_argument("--pcaps", type=Path, default=pcaps, help=f"folder of captures (default {pcaps})")
    parser.add_argument("--rules", type=Path, nargs="+", help="rule files")
    parser.add_argument("--keep", type=Path, default=Path("mutants-found"), help="where failures are kept")
    parser.add_argument("--only-tell", action="store_true", help="do not reduce what fails")
    parser.add_argument("--command", help="the engine, with its first arguments (default: haidang replay)")
    args = parser.parse_args()
    haidang = shutil.which("haidang", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    paths = captures_in(args.pcaps)
    shipped = sorted((ROOT / "rules").glob("*.rules"))
    rules = args.rules or ([Path(corpora) / "rules/etopen-composite.rules", *shipped] if corpora else shipped)
    if not paths or not (haidang or args.command):
        print("mutants: no captures, or haidang is not installed", file=sys.stderr)
        return 2
    command = args.command.split() if args.command else [str(haidang), "replay"]
    with tempfile.TemporaryDirectory(prefix="haidang-mutants-") as name:
        folder = Path(name)
        made = job(rules, folder, command)
        keep = None if args.only_tell else args.keep
        failed = 0
        if args.plain:
            failed += judge(made, plain_batches(paths), keep, "captures")
        if args.count:
            failed += judge(made, batches(paths, args.count, args.seed, folder), keep, "mutants")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
