"""`haidang rules test` and `rules new`: what must and must not fire is held, in every wrapping, and what is
wrong with a test is one line.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest.importorskip("sensor._engine", reason="the engine is not built: make setup")

Run = Callable[..., subprocess.CompletedProcess[str]]

PCAPS = Path(__file__).parents[2] / "pcaps"
RULES = """\
alert http any any -> any any (msg:"gate"; flow:established,to_server; http.uri; content:"/gate.php"; \
http.host; content:"evil.test"; sid:1; rev:1;)
alert dns any any -> any any (msg:"dns"; dns.query; content:"evil.test"; sid:2;)
alert tls any any -> any any (msg:"tls"; tls.sni; content:"evil.test"; sid:3;)
alert tcp any any -> any 25 (msg:"tcp"; flow:established,to_server; content:"EHLO evil|0d 0a|"; sid:4;)
alert udp any any -> any 9000 (msg:"udp"; content:"|de ad be ef|"; sid:5;)
alert http any any -> any any (msg:"body"; flow:established,to_client; \
http.response_body; content:"pwned"; sid:6;)
"""
ITEMS = {
    "http": ("http: {request: {uri: /gate.php, host: evil.test}, response: {body: so pwned}}", {1: 1, 6: 1}),
    "dns": ("dns: {query: evil.test, answer: 192.0.2.1}", {2: 1}),
    "dns over tcp": ("dns: {query: evil.test, tcp: true}", {2: 1}),
    "tls": ("tls: {sni: evil.test, server: true}", {3: 1}),
    "tcp": ('tcp: [{to_client: "220 x|0d 0a|"}, {to_server: "EHLO evil|0d 0a|"}], server_port: 25', {4: 1}),
    "udp": ('udp: ["|de ad be ef|"]', {5: 1}),
    "the wrong side": ("http: {request: {uri: /x, body: pwned /gate.php evil.test}}", {}),
}
WRAPPINGS = {
    "plain": "", "split": "split: 5", "reordered": "split: 7, reorder: true", "fragments": "fragment: 16",
    "vlan": "vlan: 10", "two vlans": "vlan: [10, 20]", "vxlan": "vxlan: 77", "ports": "client_port: 1234",
    "ipv6": 'client: "2001:db8::1", server: "2001:db8::2"',
    "all": "split: 9, reorder: true, fragment: 24, vlan: [10, 20], vxlan: 5",
}  # fmt: skip


@pytest.fixture
def haidang(haidang: Run, tmp_path: Path) -> Run:
    """With a cache of its own."""
    return lambda *arguments, **environ: haidang(
        *arguments, XDG_CACHE_HOME=str(tmp_path / "cache"), **environ
    )


def make(folder: Path, text: str, rules: str = RULES) -> Path:
    folder.mkdir(parents=True)
    (folder / "test.yaml").write_text(text)
    if rules:
        (folder / "a.rules").write_text(rules)
    return folder


def test_every_kind_of_traffic_in_every_wrapping(haidang: Run, tmp_path: Path) -> None:
    pytest.importorskip("scapy", reason="scapy is not installed")
    for kind, (item, alerts) in ITEMS.items():
        for wrapping, more in WRAPPINGS.items():
            if kind in ("udp", "dns") and "split" in more and "fragment" not in more:
                continue  # there are no segments to split
            text = f"traffic: [{{{item}{', ' * bool(more)}{more}}}]\nalerts: {json.dumps(alerts)}\n".replace(
                '"', '"'
            )
            make(tmp_path / "t" / f"{kind} {wrapping}", text.replace('"1"', "1"), rules="")
    (tmp_path / "all.rules").write_text(RULES)
    done = haidang("rules", "test", "-S", "all.rules", "t")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 failed, 0 skipped" in done.stdout


def test_what_differs_is_shown(haidang: Run, tmp_path: Path) -> None:
    pytest.importorskip("scapy", reason="scapy is not installed")
    make(
        tmp_path / "t" / "a",
        "traffic: [{dns: {query: evil.test}}, {wait: 5}, {dns: {query: evil.test}}]\n"
        "alerts: {2: 1, 3: 1}\n"
        "checks:\n"
        "  - filter: {count: 1, match: {event_type: dns, 'dns.queries[0].rrname': good.test}}\n"
        "  - filter: {count: 1, match: {event_type: alert, alert.signature_id: 2}}\n"
        "  - filter: {count: 2, match: {alert.signature.__contains: dn, alert.gid.__lt: 2}}\n"
        "  - filter: {count: 2, match: {event_type: dns, has-key: dns.queries, not-has-key: [http, tls]}}\n"
        "  - stats: {decoder.pkts: 2}\n",
    )
    done = haidang("rules", "test", "t")
    assert done.returncode == 1
    told = done.stdout.splitlines()
    assert told[0] == "FAILED t/a"
    assert "  alerts of sid 2: expected 1, got 2" in told
    assert "  alerts of sid 3: expected 1, got 0" in told
    assert "      dns.queries[0].rrname: expected 'good.test', got 'evil.test'" in told
    assert sum(line.startswith("  events with ") for line in told) == 2
    assert told[-1].startswith("0 passed, 1 failed, 0 skipped")


def test_a_rule_that_does_not_load_fails_its_test(haidang: Run, tmp_path: Path) -> None:
    bad = RULES + 'alert tcp any any -> any any (msg:"x"; content:"ab"; depth:1; sid:9;)\n'
    make(tmp_path / "t", f"pcap: {PCAPS / 'dns-benign.pcap'}\nalerts: {{}}\n", bad)
    done = haidang("rules", "test", "t")
    assert done.returncode == 1
    assert "the rule does not load: " in done.stdout


def test_junit_and_skips(haidang: Run, tmp_path: Path) -> None:
    pcap = f"pcap: {PCAPS / 'dns-benign.pcap'}\n"
    make(tmp_path / "t" / "good", f"{pcap}alerts: {{}}\n")
    make(tmp_path / "t" / "bad", f"{pcap}alerts: {{1: 1}}\n")
    make(tmp_path / "t" / "later", f"{pcap}requires: {{min-version: 99}}\nalerts: {{1: 1}}\n")
    make(tmp_path / "t" / "never", f"{pcap}skip: [{{msg: not today}}]\nalerts: {{1: 1}}\n")
    done = haidang("rules", "test", "--junit", "out.xml", "t")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith("1 passed, 1 failed, 2 skipped")
    suite = ElementTree.parse(tmp_path / "out.xml").getroot()
    cases = {case.get("name"): [child.tag for child in case] for case in suite.iter("testcase")}
    assert cases == {"t/bad": ["failure"], "t/good": [], "t/later": ["skipped"], "t/never": ["skipped"]}


@pytest.mark.parametrize(
    "text",
    [
        "[", "- 1", "traffic: 5\nalerts: {}", "traffic: [{smoke: 1}]\nalerts: {}", "traffic: [5]\nalerts: {}",
        "traffic: [{http: 1}]\nalerts: {}", "traffic: [{tcp: [{x: 1}]}]\nalerts: {}", "traffic: []",
        "traffic: [{dns: {query: a.test, type: nosuch}}]\nalerts: {}", "pcap: no.pcap\nalerts: {}",
        "alerts: {}",
        "traffic: []\nalerts: [1]", "traffic: []\nchecks: [1]", "traffic: []\nchecks: [{shell: {args: id}}]",
        "traffic: []\nargs: [--no-such]\nalerts: {}", "traffic: []\nargs: [-k]\nalerts: {}", "nosuch: 1",
        "traffic: [{wait: -1}]\nalerts: {}", "traffic: [{udp: x, split: -5}]\nalerts: {}",
        "traffic: [{udp: x, client: nobody at all}]\nalerts: {}",
        "traffic: [{udp: x, client_port: x}]\nalerts: {}",
        "traffic: [{udp: x, vlan: x}]\nalerts: {}", "traffic: [{http: {request: 5}}]\nalerts: {}",
        "traffic: [{tls: {alpn: 5}}]\nalerts: {}", "traffic: [{udp: x, client_port: 99999999}]\nalerts: {}",
        "traffic: [{udp: x, vxlan: 99999999999}]\nalerts: {}",
    ],
)  # fmt: skip
def test_a_test_that_is_wrong_is_one_line(haidang: Run, tmp_path: Path, text: str) -> None:
    make(tmp_path / "t", text)
    done = haidang("rules", "test", "t")
    assert (done.returncode, done.stderr) == (1, ""), done.stderr
    assert done.stdout.count("\n") == 2
    assert done.stdout.startswith("error t: "), done.stdout


def test_nothing_to_test_is_one_line(haidang: Run, tmp_path: Path) -> None:
    done = haidang("rules", "test", tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_one_rule_is_tested_within_a_second(haidang: Run, tmp_path: Path) -> None:
    make(tmp_path / "t", f"pcap: {PCAPS / 'dns-benign.pcap'}\nalerts: {{}}\n", RULES.splitlines()[0])
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert haidang("rules", "test", "t").returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.0


@pytest.mark.parametrize(
    ("capture", "flow", "keyword"),
    [("web-benign", 1, "http.uri"), ("dns-benign", 2, "dns.query"), ("redis-abuse", 1, "content:")],
)
def test_a_new_rule_fires_on_its_flow_and_brings_its_test(
    haidang: Run, tmp_path: Path, capture: str, flow: int, keyword: str
) -> None:
    pytest.importorskip("scapy", reason="scapy is not installed")
    path = PCAPS / f"{capture}.pcap"
    listed = haidang("rules", "new", "-r", path).stdout.splitlines()
    assert listed[flow - 1].split()[0] == str(flow)
    made = haidang("rules", "new", "-r", path, "--flow", str(flow), "-o", "new", "--sid", "77")
    assert made.returncode == 0, made.stderr
    rule = (tmp_path / "new" / "77.rules").read_text()
    assert keyword in rule
    assert "sid:77;" in rule
    assert haidang("rules", "test", "new").returncode == 0
    assert haidang("rules", "check", "--no-lint", "new").returncode == 0
    again = haidang("rules", "new", "-r", path, "--flow", str(flow), "-o", "new")
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    beyond = haidang("rules", "new", "-r", path, "--flow", "9999", "-o", "other")
    assert (beyond.returncode, beyond.stderr.count("\n")) == (2, 1)


def test_public_cases_run_as_they_are(haidang: Run) -> None:
    folder = Path(os.environ.get("CONFORMANCE_DIR", "/nowhere")) / "tests"
    if not folder.is_dir():
        pytest.skip("CONFORMANCE_DIR is not set")
    done = haidang("rules", "test", folder)
    assert done.stderr == ""
    words = done.stdout.splitlines()[-1].split()
    passed, failed = int(words[0]), int(words[2])
    assert passed >= 0.96 * (passed + failed), done.stdout.splitlines()[-1]
