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
from collectors.outlets.places import Places
from collectors.quality.facts import INTERVAL_SECONDS
from collectors.quality.ledger import Ledger
from collectors.quality.words import NAMES, clock_error_us, judge, packet_lag_us
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
    "came_back": "Batches that this centre relayed and that came back to it: relays in a loop",
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
        held = self._listener.connections
        yield GaugeMetricFamily("haidang_centre_connections", "Connections that are open", value=len(held))
        yield CounterMetricFamily(
            "haidang_centre_surplus_connections",
            "Connections refused because their key had as many as it may",
            value=held.refused,
        )
        yield CounterMetricFamily(
            "haidang_centre_silent_connections",
            "Connections ended because they said nothing after they were let in",
            value=held.ended,
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
        yield from self._outlets()
        yield from self._quality()

    def _outlets(self) -> Iterator[Metric]:
        sent = CounterMetricFamily("haidang_centre_outlet_events", "Events it took", labels=["outlet"])
        missed = CounterMetricFamily(
            "haidang_centre_outlet_missed_events",
            "Events dropped from the journal before it had them",
            labels=["outlet"],
        )
        behind = GaugeMetricFamily(
            "haidang_centre_outlet_behind_batches", "Batches it has not looked at", labels=["outlet"]
        )
        failing = GaugeMetricFamily(
            "haidang_centre_outlet_failing", "1 while it takes nothing", labels=["outlet"]
        )
        last = self._journal.last_id()
        for place in Places(self._journal).all():
            sent.add_metric([place.name], place.sent)
            missed.add_metric([place.name], place.lost)
            behind.add_metric([place.name], last - place.upto)
            failing.add_metric([place.name], int(place.since > 0))
        yield from (sent, missed, behind, failing)

    def _quality(self) -> Iterator[Metric]:
        """Of the last interval that is closed (docs/spec/quality.md)."""
        holds = GaugeMetricFamily(
            "haidang_centre_quality_holds",
            "1 when the word holds for a sensor's last minute, 0 when not; none when unknown",
            labels=["sensor", "word"],
        )
        ratio = GaugeMetricFamily(
            "haidang_centre_quality_ratio", "What the word is about, 0 to 1", labels=["sensor", "word"]
        )
        error = GaugeMetricFamily(
            "haidang_centre_sensor_clock_error_seconds",
            "The most a sensor's clock was off",
            labels=["sensor"],
        )
        lag = GaugeMetricFamily(
            "haidang_centre_sensor_lag_seconds",
            "Longest way from packet to receipt, and from receipt to store",
            labels=["sensor", "stage"],
        )
        ledger = Ledger(self._journal)
        upto = ledger.upto()
        for entry in ledger.read(upto - INTERVAL_SECONDS, upto):
            for name, word in zip(NAMES, judge(entry.facts, INTERVAL_SECONDS * 1_000_000), strict=True):
                if word.holds is not None:
                    holds.add_metric([entry.sensor, name], int(word.holds))
                if word.ratio is not None:
                    ratio.add_metric([entry.sensor, name], word.ratio)
            if (most := clock_error_us(entry.facts)) is not None:
                error.add_metric([entry.sensor], most / 1e6)
            for stage, late in (("packet", packet_lag_us(entry.facts)), ("store", entry.facts.store_lag_us)):
                if late is not None:
                    lag.add_metric([entry.sensor, stage], late / 1e6)
        yield from (holds, ratio, error, lag)
