"""Alert events, decoded as far as sinks and summary need them. Imported at the first alert, so that no start
waits for it.
"""

from __future__ import annotations

import msgspec


class Signature(msgspec.Struct):
    """What `alert` says of the rule."""

    signature_id: int = 0
    gid: int = 1
    rev: int = 0
    signature: str = ""
    category: str = ""
    severity: int = 3


class Extra(msgspec.Struct):
    """What EVE has no name for."""

    rule_action: str = ""


class Alert(msgspec.Struct):
    """An alert event."""

    timestamp: str
    alert: Signature
    src_ip: str = ""
    dest_ip: str = ""
    src_port: int = 0
    dest_port: int = 0
    icmp_type: int | None = None
    icmp_code: int | None = None
    proto: str = ""
    haidang: Extra = msgspec.field(default_factory=Extra)


decode = msgspec.json.Decoder(Alert).decode
