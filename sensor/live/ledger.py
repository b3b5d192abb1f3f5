"""The books of a live capture: every packet somewhere, once; every loss with its likely cause and its remedy.

wire = card's losses + excluded + filtered + kernel_packets
kernel_packets = kernel_drops + frames (+ what is in the ring at the moment)
frames = decoded + outgoing + damaged

The counters of a ring are all of one moment; between two workers a second may lie. A difference that no such
delay explains is an imbalance, and an imbalance is an alarm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sensor.live.nic import UNCLAIMED, NicCounts

if TYPE_CHECKING:
    from sensor._engine import Ring

BUSY_PERMILLE = 900
SMALLEST_FRAME_IN_RING = 64  # bytes: no ring holds more frames than this makes possible
MAX_RING_BYTES = 4 << 30


@dataclass(frozen=True, slots=True)
class Loss:
    """Packets or events that were lost: where, how many, why, and what to do."""

    where: str
    count: int
    cause: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.count:,} lost: {self.cause}: {self.remedy}"


@dataclass(slots=True)
class Page:
    """One look at the books; counts since the capture began."""

    counters: Mapping[str, int]
    rings: Sequence[Ring]
    left_out: Mapping[str, tuple[int, int]]
    nics: Mapping[str, NicCounts]
    is_final: bool = False
    unexplained: dict[str, int] = field(default_factory=dict)
    """By interface, frames in `nic.UNCLAIMED` that are not the capture's."""
    imbalances: list[str] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)


ENGINE_LOSSES: Mapping[str, tuple[str, str]] = {
    "flow.memcap": ("the flow table was full and flows ended early", "raise flow.memcap"),
    "tcp.ssn_memcap_drop": ("no memory for more TCP sessions", "raise stream.memcap"),
    "tcp.segment_memcap_drop": ("no memory for TCP segments", "raise stream.reassembly.memcap"),
    "defrag.max_frag_hits": ("more fragments than defrag holds", "raise defrag.max-frags and defrag.memcap"),
    "decoder.invalid": (
        "headers that make no sense",
        "look at anomaly events; a mirror that truncates shows here",
    ),
    "haidang.capture.truncated": (
        "packets longer than a block of the ring",
        "raise af-packet.block-size, or turn merging off (ethtool -K IFACE gro off lro off)",
    ),
    "haidang.event_queue.lost_logs": (
        "outputs were slower than events came, logs were given up",
        "give the log directory or the spool a faster disk, or leave event types out",
    ),
    "haidang.event_queue.lost_others": (
        "outputs stood still, alerts were given up",
        "look whether the disk is full or hangs",
    ),
    "haidang.shed.bypassed_flows": (
        "memory was short, large flows were followed no further",
        "raise haidang.memory.limit, lower the memcaps, or give the machine more memory",
    ),
    "haidang.shed.unparsed_flows": (
        "memory was short, new flows were not parsed",
        "raise haidang.memory.limit, lower the memcaps, or give the machine more memory",
    ),
    "haidang.shed.dropped_packets": (
        "memory was short, packets of new flows were left out",
        "raise haidang.memory.limit, lower the memcaps, or give the machine more memory",
    ),
    "haidang.logs.lost_lines": (
        "no room for local logs, lines were given up",
        "free some space, or lower haidang.logs.total",
    ),
    "haidang.panics": ("a fault of ours", "report it with quarantine.pcap"),
}
"""Counters of loss behind the ring: cause and remedy."""


def examine(page: Page, before: Page | None) -> Page:
    """Fill in imbalances (over the whole time) and losses (since `before`)."""
    page.imbalances = list(_imbalances(page))
    page.losses = [*_ring_losses(page, before), *_nic_losses(page, before), *_engine_losses(page, before)]
    return page


def _imbalances(page: Page) -> Sequence[str]:
    found = []
    for ring in page.rings:
        inside = ring.kernel_packets - ring.kernel_drops - ring.frames
        room = 0 if page.is_final else ring.ring_bytes // SMALLEST_FRAME_IN_RING
        if not 0 <= inside <= room:
            found.append(
                f"{ring.interface}, worker {ring.worker}: the kernel counted {ring.kernel_packets:,} packets "
                f"and {ring.kernel_drops:,} drops, {ring.frames:,} were taken out: {inside:,} are nowhere"
            )
    get = page.counters.get
    frames = get("haidang.capture.frames", 0)
    known = get("decoder.pkts", 0) + get("haidang.capture.outgoing", 0) + get("haidang.capture.damaged", 0)
    if frames != known:
        found.append(f"{frames:,} frames were taken out of rings, {known:,} were decoded or left out")
    return found


def _ring_losses(page: Page, before: Page | None) -> Sequence[Loss]:
    old = {(ring.interface, ring.worker): ring.kernel_drops for ring in before.rings} if before else {}
    found = []
    for ring in page.rings:
        lost = ring.kernel_drops - old.get((ring.interface, ring.worker), 0)
        if lost <= 0:
            continue
        name, busy = f"{ring.interface}, ring {ring.worker}", ring.busy_permille / 10
        larger = min(ring.ring_bytes * 4, MAX_RING_BYTES - (1 << 20)) >> 20
        ring_text = f"set af-packet.ring-memory: {max(1, larger)}mb"
        if ring.busy_permille >= BUSY_PERMILLE:
            cause = f"ring overrun while worker {ring.worker} was busy {busy:.0f} %"
            remedy = f"give more workers (--workers, af-packet.threads), or fewer rules, or {ring_text}"
        else:
            cause = f"ring overrun in a burst (worker {ring.worker} was busy {busy:.0f} %)"
            remedy = f"{ring_text} (it has {ring.ring_bytes / (1 << 20):g} MiB)"
        found.append(Loss(name, lost, cause, remedy))
    return found


def _nic_losses(page: Page, before: Page | None) -> Sequence[Loss]:
    found = []
    for name, counts in page.nics.items():
        old = before.nics.get(name) if before else None
        lost = {
            counter: value - (old.losses.get(counter, 0) if old else 0)
            for counter, value in counts.losses.items()
            if counter != UNCLAIMED
        }
        # What the card counted up to the last look has been decoded by now.
        settled = counts if page.is_final else old
        told = before.unexplained.get(name, 0) if before else 0
        dropped = settled.losses.get(UNCLAIMED, 0) if settled else 0
        page.unexplained[name] = max(told, dropped - _unclaimed(page))
        lost[UNCLAIMED] = page.unexplained[name] - told
        found += [
            Loss(name, count, f"the card or its driver ({counter})", _NIC_REMEDY(name))
            for counter, count in lost.items()
            if count > 0
        ]
    return found


def _unclaimed(page: Page) -> int:
    """Frames that the kernel may count as dropped though a ring has them, or a filter left them out: nobody
    but the capture takes two VLAN tags, or an unknown type. Of all interfaces together.
    """
    left_out = sum(sum(counts) for counts in page.left_out.values())
    return left_out + sum(
        page.counters.get(name, 0) for name in ("decoder.vlan", "decoder.unknown_ethertype")
    )


_NIC_REMEDY: Callable[[str], str] = (
    "raise the card's ring: ethtool -G {0} rx 4096; see ethtool -S {0} for which queue".format
)


def _engine_losses(page: Page, before: Page | None) -> Sequence[Loss]:
    found = []
    for name, (cause, remedy) in ENGINE_LOSSES.items():
        lost = page.counters.get(name, 0) - (before.counters.get(name, 0) if before else 0)
        if lost > 0:
            found.append(Loss(name, lost, cause, remedy))
    return found
