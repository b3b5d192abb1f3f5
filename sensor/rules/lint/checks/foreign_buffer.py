"""A buffer of another protocol than the header's, or of two protocols that never meet."""

from collections.abc import Iterable

from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule
from sensor.rules.lint.tables import keywords


def look(rule: Rule) -> Iterable[Place]:
    table = keywords()
    base = rule.protocol.split(":")[0]
    common: frozenset[str] | None = frozenset({base}) if base in table.app_protocols else None
    owners = [
        (indexes[0], name, table.protocols[name])
        for name, indexes in rule.named.items()
        if name in table.protocols
    ]
    if common is not None:
        for index, name, owned in owners:
            if not common & owned:
                yield index, f"{name} belongs to {', '.join(sorted(owned))}, not to {base}"
        return
    owners.sort()
    for index, name, owned in owners:
        narrowed = owned if common is None else common & owned
        # doh2 is DNS within HTTP/2: the only protocol with the buffers of both, and never what a rule means
        # that does not name it.
        if common is not None and narrowed <= {"doh2"} and "doh2" not in rule.protocol:
            yield index, f"{name} belongs to {', '.join(sorted(owned))}, the ones before it do not"
            return
        common = narrowed


CHECK = Check(
    code="H204",
    title="a buffer of another protocol",
    severity="warning",
    why="Traffic is of one protocol: a rule with buffers of two never sees both, save for DNS over HTTP/2.",
    fix="name the protocol of the buffer in the header, and keep to buffers of one protocol",
    bad='alert dns any any -> any any (msg:"a"; http.uri; content:"/gate.php"; sid:1;)\n'
    'alert tcp any any -> any any (msg:"b"; http.uri; content:"/gate.php"; dns.query; content:"evil.test"; sid:2;)',
    good='alert http any any -> any any (msg:"a"; http.uri; content:"/gate.php"; http.host; content:"evil.test"; sid:1;)',
    look=look,
)
