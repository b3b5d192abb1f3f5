"""The store daemon: the one process that owns the embedded engine, and speaks ClickHouse's HTTP interface on
loopback.

    python -m collectors.store.daemon DATA_DIRECTORY ENDPOINT_FILE [PORT]

chDB locks its directory against every other process, so everybody else asks this one, with the same client
that a ClickHouse server would be asked with. It runs one statement at a time. It answers only to the
password in ENDPOINT_FILE, and ends when its standard input ends: the pipe its parent holds. It knows nothing
of sensors, batches or tables.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import logging
import os
import re
import secrets
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import chdb

from sensor.bus.durable import write_whole

log = logging.getLogger("haidang.store")

USER = "haidang"
MAX_BODY_BYTES = 256 * 1024 * 1024  # an insert of the filler is a tenth of that
_LENGTH_DIGITS = 12
_STATEMENT_BYTES = 64 * 1024  # of an INSERT, before its data
_INSERT = re.compile(rb"\s*(INSERT\s+INTO\s[^\n]+?)\s+FORMAT\s+(\w+)[ \t]*(?:\n|\Z)", re.IGNORECASE)
_FORMAT = re.compile(r"\sFORMAT\s+(\w+)\s*;?\s*\Z", re.IGNORECASE)
_SELECT = re.compile(r"\s*(?:SELECT|WITH)\s", re.IGNORECASE)
_SETTING = re.compile(r"[a-z][a-z0-9_]{1,100}\Z")
_CODE = re.compile(r"Code: (\d+)")

# Parameters of the HTTP interface that are not settings of the statement.
_NOT_SETTINGS = frozenset(
    {
        "query",
        "database",
        "default_format",
        "query_id",
        "session_id",
        "session_timeout",
        "session_check",
        "user",
        "password",
        "compress",
        "decompress",
        "enable_http_compression",
        "client_protocol_version",
        "wait_end_of_query",
        "buffer_size",
        "role",
        "send_progress_in_http_headers",
        "http_headers_progress_interval_ms",
        "cancel_http_readonly_queries_on_client_close",
        "http_write_exception_in_output_format",
    }
)


class Engine:
    """chDB behind a lock."""

    def __init__(self, directory: Path) -> None:
        self._connection = chdb.connect(str(directory))  # type: ignore[no-untyped-call]  # chdb has no types
        self._lock = threading.Lock()

    def run(self, text: str, body: bytes, parameters: dict[str, str]) -> tuple[bytes, str]:
        """Run one statement as the HTTP interface would; (result, its format). chdb's errors pass through."""
        values = {key[6:]: value for key, value in parameters.items() if key.startswith("param_")}
        # Statement and data are one text, whichever of them came in the URL (ClickHouse, "HTTP Interface").
        whole = text.encode() + b"\n" + body if text else body
        insert = _INSERT.match(whole, 0, _STATEMENT_BYTES)
        if insert:
            statement = insert.group(1).decode() + _settings_clause(parameters)
            with self._lock, self._connection.send_insert(statement, insert.group(2).decode()) as stream:
                stream.append(whole[insert.end() :])
                stream.finish()
            return b"", "TabSeparated"
        text = whole.decode()
        named = _FORMAT.search(text)
        form = named.group(1) if named else parameters.get("default_format", "TabSeparated")
        if _SELECT.match(text) and " SETTINGS " not in text:
            end = named.start() if named else len(text)
            text = text[:end] + _settings_clause(parameters) + text[end:]
        with self._lock:
            result = self._connection.query(text, form, params=values)
            return bytes(result.bytes() or b""), form

    def close(self) -> None:
        with self._lock:
            self._connection.close()


