"""Prometheus metrics of a live capture, read when they are scraped (names: docs/guide/en/live.md)."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sensor.live.capture import LiveCapture
from sensor.live.gate import STATES, Gate
from sensor.live.heartbeat import STAGES, Heart
from sensor.live.keeper import Keeper


class CaptureCollector(Collector):
    """haidang_capture_*: by interface and worker; haidang_engine_total: the engine's counters by name."""

    def __init__(
        self,
        capture: LiveCapture,
        keeper: Keeper,
        gate: Gate | None = None,
        heart: Heart | None = None,
    ) -> None:
        self._capture = capture
        self._keeper = keeper
        self._gate = gate
        self._heart = heart

    def collect(self) -> Iterator[Metric]:
        where = ["interface", "worker"]
        packets = CounterMetricFamily(
            "haidang_capture_kernel_packets",
            "Packets past the kernel's filter, drops among them",
            labels=where,
        )
        drops = CounterMetricFamily(
            "haidang_capture_kernel_drops", "Packets that found a full ring", labels=where
        )
        frames = CounterMetricFamily("haidang_capture_frames", "Frames taken out of a ring", labels=where)
        busy = GaugeMetricFamily("haidang_worker_busy_ratio", "Share of time not waiting", labels=where)
        size = GaugeMetricFamily("haidang_capture_ring_bytes", "Memory of a ring", labels=where)
        for ring in self._capture.live.rings():
            labels = [ring.interface, str(ring.worker)]
            packets.add_metric(labels, ring.kernel_packets)
            drops.add_metric(labels, ring.kernel_drops)
            frames.add_metric(labels, ring.frames)
            busy.add_metric(labels, ring.busy_permille / 1000)
            size.add_metric(labels, ring.ring_bytes)
        yield from (packets, drops, frames, busy, size)
        excluded = CounterMetricFamily(
            "haidang_capture_excluded", "Packets in exclusion zones", labels=["interface"]
        )
        filtered = CounterMetricFamily(
            "haidang_capture_filtered", "Packets the capture filter left out", labels=["interface"]
        )
        for name, (excluded_count, filtered_count) in self._capture.live.left_out().items():
            excluded.add_metric([name], excluded_count)
            filtered.add_metric([name], filtered_count)
        yield from (excluded, filtered)
        page = self._keeper.page
        nic = CounterMetricFamily("haidang_nic_packets", "Packets the card received", labels=["interface"])
        lost = CounterMetricFamily(
            "haidang_nic_lost", "Packets the card or its driver lost", labels=["interface", "counter"]
        )
        for name, counts in (page.nics if page else {}).items():
            nic.add_metric([name], counts.packets)
            for counter, value in counts.losses.items():
                lost.add_metric([name, counter], value)
        yield from (nic, lost)
        yield GaugeMetricFamily(
            "haidang_ledger_imbalances",
            "Books that do not close; above 0 is an alarm",
            value=len(page.imbalances) if page else 0,
        )
        engine = CounterMetricFamily("haidang_engine", "Counters as in EVE stats", labels=["counter"])
        for counter, value in self._capture.live.counters().items():
            engine.add_metric([counter], value)
        yield engine
        own = GaugeMetricFamily(
            "haidang_sensor", "What the sensor counts beside the engine, as in EVE stats", labels=["counter"]
        )
        for more in self._keeper.more:
            for counter, value in more().items():
                own.add_metric([counter], value)
        yield own
        if self._gate is not None:
            yield from _service(self._gate)
        if self._heart is not None:
            yield from _heartbeat(self._heart)


def _heartbeat(heart: Heart) -> Iterator[Metric]:
    yield CounterMetricFamily("haidang_heartbeat_sent", "Heartbeats sent", value=heart.sent)
    yield CounterMetricFamily(
        "haidang_heartbeat_delivered", "Heartbeats that the centre has", value=heart.delivered
    )
    yield GaugeMetricFamily(
        "haidang_heartbeat_proven_timestamp_seconds",
        "When the newest heartbeat that the centre has was sent; 0: none yet",
        value=heart.proven_at,
    )
    broken = GaugeMetricFamily(
        "haidang_heartbeat_broken",
        "1 for the stage at which the last heartbeat stayed away",
        labels=["stage"],
    )
    for stage in STAGES:
        broken.add_metric([stage], int(stage == heart.broken))
    yield broken


def _service(gate: Gate) -> Iterator[Metric]:
    state = GaugeMetricFamily("haidang_service_state", "1 for the state the sensor is in", labels=["state"])
    for name in STATES:
        state.add_metric([name], int(name == gate.state))
    yield state
    check = GaugeMetricFamily(
        "haidang_service_check_failing",
        "Checks that fail; accepted: somebody said that this one may",
        labels=["check", "accepted"],
    )
    for answers, accepted in ((gate.failing, "no"), (gate.accepted, "yes")):
        for name in dict.fromkeys(answer.check.name for answer in answers):
            check.add_metric([name, accepted], 1)
    yield check
