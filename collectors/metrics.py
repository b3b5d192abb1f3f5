"""The centre's Prometheus metrics, read from its parts when they are scraped. Loopback unless the settings
say otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from collectors import heartbeats
from collectors.home import Home
from collectors.ingest import Receiver
from collectors.journal import Journal
from collectors.listen import Listener
from collectors.relay.metrics import relay_metrics
from collectors.store.fill import Filler

_COUNTS = {
    "batches": "Batches verified, journaled and acknowledged",
    "duplicates": "Batches that came again and were acknowledged again",
    "refused": "Batches in quarantine",
    "gaps": "Stretches of numbers that a sensor says will never come",
    "chain_breaks": "Batches that do not name the one before them",
    "out_of_order": "Times a sensor was told to begin again because numbers were missing",
    "over_credit": "Times a sensor sent more than its window",
    "malformed": "Messages that are none",
    "unknown_key": "Messages over a connection whose key is revoked or unknown",
    "origins_refused": "Sensors whose keys a relay may not bring",
    "key_changes": "Sensors that rotated their keys or learned the centre's",
    "key_refusals": "Key changes that were not proven",
    "impostor": "Hellos under another sensor's name",
    "journal_errors": "Groups that the journal could not keep",
    "hellos": "Sessions begun",
}


class CentreCollector(Collector):
    """Reads the parts of a running centre."""

    def __init__(
        self,
        listener: Listener,
        receiver: Receiver,
        journal: Journal,
        filler: Filler,
        relay: Home | None = None,
    ) -> None:
        self._relay = relay
        self._listener = listener
        self._receiver = receiver
        self._journal = journal
        self._filler = filler

    def collect(self) -> Iterator[Metric]:
        for name, text in _COUNTS.items():
            yield CounterMetricFamily(f"haidang_centre_{name}", text, value=self._receiver.counts[name])
        yield CounterMetricFamily(
            "haidang_centre_refused_connections",
            "Connections refused for their key",
            value=self._listener.refused_connections,
        )
        events = CounterMetricFamily(
            "haidang_centre_events", "Events journaled since the start", labels=["lane"]
        )
        for lane, count in sorted(self._receiver.batch_events.items()):
            events.add_metric([lane], count)
        yield events
        yield CounterMetricFamily(
            "haidang_centre_store_events",
            "Events inserted into the store since the start",
            value=self._filler.filled_events,
        )
        yield CounterMetricFamily(
            "haidang_centre_store_failures",
            "Times filling the store was interrupted",
            value=self._filler.failures,
        )
        batches, pending = self._journal.backlog()
        yield GaugeMetricFamily(
            "haidang_centre_backlog_batches", "Batches not in the store yet", value=batches
        )
        yield GaugeMetricFamily("haidang_centre_backlog_events", "Events not in the store yet", value=pending)
        heard = GaugeMetricFamily(
            "haidang_centre_sensor_heard_timestamp_seconds", "When a sensor last reported", labels=["sensor"]
        )
        skew = GaugeMetricFamily(
            "haidang_centre_sensor_clock_skew_seconds", "A sensor's clock minus this one's", labels=["sensor"]
        )
        for entry in self._journal.heard():
            heard.add_metric([entry.sensor], entry.heard_us / 1e6)
            skew.add_metric([entry.sensor], entry.skew_us / 1e6)
        yield heard
        yield skew
        age = GaugeMetricFamily(
            "haidang_centre_heartbeat_age_seconds",
            "Since a sensor's last heartbeat through its whole line",
            labels=["sensor"],
        )
        alarm = GaugeMetricFamily(
            "haidang_centre_heartbeat_alarm",
            "1: a sensor's heartbeats stay away; stage: what broke",
            labels=["sensor", "stage"],
        )
        for pulse in heartbeats.read(self._journal):
            age.add_metric([pulse.sensor], pulse.age_seconds)
            if pulse.is_alarm:
                alarm.add_metric([pulse.sensor, pulse.stage], 1)
        yield age
        yield alarm
        yield from relay_metrics(self._relay)
