"""How everything but the store daemon reaches the store: clickhouse-connect, to the embedded daemon or to a
ClickHouse server.
"""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from sensor.errors import UserError

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_CONNECT_SECONDS = 5
_ANSWER_SECONDS = 120
_RETRY_SECONDS = 0.2

# What it logs reaches the caller as an exception too; without a handler it would go to stderr as well.
logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())


class StoreAddress(NamedTuple):
    host: str
    port: int
    user: str
    password: str
    secure: bool = False


def embedded_address(endpoint: Path) -> StoreAddress:
    """The address that the running store daemon announced. UserError when none runs."""
    try:
        told = json.loads(endpoint.read_bytes())
        return StoreAddress(told["host"], told["port"], "haidang", told["password"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            "the centre's store is not running",
            where=endpoint.parent,
            fix="start it with `haidang centre serve`",
        ) from error


def server_address(url: str) -> StoreAddress:
    """http[s]://user:password@host:port of a ClickHouse server. UserError when the URL is not of that
    form.
    """
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
        raise UserError(f"{url!r} is no ClickHouse URL", fix="write http://user:password@host:8123")
    secure = parts.scheme == "https"
    return StoreAddress(
        parts.hostname,
        port or (8443 if secure else 8123),
        unquote(parts.username or "default"),
        unquote(parts.password or ""),
        secure,
    )


def connect(address: StoreAddress, *, answer_seconds: int = _ANSWER_SECONDS) -> Client:
    """A client. UserError when nobody answers there."""
    import clickhouse_connect
    from clickhouse_connect.driver.exceptions import ClickHouseError

    try:
        return clickhouse_connect.get_client(
            host=address.host,
            port=address.port,
            username=address.user,
            password=address.password,
            secure=address.secure,
            compress=False,
            tz_mode="aware",
            connect_timeout=_CONNECT_SECONDS,
            send_receive_timeout=answer_seconds,
            autogenerate_session_id=False,
            query_retries=0,
        )
    except ClickHouseError as error:
        raise UserError(
            f"the store at {address.host}:{address.port} does not answer",
            fix="is `haidang centre serve` running? its log says what the store does",
        ) from error


def connect_embedded(
    endpoint: Path, *, patience_seconds: float = 0.0, answer_seconds: int = _ANSWER_SECONDS
) -> Client:
    """A client of the store daemon that announces itself in `endpoint`. A daemon that is just being started
    again is waited for; UserError when none answers within `patience_seconds`.
    """
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            return connect(embedded_address(endpoint), answer_seconds=answer_seconds)
        except UserError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(_RETRY_SECONDS)
