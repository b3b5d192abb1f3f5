"""The same sources and the same four files give the same rules as suricata-update: by gid and sid, action and
whether each is enabled; threshold.in gives the same lines.

suricata-update is found by SURICATA_UPDATE or on the path; the rule sets by CORPORA_DIR. A part of each large
set is taken, all of it with HAIDANG_UPDATE_FULL=1.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("sensor._engine", reason="the engine is not built: make setup")

Run = Callable[..., subprocess.CompletedProcess[str]]
Facts = dict[tuple[int, int], tuple[str, bool]]

TOOL = os.environ.get("SURICATA_UPDATE") or shutil.which("suricata-update")
FOLDER = Path(os.environ.get("CORPORA_DIR", "/nowhere")) / "rules"
LARGE_PART = 1 if os.environ.get("HAIDANG_UPDATE_FULL") else 25  # of how many lines one is taken

pytestmark = [
    pytest.mark.skipif(TOOL is None, reason="suricata-update is neither in SURICATA_UPDATE nor on the path"),
    pytest.mark.skipif(not FOLDER.is_dir(), reason="CORPORA_DIR does not name a folder with rules/"),
]

CONFIGURATIONS: dict[str, dict[str, str]] = {
    "nothing": {},
    "by sid": {
        "disable": "2019401\n1:2027865, 2012647\n # a comment\n2013028 # and one behind\n",
        "enable": "1:2000419\n2001795,2002023\n",
    },
    "by expression": {
        "disable": "re:heartbleed\nre:MS(0[7-9]|10)-\\d+\nre:classtype:policy-violation\n",
        "enable": "re:^alert (tcp|udp) .* trojan\n",
    },
    "by file": {
        "disable": "group:oisf-events\ngroup:malcolm*\nmandiant-sunburst.rules\n",
        "enable": "filename:*/tgreen-hunting.rules\ngroup:emerging*\n",
    },
    "by metadata": {
        "disable": "metadata: deployment Perimeter\nmetadata:signature_severity minor\n",
        "enable": "metadata: signature_severity Major\nmetadata: nothing\n",
    },
    "everything off, a little on": {"disable": "*\n", "enable": "re:flowbits:\\s*isset\n"},
    "everything on": {"enable": "*\n"},
    "drop": {"drop": "re:trojan-activity\n1:2027865\ngroup:tgreen-hunting\n", "disable": "re:CnC\n"},
    "drop everything": {"drop": "*\n", "enable": "re:noalert\n"},
    "modify": {
        "modify": '2019401 "seconds \\d+" "seconds 3600"\n'
        're:classtype:trojan-activity "(alert)(.*)" "drop\\\\2"\n'
        "re:policy ^alert pass\n"
        're:noalert "^drop(.*)noalert(.*)" "alert\\\\1noalert\\\\2"\n',
    },
    "modify as oinkmaster": {
        "modify": 'modifysid * "^drop(.*)noalert(.*)" | "alert${1}noalert${2}"\n'
        'modifysid 2013028,2027865 "^alert" | "reject"\n'
        're:EXTERNAL_NET "\\$EXTERNAL_NET" "any"\n',
        "drop": "re:flowbits\n",
    },
    "metadata-add": {
        "modify": 'metadata-add re:"SURICATA STREAM" "evebox-action" "archive"\n'
        'metadata-add 2010646 "a" "b"\n'
        're:"evebox-action archive" ^alert drop\n',
    },
    "modify that spoils or disables": {
        "modify": '* "^alert http" "alert"\nre:DNS "^alert" "# alert"\n'
        're:trojan "^# " ""\nre:tcp "^alert" "nonsense"\n',
    },
    "all four": {
        "disable": "group:emerging-all\nre:.\n",
        "enable": "re:MALWARE\nmetadata: confidence High\n",
        "drop": "re:CnC\nre:flowbits\n",
        "modify": 're:CnC "rev:(\\d+)" "rev:9\\\\1"\ngroup:tgreen-hunting.rules ^alert drop\n',
    },
}
THRESHOLDS = """\
# thresholds
suppress gen_id 1, sig_id 2009557, track by_src, ip 217.110.97.128/25

suppress re:java
suppress re:"trojan", track by_src, ip 10.0.0.1
threshold re:heartbleed, type threshold, track by_dst, count 1, seconds 10
"""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    for path in FOLDER.glob("*.rules"):
        lines = path.read_bytes().splitlines(keepends=True)
        part = LARGE_PART if len(lines) > 10_000 else 1
        # Rules that set and read flowbits are what needs a whole set: all of them stay.
        kept = [line for n, line in enumerate(lines) if n % part == 0 or (b"flowbits" in line and n % 4 == 0)]
        (folder / path.name).write_bytes(b"".join(kept))
    return folder


def facts(path: Path) -> Facts:
    found: Facts = {}
    for line in path.read_text().splitlines():
        sid = re.search(r"[ ;(]sid: *(\d+);", line)
        bare = line.lstrip("# ")
        if sid and "(" in line:
            gid = re.search(r"[ ;(]gid: *(\d+);", line)
            found[int(gid[1]) if gid else 1, int(sid[1])] = (bare.split()[0], not line.startswith("#"))
    return found


def theirs(tmp_path: Path, sources: Path, files: dict[str, Path]) -> Path:
    assert TOOL is not None
    out = tmp_path / "theirs"
    none = tmp_path / "none.rules"
    none.write_text("")
    config = "".join(f"{name}-conf: /nonexistent\n" for name in ("disable", "enable", "drop", "modify"))
    (tmp_path / "update.yaml").write_text(config + "dist-rule-directory: /nonexistent\n")
    options = [
        word
        for name, path in files.items()
        for word in (
            ("--threshold-in", path, "--threshold-out", out / "threshold.config")
            if name == "threshold"
            else (f"--{name}-conf", path)
        )
    ]
    done = subprocess.run(
        [
            TOOL, "update", "-D", tmp_path / "data", "-c", tmp_path / "update.yaml", "-o", out, "--no-test",
            "--suricata-conf", "/nonexistent", "--suricata-version", "7.0.10", "--no-reload", "--force",
            "--url", none.as_uri(), "--local", sources, *options,
        ],
        env={"PATH": "/nonexistent"}, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_same_rules(haidang: Run, tmp_path: Path, sources: Path, name: str) -> None:
    files = {}
    for kind, text in {**CONFIGURATIONS[name], "threshold": THRESHOLDS}.items():
        files[kind] = tmp_path / f"{kind}.{'in' if kind == 'threshold' else 'conf'}"
        files[kind].write_text(text)
    other = theirs(tmp_path, sources, files)
    options = [word for kind, path in files.items() for word in (f"--{kind}-{path.suffix[1:]}", path)]
    done = haidang("rules", "update", "-o", tmp_path / "ours", sources, *options)
    assert done.returncode in (0, 1), done.stderr
    ours, expected = facts(tmp_path / "ours" / "haidang.rules"), facts(other / "suricata.rules")
    assert len(expected) > 3000
    assert {
        key: (ours.get(key), expected.get(key))
        for key in ours | expected
        if ours.get(key) != expected.get(key)
    } == {}
    suppressed = re.compile(r"^(?:suppress|threshold) .*")
    lines = [
        sorted(filter(suppressed.match, path.read_text().splitlines()))
        for path in (tmp_path / "ours" / "current" / "threshold.config", other / "threshold.config")
    ]
    assert lines[0] == lines[1]
