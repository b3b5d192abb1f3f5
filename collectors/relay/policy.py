"""What may leave a province: a policy file by event type and field, and what it leaves of a batch.

    default: deny                  # event types that are not named
    events:
      alert: allow
      flow: deny
      dns: {allow: [src_ip, dest_ip, dns.rrname]}   # only these, beside timestamp, event_type and flow_id
      http: {deny: [http.http_user_agent]}
    fields: {deny: [payload, payload_printable, packet]}   # in events of every type

A name of a field leads through objects and lists of objects. What is not changed keeps its bytes; what is no
event leaves only under a policy that allows everything.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn

import msgspec
import yaml

from sensor.config.eve_schema import EVE_TYPES
from sensor.errors import UserError, from_os_error

EVENT_TYPES = frozenset({name.replace("-", "_") for name in EVE_TYPES} - {"files"} | {"fileinfo", "packet"})
"""Values of `event_type`."""
FIELDS = EVENT_TYPES | {
    "timestamp", "flow_id", "parent_id", "in_iface", "event_type", "sensor", "host", "vlan", "src_ip",
    "src_port", "dest_ip", "dest_port", "proto", "ip_v", "icmp_type", "icmp_code", "response_icmp_type",
    "response_icmp_code", "spi", "pkt_src", "pcap_cnt", "pcap_filename", "tx_id", "tx_guessed",
    "community_id", "ether", "app_proto", "app_proto_ts", "app_proto_tc", "app_proto_orig",
    "app_proto_expected", "direction", "ts_progress", "tc_progress", "files", "email", "rpc", "sdp", "tcp",
    "udp", "icmp", "verdict", "traffic", "payload", "payload_printable", "payload_length", "packet",
    "packet_info", "stream", "stream_offset", "xff", "capture_file", "tunnel", "flowints", "flowbits",
    "flowvars", "pktvars", "haidang",
}  # fmt: skip
"""First parts of the names of fields; what is below them differs by protocol and is not listed."""
KEPT = ("timestamp", "event_type", "flow_id")
"""Fields that say what an event is: an allow-list need not name them, and the first two cannot be denied."""

MAX_POLICY_BYTES = 256 * 1024

TEMPLATE = """\
# What of this centre's events may leave for the national centre. Restart the centre after a change;
# `haidang relay check` shows what a policy does to events that you have.
default: deny            # event types that are not named
events:
  alert: allow
  anomaly: allow
  stats: allow
#  dns: {allow: [src_ip, dest_ip, dns.rrname]}   # only these fields
#  http: {deny: [http.http_user_agent]}          # all but these fields
fields: {deny: []}       # in events of every type, such as payload, payload_printable, packet
"""

Word = Literal["allow", "deny"]


class Fields(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fields of an event that leaves: only `allow` where there are any, and none of `deny`."""

    allow: list[str] = []
    deny: list[str] = []


class Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A policy file."""

    default: Word = "deny"
    events: dict[str, Word | Fields] = {}
    fields: Fields = Fields()


class Left(NamedTuple):
    """What a policy leaves of a batch; whole: nothing was taken out of it."""

    ndjson: bytes
    events: int
    whole: bool


Tree = dict[str, "Tree"]
"""Names of fields by their parts; an empty tree is the whole field."""


class Policy:
    """A policy, ready to be applied. `id` names its meaning: the same rules have the same id."""

    def __init__(self, written: Written) -> None:
        self.written = written
        meaning = json.dumps(msgspec.to_builtins(written), sort_keys=True)
        self.id = hashlib.sha256(b"haidang policy\0" + meaning.encode()).digest()[:8]
        self._deny_everywhere = _tree(written.fields.deny)
        self._allow_everywhere = _tree([*KEPT, *written.fields.allow]) if written.fields.allow else None
        self._rules: dict[str, Word | tuple[Tree | None, Tree]] = {
            name: rule
            if isinstance(rule, str)
            else (_tree([*KEPT, *rule.allow]) if rule.allow else None, _tree(rule.deny))
            for name, rule in written.events.items()
        }
        has_rules = any(rule != "allow" for rule in self._rules.values())
        self.allows_all = (
            written.default == "allow"
            and not has_rules
            and not self._deny_everywhere
            and self._allow_everywhere is None
        )

    @classmethod
    def load(cls, path: Path) -> Policy:
        """UserError, with the place, for what is no policy and for names that are not known."""
        try:
            with path.open("rb") as file:
                content = file.read(MAX_POLICY_BYTES + 1)
        except OSError as error:
            raise from_os_error(error, where=path) from error
        return cls.parse(content, where=path)

    @classmethod
    def parse(cls, content: bytes, *, where: Path) -> Policy:
        """UserError for anything but a policy."""
        fix = "see the comments of the file that `haidang relay join` makes"
        if len(content) > MAX_POLICY_BYTES:
            raise UserError("is too large for a policy", where=where, fix=fix)
        try:
            given = yaml.safe_load(content)
            written = msgspec.convert({} if given is None else given, Written)
        except (yaml.YAMLError, msgspec.ValidationError, ValueError, RecursionError) as error:
            raise UserError(f"is no policy: {error}", where=where, fix=fix) from error
        for name, rule in written.events.items():
            _check(name, EVENT_TYPES, f"events.{name}: there are no events of this type", where)
            if isinstance(rule, Fields):
                _check_fields(rule, f"events.{name}", where)
        _check_fields(written.fields, "fields", where)
        return cls(written)

    def apply(self, ndjson: bytes, events: int) -> Left:
        """What may leave of these events."""
        if self.allows_all:
            return Left(ndjson, events, True)
        kept: list[bytes] = []
        is_whole = True
        for line in ndjson.split(b"\n")[:-1]:
            left = self._line(line)
            if left is None:
                is_whole = False
            else:
                is_whole = is_whole and left is line
                kept.append(left)
        if is_whole:
            return Left(ndjson, events, True)
        return Left(b"".join(line + b"\n" for line in kept), len(kept), False)

    def _line(self, line: bytes) -> bytes | None:
        """The line itself, what is left of it, or None."""
        pairs = _Pairs()
        try:
            event = json.loads(line, object_pairs_hook=pairs, parse_float=_finite, parse_constant=_refuse)
        except (ValueError, RecursionError):
            return None
        if not isinstance(event, dict):
            return None
        kind = event.get("event_type")
        rule = self._rules.get(kind, self.written.default) if isinstance(kind, str) else self.written.default
        if rule == "deny":
            return None
        # A name that stands twice in one object would hide one of its values from the rules.
        changed = pairs.has_repeated
        changed |= _remove(event, self._deny_everywhere)
        if self._allow_everywhere is not None:
            changed |= _keep(event, self._allow_everywhere)
        if not isinstance(rule, str):
            allow, deny = rule
            changed |= _remove(event, deny)
            if allow is not None:
                changed |= _keep(event, allow)
        return _written(event) if changed else line


class _Pairs:
    """Makes the objects of an event, and notices names that stand twice in one."""

    def __init__(self) -> None:
        self.has_repeated = False

    def __call__(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        self.has_repeated |= len(made) < len(pairs)
        return made


def _written(event: dict[str, Any]) -> bytes:
    try:
        return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half a surrogate pair, which only an escape can say
        return json.dumps(event, separators=(",", ":")).encode()


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _refuse(text: str) -> NoReturn:
    raise ValueError(text)


def _tree(names: Sequence[str]) -> Tree:
    tree: Tree = {}
    whole: set[int] = set()  # ids of subtrees that a shorter name has made whole
    for name in sorted(names, key=lambda name: name.count(".")):
        here = tree
        for part in name.split("."):
            if id(here) in whole:
                break
            here = here.setdefault(part, {})
        else:
            whole.add(id(here))
    return tree


def _remove(value: Any, tree: Tree) -> bool:
    """Take these fields out; whether any was there."""
    if isinstance(value, list):
        removed = [_remove(item, tree) for item in value]
        return any(removed)
    changed = False
    if isinstance(value, dict):
        for name, below in tree.items():
            if name not in value:
                continue
            if below:
                changed |= _remove(value[name], below)
            else:
                del value[name]
                changed = True
    return changed


def _keep(value: Any, tree: Tree) -> bool:
    """Take everything out but these fields; whether anything went."""
    if isinstance(value, list):
        changed = [_keep(item, tree) for item in value]
        size = len(value)
        value[:] = [item for item in value if isinstance(item, dict | list)]
        return any(changed) or len(value) < size
    if not isinstance(value, dict):
        return False
    gone = [name for name in value if name not in tree]
    for name in gone:
        del value[name]
    changed_below = False
    for name in list(value):
        below = tree[name]
        if below and not isinstance(value[name], dict | list):  # a name leads into it, and there is nothing
            del value[name]
            changed_below = True
        elif below:
            changed_below |= _keep(value[name], below)
    return bool(gone) or changed_below


def _check_fields(fields: Fields, place: str, where: Path) -> None:
    for word, names in (("allow", fields.allow), ("deny", fields.deny)):
        for name in names:
            first, *rest = name.split(".")
            what = f"{place}.{word}: {name!r} is no field of an event"
            if not all(rest):
                raise UserError(what, where=where, fix="write it as http.hostname")
            _check(first, FIELDS, what, where)
            if word == "deny" and name in KEPT[:2]:
                raise UserError(f"{place}.deny: {name} cannot be left out", where=where, fix="deny the event")


def _check(name: str, known: frozenset[str], what: str, where: Path) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, sorted(known), 1)
        raise UserError(what, where=where, fix=f"did you mean {near[0]}?" if near else "correct the name")