class Handler(BaseHTTPRequestHandler):
    """The part of ClickHouse's HTTP interface that clickhouse-connect uses."""

    engine: ClassVar[Engine]
    password: ClassVar[str]
    protocol_version = "HTTP/1.1"
    timeout = 120  # a client that stalls does not keep its thread for ever
    server_version = "haidang-store"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/ping":
            self._answer(200, b"Ok.\n", "TabSeparated")
        elif self._allowed():
            self._statement(parts.query, b"")

    def do_POST(self) -> None:
        if not self._allowed():  # before the body is read: strangers may not make us hold it
            return
        given = self.headers.get("Content-Length", "")
        if not given.isascii() or not given.isdigit():
            self._refuse(411, 381, "a Content-Length is needed")
        elif len(given) > _LENGTH_DIGITS or int(given) > MAX_BODY_BYTES:
            self._refuse(413, 307, "the body is too large")
        else:
            self._statement(urlsplit(self.path).query, self.rfile.read(int(given)))

    def log_message(self, format: str, *args: Any) -> None:
        log.debug(format, *args)

    def _statement(self, query: str, body: bytes) -> None:
        parameters = dict(parse_qsl(query, keep_blank_values=True))
        try:
            result, form = self.engine.run(parameters.get("query", ""), body, parameters)
        except Exception as error:
            # Whatever the engine refuses is the answer to the client; the daemon goes on.
            text = str(error)
            found = _CODE.search(text)
            code = int(found.group(1)) if found else 1002
            self._answer(404 if code in (60, 81) else 400, text.encode() + b"\n", "TabSeparated", code=code)
        else:
            self._answer(200, result, form)

    def _allowed(self) -> bool:
        given = self.headers.get("X-ClickHouse-Key", "")
        scheme, _, encoded = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            with contextlib.suppress(ValueError):
                given = base64.b64decode(encoded, validate=True).decode(errors="replace").partition(":")[2]
        if hmac.compare_digest(given.encode(), self.password.encode()):
            return True
        self._refuse(401, 516, "authentication failed")
        return False

    def _refuse(self, status: int, code: int, text: str) -> None:
        """Answer as ClickHouse does, and close: what follows on the connection was not read."""
        self.close_connection = True
        self._answer(status, f"Code: {code}. DB::Exception: {text}\n".encode(), "TabSeparated", code=code)

    def _answer(self, status: int, body: bytes, form: str, *, code: int = 0) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("X-ClickHouse-Format", form)
        self.send_header("X-ClickHouse-Timezone", "UTC")
        self.send_header("X-ClickHouse-Summary", "{}")
        if code:
            self.send_header("X-ClickHouse-Exception-Code", str(code))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """One thread a connection; a connection that breaks is a line in the log."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002  (the base class calls it so)
        log.info("a connection of %s broke: %s", client_address, sys.exc_info()[1])


def _settings_clause(parameters: dict[str, str]) -> str:
    chosen = []
    for key, value in parameters.items():
        if key in _NOT_SETTINGS or key.startswith("param_") or not _SETTING.match(key):
            continue
        quoted = value.replace("\\", "\\\\").replace("'", "\\'")
        chosen.append(f"{key} = '{quoted}'")
    return f" SETTINGS {', '.join(chosen)}" if chosen else ""


def serve(directory: Path, endpoint: Path, port: int = 0) -> None:
    """Open the engine, announce the address in `endpoint` (mode 0600) and answer until standard input
    ends.
    """
    Handler.engine = Engine(directory)
    Handler.password = secrets.token_urlsafe(24)
    server = Server(("127.0.0.1", port), Handler)
    threading.Thread(target=_end_with_parent, args=(server,), daemon=True).start()
    told = {
        "host": "127.0.0.1",
        "port": server.server_address[1],
        "password": Handler.password,
        "pid": os.getpid(),
    }
    write_whole(endpoint, json.dumps(told).encode())
    server.serve_forever(poll_interval=0.2)
    Handler.engine.close()


def _end_with_parent(server: ThreadingHTTPServer) -> None:
    # A parent that is killed says nothing, but its end of the pipe closes.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    server.shutdown()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="store: %(message)s")
    serve(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
