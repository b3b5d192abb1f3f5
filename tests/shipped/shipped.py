"""Where the shipped content lies, and how to replay every capture of it with every rule."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[2]
RULES = sorted((ROOT / "rules").glob("*.rules"))
CAPTURES = {path.stem: path for path in sorted((ROOT / "pcaps").glob("*.pcap*"))}
CONFIG = Path(__file__).with_name("replay.yaml")
SETTINGS = {
    "classification-file": ROOT / "rules/classification.config",
    "reference-config-file": ROOT / "rules/reference.config",
    "threshold-file": ROOT / "rules/threshold.config",
}
UNREADABLE_BY_SURICATA_7 = {"link-cooked2", "link-mixed"}  # link type 276; several link types in one file

Alerts = dict[str, Counter[int]]  # capture -> sid -> number of alerts


def find(engine: str) -> list[str] | None:
    """The start of the command that replays a capture with `engine`, or None when it is not installed."""
    beside = Path(sys.executable).with_name(engine)
    command = str(beside) if beside.exists() else shutil.which(engine)
    if command is None:
        return None
    return [command, "replay"] if engine == "haidang" else [command, "-r"]


def newer_than(command: list[str]) -> set[int]:
    """Sids of rules that ask for a newer language than the engine speaks: Suricata 7 leaves them out."""
    if "suricata" not in command[0]:
        return set()
    shown = subprocess.run([command[0], "-V"], capture_output=True, text=True, timeout=60, check=True).stdout
    version = re.search(r"version (\d+)", shown)
    if version is None or int(version[1]) >= 8:
        return set()
    lines = [line for path in RULES for line in path.read_text().splitlines()]
    return {int(line.split("sid:")[1].split(";")[0]) for line in lines if "requires:version >= 8;" in line}


def replay_all(command: list[str], folder: Path) -> Alerts:
    """Replay each capture the engine can read, each in a process of its own, outputs below `folder`."""
    rules = folder / "all.rules"
    rules.write_text("".join(path.read_text() for path in RULES))
    options = ["-S", str(rules), "-c", str(CONFIG), "-k", "none"]
    options += [word for name, value in SETTINGS.items() for word in ("--set", f"{name}={value}")]

    def replay(name: str) -> Counter[int] | None:
        if "suricata" in command[0] and name in UNREADABLE_BY_SURICATA_7:
            return None
        out = folder / name
        out.mkdir()
        line = [*command, str(CAPTURES[name]), *options, "-l", str(out)]
        done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
        events = (json.loads(line) for line in (out / "eve.json").read_text().splitlines())
        return Counter(event["alert"]["signature_id"] for event in events if event["event_type"] == "alert")

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = zip(CAPTURES, pool.map(replay, CAPTURES), strict=True)
        return {name: found for name, found in results if found is not None}
