"""A sensor's metrics: the books close in what Prometheus reads, too."""

from __future__ import annotations

from collections import Counter

from prometheus_client import CollectorRegistry, generate_latest

from sensor.bus.keys import CentreKeys, SensorKeys
from sensor.bus.layout import Pending
from sensor.bus.link import Link
from sensor.bus.metrics import BusCollector
from sensor.bus.seal import Sealer
from sensor.bus.spool import Spool


def test_the_books_close_in_the_metrics(
    spool: Spool, sealer: Sealer, sensor_keys: SensorKeys, centre_keys: CentreKeys
) -> None:
    for lane, events in ((0, 5), (0, 2), (3, 7)):
        spool.append([Pending(lane, events, b"{}\n" * events)], sealer)
    spool.acknowledge(0, 1)
    spool.drop(3, 0, "refused: content")
    link = Link(spool, sensor_keys, centre_keys.public(), "tcp://127.0.0.1:1", software="test")
    registry = CollectorRegistry()
    registry.register(BusCollector(spool, link))
    sums: Counter[str] = Counter()
    for family in registry.collect():
        for sample in family.samples:
            sums[sample.name] += int(sample.value)
    assert sums["haidang_bus_events_made_total"] == 14
    assert sums["haidang_bus_events_delivered_total"] == 5
    assert sums["haidang_bus_events_pending"] == 2
    assert sums["haidang_bus_events_lost_total"] == 7
    assert b'haidang_bus_events_lost_total{lane="logs",reason="refused: content"} 7.0' in generate_latest(
        registry
    )
    assert sums["haidang_bus_session_up"] == 0
