"""The state of a live capture in a file beside the spool, so that `haidang sensor status` can show it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sensor.cli.language import say
from sensor.live.gate import Gate, gate_lines
from sensor.live.heartbeat import Heart
from sensor.live.keeper import Keeper

STATUS_FILE = "live.json"
STALE_SECONDS = 60.0


def write_status(
    directory: Path,
    keeper: Keeper,
    *,
    is_running: bool,
    gate: Gate | None = None,
    heart: Heart | None = None,
) -> None:
    """Put the newest page of the books there, whole or not at all."""
    page = keeper.page
    if page is None:
        return
    told: dict[str, Any] = {
        "written": time.time(),
        "running": is_running,
        "process": os.getpid(),
        "counters": {
            name: value
            for name, value in page.counters.items()
            if name.startswith(("capture.", "haidang.")) or name in ("decoder.pkts", "decoder.invalid")
        },
        "rings": [
            {
                "interface": ring.interface,
                "worker": ring.worker,
                "packets": ring.kernel_packets,
                "drops": ring.kernel_drops,
                "busy_percent": ring.busy_permille / 10,
                "ring_bytes": ring.ring_bytes,
            }
            for ring in page.rings
        ],
        "left_out": {
            name: {"excluded": excluded, "filtered": filtered}
            for name, (excluded, filtered) in page.left_out.items()
        },
        "nics": {name: {"rx_packets": nic.packets, **nic.losses} for name, nic in page.nics.items()},
        "imbalances": page.imbalances,
        "losses": [{"at": at, "text": str(loss)} for at, loss in keeper.recent],
    }
    if gate is not None:
        told["service"] = gate.told()
    if heart is not None:
        told["heartbeat"] = heart.told()
    path = directory / STATUS_FILE
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(told), encoding="utf-8")
    beside.replace(path)


def read_status(directory: Path) -> dict[str, Any] | None:
    """What was written last; None when there was no live capture, or what is there cannot be read."""
    try:
        told = json.loads((directory / STATUS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) else None


def status_lines(status: dict[str, Any] | None) -> Iterator[str]:
    """The same for people."""
    if status is None:
        return
    age = time.time() - status["written"]
    state = say("capturing", "đang bắt gói") if status["running"] else say("stopped", "đã dừng")
    if status["running"] and age > STALE_SECONDS:
        state = say("not heard of: was it killed?", "không có tin: đã bị dừng đột ngột?")
    yield say(f"live capture: {state}, {age:.0f} s ago", f"bắt gói trực tiếp: {state}, {age:.0f} giây trước")
    if "service" in status and status["running"]:
        yield from gate_lines(status["service"])
    if "heartbeat" in status and status["running"]:
        yield _heartbeat_line(status["heartbeat"])
    for ring in status["rings"]:
        yield (
            f"  {ring['interface']} / {ring['worker']}: {ring['packets']:,} {say('packets', 'gói')}, "
            f"{ring['drops']:,} {say('dropped', 'bị bỏ')}, "
            f"{say('busy', 'bận')} {ring['busy_percent']:.0f} %"
        )
    for name, left in status["left_out"].items():
        if left["excluded"] or left["filtered"]:
            yield say(
                f"  {name}: {left['excluded']:,} excluded, {left['filtered']:,} filtered",
                f"  {name}: loại trừ {left['excluded']:,}, lọc bỏ {left['filtered']:,}",
            )
    closes = say("the books close", "sổ khớp")
    yield from [f"  {say('IMBALANCE', 'SỔ LỆCH')}: {text}" for text in status["imbalances"]] or [
        f"  {closes}"
    ]
    for loss in status["losses"]:
        when = time.strftime("%H:%M:%S", time.localtime(loss["at"]))
        yield f"  {when} {loss['text']}"


def _heartbeat_line(told: dict[str, Any]) -> str:
    title = say("heartbeat", "nhịp tim")
    if told["broken"]:
        return say(
            f"{title}: stays away at stage {told['broken']}",
            f"{title}: không qua được chặng {told['broken']}",
        )
    if not told["proven"]:
        return say(f"{title}: none yet", f"{title}: chưa có")
    age = time.time() - told["proven"]
    return say(f"{title}: proven {age:.0f} s ago", f"{title}: được chứng thực {age:.0f} giây trước")
