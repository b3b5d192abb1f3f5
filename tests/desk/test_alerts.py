"""Alerts as multisets, and two of them side by side."""

from __future__ import annotations

import json
from collections import Counter

from sensor.desk.alerts import Alert, Comparison, alerts_of


def eve(signature_id: int, src: str, dest: str, proto: str = "TCP") -> str:
    ends = {
        f"{side}_{part}": value
        for side, end in (("src", src), ("dest", dest))
        for part, value in zip(("ip", "port"), end.rsplit(":", 1), strict=True)
    }
    return json.dumps(
        {"event_type": "alert", **ends, "proto": proto, "alert": {"signature_id": signature_id}}
    )


def test_both_directions_are_one_flow() -> None:
    lines = [eve(1, "10.0.0.1:1024", "10.0.0.2:80"), eve(1, "10.0.0.2:80", "10.0.0.1:1024", proto="tcp")]
    assert alerts_of(lines, "a.pcap") == {Alert(1, "10.0.0.1:1024-10.0.0.2:80/tcp", "a.pcap"): 2}


def test_other_events_are_no_alerts() -> None:
    assert not alerts_of(['{"event_type":"flow","src_ip":"10.0.0.1"}'], "a.pcap")


def test_alerts_without_ports_have_a_flow_too() -> None:
    line = {"event_type": "alert", "src_ip": "::2", "dest_ip": "::1", "alert": {"signature_id": 3}}
    line["proto"] = "IPv6-ICMP"
    assert list(alerts_of([json.dumps(line)], "a.pcap")) == [Alert(3, "::1:-::2:/ipv6-icmp", "a.pcap")]


def test_recall_and_precision_count_every_alert() -> None:
    one, two, three = (Alert(number, "flow", "a.pcap") for number in (1, 2, 3))
    comparison = Comparison(ours=Counter({one: 3, two: 1}), theirs=Counter({one: 2, three: 3}))
    assert comparison.in_both == 2
    assert comparison.recall == 2 / 5
    assert comparison.precision == 2 / 4


def test_nothing_to_find_is_found() -> None:
    comparison = Comparison(Counter(), Counter())
    assert (comparison.recall, comparison.precision) == (1.0, 1.0)


def test_the_report_names_the_worst_rules_first() -> None:
    theirs = Counter({Alert(7, "b", "x.pcap"): 1, Alert(7, "a", "x.pcap"): 1, Alert(8, "c", "y.pcap"): 1})
    report = Comparison(Counter({Alert(9, "d", "z.pcap"): 1}), theirs).report(worst=1)
    assert report.splitlines() == [
        "alerts: ours 1, Suricata 3, in both 0",
        "recall 0.0000, precision 0.0000",
        "only Suricata: 3 alerts of 2 rules",
        "  7 x2, e.g. a in x.pcap",
        "only ours: 1 alerts of 1 rules",
        "  9 x1, e.g. d in z.pcap",
    ]
