"""Memory and time of reloads: what a process needs at most while its rules are read, compiled and taken anew.

    python tests/bench/reload.py --pcap FILE --rules FILE… [--reloads 5] [--limit 1.5] [--out FOLDER]

`haidang replay` reads the capture from a pipe, again and again as long as there is something to measure, with
the cache of compiled rules as an operator has it. Its resident memory, once --warm more rounds make it no
larger, is the steady state. Then every SIGUSR2 reloads the rules under that load: the same ones, as when a
list or threshold has changed, and then each time with one more rule, which any TCP packet may match, so that
text is read and patterns are compiled. The peak (VmHWM, set back before) by the steady state is the figure,
and the seconds until the rules are in force.

Exit code: 0 when no peak is above --limit, 1 when one is, 2 when something could not be run.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from runs import RunError, are_there, write_json

ROOT = Path(__file__).resolve().parents[2]
EXIT_ABOVE, EXIT_CANNOT_RUN = 1, 2
PIECE_BYTES = 1 << 18
HEADER_BYTES = 24
POLL_SECONDS = 0.02
SETTLE_SECONDS = 2.0  # memory that was freed is given back after a while
DEADLINE_SECONDS = 300.0
RULE = 'alert tcp any any -> any any (msg:"changed"; content:"changed-{0}-word"; sid:19{0:05};)\n'
FORCED = "rules reloaded"
FAILED = "reload failed"


class Load:
    """A replay of its own, fed without end by a thread."""

    def __init__(self, pcap: Path, rules: Sequence[Path], folder: Path) -> None:
        self.told: list[str] = []
        words = [word for path in rules for word in ("-S", str(path.resolve()))]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sensor.cli", "replay", "-", *words, "-k", "none", "-l", str(folder),
             "--set", f"haidang.rule-cache.directory={folder / 'cache'}",
             "--set", "outputs.0.eve-log.filename=/dev/null"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=folder,
            env={**os.environ, "HAIDANG_LANG": "en", "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        self._data = pcap.read_bytes()
        self._ended = threading.Event()
        self.rounds = 0
        self._threads = [threading.Thread(target=self._feed), threading.Thread(target=self._listen)]
        for thread in self._threads:
            thread.start()

    def _feed(self) -> None:
        assert self._process.stdin is not None
        at = 0
        try:
            while not self._ended.is_set():
                self._process.stdin.write(self._data[at : at + PIECE_BYTES])
                at += PIECE_BYTES
                if at >= len(self._data):
                    at, self.rounds = HEADER_BYTES, self.rounds + 1
        except BrokenPipeError:
            pass

    def _listen(self) -> None:
        assert self._process.stderr is not None
        self.told.extend(
            line.decode(errors="replace").rstrip() for line in iter(self._process.stderr.readline, b"")
        )

    def wait(self, done: object) -> None:
        """Wait until done() holds. Raises RunError when it takes too long or the process has ended."""
        assert callable(done)
        until = time.monotonic() + DEADLINE_SECONDS
        while not done():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RunError("the replay ended or stands still:\n" + "\n".join(self.told[-10:]))
            time.sleep(POLL_SECONDS)

    def read_on(self, rounds: int) -> None:
        """Wait until it was given the capture so many times more."""
        end = self.rounds + rounds
        self.wait(lambda: self.rounds >= end)

    def resident(self, name: str = "VmRSS") -> int:
        """Bytes."""
        text = Path(f"/proc/{self._process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith(name + ":"))

    def reload(self) -> tuple[int, float]:
        """One reload: the peak of resident bytes meanwhile, and the seconds until it was in force."""
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")  # VmHWM begins anew
        count = self._told(FORCED)
        begin = time.monotonic()
        self._process.send_signal(signal.SIGUSR2)
        self.wait(lambda: self._told(FORCED) > count or self._told(FAILED))
        if self._told(FAILED):
            raise RunError("\n".join(self.told))
        seconds = time.monotonic() - begin
        time.sleep(SETTLE_SECONDS)
        return self.resident("VmHWM"), seconds

    def _told(self, text: str) -> int:
        return sum(text in line for line in self.told)

    def close(self) -> None:
        self._ended.set()
        self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join()


def settled(load: Load, step: int) -> int:
    """Resident bytes once `step` rounds of the capture have added no more than a hundredth to them."""
    before = 0
    while True:
        load.read_on(step)
        now = load.resident()
        if now <= before * 1.01:
            return now
        before = now


def measure(args: argparse.Namespace) -> dict[str, object]:
    """Steady state, peaks and seconds of every reload."""
    with tempfile.TemporaryDirectory(prefix="haidang-reload-") as name:
        folder = Path(name)
        changing = folder / "changing.rules"
        changing.write_text(RULE.format(0))
        rules = [*args.rules, changing]
        first = Load(args.pcap, rules, folder)  # fills the cache
        try:
            first.read_on(1)
        finally:
            first.close()
        load = Load(args.pcap, rules, folder)
        try:
            steady = settled(load, args.warm)
            same = [load.reload() for _ in range(args.reloads)]
            changed = []
            for number in range(1, args.reloads + 1):
                changing.write_text(changing.read_text() + RULE.format(number))
                changed.append(load.reload())
            after = load.resident()
        finally:
            load.close()
    found: dict[str, object] = {"steady_bytes": steady, "after_bytes": after}
    for kind, reloads in (("same", same), ("changed", changed)):
        found[f"{kind}_peaks_bytes"] = [peak for peak, _ in reloads]
        found[f"{kind}_seconds"] = [round(seconds, 2) for _, seconds in reloads]
        found[f"{kind}_ratio"] = round(max(peak for peak, _ in reloads) / steady, 3)
    return found


def main() -> int:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pcap", type=Path, required=True)
    parser.add_argument("--rules", type=Path, nargs="+", required=True)
    parser.add_argument("--reloads", type=int, default=5, help="of each kind")
    parser.add_argument("--warm", type=int, default=10, help="rounds in which the steady state does not grow")
    parser.add_argument("--limit", type=float, default=1.5)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    if not are_there("reload", args.pcap, *args.rules):
        return EXIT_CANNOT_RUN
    try:
        found = measure(args)
    except (RunError, OSError) as error:
        print(f"reload: {error}", file=sys.stderr)
        return EXIT_CANNOT_RUN
    for name, value in found.items():
        print(f"{name:>19}  {value}")
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
        write_json(args.out / "reload.json", found)
    ratios = [value for name, value in found.items() if name.endswith("_ratio")]
    return EXIT_ABOVE if any(isinstance(ratio, float) and ratio > args.limit for ratio in ratios) else 0


if __name__ == "__main__":
    sys.exit(main())
