"""EVE lines such as sensors write, for measuring the bus: about a tenth alerts, 300 to 700 bytes each."""

from __future__ import annotations

import json
import random

_ALERT = (
    '{"timestamp":"2026-02-03T04:05:06.%06d+0700","flow_id":%d,"in_iface":"eth1","event_type":"alert",'
    '"src_ip":"10.%d.%d.%d","src_port":%d,"dest_ip":"192.0.2.%d","dest_port":443,"proto":"TCP",'
    '"alert":{"action":"allowed","gid":1,"signature_id":%d,"rev":2,"signature":"EXAMPLE rule %d",'
    '"category":"Potentially Bad Traffic","severity":2},"app_proto":"http","direction":"to_server",'
    '"http":{"hostname":"h%d.example.org","url":"/%s","http_method":"GET","protocol":"HTTP/1.1"},'
    '"flow":{"pkts_toserver":%d,"pkts_toclient":3,"bytes_toserver":%d,"bytes_toclient":1900}}\n'
)
_FLOW = (
    '{"timestamp":"2026-02-03T04:05:06.%06d+0700","flow_id":%d,"in_iface":"eth1","event_type":"flow",'
    '"src_ip":"10.%d.%d.%d","src_port":%d,"dest_ip":"192.0.2.%d","dest_port":53,"proto":"UDP",'
    '"app_proto":"dns","flow":{"pkts_toserver":%d,"pkts_toclient":1,"bytes_toserver":%d,'
    '"bytes_toclient":180,"start":"2026-02-03T04:05:01.000000+0700","age":5,"state":"established",'
    '"reason":"timeout","alerted":false}}\n'
)


def line_of(chance: random.Random, is_alert: bool, flow: int) -> bytes:
    """One event with this flow_id."""
    part = chance.randrange
    ends = (part(10**6), flow, part(4), part(256), part(256), part(1024, 65536), part(256))
    if not is_alert:
        return (_FLOW % (*ends, part(9), part(9999))).encode()
    sid = 2_000_000 + part(400)
    url = "x" * part(60)
    return (_ALERT % (*ends, sid, sid, part(99), url, part(99), part(9999))).encode()


def check() -> int:
    """Bytes of an average event; fails when a line is no JSON."""
    chance = random.Random(1)
    lines = [line_of(chance, number % 10 == 0, number) for number in range(1000)]
    for line in lines:
        json.loads(line)
    return sum(map(len, lines)) // len(lines)
