"""The same counters under the names of Corelight's suricata_exporter, so that dashboards made for it go on
working (https://github.com/corelight/suricata_exporter).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sensor.live.capture import LiveCapture
from sensor.rules.findings import RuleReport
from sensor.rules.reload import Reloader

TOTAL = "total"
"""The thread of what is told for all workers together."""

_DECODER = {
    "packets": "pkts", "bytes": "bytes", "invalid_packets": "invalid", "too_many_layers": "too_many_layers",
    **{f"{name}_packets": name for name in (
        "ipv4", "ipv6", "ethernet", "arp", "unknown_ethertype", "raw", "null", "sll", "tcp", "udp", "sctp",
        "esp", "icmpv4", "icmpv6", "ppp", "pppoe", "geneve", "gre", "vlan", "vlan_qinq", "vlan_qinqinq",
        "vxlan", "vntag", "ieee8021ah", "teredo", "ipv4_in_ipv6", "ipv6_in_ipv6", "mpls", "erspan", "nsh",
        "chdlc",
    )},
}  # fmt: skip
_TCP = {
    "sessions": "sessions", "ssn_memcap_drop": "ssn_memcap_drop", "pseudo": "pseudo",
    "invalid_checksum_packets": "invalid_checksum", "syn_packets": "syn", "synack_packets": "synack",
    "rst_packets": "rst", "midstream_pickups": "midstream_pickups",
    "pkt_on_wrong_thread": "pkt_on_wrong_thread",
    "segment_memcap_drop": "segment_memcap_drop", "stream_depth_reached": "stream_depth_reached",
    "reassembly_gap": "reassembly_gap", "overlap": "overlap", "overlap_diff_data": "overlap_diff_data",
    "insert_data_normal_fail": "insert_data_normal_fail",
    "insert_data_overlap_fail": "insert_data_overlap_fail", "ack_unseen_data": "ack_unseen_data",
}  # fmt: skip
_FLOW = {name: name for name in ("tcp", "udp", "icmpv4", "icmpv6", "tcp_reuse")}
_DETECT = {
    "alerts": "alert", "alert_queue_overflows": "alert_queue_overflow",
    "alerts_suppressed": "alerts_suppressed",
}  # fmt: skip
COUNTERS: dict[str, str] = {
    **{f"suricata_decoder_{name}": f"decoder.{counter}" for name, counter in _DECODER.items()},
    **{f"suricata_tcp_{name}": f"tcp.{counter}" for name, counter in _TCP.items()},
    **{f"suricata_flow_{name}": f"flow.{counter}" for name, counter in _FLOW.items()},
    **{f"suricata_detect_{name}": f"detect.{counter}" for name, counter in _DETECT.items()},
    **{
        f"suricata_defrag_{kind}_{name}": f"defrag.{kind}.{name}"
        for kind in ("ipv4", "ipv6")
        for name in ("fragments", "reassembled")
    },
}
"""By thread, without the `_total` that Prometheus puts behind; counters we do not have are left out."""

GAUGES = {
    "suricata_decoder_packet_size_avg": "decoder.avg_pkt_size",
    "suricata_decoder_packet_size_max": "decoder.max_pkt_size",
    "suricata_defrag_max_frag_hits": "defrag.max_frag_hits",
}
TOTALS = {
    "suricata_tcp_memuse_bytes": "tcp.memuse",
    "suricata_tcp_reassembly_memuse_bytes": "tcp.reassembly_memuse",
    "suricata_flow_memuse_bytes": "flow.memuse",
}
_FLOWS_OF = "app_layer.flow."


class SuricataCollector(Collector):
    """suricata_*, read when they are scraped."""

    def __init__(self, capture: LiveCapture, report: Callable[[], RuleReport], reloader: Reloader) -> None:
        self._capture = capture
        self._report = report
        self._reloader = reloader

    def collect(self) -> Iterator[Metric]:
        counters = self._capture.live.counters()
        yield GaugeMetricFamily(
            "suricata_uptime_seconds",
            "Seconds since the capture began",
            value=time.monotonic() - self._capture.begun_at,
        )
        packets = CounterMetricFamily("suricata_capture_kernel_packets", "By ring", labels=["thread"])
        drops = CounterMetricFamily("suricata_capture_kernel_drops", "By ring", labels=["thread"])
        for ring in self._capture.live.rings():
            thread = [f"W#{ring.worker + 1:02d}-{ring.interface}"]
            packets.add_metric(thread, ring.kernel_packets)
            drops.add_metric(thread, ring.kernel_drops)
        yield from (packets, drops)
        for name, counter in COUNTERS.items():
            if counter in counters:
                total = CounterMetricFamily(name, counter, labels=["thread"])
                total.add_metric([TOTAL], counters[counter])
                yield total
        for name, counter in GAUGES.items():
            if counter in counters:
                level = GaugeMetricFamily(name, counter, labels=["thread"])
                level.add_metric([TOTAL], counters[counter])
                yield level
        for name, counter in TOTALS.items():
            if counter in counters:
                yield GaugeMetricFamily(name, counter, value=counters[counter])
        flows = CounterMetricFamily("suricata_app_layer_flows", "Flows by protocol", labels=["app", "thread"])
        for counter, value in counters.items():
            if counter.startswith(_FLOWS_OF):
                flows.add_metric([counter.removeprefix(_FLOWS_OF), TOTAL], value)
        yield flows
        yield from self._engine()

    def _engine(self) -> Iterator[Metric]:
        report = self._report()
        for name, value in (
            ("rules_loaded", report.loaded),
            ("rules_failed", report.quarantined),
            ("last_reload_timestamp_seconds", self._reloader.reloaded_at),
        ):
            level = GaugeMetricFamily(f"suricata_detect_engine_{name}", "Rules in force", labels=["id"])
            level.add_metric(["0"], value)
            yield level
