"""What a report tells, gathered from the events of a replay as they pass: bounded whatever the capture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from sensor.desk.bounded import Timeline, TopCounter
from sensor.desk.events import Event
from sensor.desk.flows import time_ns

if TYPE_CHECKING:
    from sensor._engine import Batch

MAX_RULES = 2_000
MAX_EXAMPLES = 5
MAX_FILES = 300
MAX_CERTIFICATES = 300
_decoder = msgspec.json.Decoder()

FACTS: tuple[tuple[str, str, str, str], ...] = (
    ("dns", "dns.queries.rrname", "names asked for", "tên được hỏi"),
    ("dns", "dns.rcode", "answers", "trả lời"),
    ("http", "http.hostname", "hosts", "máy chủ"),
    ("http", "http.http_user_agent", "programs", "chương trình"),
    ("http", "http.status", "status codes", "mã trạng thái"),
    ("tls", "tls.sni", "server names", "tên máy chủ"),
    ("tls", "tls.version", "versions", "phiên bản"),
    ("tls", "tls.ja4", "client fingerprints", "dấu vân client"),
    ("quic", "quic.sni", "server names", "tên máy chủ"),
    ("ssh", "ssh.client.software_version", "clients", "client"),
    ("ssh", "ssh.server.software_version", "servers", "máy chủ"),
    ("smb", "smb.command", "commands", "lệnh"),
    ("smb", "smb.filename", "files", "tệp"),
    ("krb5", "krb5.cname", "principals", "chủ thể"),
    ("krb5", "krb5.error_code", "errors", "lỗi"),
    ("ldap", "ldap.request.operation", "operations", "thao tác"),
    ("ftp", "ftp.command", "commands", "lệnh"),
    ("smtp", "smtp.mail_from", "senders", "người gửi"),
    ("dhcp", "dhcp.hostname", "hosts", "máy"),
    ("snmp", "snmp.community", "communities", "community"),
    ("anomaly", "anomaly.event", "anomalies", "bất thường"),
)
"""(event type, field, what it is in English and Vietnamese)."""


@dataclass
class RuleAlerts:
    """The alerts of one rule."""

    facts: Mapping[str, Any]
    count: int = 0
    first: str = ""
    last: str = ""
    sources: TopCounter[str] = field(default_factory=lambda: TopCounter(500))
    targets: TopCounter[str] = field(default_factory=lambda: TopCounter(500))
    examples: list[str] = field(default_factory=list)


@dataclass
class Gathered:
    """Everything so far."""

    types: TopCounter[str] = field(default_factory=lambda: TopCounter(200))
    applications: TopCounter[str] = field(default_factory=lambda: TopCounter(200))
    talkers: TopCounter[str] = field(default_factory=TopCounter)  # bytes
    pairs: TopCounter[str] = field(default_factory=TopCounter)
    rules: dict[tuple[int, int], RuleAlerts] = field(default_factory=dict)
    rules_are_cut: bool = False
    facts: dict[tuple[str, str], TopCounter[str]] = field(default_factory=dict)
    files: list[Event] = field(default_factory=list)
    files_in_all: int = 0
    certificates: dict[str, tuple[Event, str]] = field(default_factory=dict)  # fingerprint -> record, time
    timeline: Timeline = field(default_factory=Timeline)  # alerts, other events
    flows: int = 0
    tcp_flows: int = 0
    one_sided: int = 0  # TCP flows of which one direction only was seen
    first: str = ""
    last: str = ""

    def add(self, batch: Batch) -> None:
        """Take one batch of the engine."""
        for line in batch.data.splitlines():
            self.add_event(_decoder.decode(line))

    def add_event(self, event: Event) -> None:
        """Take one event."""
        kind = event["event_type"]
        if kind == "stats":
            return
        self.types.add(kind)
        when = str(event.get("timestamp", ""))
        self.first, self.last = min(self.first or when, when), max(self.last, when)
        nanoseconds = time_ns(when)
        if nanoseconds is not None:
            self.timeline.add(nanoseconds / 1e9, 0 if kind == "alert" else 1)
        if kind == "alert":
            self._alert(event, when)
        elif kind == "flow":
            self._flow(event)
        elif kind == "fileinfo":
            self.files_in_all += 1
            if len(self.files) < MAX_FILES:
                self.files.append(event)
        elif kind == "tls" and isinstance(event.get("tls"), dict) and event["tls"].get("subject"):
            record = event["tls"]
            name = str(record.get("fingerprint") or record.get("serial") or record["subject"])
            if len(self.certificates) < MAX_CERTIFICATES:
                self.certificates.setdefault(name, (event, when))
        for wanted, path, *_ in FACTS:
            if wanted == kind:
                for value in _values(event, path.split(".")):
                    self.facts.setdefault((wanted, path), TopCounter(5_000)).add(value[:200])

    def _alert(self, event: Event, when: str) -> None:
        facts = event["alert"]
        identity = int(facts.get("gid", 1)), int(facts.get("signature_id", 0))
        rule = self.rules.get(identity)
        if rule is None:
            if len(self.rules) >= MAX_RULES:
                self.rules_are_cut = True
                return
            rule = self.rules[identity] = RuleAlerts(facts, first=when)
        rule.count += 1
        rule.first, rule.last = min(rule.first, when), max(rule.last, when)
        source, target = str(event.get("src_ip", "")), str(event.get("dest_ip", ""))
        rule.sources.add(source)
        rule.targets.add(target)
        if len(rule.examples) < MAX_EXAMPLES:
            example = (
                f"{when} {_end(event, 'src')} > {_end(event, 'dest')} {event.get('proto', '')}{_what(event)}"
            )
            rule.examples.append(example[:400])

    def _flow(self, event: Event) -> None:
        facts = event.get("flow", {})
        there, back = int(facts.get("bytes_toserver", 0)), int(facts.get("bytes_toclient", 0))
        source, target = str(event.get("src_ip", "")), str(event.get("dest_ip", ""))
        self.flows += 1
        self.talkers.add(source, there + back)
        self.talkers.add(target, there + back)
        self.pairs.add(
            f"{source} > {target} {event.get('proto', '')} {event.get('dest_port', '')}", there + back
        )
        self.applications.add(str(event.get("app_proto", "-")))
        if event.get("proto") == "TCP":
            self.tcp_flows += 1
            packets = int(facts.get("pkts_toserver", 0)), int(facts.get("pkts_toclient", 0))
            self.one_sided += min(packets) == 0 and max(packets) > 1


def _end(event: Event, side: str) -> str:
    address, port = event.get(f"{side}_ip", ""), event.get(f"{side}_port")
    return str(address) if port is None else f"{address} port {port}"


def _what(event: Event) -> str:
    """What an alert's record adds in a few words."""
    for paths in ((("http", "hostname"), ("http", "url")), (("tls", "sni"),), (("fileinfo", "filename"),)):
        found = [value for path in paths for value in _values(event, list(path))]
        if found:
            return " " + "".join(found)
    names = list(_values(event, ["dns", "queries", "rrname"]))
    return f" {names[0]}" if names else ""


def _values(value: Any, path: list[str]) -> Iterator[str]:
    if isinstance(value, list):
        for below in value:
            yield from _values(below, path)
    elif path and isinstance(value, dict):
        if path[0] in value:
            yield from _values(value[path[0]], path[1:])
    elif not path and value is not None and not isinstance(value, dict):
        yield str(value)
