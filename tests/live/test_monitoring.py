"""Dashboard and alert rules name metrics that exist: a real Prometheus scrapes a real sensor and centre."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from live_wire import REPOSITORY, Wire
from test_capture import ALL_RULES, RULES, udp, write_frames
from test_heartbeat import centre, wait_for_pulse

PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
DASHBOARD = REPOSITORY / "deploy" / "grafana" / "haidang.json"
RULE_FILE = REPOSITORY / "deploy" / "prometheus" / "haidang.rules.yml"
ADDRESS = "127.0.0.1:9496"
_METRIC = re.compile(r"\b(?:haidang|suricata)_[a-z0-9_]+\b")
# Only there when something is wrong.
_IN_DISTRESS = {
    "haidang_bus_events_lost_total",
    "haidang_centre_heartbeat_alarm",
    "haidang_nic_lost_total",
    "haidang_service_check_failing",
}
_NOT_INSTALLED = "prometheus is not installed: apt-get install prometheus"

CONFIG = """
global: {scrape_interval: 1s, evaluation_interval: 1s}
scrape_configs:
  - job_name: haidang-sensor
    static_configs: [{targets: ["127.0.0.1:9495"]}]
  - job_name: haidang-centre
    static_configs: [{targets: ["127.0.0.1:9497"]}]
"""


def dashboard_queries() -> Iterator[tuple[str, str]]:
    """(panel, query), with what Grafana puts in for its variables."""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            query = target["expr"].replace("$__rate_interval", "10s").replace("$instance", ".*")
            yield panel["title"], query


def alert_queries() -> Iterator[tuple[str, str]]:
    for group in yaml.safe_load(RULE_FILE.read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


def test_the_dashboard_is_whole() -> None:
    told = json.loads(DASHBOARD.read_text())
    panels = told["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24 and not taken & cells, panel["title"]
        taken |= cells
    assert {variable["name"] for variable in told["templating"]["list"]} == {"datasource", "instance"}
    for title, query in dashboard_queries():
        assert "$" not in query, title


@pytest.mark.skipif(PROMTOOL is None, reason=_NOT_INSTALLED)
def test_alert_rules_fire_when_they_should() -> None:
    for arguments in (
        ("check", "rules", RULE_FILE),
        ("check", "config", RULE_FILE.with_name("prometheus.yml")),
        ("test", "rules", REPOSITORY / "tests" / "deploy" / "alerts.yml"),
    ):
        done = subprocess.run(
            [str(PROMTOOL), *map(str, arguments)], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr


class Prometheus:
    """In the wire's namespace."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        (wire.folder / "prometheus.yml").write_text(CONFIG)
        self._log = (wire.folder / "prometheus.log").open("w")
        self._process = subprocess.Popen(
            wire.inside(
                PROMETHEUS, f"--config.file={wire.folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={wire.folder / 'tsdb'}", f"--web.listen-address={ADDRESS}",
            ),
            stdout=self._log, stderr=self._log,
        )  # fmt: skip

    def ask(self, *queries: str) -> list[dict[str, Any]]:
        """The answers of /api/v1/query, in order."""
        script = (
            "import json, sys, urllib.error, urllib.parse, urllib.request\n"
            "for query in json.load(sys.stdin):\n"
            f"    url = 'http://{ADDRESS}/api/v1/query?' + urllib.parse.urlencode({{'query': query}})\n"
            "    try: print(urllib.request.urlopen(url, timeout=20).read().decode().strip())\n"
            "    except urllib.error.HTTPError as error: print(error.read().decode().strip())\n"
        )
        done = subprocess.run(
            self._wire.inside(sys.executable, "-c", script),
            input=json.dumps(queries), capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        return [json.loads(line) for line in done.stdout.splitlines()]

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._log.close()


@pytest.mark.skipif(PROMETHEUS is None, reason=_NOT_INSTALLED)
def test_every_query_is_answered_from_a_real_sensor_and_centre(wire: Wire, tmp_path: Path) -> None:
    (tmp_path / "test.rules").write_text(RULES)
    packets = write_frames(tmp_path / "some.pcap", [udp("10.0.0.1", "10.0.0.2", b"canary-7f3a91")] * 50)
    with centre(wire):
        live = wire.start(
            "sensor", "run", "-d", "tap", "-i", "in0", "-l", "live", "--drain", 2,
            "--metrics", "127.0.0.1:9495", "--set", "haidang.heartbeat.interval=1", *ALL_RULES,
        )  # fmt: skip
        prometheus = Prometheus(wire)
        try:
            for _ in range(12):
                wire.send(packets, rate=100)
                time.sleep(0.5)
            wait_for_pulse(wire, " s")
            (names,) = prometheus.ask('group by (__name__) ({__name__=~"haidang_.*|suricata_.*"})')
            known = {row["metric"]["__name__"] for row in names["data"]["result"]}
            queries = [*dashboard_queries(), *alert_queries()]
            wanted = {name for _, query in queries for name in _METRIC.findall(query)}
            assert wanted <= known | _IN_DISTRESS
            answers = prometheus.ask(*(query for _, query in queries))
            panels = len(list(dashboard_queries()))
            for (title, query), answer in zip(queries[:panels], answers[:panels], strict=True):
                assert answer["status"] == "success", (title, answer)
                lost_only = set(_METRIC.findall(query)) <= _IN_DISTRESS
                assert answer["data"]["result"] or lost_only, (title, query)
            for (alert, _), answer in zip(queries[panels:], answers[panels:], strict=True):
                assert answer["status"] == "success", (alert, answer)
            down = prometheus.ask("up == 0")[0]["data"]["result"]
            assert down == []
            suricata = {name for name in known if name.startswith("suricata_")}
            assert len(suricata) > 50
            (kernel,) = prometheus.ask("suricata_capture_kernel_packets_total")
            assert kernel["data"]["result"][0]["metric"]["thread"] == "W#01-in0"
        finally:
            prometheus.close()
        wire.end(live)
