"""`haidang pcap sanitize|slice|merge|info`: work on capture files. What is done to them is sensor.pcap's."""

from __future__ import annotations

import argparse
import ipaddress
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensor.cli import sanitizing
from sensor.cli.actions import action, must_be_capture
from sensor.cli.language import say
from sensor.errors import EXIT_FINDINGS, EXIT_OK, UserError, one_line

if TYPE_CHECKING:
    from sensor.pcap.choose import FlowChoice
    from sensor.pcap.info import Info

NAME = "pcap"
HELP = "sanitize, slice, merge and describe captures"
HELP_VI = "làm sạch, cắt, gộp và mô tả tệp bắt gói"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = say(
        "Example: haidang pcap info day.pcap. Exit codes: `haidang pcap ACTION --help`.",
        "Ví dụ: haidang pcap info ngay.pcap. Mã thoát: `haidang pcap VIỆC --help`.",
    )
    actions = parser.add_subparsers(metavar=say("ACTION", "VIỆC"), required=True, dest="action")
    sanitizing.add_arguments(actions)
    _slice_arguments(actions)
    capture = say("CAPTURE", "TỆP_BẮT")
    merge = action(
        actions,
        "merge",
        ("several captures into one, by time", "gộp nhiều tệp bắt thành một, theo thời gian"),
        "haidang pcap merge out.pcapng morning.pcap noon.pcapng",
        ("0 fine, 2 input or output that cannot be used", "0 tốt, 2 không đọc hay ghi được"),
    )
    merge.add_argument(
        "output", metavar="OUT", help=say("pcap, or pcapng by its name", "pcap hoặc pcapng theo tên")
    )
    merge.add_argument("inputs", nargs="+", metavar=capture, help=say("captures", "các tệp bắt"))
    info = action(
        actions,
        "info",
        (
            "what is in captures: kind, times, flows, oddities",
            "tệp bắt có gì: kiểu, thời gian, luồng, điều lạ",
        ),
        "haidang pcap info day.pcapng; zstd -dc day.pcap.zst | haidang pcap info -",
        (
            "0 fine, 1 a capture is damaged, 2 input that cannot be read",
            "0 tốt, 1 tệp hỏng, 2 không đọc được",
        ),
    )
    info.add_argument(
        "inputs",
        nargs="+",
        metavar=capture,
        help=say("captures, - for standard input", "tệp bắt; - là đầu vào chuẩn"),
    )
    info.add_argument("--json", action="store_true", help=say("write JSON", "ghi JSON"))


def _slice_arguments(actions: Any) -> None:
    from sensor.cli.configured import add_config_arguments, add_rule_arguments

    parser = action(
        actions,
        "slice",
        (
            "the packets of a flow, an alert, an address, a port, a time",
            "các gói của luồng, cảnh báo, địa chỉ, cổng, thời gian",
        ),
        "haidang pcap slice day.pcap one.pcapng --sid 2024897",
        (
            "0 fine, 1 no packet is wanted, 2 input or output that cannot be used",
            "0 tốt, 1 không gói nào được chọn, 2 không đọc hay ghi được",
        ),
    )
    add = parser.add_argument
    add("input", metavar="IN", help=say("the capture", "tệp bắt"))
    add("output", metavar="OUT", help=say("pcap, or pcapng by its name", "pcap hoặc pcapng theo tên"))
    add(
        "--flow",
        type=int,
        action="append",
        default=[],
        metavar="ID",
        help=say("flow_id of eve.json", "flow_id trong eve.json"),
    )
    add(
        "--sid",
        type=int,
        action="append",
        default=[],
        metavar="SID",
        help=say("the flows this rule alerts on", "các luồng mà luật này cảnh báo"),
    )
    add(
        "--address",
        action="append",
        default=[],
        metavar="IP",
        help=say("an address or a network", "địa chỉ hoặc mạng"),
    )
    add(
        "--port",
        type=int,
        action="append",
        default=[],
        metavar="N",
        help=say("a port of either end", "cổng của một trong hai đầu"),
    )
    add(
        "--from",
        dest="start",
        metavar=say("TIME", "LÚC"),
        help=say("not before (UTC)", "không trước lúc này (UTC)"),
    )
    add(
        "--to", dest="end", metavar=say("TIME", "LÚC"), help=say("not after (UTC)", "không sau lúc này (UTC)")
    )
    add_rule_arguments(parser)
    add_config_arguments(parser)


def run(args: argparse.Namespace) -> int:
    return {"sanitize": sanitizing.run, "slice": _slice, "merge": _merge, "info": _info}[args.action](args)


def _slice(args: argparse.Namespace) -> int:
    from sensor.cli.configured import tell_warnings
    from sensor.pcap.choose import Choice, networks_from, time_from
    from sensor.pcap.files import CaptureFile
    from sensor.pcap.writing import CaptureWriter

    wants_flows = bool(args.flow or args.sid)
    if not (wants_flows or args.address or args.port or args.start or args.end):
        raise UserError("nothing to choose by", fix="give --flow, --sid, --address, --port, --from or --to")
    flows = _flows(args) if wants_flows else []
    if wants_flows and not flows:
        print(say("no such flow, no such alert", "không có luồng hay cảnh báo này"), file=sys.stderr)
        return EXIT_FINDINGS
    _must_be_another(args.output, [args.input])
    choice = Choice(
        flows,
        networks_from(args.address),
        set(args.port),
        time_from(args.start) if args.start else None,
        time_from(args.end) if args.end else None,
    )
    with CaptureFile(args.input) as capture, CaptureWriter(Path(args.output)) as writer:
        for packet in capture:
            if choice.wants(packet):
                writer.write(packet)
    tell_warnings(f"{args.input}: {problem}" for problem in capture.problems)
    print(say(f"{writer.packets:,} packets", f"{writer.packets:,} gói"))
    return EXIT_OK if writer.packets else EXIT_FINDINGS


