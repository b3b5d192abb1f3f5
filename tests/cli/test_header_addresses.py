"""Rules match by the addresses of their headers, whichever network most rules of the set are about."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("sensor._engine", reason="the engine is not built: make setup")

Run = Callable[..., subprocess.CompletedProcess[str]]

HTTP = Path(__file__).parents[2] / "pcaps" / "http-get.pcap"

KINDS = {
    ("tcp", "to_server"): 'content:"GET "; startswith;',
    ("tcp", "to_client"): 'content:"HTTP/1."; startswith;',
    ("tcp-pkt", "to_server"): 'content:"HTTP/1.";',
    ("tcp-stream", "to_client"): 'content:"Server"; nocase;',
    ("http", "to_server"): 'http.method; content:"GET";',
    ("http", "to_client"): 'http.stat_code; content:"200";',
    ("ip", "to_server"): "tcp.flags:S+;",
}


@pytest.fixture
def ends(haidang: Run, tmp_path: Path) -> tuple[str, str]:
    """Client and server of the capture."""
    out = tmp_path / "ends"
    assert haidang("replay", HTTP, "-l", out, "--disable-detection").returncode == 0
    events = [json.loads(line) for line in (out / "eve.json").read_text().splitlines()]
    flow = next(event for event in events if event["event_type"] == "flow")
    return flow["src_ip"], flow["dest_ip"]


@pytest.mark.parametrize(
    "most", ["", "{client}", "!{client}", "[{client},{server}]", "203.0.113.0/24", "!{server}"]
)
def test_all_that_its_addresses_let_match_does_match(
    most: str, ends: tuple[str, str], haidang: Run, tmp_path: Path
) -> None:
    client, server = ends
    sets = {
        "any": {client, server},
        client: {client},
        f"!{client}": {server},
        f"[{client},{server}]": {client, server},
        f"![{client},{server}]": set(),
        f"[203.0.113.0/24,{server}]": {server},
    }
    rules, expected = [], set()
    combinations = itertools.product(KINDS.items(), sets.items(), ("->", "<>"), sets.items())
    for sid, (((kind, way), options), (source, froms), arrow, (destination, tos)) in enumerate(
        combinations, 1
    ):
        head = f"alert {kind} {source} any {arrow} {destination} any"
        rules.append(f"{head} (flow:{way}; {options} sid:{sid};)")
        sender, receiver = (client, server) if way == "to_server" else (server, client)
        straight = sender in froms and receiver in tos
        turned = arrow == "<>" and receiver in froms and sender in tos
        if straight or turned:
            expected.add(sid)
    named = most.format(client=client, server=server)
    others = len(rules) * 2 if named else 0
    rules += [
        f'alert tcp {named} any -> {named} 9 (content:"nowhere {n}"; sid:{100_000 + n};)'
        for n in range(others)
    ]
    (tmp_path / "a.rules").write_text("\n".join(rules) + "\n")
    done = haidang(
        "replay", HTTP, "-S", tmp_path / "a.rules", "-l", tmp_path, "--set", "packet-alert-max=255"
    )  # fmt: skip
    assert done.returncode == 0 and "0 quarantined, 0 skipped" in done.stdout, done.stdout
    events = [json.loads(line) for line in (tmp_path / "eve.json").read_text().splitlines()]
    found = {event["alert"]["signature_id"] for event in events if event["event_type"] == "alert"}
    assert found == expected
