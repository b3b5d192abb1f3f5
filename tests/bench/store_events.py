"""Events as a province sends them, for the store's bench: repeatable, with names and addresses as uneven as
real ones.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

DAYS = 8
SENSORS = 20
HOSTS = 20_000
ADDRESSES = 60_000
SIGNATURES = 2_000
RARE, COMMON = "needle-in-payload", "powershell"
"""Words in payloads: of one alert in 5,000, and of one in 20."""

_KINDS = (("flow", 42), ("dns", 22), ("http", 14), ("tls", 12), ("alert", 6), ("fileinfo", 3), ("anomaly", 1))
_WORDS = ("GET", "POST", "cmd", "exe", "Mozilla", "login", "admin", "passwd", "select", "union", "base64")
_DOMAINS = ("example.org", "example.vn", "test")
_SECONDS = 86_400


@dataclass
class Made:
    """What was made, for questions that find something. Times in seconds since 1970."""

    begin: int
    end: int
    flows: list[int] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    sensors: list[str] = field(default_factory=list)


def plan(end: int) -> Made:
    """Eight days that end then."""
    chance = random.Random(7)
    return Made(
        begin=end - DAYS * _SECONDS,
        end=end,
        sensors=[f"tap{number:02d}" for number in range(SENSORS)],
        addresses=[f"10.{a % 4}.{a // 4 % 250}.{a // 1000 % 250 + 1}" for a in range(ADDRESSES)],
        hosts=[
            f"h{number:05d}.{chance.choice(('example.org', 'example.vn', 'test'))}" for number in range(HOSTS)
        ],
    )


def groups(made: Made, count: int, rows: int) -> Iterator[tuple[int, list[tuple[str, bytes]]]]:
    """(seconds of receipt, sensors and lines): `count` events in order of time, so many a group, a hundred of
    a sensor in a row. Some of their flows are noted in `made`.
    """
    chance = random.Random(11)
    kinds = [kind for kind, weight in _KINDS for _ in range(weight)]
    flow, source, host, port, sensor = 0, "", "", 0, ""
    for number, start in enumerate(range(0, count, rows)):
        size = min(rows, count - start)
        first = made.begin + (made.end - made.begin) * start // count
        spread = max(1, (made.end - made.begin) * size // count)
        lines = []
        for row in range(size):
            if row % 100 == 0:
                sensor = chance.choice(made.sensors)
            if row % 4 == 0:
                flow = chance.getrandbits(50)
                # Few are seen often, most seldom.
                source = made.addresses[int(chance.random() ** 3 * ADDRESSES)]
                host = made.hosts[int(chance.random() ** 3 * HOSTS)]
                port = chance.randrange(1024, 65536)
            when = first + spread * row // size
            lines.append(
                (sensor, _line(chance, kinds[chance.randrange(100)], when, flow, source, port, host))
            )
        if number % 7 == 0:
            made.flows.append(flow)
        yield min(first + spread, made.end), lines


def _line(chance: random.Random, kind: str, when: int, flow: int, source: str, port: int, host: str) -> bytes:
    clock = datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    head = (
        f'{{"timestamp":"{clock}.{chance.randrange(10**6):06d}+0000","flow_id":{flow},"in_iface":"eth1",'
        f'"event_type":"{kind}","src_ip":"{source}","src_port":{port},"dest_ip":"203.0.113.'
        f'{chance.randrange(250)}","dest_port":443,"proto":"TCP","ip_v":4,"pkt_src":"wire/pcap",'
        f'"community_id":"1:{chance.getrandbits(120):030x}="'
    )
    return f"{head},{_body(chance, kind, host)}}}".encode()


def _body(chance: random.Random, kind: str, host: str) -> str:
    bits = chance.getrandbits(64)
    if kind == "flow":
        return (
            f'"app_proto":"tls","flow":{{"pkts_toserver":{bits % 90},"pkts_toclient":{bits % 70},'
            f'"bytes_toserver":{bits % 9000},"bytes_toclient":{bits % 90000},"age":{bits % 60},"state":'
            f'"closed","reason":"timeout","alerted":false}},"tcp":{{"tcp_flags":"1b","tcp_flags_ts":"1b",'
            f'"tcp_flags_tc":"1b","syn":true,"fin":true,"psh":true,"ack":true,"state":"closed"}}'
        )
    if kind == "dns":
        return (
            f'"app_proto":"dns","dns":{{"version":3,"type":"request","tx_id":0,"id":{bits % 65536},"rcode":'
            f'"NOERROR","queries":[{{"rrname":"{host}","rrtype":"A"}}]}}'
        )
    if kind == "tls":
        return (
            f'"app_proto":"tls","tls":{{"sni":"{host}","version":"TLS 1.3","subject":"CN={host}","issuerdn":'
            f'"C=VN, O=CA, CN=R3","serial":"{bits:x}","fingerprint":"{chance.getrandbits(160):040x}",'
            f'"ja3":{{"hash":"{chance.getrandbits(128):032x}"}}}}'
        )
    if kind == "anomaly":
        return '"anomaly":{"app_proto":"http","type":"applayer","event":"INVALID_RESPONSE","layer":"parser"}'
    web = (
        f'"app_proto":"http","http":{{"hostname":"{host}","url":"/{bits % 999}/item?id={bits:x}",'
        '"http_user_agent":"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",'
        f'"http_content_type":"text/html","http_method":"GET","protocol":"HTTP/1.1","status":200,"length":'
        f"{bits % 9000}}}"
    )
    if kind == "http":
        return web
    if kind == "fileinfo":
        return (
            f'{web},"fileinfo":{{"filename":"/{bits:x}.bin","gaps":false,"state":"CLOSED","stored":false,'
            f'"size":{bits % 99999},"sha256":"{chance.getrandbits(256):064x}","tx_id":0}}'
        )
    sid = 2_000_000 + int(chance.random() ** 3 * SIGNATURES)
    words = [chance.choice(_WORDS) for _ in range(20)] + [f"{chance.getrandbits(200):050x}"]
    if bits % 5000 == 0:
        words.append(RARE)
    if bits % 20 == 0:
        words.append(COMMON.title())
    return (
        f'"alert":{{"action":"allowed","gid":1,"signature_id":{sid},"rev":1,"signature":"ET RULE {sid} of a '
        f'kind","category":"Kind {sid % 30}","severity":{1 + sid % 3}}},{web},"payload_printable":'
        f"{json.dumps(' '.join(words))}"
    )
