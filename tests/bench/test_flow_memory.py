"""Flows for the measurement of their memory are what they are said to be, and all alive when it is taken."""

from __future__ import annotations

from pathlib import Path

import captures
import dpkt
import flow_memory
import pytest
from flow_memory import KINDS, Alive, Cost, check
from runs import RunError

ROOT = Path(__file__).resolve().parents[2]


def test_flows_are_distinct_and_complete(tmp_path: Path) -> None:
    path = tmp_path / "flows.pcap"
    for name, kind in KINDS.items():
        path.write_bytes(b"".join(flow_memory.capture(700, kind)))
        clients, said = set(), {True: b"", False: b""}
        for record in captures.records(path):
            ip = dpkt.ethernet.Ethernet(record.data).data
            to_server = ip.data.dport == kind.port
            clients.add((ip.src, ip.data.sport) if to_server else (ip.dst, ip.data.dport))
            said[to_server] += ip.data.data
        assert len(clients) == 700, name
        assert said == {True: kind.request * 700, False: kind.answer * 700}


def test_a_flow_costs_what_more_of_them_add() -> None:
    assert Cost("bare", Alive(20, 50_000), Alive(120, 150_000)).bytes_per_flow == 1000


@pytest.mark.parametrize("lost", ["flow.tcp", "flow.end.state.established", "flow.end.shutdown"])
def test_a_flow_that_did_not_live_spoils_the_figure(lost: str) -> None:
    counters = {"flow.tcp": 10, "flow.end.state.established": 10, "flow.end.shutdown": 10}
    check(counters, 10)
    with pytest.raises(RunError, match="of 10 flows"):
        check(counters | {lost: 9}, 10)


@pytest.mark.parametrize("name", list(KINDS))
def test_the_engine_holds_every_flow(name: str) -> None:
    if not list((ROOT / "sensor").glob("_engine*.so")):
        pytest.skip("the engine is not built (make setup)")
    found = flow_memory.alive(500, KINDS[name], [ROOT / "rules" / "dns.rules"], flow_memory.CONFIGURATION)
    assert found.resident_bytes > 10 << 20
