"""Evidence for alerts: per alert a small pcapng of its flow from the first packet, with the alert as the
comment of the packet it came with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sensor.desk.events import Event
from sensor.desk.flows import FlowRecord, time_ns
from sensor.errors import from_os_error
from sensor.pcap.choose import FlowChoice, Pair, pair_of
from sensor.pcap.files import Packet, packets_of
from sensor.pcap.layers import layers_of
from sensor.pcap.writing import CaptureWriter

if TYPE_CHECKING:
    from sensor._engine import Batch

MAX_ALERTS = 5_000
MAX_FLOW_BYTES = 1 << 20  # of one flow: what came first tells most
FLOWS_AT_A_TIME = 200  # held in memory; the captures are read again for the next ones
_FLOW_ID = re.compile(rb'"flow_id":(\d{1,20})')
_ALERT = b'"event_type":"alert"'
_FLOW = b'"event_type":"flow"'
_decoder = msgspec.json.Decoder()


@dataclass
class Evidence:
    """Collects the alerts of a replay as its batches pass, then writes."""

    folder: Path
    records: dict[int, FlowRecord] = field(default_factory=dict)
    alerts: int = 0
    not_kept: int = 0
    written: int = 0
    cut: int = 0  # flows longer than MAX_FLOW_BYTES
    not_found: int = 0  # alerts whose packets are not in the captures

    def add(self, batch: Batch) -> None:
        """Take one batch of the engine."""
        for line in batch.data.splitlines():
            if _ALERT in line:
                event = _decoder.decode(line)
                flow_id = event.get("flow_id")
                if self.alerts >= MAX_ALERTS or not isinstance(flow_id, int):
                    self.not_kept += 1
                    continue
                self.alerts += 1
                self.records.setdefault(flow_id, FlowRecord(flow_id)).alerts.append(event)
            elif _FLOW in line:
                found = _FLOW_ID.search(line)
                if found and int(found[1]) in self.records:
                    self.records[int(found[1])].event = _decoder.decode(line)

    def write(self, captures: Sequence[str]) -> None:
        """Write the files. Raises UserError when the folder cannot be used."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise from_os_error(error, where=self.folder) from error
        wanted = []
        for record in self.records.values():
            choice = record.choice()
            if choice is None:
                self.not_found += len(record.alerts)
            else:
                wanted.append((record, choice))
        for start in range(0, len(wanted), FLOWS_AT_A_TIME):
            self._write(wanted[start : start + FLOWS_AT_A_TIME], captures)

    def _write(self, wanted: list[tuple[FlowRecord, FlowChoice]], captures: Sequence[str]) -> None:
        for record, packets in gathered(wanted, captures, MAX_FLOW_BYTES):
            self.cut += sum(map(_size, packets)) >= MAX_FLOW_BYTES
            for number, alert in enumerate(record.alerts):
                if not packets:
                    self.not_found += 1
                    continue
                facts = alert.get("alert", {})
                when = re.sub(r"[^0-9T]", "", str(alert.get("timestamp", ""))[:19])
                name = f"{when}-{int(facts.get('signature_id', 0))}-{record.flow_id}-{number + 1}.pcapng"
                at = packet_of(alert, packets, is_one_file=len(captures) == 1)
                with CaptureWriter(self.folder / name, pcapng=True) as writer:
                    for index, packet in enumerate(packets):
                        writer.write(packet, comment_for(alert) if index == at else "")
                self.written += 1


def gathered(
    wanted: Sequence[tuple[FlowRecord, FlowChoice]], captures: Sequence[str], bound_bytes: int
) -> Iterator[tuple[FlowRecord, list[Packet]]]:
    """The packets of flows from the first one, each up to so many bytes."""
    by_pair: dict[Pair, list[tuple[FlowChoice, list[Packet]]]] = {}
    kept: list[tuple[FlowRecord, list[Packet]]] = []
    sizes: dict[int, int] = {}
    for record, choice in wanted:
        packets: list[Packet] = []
        kept.append((record, packets))
        protocol, one, other = choice.pair
        for pair in {choice.pair, (protocol, (one[0], 0), (other[0], 0))}:  # fragments have no ports
            by_pair.setdefault(pair, []).append((choice, packets))
    for path in captures:
        for packet in packets_of(path):
            found = layers_of(packet.link, packet.data)
            for flow in {pair_of(flow) for flow in (*found.flows, *found.quoted)}:
                for choice, packets in by_pair.get(flow, ()):
                    is_in_time = choice.start_ns - 1000 < packet.time_ns < choice.end_ns + 1000
                    size = sizes.get(id(packets), 0)
                    if is_in_time and size < bound_bytes and (not packets or packets[-1] is not packet):
                        packets.append(packet)
                        sizes[id(packets)] = size + _size(packet)
    yield from kept


def packet_of(alert: Event, packets: Sequence[Packet], *, is_one_file: bool) -> int:
    """Which packet an alert came with: by its number, else by its time."""
    number, when = alert.get("pcap_cnt"), time_ns(alert.get("timestamp"))
    at = 0
    for index, packet in enumerate(packets):
        if is_one_file and packet.number == number:
            return index
        if when is not None and packet.time_ns // 1000 <= when // 1000:
            at = index
    return at


def comment_for(alert: Event) -> str:
    """The alert in one comment."""
    facts = alert.get("alert", {})
    ends = (
        f"{alert.get(f'{side}_ip', '')}"
        + (f" port {alert[f'{side}_port']}" if f"{side}_port" in alert else "")
        for side in ("src", "dest")
    )
    return (
        f"ALERT {facts.get('gid', 1)}:{facts.get('signature_id', 0)}:{facts.get('rev', 0)} "
        f"{facts.get('signature', '')} [{facts.get('category', '')}, severity {facts.get('severity', '')}] "
        + " > ".join(ends)
    )


def _size(packet: Packet) -> int:
    return len(packet.data)
