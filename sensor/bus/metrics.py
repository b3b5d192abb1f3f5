"""A sensor's Prometheus metrics on the bus: the books and the link, read when they are scraped."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sensor.bus import lanes
from sensor.bus.link import Link
from sensor.bus.spool import Spool


class BusCollector(Collector):
    """haidang_bus_*: made = delivered + pending + sum over reasons of lost, per lane, in events."""

    def __init__(self, spool: Spool, link: Link) -> None:
        self._spool = spool
        self._link = link

    def collect(self) -> Iterator[Metric]:
        made = CounterMetricFamily("haidang_bus_events_made", "Events given to the spool", labels=["lane"])
        delivered = CounterMetricFamily(
            "haidang_bus_events_delivered", "Events durable at the centre", labels=["lane"]
        )
        pending = GaugeMetricFamily("haidang_bus_events_pending", "Events in the spool", labels=["lane"])
        lost = CounterMetricFamily("haidang_bus_events_lost", "Events given up", labels=["lane", "reason"])
        for book in self._spool.books():
            name = lanes.NAMES[book.lane]
            made.add_metric([name], book.made)
            delivered.add_metric([name], book.delivered)
            pending.add_metric([name], book.pending)
            for reason, events in sorted(book.lost.items()):
                lost.add_metric([name, reason], events)
        yield from (made, delivered, pending, lost)
        yield GaugeMetricFamily(
            "haidang_bus_spool_bytes", "Bytes in the spool", value=self._spool.used_bytes()
        )
        yield GaugeMetricFamily("haidang_bus_spool_quota_bytes", "Its quota", value=self._spool.quota_bytes)
        oldest = self._spool.oldest_pending_us()
        age = 0.0 if oldest is None else max(0.0, time.time() - oldest / 1e6)
        yield GaugeMetricFamily(
            "haidang_bus_oldest_pending_seconds", "Age of the oldest pending batch", value=age
        )
        session = self._link.session
        yield GaugeMetricFamily(
            "haidang_bus_session_up", "1 while a centre answers", value=int(session.established)
        )
        yield GaugeMetricFamily(
            "haidang_bus_in_flight_batches", "Batches sent, not acknowledged", value=session.in_flight
        )
        yield CounterMetricFamily(
            "haidang_bus_refused_batches", "Batches the centre refused", value=session.refused
        )
        yield CounterMetricFamily(
            "haidang_bus_reconnects", "Sockets given up for silence", value=self._link.reconnects
        )
        yield CounterMetricFamily(
            "haidang_bus_failovers", "Times the link turned to another collector", value=self._link.failovers
        )
        yield GaugeMetricFamily(
            "haidang_bus_collector", "Place of the collector in use: 0 is the first", value=self._link.at
        )
