"""One flow's events as a person reads them: a heading by sensor, then a line an event. Every string here may
have been written by an attacker, and none acts on the terminal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from collectors.paths import at
from collectors.show import cell, endpoint, safe
from collectors.store.figures import FlowFound
from collectors.store.search import COLUMNS, Found

MAX_LINE = 500  # characters of one event's line
MAX_PAYLOAD = 2_000  # characters of an alert's payload

# What is said of an event of each type: what stands before a field, and its path in the event.
_SAID: dict[str, tuple[tuple[str, str], ...]] = {
    "alert": (
        ("", "alert.signature_id"), (" ", "alert.signature"), (", ", "alert.category"),
        (", severity ", "alert.severity"), (", ", "alert.action"),
    ),
    "http": (
        ("", "http.http_method"), (" ", "http.hostname"), ("", "http.url"), (" > ", "http.status"),
        (", ", "http.http_content_type"), (", agent ", "http.http_user_agent"),
    ),
    "dns": (
        ("", "dns.type"), (" ", "dns.rrtype"), (" ", "dns.rrname"), (" ", "dns.queries.0.rrtype"),
        (" ", "dns.queries.0.rrname"), (" > ", "dns.rcode"),
    ),
    "tls": (("", "tls.version"), (" ", "tls.sni"), (", subject ", "tls.subject"), (", ja4 ", "tls.ja4")),
    "flow": (
        ("to server ", "flow.bytes_toserver"), (" bytes, to client ", "flow.bytes_toclient"),
        (" bytes, ", "flow.state"), (", ", "flow.reason"),
    ),
    "fileinfo": (("", "fileinfo.filename"), (", bytes ", "fileinfo.size"), (", ", "fileinfo.state")),
    "anomaly": (("", "anomaly.type"), (" ", "anomaly.event")),
    "smtp": (("from ", "smtp.mail_from"), (" to ", "smtp.rcpt_to.0")),
    "ssh": (("client ", "ssh.client.software_version"), (" server ", "ssh.server.software_version")),
    "ftp": (("", "ftp.command"), (" ", "ftp.command_data")),
    "smb": (("", "smb.command"), (" ", "smb.filename"), (" ", "smb.status")),
    "krb5": (("", "krb5.msg_type"), (" ", "krb5.cname"), (" ", "krb5.sname"), (" ", "krb5.error_code")),
}  # fmt: skip


def said(event: Any, event_type: str) -> str:
    """One line about an event, safe to print."""
    fields = _SAID.get(event_type)
    if fields is None:
        own = at(event, event_type)
        text = json.dumps(own, ensure_ascii=True) if own is not None else ""
    else:
        parts = [(before, at(event, path)) for before, path in fields]
        text = "".join(f"{before}{value}" for before, value in parts if value not in (None, "", [], {}))
    return safe(text[:MAX_LINE]).strip(" ,")


def print_heading(found: FlowFound, flow_id: int) -> None:
    """Whose flow it is, between whom, and when."""
    app = f" {safe(found.app_proto)}" if found.app_proto not in ("", "failed") else ""
    print(
        f"flow {flow_id}, {safe(found.sensor)}: {safe(found.proto)}{app} "
        f"{endpoint(found.src_ip, found.src_port)} > {endpoint(found.dest_ip, found.dest_port)}\n"
        f"{cell(found.first)} .. {cell(found.last)}, events: {found.events:,}, alerts: {found.alerts:,}"
    )


def print_events(found: Iterable[Found]) -> int:
    """A line an event, and below an alert its payload; how many. Nothing is kept."""
    count = 0
    for event in found:
        columns = dict(zip(COLUMNS, event.columns, strict=True))
        try:
            told = json.loads(event.raw)
        except ValueError:
            told = {}
        kind = columns["event_type"]
        clock = cell(columns["ts"])[11:].rstrip("Z")
        sys.stdout.write(f"  {clock}  {safe(kind):<9} {said(told, kind)}\n")
        payload = told.get("payload_printable") if isinstance(told, dict) else None
        if kind == "alert" and isinstance(payload, str) and payload:
            for line in payload[:MAX_PAYLOAD].splitlines():
                sys.stdout.write(f"    | {safe(line)}\n")
        count += 1
    return count
