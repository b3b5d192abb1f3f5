"""A small disk does not fill, whatever comes in, and what had to go is counted."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_wire import Wire, all_events, last_stats
from test_capture import ALL_RULES, RULES, udp, write_frames

SIZE_BYTES = 16 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "live"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE_BYTES}", "haidang-test", folder], capture_output=True
    )
    if made.returncode:
        pytest.skip("mounting is refused")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_the_disk_never_fills(wire: Wire, tmp_path: Path, small_disk: Path) -> None:
    (tmp_path / "test.rules").write_text(RULES)
    packets = write_frames(tmp_path / "some.pcap", [udp("10.0.0.1", "10.0.0.2", b"canary-7f3a91")] * 100)
    live = wire.start(
        "capture", "-i", "in0", "-l", small_disk, *ALL_RULES, "--set", "haidang.logs.rotate-size=256kb",
        "--set", "haidang.logs.keep-free=50",
        "--set", "stats.interval=600",  # nothing is written behind the last look
    )  # fmt: skip
    sent, most = 0, 0
    for _ in range(22):
        sent += wire.send(packets, rate=2000, laps=20)
        most = max(most, shutil.disk_usage(small_disk).used)
    time.sleep(6)  # one more look
    assert shutil.disk_usage(small_disk).free >= SIZE_BYTES // 2
    told = wire.end(live)
    assert live.returncode == 0, told
    stats = last_stats(small_disk)
    logs = stats["haidang"]["logs"]
    assert stats["detect"]["alert"] == stats["decoder"]["pkts"] == sent
    assert most < SIZE_BYTES
    assert logs["deleted_files"] > 10 and logs["deleted_bytes"] > SIZE_BYTES // 4
    assert logs["lost_lines"] == 0
    assert all_events(small_disk)
