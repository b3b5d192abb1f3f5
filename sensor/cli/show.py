"""`haidang show ALERT|FLOW -r PCAP`: one conversation as a person reads it, with the alerts and records of
the flow, and what its rules look for marked.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sensor.cli.language import say
from sensor.errors import EXIT_FINDINGS, EXIT_OK, UserError, one_line

if TYPE_CHECKING:
    from sensor.config import Config
    from sensor.desk.conversation import Turn
    from sensor.desk.flows import FlowRecord
    from sensor.pcap.files import Packet

NAME = "show"
HELP = "show the conversation of an alert or a flow"
HELP_VI = "xem nội dung trao đổi của một cảnh báo hay luồng"

RECORDS = (
    "http", "dns", "tls", "smb", "ftp", "smtp", "ssh", "krb5", "ldap", "dcerpc", "quic", "http2",
    "mqtt", "sip", "rdp", "snmp", "tftp", "nfs", "dhcp", "pop3", "files", "anomaly", "websocket", "rfb",
    "ike", "modbus", "dnp3",
)  # fmt: skip
MAX_FLOW_BYTES = 64 << 20
SHOWN_BYTES = 2_000  # of a turn, unless asked for more
MAX_FLOWS = 20
_MARK, _PLAIN = "\x1b[1;7m", "\x1b[0m"
_TARGET = re.compile(r"(?:(sid|flow):)?(?:(\d{1,10}):)?(\d{1,20})")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from sensor.cli.configured import add_config_arguments, add_rule_arguments

    parser.epilog = say(
        "Example: haidang show 2024897 -r day.pcap -S my.rules. Exit codes: 0 shown, 1 no such alert or "
        "flow, 2 usage or input.",
        "Ví dụ: haidang show 2024897 -r ngay.pcap -S luat.rules. Mã thoát: 0 đã hiện, 1 không có, "
        "2 sai cách dùng hoặc đầu vào.",
    )
    add = parser.add_argument
    add(
        "target",
        metavar=say("ALERT|FLOW", "CẢNH_BÁO|LUỒNG"),
        help=say(
            "the id of a rule that alerts (2024897, 1:2024897, sid:7), or a flow_id of eve.json (flow:7)",
            "mã luật có cảnh báo (2024897, 1:2024897, sid:7), hoặc flow_id trong eve.json (flow:7)",
        ),
    )
    add("-r", dest="capture", required=True, metavar=say("FILE", "TỆP"), help=say("the capture", "tệp bắt"))
    add("--hex", action="store_true", help=say("always hexadecimal", "luôn dùng hệ mười sáu"))
    add(
        "--bytes",
        type=int,
        default=SHOWN_BYTES,
        metavar="N",
        help=say(f"of each turn (default {SHOWN_BYTES})", f"của mỗi lượt (mặc định {SHOWN_BYTES})"),
    )
    add("--tshark", action="store_true", help=say("tshark's dissection too", "thêm phân tích của tshark"))
    add_rule_arguments(parser)
    add_config_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from sensor.cli.actions import must_be_capture
    from sensor.cli.configured import load_config, tell_warnings
    from sensor.desk.flows import find_flows
    from sensor.rules.loading import load

    parsed = _TARGET.fullmatch(args.target)
    if parsed is None:
        raise UserError(
            "no rule id and no flow id", where=args.target, fix="e.g. 2024897, 1:2024897, flow:123"
        )
    if args.bytes < 1:
        raise UserError(f"{args.bytes} is no number of bytes", where="--bytes", fix="give 1 or more")
    must_be_capture(Path(args.capture))
    config = load_config(args)
    ruleset, report = load(config, only=args.only, extra=args.extra)
    tell_warnings([*config.warnings, *report.remarks])
    number, kind = int(parsed[3]), "sid" if parsed[2] else parsed[1]
    found = find_flows(
        config,
        ruleset,
        [args.capture],
        flow_ids=[number] if kind != "sid" else [],
        sids=[number] if kind != "flow" else [],
        records=RECORDS,
    )
    if not found:
        print(say("no such alert, no such flow", "không có cảnh báo hay luồng này"), file=sys.stderr)
        return EXIT_FINDINGS
    _show(args, config, list(found.values()))
    return EXIT_OK


def _show(args: argparse.Namespace, config: Config, records: Sequence[FlowRecord]) -> None:
    from sensor.desk.evidence import gathered
    from sensor.desk.rule_texts import contents_by_sid

    patterns = contents_by_sid(
        config, {alert["alert"]["signature_id"] for r in records for alert in r.alerts}, args.only, args.extra
    )
    wanted = [(record, choice) for record in records[:MAX_FLOWS] if (choice := record.choice()) is not None]
    for record, packets in gathered(wanted, [args.capture], MAX_FLOW_BYTES):
        print(*map(one_line, _heading(record)), sep="\n")
        looked_for = [
            pattern for alert in record.alerts for pattern in patterns.get(alert["alert"]["signature_id"], ())
        ]
        _show_turns(args, record, packets, looked_for)
        if args.tshark:
            _show_dissection(packets)
        print()
    if len(records) > MAX_FLOWS:
        more = len(records) - MAX_FLOWS
        print(say(f"and {more:,} more flows", f"và {more:,} luồng nữa"))


def _heading(record: FlowRecord) -> Iterator[str]:
    event = record.event or (record.alerts or record.records)[0]
    ends = " > ".join(
        f"{event.get(f'{side}_ip', '')} port {event.get(f'{side}_port', '-')}" for side in ("src", "dest")
    )
    facts = event.get("flow", {})
    yield f"=== flow {record.flow_id}  {event.get('proto', '')} {event.get('app_proto', '')}  {ends}"
    packets = f"{facts.get('pkts_toserver', '')}+{facts.get('pkts_toclient', '')}"
    yield f"{facts.get('start', '')} .. {facts.get('end', '')}  {packets} packets"
    for alert in record.alerts:
        rule = alert["alert"]
        yield (
            f"! {alert.get('timestamp', '')} {rule.get('gid', 1)}:{rule.get('signature_id')} "
            f"{rule.get('signature', '')}"
        )
    for other in record.records:
        kind = other["event_type"]
        yield f"* {kind} {json.dumps(other.get(kind, {}), ensure_ascii=False)[:1000]}"


def _show_turns(
    args: argparse.Namespace,
    record: FlowRecord,
    packets: Sequence[Packet],
    patterns: Sequence[tuple[bytes, bool]],
) -> None:
    from sensor.desk.conversation import Conversation

    choice = record.choice()
    if choice is None:
        return
    conversation = Conversation(choice.pair)
    conversation.take(packets)
    if not conversation.turns:
        print(say("(no payload that can be put in order)", "(không có nội dung xếp được theo thứ tự)"))
    start = packets[0].time_ns if packets else 0
    for turn in conversation.turns:
        arrow = ">>>" if turn.is_first_side else "<<<"
        print(
            f"{arrow} +{(turn.time_ns - start) / 1e9:.6f} s, {len(turn.data):,} bytes, packet {turn.packet}"
        )
        if turn.missing_before:
            print(
                say(
                    f"    ({turn.missing_before:,} bytes are missing)",
                    f"    (thiếu {turn.missing_before:,} byte)",
                )
            )
        for line in _turn_lines(turn, args.hex, args.bytes, patterns):
            print("    " + line)
    if conversation.is_cut:
        print(say("(more than is kept)", "(nhiều hơn số được giữ)"))


def _turn_lines(
    turn: Turn, always_hex: bool, shown_bytes: int, patterns: Sequence[tuple[bytes, bool]]
) -> Iterator[str]:
    from sensor.desk.conversation import hex_lines, is_text, marks

    data = bytes(turn.data[:shown_bytes])
    marked = marks(data, patterns)
    if is_text(data) and not always_hex:
        yield from _text_lines(data, marked)
    else:
        yield from hex_lines(data, marked, _marked if sys.stdout.isatty() else None)
    rest = len(turn.data) - len(data)
    if rest:
        yield say(f"... {rest:,} more bytes (--bytes)", f"... còn {rest:,} byte (--bytes)")


def _text_lines(data: bytes, marked: set[int]) -> Iterator[str]:
    at = 0
    for line in data.splitlines(keepends=True):
        pieces: list[str] = []
        run = bytearray()
        was_marked = False
        for offset, byte in enumerate(line.rstrip(b"\r\n"), at):
            if (offset in marked) != was_marked:
                pieces.append(_piece(run, was_marked))
                run, was_marked = bytearray(), not was_marked
            run.append(byte)
        pieces.append(_piece(run, was_marked))
        yield "".join(pieces)
        at += len(line)


def _piece(run: bytearray, is_marked: bool) -> str:
    text = "".join(
        char if char.isprintable() or char == "\t" else f"\\x{ord(char):02x}"
        for char in run.decode("utf-8", "replace")
    )
    return _marked(text) if is_marked and text else text


def _marked(text: str) -> str:
    """Reverse on a terminal; between brackets elsewhere, so that it survives a pipe."""
    return f"{_MARK}{text}{_PLAIN}" if sys.stdout.isatty() else f"[{text}]"


def _show_dissection(packets: Sequence[Packet]) -> None:
    pyshark = importlib.import_module("pyshark")  # optional: the command line tells how to install it
    from sensor.pcap.writing import CaptureWriter

    with tempfile.TemporaryDirectory(prefix="haidang-show-") as folder:
        path = Path(folder) / "flow.pcapng"
        with CaptureWriter(path) as writer:
            for packet in packets:
                writer.write(packet)
        capture = pyshark.FileCapture(str(path), keep_packets=False)
        try:
            for dissected in capture:
                for line in re.sub(r"\x1b\[[0-9;]*m", "", str(dissected)).splitlines():
                    print("    " + one_line(line.replace("\t", "  ")))
        finally:
            capture.close()
