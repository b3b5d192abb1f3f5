"""Elastic Common Schema 8.17 (its field reference), for every type of event."""

from __future__ import annotations

import json
from typing import Any

from collectors.outlets.item import Item
from collectors.outlets.mapping import Row, address, build, lower, number, one_of, rfc3339, text, texts
from sensor import __version__

CONTENT_TYPE = "application/x-ndjson"


def _transport(value: Any) -> str | None:
    found = lower(value)
    return "ipv6-icmp" if found == "icmpv6" or found == "ipv6-icmp" else found


def _after(prefix: str) -> Any:
    """What follows the name in `HTTP/1.1` or `TLS 1.2`."""
    return lambda value: value.removeprefix(prefix) or None if isinstance(value, str) else None


def _known(value: Any) -> str | None:
    return None if value in ("failed", "unknown") else lower(value)


_CATEGORY = {
    "alert": ["intrusion_detection"],
    "http": ["network", "web"],
    "fileinfo": ["network", "file"],
    "stats": None,
}
_TYPE = {
    "flow": ["connection", "end"],
    "fileinfo": ["info"],
    "anomaly": ["info"],
    "alert": None,
    "stats": None,
}
_DNS = {"request": "query", "query": "query", "response": "answer", "answer": "answer"}
_TABLE = (
    Row("@timestamp", "_.when", rfc3339),
    Row("ecs.version", "=8.17.0"),
    Row("message", "alert.signature"),
    Row("event.kind", "event_type", one_of({"alert": "alert", "stats": "metric"}, "event")),
    Row("event.category", "event_type", one_of(_CATEGORY, ["network"])),
    Row("event.type", "event_type", one_of(_TYPE, ["protocol"])),
    Row("event.type", "alert.action", one_of({"allowed": ["allowed"], "blocked": ["denied"]})),
    Row("event.module", "=haidang"),
    Row("event.dataset", "event_type", lambda value: f"haidang.{value}"),
    Row("event.id", "_.id"),
    Row("event.ingested", "_.received", rfc3339),
    Row("event.severity", "alert.severity", number),
    Row("event.original", "_.raw"),
    Row("observer.name", "_.sensor"),
    Row("observer.product", "=haidang"),
    Row("observer.type", "=ids"),
    Row("observer.vendor", "=Hai Dang"),
    Row("observer.version", f"={__version__}"),
    Row("rule.id", "alert.signature_id"),
    Row("rule.name", "alert.signature"),
    Row("rule.category", "alert.category"),
    Row("rule.version", "alert.rev"),
    Row("source.ip", "src_ip", address),
    Row("source.address", "src_ip"),
    Row("source.port", "src_port", number),
    Row("source.bytes", "flow.bytes_toserver", number),
    Row("source.packets", "flow.pkts_toserver", number),
    Row("destination.ip", "dest_ip", address),
    Row("destination.address", "dest_ip"),
    Row("destination.port", "dest_port", number),
    Row("destination.bytes", "flow.bytes_toclient", number),
    Row("destination.packets", "flow.pkts_toclient", number),
    Row("network.transport", "proto", _transport),
    Row("network.protocol", "app_proto", _known),
    Row("network.type", "ip_v", one_of({4: "ipv4", 6: "ipv6"})),
    Row("network.community_id", "community_id"),
    Row("network.vlan.id", "vlan.0"),
    Row("http.request.method", "http.http_method"),
    Row("http.request.referrer", "http.http_refer"),
    Row("http.response.status_code", "http.status", number),
    Row("http.response.mime_type", "http.http_content_type"),
    Row("http.version", "http.protocol", _after("HTTP/")),
    Row("url.original", "http.url"),
    Row("url.domain", "http.hostname"),
    Row("user_agent.original", "http.http_user_agent"),
    Row("dns.id", "dns.id"),
    Row("dns.type", "dns.type", one_of(_DNS)),
    Row("dns.question.name", "dns.rrname"),
    Row("dns.question.type", "dns.rrtype"),
    Row("dns.question.name", "dns.queries.0.rrname"),
    Row("dns.question.type", "dns.queries.0.rrtype"),
    Row("dns.response_code", "dns.rcode"),
    Row("tls.version", "tls.version", _after("TLS ")),
    Row("tls.version_protocol", "=tls", text, "tls.version"),
    Row("tls.client.server_name", "tls.sni"),
    Row("tls.client.ja3", "tls.ja3.hash"),
    Row("tls.server.ja3s", "tls.ja3s.hash"),
    Row("tls.server.subject", "tls.subject"),
    Row("tls.server.issuer", "tls.issuerdn"),
    Row("file.name", "fileinfo.filename"),
    Row("file.size", "fileinfo.size", number),
    Row("file.hash.md5", "fileinfo.md5"),
    Row("file.hash.sha1", "fileinfo.sha1"),
    Row("file.hash.sha256", "fileinfo.sha256"),
    Row("threat.framework", "=MITRE ATT&CK", text, "alert.metadata.mitre_technique_id"),
    Row("threat.tactic.id", "alert.metadata.mitre_tactic_id", texts),
    Row("threat.technique.id", "alert.metadata.mitre_technique_id", texts),
    Row("haidang.flow_id", "flow_id"),
)  # fmt: skip


def render(item: Item) -> str:
    """One line of JSON."""
    return json.dumps(build(_TABLE, item), ensure_ascii=True, separators=(",", ":"))
