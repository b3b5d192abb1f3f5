"""Instructions of replays, counted by valgrind in a process that has loaded the engine already.

What is counted lies between two marks, so that neither start-up nor a busy machine shows. This file knows how
to count; what is counted, and what is too much, is for those who use it (linear.py, gate.py).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

# A count begins and ends where the measured process calls this function of the C library, which nothing else
# calls. It needs no symbols of the engine, which are stripped.
MARK = "getppid"


def mark() -> None:
    """Ends what was counted so far; what follows is counted anew."""
    os.getppid()


def missing() -> str | None:
    """What keeps instructions from being counted, None: nothing."""
    if shutil.which("valgrind") is None:
        return "valgrind is not installed (apt-get install valgrind)"
    if not list((ROOT / "sensor").glob("_engine*.so")):
        return "the engine is not built (make setup)"
    return None


def count(command: Sequence[str], marks: int, folder: Path) -> list[int]:
    """Instructions between each of the command's marks and the next (`marks` in all).

    Raises OSError when valgrind did not see them."""
    out, log = folder / "callgrind", folder / "valgrind.log"
    subprocess.run(
        [
            "valgrind", "--tool=callgrind", f"--log-file={log}", f"--callgrind-out-file={out}",
            f"--dump-before={MARK}", *command,
        ],
        capture_output=True, text=True, check=True, env=os.environ | {"PYTHONHASHSEED": "0"},
    )  # fmt: skip
    counts = []
    for at in range(1, marks):
        dump = folder / f"callgrind.{at + 1}"  # the first is of what came before the first mark
        text = dump.read_text(errors="replace") if dump.exists() else ""
        found = re.search(r"^totals: (\d+)$", text, re.MULTILINE)
        if found is None:
            raise OSError(f"valgrind made no {dump.name}: {log.read_text()[-1000:]}")
        counts.append(int(found[1]))
    return counts


class Engine:
    """The engine with rules, loaded once for several captures from what `prepare` wrote."""

    def __init__(self, settings: Path) -> None:
        from sensor._engine import Ruleset

        made: dict[str, Any] = json.loads(settings.read_text())
        self.config: str = made["config"]
        rules = [(*rule[:9], [tuple(option) for option in rule[9]], rule[10]) for rule in made["rules"]]
        self.ruleset = Ruleset.compile(self.config, rules)
        faults = (d for d in self.ruleset.diagnostics if d.severity != "warning")
        self.rule_faults = [f"{fault.line}: {fault.reason}" for fault in faults]

    def replay(self, *captures: Path) -> dict[str, Any]:
        """Number of events and the counters that are not 0."""
        from sensor._engine import Replay

        run = Replay(self.config, self.ruleset, [str(capture) for capture in captures], 1)
        events = 0
        while not run.finished:
            batch = run.next_batch(1.0)
            events += batch.events if batch is not None else 0
        counters = {name: value for name, value in run.counters().items() if value}
        return {"events": events, "counters": counters, "rule_faults": self.rule_faults}


def prepare(made: Path, config: str, rules: Sequence[Any]) -> Path:
    """Writes what the measured process needs: the engine's configuration, and rules, read and parsed."""
    made.write_text(json.dumps({"config": config, "rules": rules}))
    return made
