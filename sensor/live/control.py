"""The command socket, in Suricata's protocol (manual, "Interacting via Unix Socket"), for suricatasc and
others: one JSON object a line, answered by {"return": "OK" | "NOK", "message": ...}.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sensor.errors import UserError, from_os_error

VERSIONS = ("0.1", "0.2")
MAX_REQUEST_BYTES = 64 * 1024
MAX_CLIENTS = 16
CLIENT_SECONDS = 600.0
SOCKET_MODE = 0o660

Command = Callable[[Mapping[str, Any]], Any]
"""Takes the arguments, gives the message; raises UserError to refuse."""


class ControlSocket:
    """Serves the commands from a thread of its own until it is closed."""

    def __init__(self, path: Path, commands: Mapping[str, Command]) -> None:
        self.path = path
        self._commands = {**commands, "command-list": self._list, "help": self._list}
        self._clients = threading.BoundedSemaphore(MAX_CLIENTS)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            with contextlib.closing(socket.socket(socket.AF_UNIX)) as probe:
                if probe.connect_ex(str(path)) == 0:
                    raise UserError(
                        "another sensor answers there",
                        where=path,
                        fix="stop it, or give another --unix-socket",
                    )
            path.unlink(missing_ok=True)  # left behind by one that was killed
            self._socket.bind(str(path))
            path.chmod(SOCKET_MODE)
            self._socket.listen(MAX_CLIENTS)
        except OSError as error:
            self._socket.close()
            raise from_os_error(error, where=path, fix="give another place with --unix-socket") from None
        except UserError:
            self._socket.close()
            raise
        self._thread = threading.Thread(target=self._serve, name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take the socket away."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(1.0)
        self.path.unlink(missing_ok=True)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            if not self._clients.acquire(blocking=False):
                client.close()
                continue
            threading.Thread(target=self._attend, args=(client,), name="control-client", daemon=True).start()

    def _attend(self, client: socket.socket) -> None:
        try:
            client.settimeout(CLIENT_SECONDS)
            with client:
                is_greeted = False
                for request in _requests(client):
                    if not is_greeted:
                        is_greeted = request.get("version") in VERSIONS
                        answer = {"return": "OK" if is_greeted else "NOK"}
                    else:
                        answer = self._answer(request)
                    client.sendall(json.dumps(answer).encode() + b"\n")
                    if not is_greeted:
                        return
        except OSError:
            return
        finally:
            self._clients.release()

    def _answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        name, arguments = request.get("command"), request.get("arguments") or {}
        command = self._commands.get(name) if isinstance(name, str) else None
        if command is None or not isinstance(arguments, dict):
            return {"return": "NOK", "message": "Unknown command"}
        try:
            return {"return": "OK", "message": command(arguments)}
        except UserError as refusal:
            return {"return": "NOK", "message": str(refusal)}

    def _list(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {"count": len(self._commands), "commands": sorted(self._commands)}


def _requests(client: socket.socket) -> Iterator[Mapping[str, Any]]:
    """JSON objects as they come, with or without a newline behind each (versions 0.2 and 0.1)."""
    decoder, text = json.JSONDecoder(), ""
    while True:
        data = client.recv(4096)
        if not data:
            return
        text += data.decode("utf-8", errors="replace")
        while text := text.lstrip():
            try:
                request, end = decoder.raw_decode(text)
            except (ValueError, RecursionError):
                if len(text) > MAX_REQUEST_BYTES or "\n" in text:
                    return  # what has ended and is no JSON will never be
                break
            text = text[end:]
            if not isinstance(request, dict):
                return
            yield request


def default_path() -> Path | None:
    """Where it is when nothing is said: /run/haidang, if the service manager made it for us."""
    folder = Path("/run/haidang")
    return folder / "command.socket" if os.access(folder, os.W_OK) else None
