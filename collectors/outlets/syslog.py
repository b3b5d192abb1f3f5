"""Syslog (RFC 5424) over TLS (RFC 5425) or TCP (RFC 6587, octet counting).

Syslog has no acknowledgement: what the network took may never reach the receiver's program. So a connection
is ended in good order every few seconds: we say that we are done, and the receiver says so only when it has
read everything. Only then the cursor moves. What a connection carried that ended otherwise is sent again, so
a receiver may see an event twice, under the same id, but misses none. Over TCP the end is not signed: there
a receiver that is killed at that moment and back in the next may miss what it had read and not kept.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from collectors.outlets.carriers import Message, NotTaken
from collectors.outlets.mapping import rfc3339
from collectors.outlets.secure import CONNECT_SECONDS, context
from collectors.outlets.settings import Outlet

_ANSWER_SECONDS = 15.0
_ID = "haidang@32473"  # RFC 5612 keeps this number for documentation; we have no enterprise number of our own
_NOT_PRINTABLE = re.compile(r"[^\x21-\x7e]")
_QUOTED = re.compile(r'["\\\]]')

_CRITICAL, _WARNING, _NOTICE, _INFORMATIONAL = 2, 4, 5, 6
_SEVERITY = {1: _CRITICAL, 2: _WARNING, 3: _NOTICE}


def open_connection(outlet: Outlet, home: Path) -> Connection:
    """Connect and shake hands."""
    parts = urlsplit(outlet.to)
    host, port = parts.hostname or "", parts.port or 0
    secured = context(outlet, home) if parts.scheme == "tls" else None
    plain = socket.create_connection((host, port), CONNECT_SECONDS)
    try:
        plain.settimeout(_ANSWER_SECONDS)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if secured is None:
            return Connection(outlet, plain)
        return Connection(outlet, secured.wrap_socket(plain, server_hostname=outlet.server_name or host))
    except BaseException:
        plain.close()
        raise


class Connection:
    """One connection to a receiver, until it is confirmed."""

    def __init__(self, outlet: Outlet, link: socket.socket) -> None:
        self._outlet = outlet
        self._link = link

    def send(self, messages: Sequence[Message]) -> None:
        self._link.sendall(b"".join(framed(self._outlet, message) for message in messages))

    def confirm(self) -> None:
        try:
            if isinstance(self._link, ssl.SSLSocket):
                self._end_tls(self._link)
            else:
                self._link.shutdown(socket.SHUT_WR)
                # It answers nothing but the end, which comes after it has read ours.
                while self._link.recv(4096):
                    pass
                self._look_again()
        except TimeoutError as error:
            raise NotTaken("the receiver does not end the connection: has it read everything?") from error
        finally:
            self.close()

    def _end_tls(self, link: ssl.SSLSocket) -> None:
        try:
            link.unwrap().close()
        except ssl.SSLEOFError as error:
            # RFC 5425, section 4.4: it must answer our close_notify. One that was killed cannot.
            if not self._outlet.lenient_close:
                raise NotTaken(
                    "the receiver ended without close_notify; if it always does, set lenient-close: true"
                ) from error
            self._look_again()

    def _look_again(self) -> None:
        """The end of a connection that says nothing else may be that of the receiver's program, with what it
        had read and not kept. Then nobody answers now.
        """
        parts = urlsplit(self._outlet.to)
        socket.create_connection((parts.hostname or "", parts.port or 0), CONNECT_SECONDS).close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._link.close()


def framed(outlet: Outlet, message: Message) -> bytes:
    """The message with its length before it."""
    text = line(outlet, message).encode(errors="replace")
    return b"%d %b" % (len(text), text)


def line(outlet: Outlet, message: Message) -> str:
    """RFC 5424, section 6: the sensor is the host, the type of event the message's id."""
    item = message.item
    severity = _INFORMATIONAL if item.severity is None else _SEVERITY.get(item.severity, _INFORMATIONAL)
    priority = outlet.facility_number * 8 + severity
    identity = _QUOTED.sub(r"\\\g<0>", item.id)
    return (
        f"<{priority}>1 {rfc3339(item.when)} {_word(item.sensor, 255)} haidang - "
        f'{_word(item.event_type, 32)} [{_ID} id="{identity}"] {message.body}'
    )


def _word(text: str, most: int) -> str:
    return _NOT_PRINTABLE.sub("_", text)[:most] or "-"
