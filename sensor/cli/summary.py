"""What a replay tells when it is over: packets, flows, alerts by signature, what was lost and why, the rules.

The figures come from the engine's counters and from the alert lane; nothing is counted twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from sensor.cli.language import say
from sensor.errors import one_line
from sensor.output.fast import ALERT_LANE
from sensor.rules.findings import RuleReport

if TYPE_CHECKING:
    from sensor._engine import Batch

FIRST_REASONS = 5  # enough to see what kind of thing is wrong; `haidang rules check` tells all
FIRST_SIGNATURES = 20  # a screen; eve.json has all

LOSSES: Mapping[str, tuple[str, str]] = {
    "capture.kernel_drops": ("packets dropped because a ring was full", "gói bị bỏ vì vùng đệm vòng đầy"),
    "haidang.capture.truncated": ("packets longer than a block of the ring", "gói dài hơn một khối của vòng"),
    "haidang.capture.damaged": ("frames that the ring described wrongly", "khung mà vòng mô tả sai"),
    "haidang.event_queue.lost_logs": (
        "logs given up because outputs were slow",
        "nhật ký bị bỏ vì đầu ra chậm",
    ),
    "haidang.event_queue.lost_others": (
        "alerts and others given up because outputs were slow",
        "cảnh báo và sự kiện khác bị bỏ vì đầu ra chậm",
    ),
    "haidang.shed.bypassed_flows": (
        "large flows bypassed for want of memory",
        "luồng lớn bị bỏ qua vì thiếu bộ nhớ",
    ),
    "haidang.shed.unparsed_flows": (
        "flows not parsed for want of memory",
        "luồng không được phân tích vì thiếu bộ nhớ",
    ),
    "haidang.shed.dropped_packets": (
        "packets of new flows left out for want of memory",
        "gói của luồng mới bị bỏ vì thiếu bộ nhớ",
    ),
    "decoder.invalid": ("packets with broken headers", "gói có tiêu đề hỏng"),
    "decoder.unknown_link_type": ("packets of unknown link types", "gói có kiểu liên kết lạ"),
    "decoder.unknown_ethertype": ("packets of unknown Ethernet types", "gói có kiểu Ethernet lạ"),
    "defrag.max_frag_hits": ("fragments past the limits of defrag", "mảnh vượt giới hạn defrag"),
    "flow.memcap": ("flows ended early at flow.memcap", "luồng kết thúc sớm do flow.memcap"),
    "tcp.invalid_checksum": ("segments with a wrong checksum (see -k)", "phân đoạn sai tổng kiểm (xem -k)"),
    "tcp.ssn_memcap_drop": ("sessions past stream.memcap", "phiên vượt stream.memcap"),
    "tcp.segment_memcap_drop": ("segments past reassembly.memcap", "phân đoạn vượt reassembly.memcap"),
    "tcp.segment_list_drop": (
        "segments past reassembly.max-regions",
        "phân đoạn vượt reassembly.max-regions",
    ),
    "tcp.reassembly_gap": ("gaps in TCP streams", "khoảng hở trong dòng TCP"),
    "tcp.stream_depth_reached": ("TCP streams past reassembly.depth", "dòng TCP vượt reassembly.depth"),
    "haidang.parser_errors": ("flows that a parser gave up", "luồng mà bộ phân tích bỏ dở"),
    "detect.alert_queue_overflow": ("alerts past packet-alert-max", "cảnh báo vượt packet-alert-max"),
    "detect.alerts_suppressed": ("alerts suppressed by thresholds", "cảnh báo bị ngưỡng chặn"),
    "haidang.panics": (
        "packets left out after a fault of ours, kept in quarantine.pcap",
        "gói bị bỏ do lỗi của chúng tôi, giữ trong quarantine.pcap",
    ),
}
"""Counters of what a rule did not get to see, and of alerts that were not written, in the order of the line.
"""


class Tally:
    """Counts alerts by signature as the batches pass."""

    def __init__(self) -> None:
        self.events = 0
        self.signatures: Counter[tuple[int, int, int, str]] = Counter()

    def add(self, batch: Batch) -> None:
        """Count one batch."""
        self.events += batch.events
        count, lines = batch.lane(ALERT_LANE)
        if count:
            from sensor.output.alert_lines import decoded

            for alert in (found.alert for found in decoded(lines)):
                self.signatures[(alert.gid, alert.signature_id, alert.rev, alert.signature)] += 1


def rule_counts(report: RuleReport) -> str:
    """What became of the rules, on one line."""
    good, bad, lacking = report.loaded, report.quarantined, report.skipped
    total = good + bad + lacking
    return say(
        f"{total:,}: {good:,} loaded, {bad:,} quarantined, {lacking:,} skipped",
        f"{total:,}: nạp {good:,}, cách ly {bad:,}, bỏ qua {lacking:,}",
    )


def rule_lines(report: RuleReport) -> Iterator[str]:
    """The counts, and the first reasons why rules did not load."""
    yield _row(say("rules", "luật"), rule_counts(report))
    for reason in report.first_reasons(FIRST_REASONS):
        yield _row("", reason)


def replay_lines(
    tally: Tally, counters: Mapping[str, int], report: RuleReport, *, files: int, seconds: float
) -> Iterator[str]:
    """The whole closing summary of a replay, a line at a time."""
    in_files = say(f"{files} file{'s' * (files != 1)}", f"{files} tệp")
    yield from _lines(tally, counters, report, f"{say('in', 'trong')} {in_files}, ", seconds)


def capture_lines(
    tally: Tally, counters: Mapping[str, int], report: RuleReport, *, seconds: float
) -> Iterator[str]:
    """The same of a live capture."""
    yield from _lines(tally, counters, report, say("in ", "trong "), seconds)


def _lines(
    tally: Tally, counters: Mapping[str, int], report: RuleReport, origin: str, seconds: float
) -> Iterator[str]:
    packets, volume = counters.get("decoder.pkts", 0), counters.get("decoder.bytes", 0)
    yield _row(
        say("packets", "gói"),
        f"{packets:,} ({_size(volume)}) {origin}{seconds:.1f} s" + _rate(packets, seconds),
    )
    yield _row(say("flows", "luồng"), f"{counters.get('flow.total', 0):,}")
    yield _row(say("events", "sự kiện"), f"{tally.events:,}")
    yield _row(say("alerts", "cảnh báo"), f"{tally.signatures.total():,}")
    for (gid, sid, rev, text), count in tally.signatures.most_common(FIRST_SIGNATURES):
        yield _row("", f"{count:>9,}  {gid}:{sid}:{rev}  {one_line(text)}")
    if len(tally.signatures) > FIRST_SIGNATURES:
        others = len(tally.signatures) - FIRST_SIGNATURES
        yield _row("", say(f"and {others:,} more signatures", f"và {others:,} dấu hiệu khác"))
    losses = list(lost(counters))
    yield _row(say("lost", "mất"), losses[0] if losses else say("nothing", "không"))
    for loss in losses[1:]:
        yield _row("", loss)
    yield from rule_lines(report)


def lost(counters: Mapping[str, int]) -> Iterator[str]:
    """What was lost and why, from the counters that are not 0."""
    for name, text in LOSSES.items():
        if value := counters.get(name, 0):
            yield f"{value:,} {say(*text)} ({name})"


def _rate(packets: int, seconds: float) -> str:
    return f", {packets / seconds:,.0f}/s" if packets and seconds >= 0.1 else ""


def _row(title: str, text: str) -> str:
    return f"{title:<9} {text}"


def _size(count: int) -> str:
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"
