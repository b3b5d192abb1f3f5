"""Open Cybersecurity Schema Framework 1.5: Detection Finding (class 2004, with the Security Control profile),
for alerts.
"""

from __future__ import annotations

import json
from typing import Any

from collectors.outlets.item import Item
from collectors.outlets.mapping import Row, address, build, lower, milliseconds, number, one_of, text, texts
from sensor import __version__

CONTENT_TYPE = "application/x-ndjson"

_SEVERITY_ID = {1: 4, 2: 3, 3: 2}  # High, Medium, Low; else Informational
_SEVERITY = {1: "High", 2: "Medium", 3: "Low"}
_PROTOCOLS = {"TCP": 6, "UDP": 17, "ICMP": 1, "IPv6-ICMP": 58, "SCTP": 132}
_WEB = "evidences.0.http_request"


def _fixed(value: int | bool) -> Any:
    return lambda _: value


def _confidence(value: Any) -> int | None:
    found = texts(value)
    return {"low": 1, "medium": 2, "high": 3}.get(found[0].lower()) if found else None


_TABLE = (
    Row("activity_id", "=", _fixed(1)),
    Row("activity_name", "=Create"),
    Row("category_uid", "=", _fixed(2)),
    Row("category_name", "=Findings"),
    Row("class_uid", "=", _fixed(2004)),
    Row("class_name", "=Detection Finding"),
    Row("type_uid", "=", _fixed(200401)),
    Row("type_name", "=Detection Finding: Create"),
    Row("time", "_.when", milliseconds),
    Row("severity_id", "alert.severity", one_of(_SEVERITY_ID, 1)),
    Row("severity", "alert.severity", one_of(_SEVERITY, "Informational")),
    Row("status_id", "=", _fixed(1)),
    Row("status", "=New"),
    Row("is_alert", "=", _fixed(True)),
    Row("message", "alert.signature"),
    Row("action_id", "alert.action", one_of({"allowed": 1, "blocked": 2}, 0)),
    Row("disposition_id", "alert.action", one_of({"allowed": 1, "blocked": 2}, 0)),
    Row("confidence_id", "alert.metadata.confidence", _confidence),
    Row("metadata.version", "=1.5.0"),
    Row("metadata.uid", "_.id"),
    Row("metadata.log_name", "=eve"),
    Row("metadata.log_provider", "_.sensor"),
    Row("metadata.logged_time", "_.received", milliseconds),
    Row("metadata.profiles", "=", lambda _: ["security_control"]),
    Row("metadata.product.name", "=haidang"),
    Row("metadata.product.vendor_name", "=Hai Dang"),
    Row("metadata.product.version", f"={__version__}"),
    Row("finding_info.uid", "_.id"),
    Row("finding_info.title", "alert.signature"),
    Row("finding_info.created_time", "_.when", milliseconds),
    Row("finding_info.types", "alert.category", texts),
    Row("finding_info.analytic.type_id", "=", _fixed(1)),
    Row("finding_info.analytic.type", "=Rule"),
    Row("finding_info.analytic.uid", "alert.signature_id"),
    Row("finding_info.analytic.name", "alert.signature"),
    Row("finding_info.analytic.version", "alert.rev"),
    Row("finding_info.attacks.0.tactic.uid", "alert.metadata.mitre_tactic_id.0"),
    Row("finding_info.attacks.0.technique.uid", "alert.metadata.mitre_technique_id.0"),
    Row("evidences.0.src_endpoint.ip", "src_ip", address),
    Row("evidences.0.src_endpoint.port", "src_port", number),
    Row("evidences.0.dst_endpoint.ip", "dest_ip", address),
    Row("evidences.0.dst_endpoint.port", "dest_port", number),
    Row("evidences.0.dst_endpoint.hostname", "tls.sni"),
    Row("evidences.0.dst_endpoint.hostname", "http.hostname"),
    Row("evidences.0.connection_info.direction_id", "=", _fixed(0)),
    Row("evidences.0.connection_info.protocol_name", "proto", lower),
    Row("evidences.0.connection_info.protocol_num", "proto", one_of(_PROTOCOLS)),
    Row("evidences.0.connection_info.protocol_ver_id", "ip_v", one_of({4: 4, 6: 6})),
    Row("evidences.0.connection_info.uid", "flow_id"),
    Row(f"{_WEB}.http_method", "http.http_method"),
    Row(f"{_WEB}.url.hostname", "http.hostname"),
    Row(f"{_WEB}.url.path", "http.url"),
    Row(f"{_WEB}.user_agent", "http.http_user_agent"),
    Row(f"{_WEB}.version", "http.protocol"),
    Row("evidences.0.http_response.code", "http.status", number),
    Row("evidences.0.query.hostname", "dns.rrname"),
    Row("evidences.0.query.type", "dns.rrtype"),
    Row("evidences.0.query.hostname", "dns.queries.0.rrname"),
    Row("evidences.0.query.type", "dns.queries.0.rrtype"),
    Row("evidences.0.tls.version", "tls.version"),
    Row("evidences.0.tls.sni", "tls.sni", text, "tls.version"),
    Row("evidences.0.file.name", "files.0.filename"),
    Row("evidences.0.file.type_id", "=", _fixed(1), "files.0.filename"),
    Row("evidences.0.file.size", "files.0.size", number),
    Row("evidences.0.file.hashes.0.algorithm_id", "=", _fixed(3), "files.0.sha256"),
    Row("evidences.0.file.hashes.0.value", "files.0.sha256"),
)  # fmt: skip


def render(item: Item) -> str:
    """One line of JSON."""
    return json.dumps(build(_TABLE, item), ensure_ascii=True, separators=(",", ":"))
