"""Alert events, decoded as far as sinks and summary need them. Imported at the first alert, so that no start
waits for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import msgspec


class Signature(msgspec.Struct, gc=False):
    """What `alert` says of the rule."""

    signature_id: int = 0
    gid: int = 1
    rev: int = 0
    signature: str = ""
    category: str = ""
    severity: int = 3


class Extra(msgspec.Struct, gc=False):
    """What EVE has no name for."""

    rule_action: str = ""


class Alert(msgspec.Struct, gc=False):
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


_DECODER = msgspec.json.Decoder(Alert)


@lru_cache(maxsize=1)
def decoded(lines: bytes) -> Sequence[Alert]:
    """The alerts of a batch's lane, decoded once for all that ask for them in turn. Not to be changed."""
    return _DECODER.decode_lines(lines)
