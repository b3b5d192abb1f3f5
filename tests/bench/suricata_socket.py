"""Suricata as an oracle for many captures: one process loads the rules once and reads capture after capture.

Suricata's unix-socket mode starts each capture with empty flow tables, so that captures which share addresses
and ports cannot meet; see the manual's page "Interacting via Unix Socket".
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PROTOCOL_VERSION = "0.2"
START_SECONDS = 900.0  # loading 40,000 rules takes 40 s of CPU, more on a busy machine
POLL_SECONDS = 0.5
CONSOLE = "console.txt"

# What Suricata 7 says of a capture that its pcap library cannot open, or stops in the middle of.
_UNREAD = re.compile(
    r"Failed to init pcap file (?P<unopened>.+), skipping$|^E: pcap: error code -\d .* for (?P<cut>/.+)$"
)


class SuricataError(Exception):
    """Suricata did not start, or refused a command; the text tells why."""


class Client:
    """Suricata's command socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._lines = connection.makefile("rw", encoding="utf-8")
        self._ask({"version": PROTOCOL_VERSION})

    def command(self, name: str, **arguments: str) -> object:
        """The message Suricata answers; raises SuricataError when it refuses."""
        return self._ask({"command": name, "arguments": arguments} if arguments else {"command": name})

    def _ask(self, request: dict[str, object]) -> object:
        self._lines.write(json.dumps(request) + "\n")
        self._lines.flush()
        line = self._lines.readline()
        if not line:
            raise SuricataError("Suricata closed its command socket")
        answer = json.loads(line)
        if answer.get("return") != "OK":
            raise SuricataError(f"Suricata refused {request}: {answer.get('message')}")
        return answer.get("message")


@contextmanager
def running(conf: Path, rules: Path, folder: Path, options: Sequence[str]) -> Iterator[Client]:
    """A Suricata with the rules loaded, waiting for captures; it ends with the block. Its console goes to
    folder / CONSOLE."""
    path = folder / "command.socket"
    command = ["suricata", f"--unix-socket={path}", "-c", str(conf), "-S", str(rules), "-l", str(folder)]
    with (folder / CONSOLE).open("wb") as console:
        process = subprocess.Popen(
            [*command, *options], stdout=console, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
        try:
            with _connect(process, path, folder) as connection:
                yield Client(connection)
        finally:
            process.terminate()
            process.wait()


def _connect(process: subprocess.Popen[bytes], path: Path, folder: Path) -> socket.socket:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(os.fspath(path))
            return connection
        except OSError:
            connection.close()
            time.sleep(POLL_SECONDS)
    raise SuricataError(f"Suricata did not come up; see {folder / CONSOLE}")


def read_captures(client: Client, captures: Sequence[Path], outputs: Sequence[Path]) -> None:
    """Has Suricata read each capture into the output folder beside it; comes back when all are done."""
    for capture, output in zip(captures, outputs, strict=True):
        output.mkdir(parents=True, exist_ok=True)
        client.command("pcap-file", **{"filename": str(capture), "output-dir": str(output)})
    while client.command("pcap-file-number") != 0 or client.command("pcap-current") != "None":
        time.sleep(POLL_SECONDS)


def unread(console: str) -> set[str]:
    """The captures that Suricata did not read, or not to their end, by what it printed: libpcap knows fewer
    forms of pcapng and Suricata fewer link types than there are."""
    found = (_UNREAD.search(line) for line in console.splitlines())
    return {match["unopened"] or match["cut"] for match in found if match}
