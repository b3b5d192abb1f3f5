"""A sensor with no more than what its systemd unit gives it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from live_wire import REPOSITORY, Wire, last_stats
from test_capture import ALL_RULES, RULES, books_close, udp, write_frames
from test_heartbeat import QUICK, RUN, centre

NOBODY = 65_534
SETPRIV = shutil.which("setpriv")


@pytest.mark.skipif(SETPRIV is None, reason="setpriv (util-linux) is not installed")
def test_the_units_capabilities_suffice_and_are_given_up(wire: Wire, tmp_path: Path) -> None:
    unit = (REPOSITORY / "deploy" / "systemd" / "haidang-sensor.service").read_text()
    (ambient,) = re.findall(r"^AmbientCapabilities=(.*)$", unit, re.MULTILINE)
    assert f"CapabilityBoundingSet={ambient}\n" in unit and "NoNewPrivileges=yes" in unit
    # Where nobody may not read the interpreter of these tests it needs one more to start at all.
    given = [name.removeprefix("CAP_").lower() for name in ambient.split()] + ["dac_read_search"]
    sets = ",".join(f"+{name}" for name in given)
    (tmp_path / "test.rules").write_text(RULES)
    frames = write_frames(tmp_path / "one.pcap", [udp("10.0.0.1", "10.0.0.2", b"canary-7f3a91")])
    with centre(wire):
        (tmp_path / "live").mkdir()
        for place in (tmp_path, tmp_path / "live", tmp_path / "tap", *(tmp_path / "tap").rglob("*")):
            os.chown(place, NOBODY, NOBODY)
        for folder in tmp_path.parents[:3]:
            folder.chmod(folder.stat().st_mode | 0o055)
        live = wire.start(
            *RUN, "--metrics", "", *QUICK, *ALL_RULES,
            before=[
                str(SETPRIV), f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
                f"--bounding-set=-all,{sets}", f"--inh-caps=-all,{sets}", f"--ambient-caps=-all,{sets}",
                "--no-new-privs",
            ],
        )  # fmt: skip
        sent = wire.send(frames)
        time.sleep(2.5)
        assert "no heartbeat" not in wire.log()
        for thread in Path(f"/proc/{live.pid}/task").iterdir():
            status = (thread / "status").read_text()
            sets_left = re.findall(r"^Cap(?:Prm|Eff|Inh|Amb):\t(\w+)$", status, re.MULTILINE)
            assert [int(one, 16) for one in sets_left] == [0] * 4
        wire.end(live)
        links = subprocess.run(wire.inside("ip", "-o", "link"), capture_output=True, text=True, check=True)
    stats = last_stats(tmp_path / "live")
    books_close(stats, sent)
    assert stats["haidang"]["heartbeat"]["frames"] > 0 and stats["detect"]["alert"] == 1
    assert not re.search(r": hd[0-9a-f]{8}[tr]@", links.stdout)
