"""What the live commands share: the arguments of Suricata's live mode, and the capture they ask for."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, cast

from sensor.cli.language import say
from sensor.errors import UserError

if TYPE_CHECKING:
    from sensor.config import Config
    from sensor.config.values import Json
    from sensor.live.capture import LiveCapture
    from sensor.live.veth import OwnPair
    from sensor.rules.findings import RuleReport

MAX_WORKERS = 1024
ETHERNET = "1"


def add_live_arguments(parser: argparse.ArgumentParser) -> None:
    """-i, -F, --workers, --exclude, --user and --group."""
    add = parser.add_argument
    name = say("IFACE", "GIAO_DIỆN")
    add(
        "-i",
        "--af-packet",
        dest="interfaces",
        action="append",
        nargs="?",
        const="",
        default=[],
        metavar=name,
        help=say(
            "capture on this interface; may be repeated; without a name: those of af-packet",
            "bắt gói trên giao diện này; có thể lặp lại; không tên: theo af-packet",
        ),
    )
    add(
        "-F",
        dest="filter_file",
        metavar=say("FILE", "TỆP"),
        help=say("file with a capture filter in tcpdump's language", "tệp chứa bộ lọc bắt gói"),
    )
    add(
        "--workers",
        type=int,
        default=0,
        metavar="N",
        help=say(
            "rings and threads of each interface (default: af-packet.threads)", "số luồng mỗi giao diện"
        ),
    )
    add(
        "--exclude",
        action="append",
        default=[],
        metavar="NET|vlan:N",
        help=say(
            "never look at this network or VLAN; only count; may be repeated",
            "không bao giờ xem mạng hoặc VLAN này; chỉ đếm; có thể lặp lại",
        ),
    )
    add(
        "--user",
        default="",
        metavar=say("USER", "NGƯỜI_DÙNG"),
        help=say("become this user once the interfaces are open", "chuyển sang người dùng này sau khi mở"),
    )
    add(
        "--unix-socket",
        default="",
        metavar=say("PATH", "ĐƯỜNG_DẪN"),
        help=say("command socket, as for suricatasc", "socket lệnh, như cho suricatasc"),
    )
    add("--group", default="", metavar=say("GROUP", "NHÓM"), help=say("and this group", "và nhóm này"))


def open_capture(
    args: argparse.Namespace, config: Config, words: list[str], *, own: OwnPair | None = None
) -> tuple[LiveCapture, RuleReport]:
    """The capture the arguments ask for, opened but not begun. words: a filter that follows the options. own:
    where heartbeats come in.

    Raises UserError and EngineError.
    """
    from sensor.cli.bpf import compile_filter
    from sensor.cli.configured import tell_warnings
    from sensor.live.capture import LiveCapture
    from sensor.live.interfaces import live_document
    from sensor.rules.loading import load

    if not 0 <= args.workers <= MAX_WORKERS:
        raise UserError(
            f"{args.workers} is no number of threads", where="--workers", fix=f"give 1 to {MAX_WORKERS}"
        )
    _exclude(config, args.exclude)
    capture_filter = " ".join(words)
    if args.filter_file is not None:
        if words:
            raise UserError("a capture filter is given twice", where="-F", fix="give -F or words, not both")
        capture_filter = Path(args.filter_file).read_text(encoding="utf-8").strip()
    config.tree["live"] = cast(
        "Json",
        live_document(
            config,
            [name for name in args.interfaces if name],
            workers=args.workers,
            capture_filter=capture_filter,
            compile_filter=lambda text: _for_ethernet(compile_filter(text), text),
        ),
    )
    own_rules: list[str] = []
    if own is not None:
        from sensor.live.heartbeat import RULES_FILE, interface_document

        live = cast("dict[str, Json]", config.tree["live"])
        interfaces = cast("list[dict[str, int]]", live["interfaces"])
        live["heartbeat"] = interface_document(own.captures, max(one["threads"] for one in interfaces))
        own_rules = [str(RULES_FILE)]
    ruleset, report = load(config, only=args.only, extra=args.extra, own=own_rules)
    tell_warnings([*config.warnings, *report.warnings])
    return LiveCapture(config, ruleset), report


def _for_ethernet(programs: dict[str, list[list[int]]], text: str) -> list[list[int]]:
    program = programs.get(ETHERNET)
    if program is None:
        raise UserError(f"`{text}` makes no sense on Ethernet", fix="see pcap-filter(7) for the language")
    return program


def _exclude(config: Config, zones: list[str]) -> None:
    if not zones:
        return
    haidang = cast("dict[str, Json]", config.tree.setdefault("haidang", {}))
    exclude = cast("dict[str, Json]", haidang.setdefault("exclude", {}))
    for zone in zones:
        kind, value = ("vlans", zone[5:]) if zone.startswith("vlan:") else ("networks", zone)
        exclude[kind] = [*cast("list[Json]", exclude.get(kind) or []), value]
