"""The command socket speaks Suricata's protocol, whoever is at the other end."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensor.errors import UserError
from sensor.live.control import MAX_REQUEST_BYTES, ControlSocket

SURICATASC = shutil.which("suricatasc")


def refuse(_: Mapping[str, Any]) -> str:
    raise UserError("Unknown interface: eth9")


@pytest.fixture
def control(tmp_path: Path) -> Iterator[ControlSocket]:
    server = ControlSocket(
        tmp_path / "c.socket",
        {"uptime": lambda _: 7, "iface-stat": refuse, "echo": lambda arguments: dict(arguments)},
    )
    yield server
    server.close()
    assert not server.path.exists()


def ask(control: ControlSocket, *texts: bytes) -> list[dict[str, Any]]:
    """What is answered to these, sent one after the other; ends when the server does."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(control.path))
        answers = client.makefile("rb")
        told = []
        for text in texts:
            try:
                client.sendall(text)
                line = answers.readline()
            except OSError:  # the server ended it with bytes of ours unread
                break
            if not line:
                break
            told.append(json.loads(line))
        answers.close()
    return told


HELLO = b'{"version": "0.2"}\n'


def test_commands_are_answered(control: ControlSocket) -> None:
    greeted, uptime, refused, unknown, known = ask(
        control,
        HELLO,
        b'{"command": "uptime"}\n',
        b'{"command": "iface-stat", "arguments": {"iface": "eth9"}}\n',
        b'{"command": "fly"}\n',
        b'{"command": "command-list"}\n',
    )
    assert greeted == {"return": "OK"}
    assert uptime == {"return": "OK", "message": 7}
    assert refused == {"return": "NOK", "message": "Unknown interface: eth9"}
    assert unknown["return"] == "NOK"
    assert known["message"]["commands"] == ["command-list", "echo", "help", "iface-stat", "uptime"]


def test_the_older_protocol_has_no_newlines(control: ControlSocket) -> None:
    assert ask(control, b'{"version": "0.1"}', b'{"command": "uptime"}')[1]["message"] == 7


def test_another_version_is_refused(control: ControlSocket) -> None:
    assert ask(control, b'{"version": "9"}\n', b'{"command": "uptime"}\n') == [{"return": "NOK"}]
    assert ask(control, b'{"command": "uptime"}\n') == [{"return": "NOK"}]


def test_what_never_ends_is_cut_off(control: ControlSocket) -> None:
    assert len(ask(control, HELLO, b'{"command": "' + b"x" * 2 * MAX_REQUEST_BYTES, b'"}\n')) == 1


def test_a_socket_left_behind_is_replaced_and_a_living_one_is_not(
    control: ControlSocket, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="another sensor answers"):
        ControlSocket(control.path, {})
    left = tmp_path / "left.socket"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(left))
    ControlSocket(left, {}).close()
    with pytest.raises(UserError, match="no such file"):
        ControlSocket(tmp_path / "nowhere" / "c.socket", {})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_are_survived(control: ControlSocket, data: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(control.path))
        client.sendall(HELLO + data)
        with contextlib.suppress(OSError):  # the server ended it with bytes of ours unread
            client.shutdown(socket.SHUT_WR)
            while client.recv(4096):
                pass
    assert ask(control, HELLO, b'{"command": "uptime"}\n')[1]["message"] == 7


@pytest.mark.skipif(SURICATASC is None, reason="suricatasc is not installed")
def test_suricatasc_works(control: ControlSocket) -> None:
    done = subprocess.run(
        [str(SURICATASC), "-c", "uptime", str(control.path)], capture_output=True, text=True, timeout=30
    )
    assert json.loads(done.stdout) == {"message": 7, "return": "OK"}, done.stderr
