"""Webhook: events as lines of a POST. An answer of 2xx is the confirmation.

The body may come again when the answer was lost: `Idempotency-Key` names its first and last event.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from collectors.outlets.carriers import Message, NotTaken, content_type
from collectors.outlets.secure import CONNECT_SECONDS, context
from collectors.outlets.settings import Outlet
from sensor import __version__
from sensor.errors import UserError, from_os_error

MAX_BODY_BYTES = 1024 * 1024
MAX_EVENTS = 500
_SHOWN = 200  # characters of a refusal


def open_connection(outlet: Outlet, home: Path) -> Connection:
    """Connect."""
    parts = urlsplit(outlet.to)
    host = parts.hostname or ""
    link: http.client.HTTPConnection
    if parts.scheme == "https":
        secured = context(outlet, home)
        link = http.client.HTTPSConnection(host, parts.port, timeout=CONNECT_SECONDS, context=secured)
    else:
        link = http.client.HTTPConnection(host, parts.port, timeout=CONNECT_SECONDS)
    link.connect()
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    token, secret = _secret(home, outlet.token_file), _secret(home, outlet.secret_file)
    return Connection(outlet, link, path, token, secret)


def _secret(home: Path, name: str) -> bytes:
    if not name:
        return b""
    try:
        found = (home / name).read_bytes().strip()
    except OSError as error:
        raise from_os_error(error, where=home / name) from error
    if not found or not found.isascii() or any(byte < 33 for byte in found):
        raise UserError("holds no token of printable ASCII", where=home / name)
    return found


class Connection:
    """One connection; every POST is confirmed by its answer."""

    def __init__(
        self, outlet: Outlet, link: http.client.HTTPConnection, path: str, token: bytes, secret: bytes
    ) -> None:
        self._outlet = outlet
        self._link = link
        self._path = path
        self._token = token
        self._secret = secret

    def send(self, messages: Sequence[Message]) -> None:
        for part in parts(messages):
            self._post(part)

    def confirm(self) -> None:
        """Nothing is left to be: every answer was one."""

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._link.close()

    def _post(self, messages: Sequence[Message]) -> None:
        body = "".join(f"{message.body}\n" for message in messages).encode(errors="replace")
        headers = {
            "Content-Type": content_type(self._outlet),
            "User-Agent": f"haidang/{__version__}",
            "Idempotency-Key": f"{messages[0].item.id}..{messages[-1].item.id}",
        }
        if self._token:
            headers["Authorization"] = f"Bearer {self._token.decode()}"
        if self._secret:
            digest = hmac.new(self._secret, body, hashlib.sha256).hexdigest()
            headers["X-Haidang-Signature"] = f"sha256={digest}"
        try:
            self._link.request("POST", self._path, body, headers)
            answer = self._link.getresponse()
            told = answer.read(65_536)
        except http.client.HTTPException as error:
            raise NotTaken(f"it does not speak HTTP: {error or type(error).__name__}") from error
        if not 200 <= answer.status < 300:
            after = answer.headers.get("Retry-After", "")
            shown = told[:_SHOWN].decode(errors="replace").strip()
            raise NotTaken(
                f"it answers {answer.status} {answer.reason}: {shown}",
                retry_after_seconds=float(after) if after.isascii() and after.isdigit() else 0.0,
            )


def parts(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """Pieces that keep the bounds of one body; at least one event each."""
    part: list[Message] = []
    size = 0
    for message in messages:
        length = len(message.body) + 1
        if part and (size + length > MAX_BODY_BYTES or len(part) >= MAX_EVENTS):
            yield part
            part, size = [], 0
        part.append(message)
        size += length
    if part:
        yield part
