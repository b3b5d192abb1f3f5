"""The relay's Prometheus metrics: haidang_relay_*, per lane and in events unless the name says otherwise."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from collectors.home import Home
from collectors.relay.ledger import OUTBOX_FILE, read_books
from collectors.relay.uplink import read_status, relay_directory
from sensor.bus import lanes
from sensor.bus.layout import POLICY


def relay_metrics(home: Home | None) -> Iterator[Metric]:
    """made = delivered + withheld + pending + sum over reasons of lost. Nothing where nothing is relayed."""
    if home is None or not (outbox := relay_directory(home) / OUTBOX_FILE).exists():
        return
    told = read_books(outbox)
    made = CounterMetricFamily("haidang_relay_events_made", "Events to relay", labels=["lane"])
    delivered = CounterMetricFamily(
        "haidang_relay_events_delivered", "Events durable at the national centre", labels=["lane"]
    )
    withheld = CounterMetricFamily(
        "haidang_relay_events_withheld", "Events that the policy keeps back", labels=["lane"]
    )
    pending = GaugeMetricFamily("haidang_relay_events_pending", "Events that wait", labels=["lane"])
    lost = CounterMetricFamily("haidang_relay_events_lost", "Events given up", labels=["lane", "reason"])
    for book, _ in told:
        name = lanes.NAMES[book.lane]
        made.add_metric([name], book.made)
        delivered.add_metric([name], book.delivered)
        withheld.add_metric([name], book.lost.get(POLICY, 0))
        pending.add_metric([name], book.pending)
        for reason, events in sorted(book.lost.items()):
            if reason != POLICY:
                lost.add_metric([name, reason], events)
    yield from (made, delivered, withheld, pending, lost)
    later = GaugeMetricFamily(
        "haidang_relay_events_put_off", "Pending events whose sensor the nation refuses", labels=["lane"]
    )
    lag = GaugeMetricFamily(
        "haidang_relay_lag_seconds", "Age of the oldest batch that waits", labels=["lane"]
    )
    for _, state in told:
        later.add_metric([lanes.NAMES[state.lane]], state.later)
        age = 0.0 if state.oldest_us is None else max(0.0, time.time() - state.oldest_us / 1e6)
        lag.add_metric([lanes.NAMES[state.lane]], age)
    yield from (later, lag)
    status = read_status(home)
    yield GaugeMetricFamily(
        "haidang_relay_session_up", "1 while the national centre answers", value=int(status.is_up)
    )
    yield CounterMetricFamily(
        "haidang_relay_refused_batches", "Batches the national centre refused", value=status.refused
    )
