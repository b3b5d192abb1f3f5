"""Whether a sanitized capture still tells the same: the alerts of both, with the addresses of the first
turned, and the names the engine sees in both.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sensor.config import Config
from sensor.desk.alerts import Alert, Alerts, flow_of
from sensor.desk.events import Event
from sensor.desk.replaying import events
from sensor.pcap.generic import generic_labels
from sensor.pcap.known import Known
from sensor.pcap.pseudonyms import Network, Pseudonyms

if TYPE_CHECKING:
    from sensor._engine import Ruleset


@dataclass
class Proof:
    """What changed."""

    before: Alerts
    after: Alerts
    signatures: dict[int, str]
    left: list[str]  # names and addresses of the first that the engine still sees in the second

    @property
    def lost(self) -> Alerts:
        return self.before - self.after

    @property
    def gained(self) -> Alerts:
        return self.after - self.before


def home_ranges(config: Config) -> list[Network]:
    """The networks of the configuration's address groups: alerts depend on which addresses are in them."""
    groups = config.get("vars.address-groups")
    found: list[Network] = []
    for expression in (groups or {}).values() if isinstance(groups, dict) else ():
        for word in str(expression).replace("[", ",").replace("]", ",").split(","):
            try:
                found.append(ipaddress.ip_network(word.strip().lstrip("!"), strict=False))
            except ValueError:  # a variable, any, a range
                continue
    return found


def alerts(
    config: Config,
    ruleset: Ruleset,
    paths: Sequence[str],
    signatures: dict[int, str],
    turn: Pseudonyms | None = None,
) -> Alerts:
    """The alerts of captures; with `turn` under the addresses they have after sanitizing."""
    found: Alerts = Alerts()
    for event in events(config, ruleset, paths):
        if event["event_type"] == "alert":
            facts = event["alert"]
            signatures[facts["signature_id"]] = str(facts.get("signature", ""))
            found[Alert(facts["signature_id"], flow_of(_turned(event, turn)), "")] += 1
    return found


def _turned(event: Event, turn: Pseudonyms | None) -> Event:
    made = dict(event)
    for side in ("src_ip", "dest_ip"):
        if side in event:
            address = ipaddress.ip_address(event[side])
            made[side] = str(
                ipaddress.ip_address(turn.address(address.packed)) if turn is not None else address
            )
    return made


def left_over(before: Known, after: Known, pseudonyms: Pseudonyms) -> list[str]:
    """What the engine named in the first capture and names in the second one too."""
    both = (before.suffixes & after.suffixes) | (before.names.keys() & after.names.keys())
    left = [
        name.decode("utf-8", "replace")
        for name in both
        if not all(
            is_kept or label in before.kept
            for label, is_kept in zip(name.split(b"."), generic_labels(name.split(b".")), strict=True)
        )
    ]
    images = {pseudonyms.address(address) for address in before.addresses}  # one may be another's original
    left += [str(ipaddress.ip_address(address)) for address in before.addresses & after.addresses - images]
    return sorted(left)
