"""From `af-packet` and `-i` to what the engine is told of each interface (node `live`)."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import cast

from sensor.config import Config
from sensor.config.values import Json
from sensor.errors import UserError

RING_BYTES = 128 << 20
"""A ring when nothing is said: about a fifth of a second at 5 Gbit/s."""
MEMORY_SHARE = 8
"""All rings together take at most this part of the machine's memory when nothing is said."""
BLOCK_BYTES = 1 << 20
MIN_BLOCK_BYTES = 128 << 10  # a frame that the card has merged has up to 64 KiB and must fit
FRAME_BYTES = 1600  # what `ring-size` counts: a full Ethernet frame with the ring's own header
BLOCK_TIMEOUT_MS = 10  # Suricata's
MAX_RING_BYTES = (1 << 32) - 1

Compile = Callable[[str], list[list[int]]]
"""A capture filter's program for Ethernet."""


def live_document(
    config: Config, names: Sequence[str], *, workers: int, capture_filter: str, compile_filter: Compile
) -> dict[str, Json]:
    """The engine's node `live`. names: the interfaces of -i; none: all of `af-packet`. workers: threads of
    every interface, 0 for what the configuration says. Raises UserError.
    """
    entries = [cast(dict[str, Json], entry) for entry in cast(list[Json], config.get("af-packet") or [])]
    defaults = next((entry for entry in entries if entry.get("interface") == "default"), {})
    named = {str(entry.get("interface")): entry for entry in entries if entry.get("interface") != "default"}
    chosen = list(dict.fromkeys(names or named))
    if not chosen:
        raise UserError(
            "no interface given", where="-i", fix="give -i IFACE, or af-packet: in the configuration"
        )
    merged = [defaults | named.get(name, {}) | {"interface": name} for name in chosen]
    threads = [workers or _threads(entry) for entry in merged]
    share = _memory_bytes() // MEMORY_SHARE // max(1, sum(threads))
    filters: dict[str, Json] = {}
    interfaces: list[Json] = []
    for entry, count in zip(merged, threads, strict=True):
        text = capture_filter or str(entry.get("bpf-filter") or "")
        if text and text not in filters:
            filters[text] = cast(Json, compile_filter(text))
            if "vlan" in text.split():
                config.warnings.append(
                    f"capture filter `{text}`: live, the outermost VLAN tag is not part of the frame that "
                    f"the filter sees; to leave VLANs out use haidang.exclude.vlans"
                )
        interfaces.append(
            {
                "interface": entry["interface"],
                "threads": count,
                "cluster-id": entry.get("cluster-id"),
                "cluster-type": _cluster(entry),
                "promiscuous": not entry.get("disable-promisc", False),
                "block-timeout-ms": entry.get("block-timeout", BLOCK_TIMEOUT_MS),
                "filter": filters.get(text, []),
                "excluded-networks": config.get("haidang.exclude.networks") or [],
                "excluded-vlans": _vlans(config),
                **_ring(config, entry, share),
            }
        )
    return {"interfaces": interfaces}


def _threads(entry: dict[str, Json]) -> int:
    text = str(entry.get("threads", "auto"))
    if text == "auto":
        return len(os.sched_getaffinity(0))
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 1024):
        raise UserError(
            f"`{text}` is no number of threads", where="af-packet.threads", fix="write auto, or 1 to 1024"
        )
    return int(text)


def _cluster(entry: dict[str, Json]) -> str:
    """`cluster_ebpf` without a program of one's own asks for the same as our default."""
    kind = str(entry.get("cluster-type", "cluster_pair"))
    return "cluster_pair" if kind == "cluster_ebpf" else kind


def _vlans(config: Config) -> list[Json]:
    found: list[Json] = []
    for text in cast(list[Json], config.get("haidang.exclude.vlans") or []):
        if not (str(text).isdigit() and int(str(text)) < 4096):
            raise UserError(
                f"`{text}` is no VLAN", where="haidang.exclude.vlans", fix="write numbers from 0 to 4095"
            )
        found.append(int(str(text)))
    return found


def _ring(config: Config, entry: dict[str, Json], share: int) -> dict[str, Json]:
    """Block size and number of blocks. `ring-memory` is in bytes; `ring-size`, as in Suricata, in packets."""
    page = os.sysconf("SC_PAGE_SIZE")
    block = int(cast(int, entry.get("block-size") or BLOCK_BYTES))
    if block < MIN_BLOCK_BYTES:
        config.warnings.append(
            f"af-packet.block-size: {block} bytes do not hold a merged frame of 64 KiB; {MIN_BLOCK_BYTES} "
            f"are used"
        )
        block = MIN_BLOCK_BYTES
    block = -(-block // page) * page
    if entry.get("ring-memory"):
        total = int(cast(int, entry["ring-memory"]))
    elif entry.get("ring-size"):
        total = int(cast(int, entry["ring-size"])) * FRAME_BYTES
    else:
        total = min(RING_BYTES, share)
    if total > MAX_RING_BYTES:
        raise UserError(
            f"a ring of {total >> 20} MiB is larger than the kernel makes",
            where="af-packet.ring-memory",
            fix="give less than 4 GiB, and more threads",
        )
    return {"block-bytes": block, "blocks": max(4, total // block)}


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
