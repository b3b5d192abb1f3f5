"""A page in headless Chromium, driven over its DevTools pipe (no port is opened): what it shows, what it says
on its console, and what it asks the network for. The page has a browser context of its own, with a proxy on
loopback that takes every request of it; what the browser asks for itself goes nowhere.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars", "--disable-sync",
    "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--no-pings",
    "--disable-default-apps", "--disable-client-side-phishing-detection", "--disable-domain-reliability",
    "--disable-features=OptimizationHints,MediaRouter,Translate,AutofillServerCommunication",
    "--remote-debugging-pipe", "--proxy-server=127.0.0.1:9",
)  # fmt: skip
# It reads its messages from descriptor 3 and answers on 4.
LAUNCH = """
import os, sys
ends = [os.dup(int(end)) for end in sys.argv[1:3]]
for end, place in zip(ends, (3, 4)):
    os.dup2(end, place)
    os.set_inheritable(place, True)
os.execv(sys.argv[3], sys.argv[3:])
"""


@dataclass
class Visit:
    """What one page did. requests: of the page, beside itself; proxied: first lines of what left it."""

    title: str = ""
    shown: str = ""
    content_width: int = 0
    smallest_text_pixels: float = 0.0
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    proxied: list[str] = field(default_factory=list)


def visit(page: Path, folder: Path, width: int, screenshot: Path) -> Visit:
    """Open a file at a width in CSS pixels, the whole of it on the screenshot."""
    seen = Visit()
    with _proxy(seen.proxied) as port, _browser(folder / f"profile-{width}") as browser:
        own = {"proxyServer": f"127.0.0.1:{port}", "proxyBypassList": "<-loopback>"}
        context = browser.call("Target.createBrowserContext", **own)["browserContextId"]
        target = browser.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        browser.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            browser.call(f"{domain}.enable")
        view = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.call("Emulation.setDeviceMetricsOverride", **view)
        browser.call("Page.navigate", url=page.as_uri())
        browser.wait("Page.loadEventFired")
        seen.title = browser.evaluate("document.title")
        seen.shown = browser.evaluate("document.body.innerText")
        seen.content_width = browser.evaluate("document.documentElement.scrollWidth")
        seen.smallest_text_pixels = browser.evaluate(_SMALLEST_TEXT)
        shot = browser.call("Page.captureScreenshot", captureBeyondViewport=True)
        screenshot.write_bytes(base64.b64decode(shot["data"]))
        for event in browser.events:
            _take(event, seen, page.as_uri())
    return seen


_SMALLEST_TEXT = """
Math.min(...[...document.querySelectorAll("body *")]
  .filter(e => e.offsetHeight && [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim()))
  .map(e => parseFloat(getComputedStyle(e).fontSize)))
"""


def _take(event: dict[str, Any], seen: Visit, own_url: str) -> None:
    method, told = event["method"], event.get("params", {})
    if method == "Network.requestWillBeSent" and told["request"]["url"] != own_url:
        seen.requests.append(told["request"]["url"])
    elif method == "Runtime.consoleAPICalled":
        seen.console.append(f"console.{told['type']}")
    elif method == "Runtime.exceptionThrown":
        seen.console.append(told["exceptionDetails"]["text"])
    elif method == "Log.entryAdded":
        seen.console.append(f"{told['entry']['level']}: {told['entry']['text']}")


class _Browser:
    """One Chromium: messages end with a zero byte (the DevTools pipe)."""

    def __init__(self, write: int, read: int) -> None:
        self._write, self._read, self._number = write, read, 0
        self._rest = b""
        self.session = ""
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def wait(self, method: str) -> None:
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self._next())

    def evaluate(self, expression: str) -> Any:
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"]["value"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            more = os.read(self._read, 1 << 20)
            if not more:
                raise RuntimeError("the browser has ended")
            self._rest += more
        message, _, self._rest = self._rest.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer


@contextmanager
def _browser(profile: Path) -> Iterator[_Browser]:
    assert CHROMIUM is not None
    its_input, write = os.pipe()
    read, its_output = os.pipe()
    command = [CHROMIUM, *QUIET, f"--user-data-dir={profile}"]
    process = subprocess.Popen(
        [sys.executable, "-c", LAUNCH, str(its_input), str(its_output), *command],
        pass_fds=(its_input, its_output),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(its_input)
    os.close(its_output)
    timer = threading.Timer(100, process.kill)
    timer.start()
    try:
        browser = _Browser(write, read)
        yield browser
        browser.session = ""
        browser.call("Browser.close")
        process.wait(20)
    finally:
        timer.cancel()
        process.kill()
        process.wait()
        os.close(write)
        os.close(read)


@contextmanager
def _proxy(lines: list[str]) -> Iterator[int]:
    """Notes the first line of every request and closes."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                try:
                    lines.append(connection.recv(4096).split(b"\r\n")[0].decode("latin-1"))
                except OSError:
                    lines.append("a connection without a request")

    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
