"""`rules lsp`: findings, completion and explanations, in words and over the wire."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("sensor._engine", reason="the engine is not built: make setup")

from sensor.config import load  # needs the engine
from sensor.rules.lsp import document, words

ROOT = Path(__file__).resolve().parents[2]
RULE = 'alert http $HOME_NET any -> any any (msg:"a; b"; http.uri; content:"/x"; flowbits:isset,seen; sid:1;)'


def at(text: str) -> document.Place:
    """The place of the | in a text."""
    lines = text.split("\n")
    line = next(number for number, content in enumerate(lines) if "|" in content)
    character = lines[line].index("|")
    lines[line] = lines[line].replace("|", "")
    return document.place(lines, line, character)


def offered(text: str) -> set[str]:
    return {word.text for word in words.completions(at(text), text.replace("|", ""), load())}


@pytest.mark.parametrize(
    ("text", "where", "keyword"),
    [
        ("|", "action", ""),
        ("al|", "action", ""),
        ("alert |", "protocol", ""),
        ("alert tcp $HO|", "address", ""),
        ("alert tcp any |", "port", ""),
        ("alert tcp any any |", "arrow", ""),
        ("alert tcp any any -> any any (|", "keyword", ""),
        ('alert tcp any any -> any any (msg:"a; b"; con|', "keyword", "con"),
        ('alert tcp any any -> any any (msg:"a; b|', "value", "msg"),
        ('alert tcp any any -> any any (msg:"a"; \\\n  flow:|', "value", "flow"),
        ("# alert tcp |", "nothing", ""),
    ],
)
def test_a_place_is_known(text: str, where: str, keyword: str) -> None:
    found = at(text)
    assert (found.where, found.keyword) == (where, keyword)


def test_what_may_stand_there_is_offered() -> None:
    assert {"alert", "pass"} <= offered("|")
    assert {"http", "tcp", "tcp-pkt", "modbus"} <= offered("alert |")
    assert {"any", "$HOME_NET", "$EXTERNAL_NET"} <= offered("alert tcp |")
    assert {"$HTTP_PORTS"} <= offered("alert tcp any |")
    assert {"http.uri", "content", "flowbits", "http_uri"} <= offered("alert tcp any any -> any any (|")
    assert {"to_server", "established"} <= offered("alert tcp any any -> any any (flow:|")
    assert {"isset", "seen.it"} <= offered("alert ip any any -> any any (flowbits:set,seen.it; flowbits:|")
    assert {"HEADERS"} <= offered("alert http2 any any -> any any (http2.frametype:|")
    assert any(word.startswith("http.") for word in offered("alert ip any any -> any any (app-layer-event:|"))


def test_every_keyword_of_the_engine_is_offered_and_explained() -> None:
    from sensor import _engine

    table = json.loads(_engine.keywords())
    names = offered("alert ip any any -> any any (|")
    for entry in table:
        assert entry["name"] in names
        assert entry["doc"] in words.help_of(entry["name"])


def test_a_keyword_is_explained_where_it_stands() -> None:
    character = RULE.index("http.uri")
    word, start, end = document.keyword_at([RULE], 0, character + 3)
    assert (word, start, end) == ("http.uri", character, character + len("http.uri"))
    assert "http" in words.help_of(word)
    assert document.keyword_at([RULE], 0, RULE.index("/x"))[0] == ""
    assert document.keyword_at([RULE], 0, RULE.index("http "))[0] == "http"


def test_findings_are_those_of_rules_check(tmp_path: Path) -> None:
    content = RULE + '\nalert tcp any any -> any any (msg:"é"; contnt:"abc"; sid:2;)\nnonsense\n'
    found = document.findings(content, "a.rules", load())
    errors = [one for one in found if one.severity == "error"]
    assert [(one.line, one.keyword) for one in errors] == [(2, "contnt"), (3, "")]
    line, start, end = document.span(content.split("\n"), errors[0])
    assert content.split("\n")[line][start:end] == 'contnt:"abc"'
    path = tmp_path / "a.rules"
    path.write_text(content)
    done = subprocess.run(
        [sys.executable, "-m", "sensor.cli", "rules", "check", "--json", "--level", "note", str(path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    told = [(one["line"], one["column"], one["reason"]) for one in json.loads(done.stdout)["findings"]]
    assert sorted((one.line, one.column, one.reason) for one in found) == sorted(told)


@given(st.text(max_size=300), st.integers(-2, 5), st.integers(0, 80))
def test_any_text_has_places_and_findings(text: str, line: int, character: int) -> None:
    lines = text.split("\n")
    document.place(lines, line, character)
    document.keyword_at(lines, line, character)
    for finding in document.findings(text, "a.rules", load()):
        row, start, end = document.span(lines, finding)
        assert 0 <= start <= end <= len(lines[row])


class Editor:
    """The other side of the wire."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sensor.cli", "rules", "lsp"],
            env={**os.environ, "HAIDANG_LANG": "en", "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
            cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.number = 0

    def send(self, method: str, params: Any, *, is_request: bool = False) -> int:
        self.number += is_request
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        if is_request:
            message["id"] = self.number
        body = json.dumps(message).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self.process.stdin.flush()
        return self.number

    def receive(self) -> Any:
        assert self.process.stdout is not None
        length = 0
        while (line := self.process.stdout.readline().strip()) != b"":
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return json.loads(self.process.stdout.read(length))

    def ask(self, method: str, params: Any) -> Any:
        number = self.send(method, params, is_request=True)
        while (answer := self.receive()).get("id") != number:
            pass
        return answer["result"]

    def told(self, method: str) -> Any:
        while (message := self.receive()).get("method") != method:
            pass
        return message["params"]


@pytest.fixture
def editor(tmp_path: Path) -> Iterator[Editor]:
    pytest.importorskip("pygls", reason="the extra lsp is not installed")
    one = Editor(tmp_path)
    yield one
    one.process.kill()
    one.process.wait(timeout=10)
    for stream in (one.process.stdin, one.process.stdout):
        if stream is not None:
            stream.close()


def test_an_editor_is_served(editor: Editor) -> None:
    can = editor.ask("initialize", {"processId": None, "rootUri": None, "capabilities": {}})["capabilities"]
    assert can["hoverProvider"]
    assert ":" in can["completionProvider"]["triggerCharacters"]
    editor.send("initialized", {})
    uri = "file:///a.rules"
    bad = RULE.replace("content", "contnt").replace("a; b", "a; 𝄞 b")
    held = {"uri": uri, "languageId": "suricata", "version": 1, "text": bad}
    editor.send("textDocument/didOpen", {"textDocument": held})
    (finding,) = [
        one for one in editor.told("textDocument/publishDiagnostics")["diagnostics"] if one["severity"] == 1
    ]
    start = finding["range"]["start"]["character"]
    assert bad.encode("utf-16-le")[2 * start :].decode("utf-16-le").startswith("contnt")
    assert "did you mean" in finding["message"]
    changes = [{"text": RULE}]
    editor.send(
        "textDocument/didChange", {"textDocument": {"uri": uri, "version": 2}, "contentChanges": changes}
    )
    assert not [
        one for one in editor.told("textDocument/publishDiagnostics")["diagnostics"] if one["severity"] == 1
    ]
    here = {"textDocument": {"uri": uri}, "position": {"line": 0, "character": RULE.index("http.uri") + 5}}
    hover = editor.ask("textDocument/hover", here)
    assert "http.uri" in hover["contents"]["value"]
    items = editor.ask("textDocument/completion", here)["items"]
    assert {"http.uri", "http.method"} <= {item["label"] for item in items}
    edit = next(item["textEdit"] for item in items if item["label"] == "http.uri")
    assert edit["range"]["start"]["character"] == RULE.index("http.uri")
    editor.ask("shutdown", None)
    editor.send("exit", None)
    assert editor.process.wait(timeout=20) == 0


def test_without_the_extra_the_remedy_is_told(tmp_path: Path) -> None:
    (tmp_path / "pygls").mkdir()
    (tmp_path / "pygls" / "__init__.py").write_text("raise ModuleNotFoundError(name='pygls')\n")
    (tmp_path / "lsprotocol").mkdir()
    (tmp_path / "lsprotocol" / "__init__.py").write_text("raise ModuleNotFoundError(name='lsprotocol')\n")
    done = subprocess.run(
        [sys.executable, "-m", "sensor.cli", "rules", "lsp"],
        env={**os.environ, "HAIDANG_LANG": "en", "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        cwd=tmp_path, capture_output=True, text=True, timeout=60, input="",
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "pip install 'haidang[lsp]'" in done.stderr
