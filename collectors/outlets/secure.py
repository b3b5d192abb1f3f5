"""TLS towards receivers: always verified, 1.2 and above."""

from __future__ import annotations

import ssl
from pathlib import Path

from collectors.outlets.settings import Outlet
from sensor.errors import UserError

CONNECT_SECONDS = 10.0


def context(outlet: Outlet, home: Path) -> ssl.SSLContext:
    """UserError when a file of the outlet cannot be used."""
    where: Path | str = f"outlet {outlet.name!r}"
    try:
        where = home / outlet.ca if outlet.ca else where
        made = ssl.create_default_context(cafile=str(home / outlet.ca) if outlet.ca else None)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        if outlet.certificate:
            where = home / outlet.certificate
            made.load_cert_chain(home / outlet.certificate, home / outlet.key)
    except (OSError, ssl.SSLError) as error:
        raise UserError(f"cannot be used for TLS: {error}", where=where, fix="give a PEM file") from error
    return made