def _must_be_another(target: str | Path, inputs: Iterable[str]) -> None:
    for path in inputs:
        if Path(target).exists() and Path(path).exists() and Path(target).samefile(path):
            raise UserError("the output is one of the inputs", where=target, fix="give another output")


def _flows(args: argparse.Namespace) -> list[FlowChoice]:
    from sensor.cli.configured import load_config, tell_warnings
    from sensor.desk.flows import find_flows
    from sensor.rules.loading import load

    must_be_capture(Path(args.input))
    config = load_config(args)
    if not args.sid:  # flows alone need no rules
        config.tree["rule-files"], args.only, args.extra = [], [], []
    ruleset, report = load(config, only=args.only, extra=args.extra)
    tell_warnings([*config.warnings, *report.remarks])
    found = find_flows(config, ruleset, [args.input], flow_ids=args.flow, sids=args.sid)
    return [choice for record in found.values() if (choice := record.choice()) is not None]


def _merge(args: argparse.Namespace) -> int:
    from sensor.cli.configured import tell_warnings
    from sensor.pcap.merge import merged
    from sensor.pcap.writing import CaptureWriter

    target = Path(args.output)
    _must_be_another(target, args.inputs)
    problems: list[str] = []
    with CaptureWriter(target) as writer:
        for packet in merged(args.inputs, problems):
            writer.write(packet)
    tell_warnings(problems)
    print(
        say(
            f"{writer.packets:,} packets of {len(args.inputs)} files",
            f"{writer.packets:,} gói từ {len(args.inputs)} tệp",
        )
    )
    return EXIT_OK


def _info(args: argparse.Namespace) -> int:
    from sensor.pcap.info import info

    is_damaged = False
    documents = []
    for number, path in enumerate(args.inputs):
        told = info(path)
        is_damaged |= any("block" in odd or "file" in odd or "damaged" in odd for odd in told.oddities)
        if args.json:
            documents.append(_info_json(told))
        else:
            print(*([""] if number else []), *map(one_line, _info_lines(told)), sep="\n")
    if args.json:
        import msgspec

        print(msgspec.json.format(msgspec.json.encode(documents), indent=1).decode())
    return EXIT_FINDINGS if is_damaged else EXIT_OK


def _info_json(told: Info) -> dict[str, object]:
    return {
        "file": told.path, "kind": told.kind, "packets": told.packets, "bytes_captured": told.bytes_captured,
        "bytes_on_wire": told.bytes_on_wire, "first": _when(told.first_ns), "last": _when(told.last_ns),
        "seconds": told.seconds, "link_types": dict(told.links), "layers": dict(told.layers),
        "interfaces": told.interfaces, "snaplens": told.snaplens, "nanoseconds": told.has_nanoseconds,
        "flows": len(told.flows), "packets_of_flows_not_kept": told.flows_not_kept,
        "top_flows": [
            {"protocol": pair[0], "ends": [[str(ipaddress.ip_address(a)), port] for a, port in pair[1:]],
             "packets": packets, "bytes": size}
            for pair, (packets, size) in told.top_flows()
        ],
        "oddities": dict(told.oddities),
    }  # fmt: skip


def _info_lines(told: Info) -> Iterator[str]:
    from sensor.pcap.info import LINKS, shown_pair

    exact = say("nanoseconds", "nano giây") if told.has_nanoseconds else say("microseconds", "micro giây")
    yield f"{told.path}: {told.kind}, {exact}, snaplen {', '.join(map(str, told.snaplens))}"
    links = ", ".join(
        f"{LINKS.get(link, f'type {link}')} ({link}) {count:,}" for link, count in told.links.most_common()
    )
    yield (
        say("packets   ", "gói       ")
        + f"{told.packets:,}, {told.bytes_captured:,} / {told.bytes_on_wire:,} bytes"
    )
    yield say("links     ", "liên kết  ") + links
    if told.first_ns is not None:
        rate = told.bytes_on_wire * 8 / told.seconds / 1e6 if told.seconds else 0.0
        yield say("time      ", "thời gian ") + (
            f"{_when(told.first_ns)} .. {_when(told.last_ns)}, {told.seconds:,.3f} s, {rate:,.3f} Mbit/s"
        )
    yield say("layers    ", "tầng      ") + ", ".join(
        f"{name} {count:,}" for name, count in told.layers.most_common()
    )
    yield say("flows     ", "luồng     ") + f"{len(told.flows):,}"
    for pair, (packets, size) in told.top_flows():
        yield f"          {size:>12,} bytes {packets:>8,} x {shown_pair(pair)}"
    if told.flows_not_kept:
        yield say("          others ", "          khác ") + f"{told.flows_not_kept:,}"
    for odd, count in told.oddities.most_common():
        yield say("odd       ", "lạ        ") + f"{count:,} x {odd}"


def _when(time_ns: int | None) -> str:
    from datetime import datetime

    if time_ns is None:
        return ""
    seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
    try:
        text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return f"{seconds}.{nanoseconds:09}"
    return f"{text}.{nanoseconds:09}Z"
