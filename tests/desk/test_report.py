"""The report page: complete, in two languages, with nothing of an attacker's that is not text; and in a real
browser at both widths.
"""

from __future__ import annotations

import json
import os
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytest.importorskip("sensor._engine", reason="the engine is not built: make setup")

from browsing import CHROMIUM, visit
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from scapy.utils import wrpcap

from sensor.cli import main
from sensor.desk.bounded import Timeline, TopCounter
from sensor.desk.gather import Gathered
from sensor.desk.markup import text

ROOT = Path(__file__).parents[2]
EVIL_HOST = "<img/src=//evil.invalid/x>"
EVIL_URI = "/<script>document.title='owned'</script>\"onload=\"x"
RULE = (
    'alert http any any -> any any (msg:"<b onclick=x>bold</b>"; http.method; content:"GET"; '
    "classtype:trojan-activity; sid:1; rev:2;)\n"
)


def hostile_capture(path: Path) -> Path:
    there = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src="10.0.0.1", dst="192.0.2.2")
    back = Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01") / IP(src="192.0.2.2", dst="10.0.0.1")
    head = f"GET {EVIL_URI} HTTP/1.1\r\nHost: {EVIL_HOST}\r\n"
    request = f"{head}User-Agent: </pre><svg onload=x>\u202e\r\n\r\n".encode()
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nok"
    packets = [
        there / TCP(sport=4000, dport=80, flags="S", seq=0),
        back / TCP(sport=80, dport=4000, flags="SA", seq=0, ack=1),
        there / TCP(sport=4000, dport=80, flags="A", seq=1, ack=1),
        there / TCP(sport=4000, dport=80, flags="PA", seq=1, ack=1) / Raw(request),
        back / TCP(sport=80, dport=4000, flags="PA", seq=1, ack=1 + len(request)) / Raw(answer),
        there / TCP(sport=4000, dport=80, flags="FA", seq=1 + len(request), ack=1 + len(answer)),
        back / TCP(sport=80, dport=4000, flags="FA", seq=1 + len(answer), ack=2 + len(request)),
    ]
    for number, packet in enumerate(packets):
        packet.time = 1_780_000_000 + number / 100
    wrpcap(str(path), packets)
    return path


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    capture, rules, page = hostile_capture(folder / "in.pcap"), folder / "x.rules", folder / "page.html"
    rules.write_text(RULE)
    captures = [
        str(capture),
        str(ROOT / "pcaps" / "tls-self-signed.pcap"),
        str(ROOT / "pcaps" / "dns-udp.pcap"),
    ]
    log = str(folder / "log")
    assert main(["replay", *captures, "-S", str(rules), "-k", "none", "-l", log, "--report", str(page)]) == 0
    return page


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.shown = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attributes}

    def handle_data(self, data: str) -> None:
        self.shown += data


def test_what_attackers_write_stays_text(hostile_page: Path) -> None:
    parsed = Tags()
    page = hostile_page.read_text()
    parsed.feed(page)
    assert not parsed.tags & {"script", "img", "b onclick", "iframe", "object", "link", "form"}
    assert not [
        name for name in parsed.attributes if name.startswith("on") or name in ("src", "href", "style")
    ]
    assert EVIL_HOST.lower() in parsed.shown.lower()
    assert "<script>document.title='owned'</script>" in parsed.shown
    assert "<b onclick=x>bold</b>" in parsed.shown
    assert "</pre><svg onload=x>" in parsed.shown
    assert "\u202e" not in page
    assert "default-src 'none'" in page


def test_the_page_tells_it_all(hostile_page: Path) -> None:
    parsed = Tags()
    parsed.feed(hostile_page.read_text())
    for title in (
        "Summary",
        "Timeline",
        "Alerts",
        "Top talkers",
        "Protocol facts",
        "Files",
        "Certificates",
        "Loss",
    ):
        assert title in parsed.shown
    for fact in (
        "1:1:2",
        "10.0.0.1",
        "192.0.2.2",
        "isolate it",
        "http.method",
        "self-signed",
        "Nothing was lost",
    ):
        assert fact in parsed.shown, fact
    assert "svg" in parsed.tags


def test_vietnamese(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAIDANG_LANG", "vi")
    page = tmp_path / "p.html"
    capture = str(ROOT / "pcaps" / "web-log4shell.pcap")
    assert main(["replay", capture, "-l", str(tmp_path), "--report", str(page)]) == 0
    shown = page.read_text()
    assert 'lang="vi"' in shown
    for title in ("Tóm tắt", "Dòng thời gian", "Cảnh báo", "Việc tiếp theo"):
        assert title in shown


needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="chromium is not installed: apt-get install chromium"
)


@needs_chromium
@pytest.mark.parametrize("width", [1280, 400])
def test_in_a_browser(hostile_page: Path, tmp_path: Path, width: int) -> None:
    screenshot = Path(os.environ.get("HAIDANG_SCREENSHOTS", tmp_path)) / f"report-{width}.png"
    seen = visit(hostile_page, tmp_path, width, screenshot)
    assert seen.console == []
    assert seen.requests == []
    assert seen.proxied == []
    assert seen.title != "owned"
    assert EVIL_HOST.lower() in seen.shown.lower()
    assert "<script>document.title='owned'</script>" in seen.shown
    assert "Nothing was lost" in seen.shown
    assert seen.content_width <= width  # nothing to scroll for sideways
    assert seen.smallest_text_pixels >= 10
    assert screenshot.stat().st_size > 10_000


@needs_chromium
def test_the_browser_tells_of_a_page_that_asks_and_fails(tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text("<img src=http://asked.invalid/x><script>nothing.there()</script><p>text")
    seen = visit(page, tmp_path, 400, tmp_path / "bad.png")
    assert seen.requests == ["http://asked.invalid/x"]
    assert seen.proxied == ["GET http://asked.invalid/x HTTP/1.1"]
    assert any("Uncaught" in line for line in seen.console)


def test_counting_is_bounded() -> None:
    counter: TopCounter[int] = TopCounter(100)
    for number in range(10_000):
        counter.add(number)
        counter.add(-1)
    assert len(counter.counts) <= 101
    assert counter.top(1) == [(-1, 10_000)]
    assert not counter.is_exact
    timeline = Timeline()
    for number in range(3_000):
        timeline.add(number * 977.0, number % 2)
    assert len(timeline.bins) <= timeline.MAX_BINS
    assert sum(map(sum, timeline.bins.values())) == 3_000
    timeline.add(2**40, 0)
    assert len(timeline.bins) <= timeline.MAX_BINS


def test_text_shows_what_cannot_be_seen() -> None:
    assert text("a\x00<\u202e\"'&") == "a\\x00&lt;\\x202e&quot;&#x27;&amp;"
    assert len(text("x" * 100_000)) < 2_100


def test_odd_events_are_gathered() -> None:
    gathered = Gathered()
    for line in (
        {"event_type": "alert", "alert": {}},
        {"event_type": "flow"},
        {"event_type": "tls", "tls": {"subject": "CN=x", "sni": ["a"]}, "timestamp": "never"},
        {"event_type": "dns", "dns": {"queries": [{"rrname": "a"}, 3, None]}},
    ):
        gathered.add_event(json.loads(json.dumps(line)))
    assert gathered.types.counts.total() == 4
