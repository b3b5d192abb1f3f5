"""Common Event Format, version 0 (ArcSight, "Implementing ArcSight Common Event Format", revision 25), for
alerts.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Any

from collectors.outlets.item import Item
from collectors.outlets.mapping import Row, build, lower, milliseconds, number, one_of, text
from sensor import __version__

CONTENT_TYPE = "text/plain; charset=utf-8"

_SEVERITY = {1: 9, 2: 6, 3: 3}  # of 10; anything else is 1
_HEADER = re.compile(r"[\\|]")
_VALUE = re.compile(r"[\\=]")
_LINE_ENDS = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def _ipv4(value: Any) -> str | None:
    return _address(value, 4)


def _ipv6(value: Any) -> str | None:
    return _address(value, 6)


def _address(value: Any, version: int) -> str | None:
    try:
        found = ip_address(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return str(found) if found is not None and found.version == version else None


# src and dst take IPv4 alone; IPv6 has custom fields with labels of their own.
_TABLE = (
    Row("rt", "_.when", milliseconds),
    Row("externalId", "_.id"),
    Row("dvchost", "_.sensor"),
    Row("src", "src_ip", _ipv4),
    Row("spt", "src_port", number),
    Row("dst", "dest_ip", _ipv4),
    Row("dpt", "dest_port", number),
    Row("c6a2", "src_ip", _ipv6),
    Row("c6a3", "dest_ip", _ipv6),
    Row("proto", "proto"),
    Row("app", "app_proto", lower),
    Row("act", "alert.action"),
    Row("cat", "alert.category"),
    Row("cn1", "flow_id", number),
    Row("cn1Label", "=flow_id", text, "flow_id"),
    Row("cs1", "alert.metadata.mitre_technique_id.0"),
    Row("cs1Label", "=MITRE technique", text, "alert.metadata.mitre_technique_id.0"),
    Row("cs2", "community_id"),
    Row("cs2Label", "=Community ID", text, "community_id"),
    Row("dhost", "http.hostname"),
    Row("dhost", "tls.sni"),
    Row("request", "http.url"),
    Row("requestMethod", "http.http_method"),
    Row("requestClientApplication", "http.http_user_agent"),
    Row("destinationDnsDomain", "dns.queries.0.rrname"),
    Row("destinationDnsDomain", "dns.rrname"),
    Row("fname", "files.0.filename"),
    Row("fsize", "files.0.size", number),
    Row("fileHash", "files.0.sha256"),
    Row("bytesOut", "flow.bytes_toserver", number),
    Row("bytesIn", "flow.bytes_toclient", number),
)
_NAMES = {"bytesOut": "out", "bytesIn": "in"}
_LABELS = {"c6a2": "Source IPv6 Address", "c6a3": "Destination IPv6 Address"}
_HEAD = (
    Row("id", "alert.signature_id", number),
    Row("gid", "alert.gid", number),
    Row("rev", "alert.rev", number),
    Row("name", "alert.signature"),
    Row("severity", "alert.severity", one_of(_SEVERITY, 1)),
)


def render(item: Item) -> str:
    """One line."""
    head = build(_HEAD, item)
    identity = f"{head.get('gid', 1)}:{head.get('id', 0)}:{head.get('rev', 0)}"
    fields = ("Hai Dang", "haidang", __version__, identity, head.get("name", ""), head.get("severity", 1))
    said = []
    for name, value in build(_TABLE, item).items():
        said.append(f"{_NAMES.get(name, name)}={_value(value)}")
        if name in _LABELS:
            said.append(f"{name}Label={_LABELS[name]}")
    return f"CEF:0|{'|'.join(_header(str(field)) for field in fields)}|{' '.join(said)}"


def _header(value: str) -> str:
    return _HEADER.sub(r"\\\g<0>", _CONTROL.sub(" ", _LINE_ENDS.sub(" ", value)))


def _value(value: Any) -> str:
    # Line ends have an escape of their own, after the others; what else would act has none and is dropped.
    lines = [_CONTROL.sub(" ", line) for line in _LINE_ENDS.split(_VALUE.sub(r"\\\g<0>", str(value)))]
    return r"\n".join(lines)
