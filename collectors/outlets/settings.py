"""What centre.yaml says of an outlet, checked before the centre starts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from sensor.errors import UserError

ALERTS_ONLY = frozenset({"cef", "ocsf"})
"""Formats that have a form for alerts and for nothing else."""

_FACILITIES = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
)  # fmt: skip

Word = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}\Z")]
EventType = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,31}\Z")]


class Outlet(msgspec.Struct, frozen=True, rename="kebab", forbid_unknown_fields=True):
    """One outlet. Files are relative to the centre's directory."""

    name: Word
    to: str  # tls://host:6514, tcp://host:601, https://host/path, http://..., kafka://host:9092/topic
    format: Literal["eve", "cef", "ecs", "ocsf"] = "eve"
    types: tuple[EventType, ...] = ("alert",)  # none: all
    begin: Literal["now", "oldest"] = "now"  # where in the journal a new outlet begins
    max_severity: Annotated[int, msgspec.Meta(ge=1, le=255)] = (
        255  # alerts of this number and below; 1 is worst
    )

    ca: str = ""  # of the receiver's certificate (PEM); the system's when empty
    certificate: str = ""  # ours, when the receiver asks for one
    key: str = ""
    server_name: str = ""  # in its certificate, when it is not the host's
    lenient_close: bool = False  # syslog over TLS: also trust a receiver that ends without close_notify

    facility: str = "local0"
    token_file: str = ""  # webhook: sent as `Authorization: Bearer ...`
    secret_file: str = ""  # webhook: key of the HMAC-SHA256 in X-Haidang-Signature

    @property
    def scheme(self) -> str:
        return urlsplit(self.to).scheme

    @property
    def facility_number(self) -> int:
        """RFC 5424, section 6.2.1."""
        return _FACILITIES.index(self.facility)


def check(outlets: tuple[Outlet, ...], where: Path) -> None:
    """UserError for what cannot be: two of one name, a format without a form, an address that is none."""
    from collectors.outlets.carriers import CARRIERS

    names = [outlet.name for outlet in outlets]
    for outlet in outlets:
        wrong = _wrong(outlet, tuple(CARRIERS))
        if names.count(outlet.name) > 1:
            wrong = "there are two of this name"
        if wrong:
            raise UserError(f"outlet {outlet.name!r}: {wrong}", where=where, fix="mend it or remove it")


def _wrong(outlet: Outlet, schemes: tuple[str, ...]) -> str:
    parts = urlsplit(outlet.to)
    try:
        has_port = parts.port is not None
    except ValueError:
        return f"{outlet.to!r} has no usable port"
    if parts.scheme not in schemes or not parts.hostname:
        return f"{outlet.to!r} is no address; write one of {' '.join(f'{name}://' for name in schemes)}"
    if parts.scheme in ("tls", "tcp") and not has_port:
        return f"{outlet.to!r} names no port (syslog over TLS has 6514)"
    if parts.scheme == "kafka" and not (has_port and parts.path.strip("/")):
        return f"{outlet.to!r} is no kafka://host:port/topic"
    if outlet.format in ALERTS_ONLY and outlet.types != ("alert",):
        return f"{outlet.format} has a form for alerts only; leave `types` out, or take eve or ecs"
    if outlet.facility not in _FACILITIES:
        return f"{outlet.facility!r} is no syslog facility"
    if bool(outlet.certificate) != bool(outlet.key):
        return "certificate and key go together"
    if outlet.token_file and parts.scheme == "http":
        return "a token would travel readable; take https://"
    return ""
