"""`haidang centre`: run a centre and ask it; what is about its keys is in centre_actions/."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sensor.cli.language import say
from sensor.cli.rules import Action
from sensor.errors import EXIT_FINDINGS, EXIT_OK, UserError

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from collectors.heartbeats import Pulse
    from collectors.home import Home

NAME = "centre"
HELP = "run a centre, enrol sensors, search what they sent"
HELP_VI = "vận hành trung tâm, đăng ký cảm biến, tìm kiếm sự kiện"

DEFAULT_DIRECTORY = "/var/lib/haidang/centre"

ACTIONS = ("keys", "rotate")
"""The actions in files of their own, in the order of the help: each is the module of that name in
centre_actions/.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar=say("ACTION", "VIỆC"))
    init = actions.add_parser("init", help=say("make a new centre", "tạo trung tâm mới"))
    init.add_argument("directory", type=Path, metavar="DIR", help=say("where it lives", "nơi đặt"))
    init.add_argument(
        "--listen", default="tcp://0.0.0.0:5514", help=say("where sensors connect", "địa chỉ lắng nghe")
    )
    init.add_argument(
        "--address", default="", help=say("how sensors reach it from outside", "địa chỉ nhìn từ ngoài")
    )
    init.add_argument(
        "--metrics", default="127.0.0.1:9478", help=say("Prometheus; '' for none", "địa chỉ số liệu")
    )
    init.add_argument(
        "--store-url",
        default="",
        help=say("a ClickHouse server instead of the embedded store", "máy chủ ClickHouse"),
    )
    serve = actions.add_parser("serve", help=say("run the centre", "chạy trung tâm"))
    _directory(serve)
    token = actions.add_parser(
        "token", help=say("make a token that enrols one sensor", "cấp mã cho một cảm biến")
    )
    _directory(token)
    token.add_argument(
        "--name",
        default="",
        help=say("the only name it may enrol; renews a sensor's keys", "chỉ cho tên này"),
    )
    token.add_argument(
        "--minutes", type=int, default=60, help=say("how long it is good for (60)", "thời hạn, phút (60)")
    )
    token.add_argument(
        "--address", default="", help=say("how this sensor reaches the centre", "địa chỉ trung tâm")
    )
    token.add_argument(
        "--relay",
        nargs="?",
        const="",
        metavar="SENSORS",
        help=say(
            "enrol a provincial centre, for sensors of these names ('hn-* hp-1'; without: any)",
            "đăng ký một trung tâm tỉnh, cho các cảm biến có tên này ('hn-* hp-1'; không ghi: tất cả)",
        ),
    )
    revoke = actions.add_parser(
        "revoke", help=say("shut a sensor out at once", "loại một cảm biến ngay lập tức")
    )
    _directory(revoke)
    revoke.add_argument("sensor", help=say("its name", "tên"))
    one = say("only the key whose fingerprint begins so", "chỉ khóa có dấu vân tay bắt đầu như vậy")
    revoke.add_argument("--key", default="", metavar="FINGERPRINT", help=one)
    again = say("empty the store, to be filled from the journal", "làm trống kho, nạp lại từ nhật ký")
    _directory(actions.add_parser("rebuild", help=again))
    search = actions.add_parser("search", help=say("find events", "tìm sự kiện"))
    _directory(search)
    _search_arguments(search)
    for name, text in (
        ("sensors", say("list sensors: keys, last word, what is missing", "danh sách cảm biến")),
        ("stats", say("what the store and the journal hold", "thống kê")),
    ):
        summary = actions.add_parser(name, help=text)
        _directory(summary)
        _format(summary)
    for name in ACTIONS:
        action = cast(Action, importlib.import_module(f"sensor.cli.centre_actions.{name}"))
        text = say(action.HELP, action.HELP_VI)
        sub = actions.add_parser(
            action.NAME, help=text, description=text, epilog=say(action.EPILOG, action.EPILOG_VI)
        )
        action.add_arguments(sub)
        sub.set_defaults(run_action=action.run)


def _directory(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-d",
        "--dir",
        dest="directory",
        type=Path,
        default=Path(os.environ.get("HAIDANG_CENTRE", DEFAULT_DIRECTORY)),
        metavar="DIR",
        help=say(f"the centre (default: $HAIDANG_CENTRE or {DEFAULT_DIRECTORY})", "thư mục của trung tâm"),
    )


def _format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format", choices=("table", "json", "csv"), default="table", help=say("how to print", "cách in ra")
    )


def _search_arguments(parser: argparse.ArgumentParser) -> None:
    times = say("ISO time, seconds since 1970, or an age: 15m 24h 7d", "thời điểm ISO, hoặc 15m 24h 7d trước")
    parser.add_argument("--since", default="", metavar="TIME", help=times)
    parser.add_argument("--until", default="", metavar="TIME", help=times)
    parser.add_argument("--type", default="", help=say("alert, flow, http, dns, tls, ...", "loại sự kiện"))
    parser.add_argument("--sid", type=_natural, help=say("signature id", "mã luật"))
    parser.add_argument(
        "--signature", default="", metavar="TEXT", help=say("text in the signature", "chữ trong tên luật")
    )
    parser.add_argument(
        "--ip", default="", metavar="ADDRESS", help=say("either end: address or network", "địa chỉ hoặc mạng")
    )
    parser.add_argument(
        "--host", default="", help=say("HTTP, TLS or DNS name; *.example.org for all below", "tên miền")
    )
    parser.add_argument("--flow-id", type=_natural, help=say("the flow", "luồng"))
    parser.add_argument("--sensor", default="", help=say("from this sensor", "từ cảm biến này"))
    parser.add_argument(
        "--limit", type=_natural, default=100, help=say("at most so many (100)", "nhiều nhất (100)")
    )
    parser.add_argument("--oldest", action="store_true", help=say("oldest first", "cũ nhất trước"))
    _format(parser)


def run(args: argparse.Namespace) -> int:
    if args.action in ACTIONS:
        return cast(int, args.run_action(args))
    from collectors.home import Home

    home = Home(args.directory)
    actions = {
        "init": _init,
        "serve": _serve,
        "token": _token,
        "revoke": _revoke,
        "rebuild": _rebuild,
        "search": _search,
        "sensors": _sensors,
        "stats": _stats,
    }
    return actions[args.action](args, home)


def _init(args: argparse.Namespace, home: Home) -> int:
    from collectors.home import Settings

    keys = home.create(
        Settings(listen=args.listen, address=args.address, metrics=args.metrics, store_url=args.store_url)
    )
    print(say(f"a centre is made in {home.directory}", f"đã tạo trung tâm tại {home.directory}"))
    print(f"  {keys.public().fingerprint}")
    print(
        say(
            f"next: haidang centre serve -d {home.directory}",
            f"tiếp: haidang centre serve -d {home.directory}",
        )
    )
    return EXIT_OK


def _serve(_: argparse.Namespace, home: Home) -> int:
    import logging

    from collectors.serve import serve

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    serve(home)
    return EXIT_OK


def _token(args: argparse.Namespace, home: Home) -> int:
    from collectors.registry import Registry
    from sensor.bus.enrol import Token

    settings, keys = home.load()
    if not 1 <= args.minutes <= 7 * 24 * 60:
        raise UserError("--minutes must be between 1 and 10080 (a week)")
    token = Token.issue(args.address or _address(home, settings.address), keys.public(), args.minutes * 60)
    registry = Registry(home.registry_file)
    registry.add_token(token, args.name, relay=None if args.relay is None else args.relay.split())
    registry.close()
    print(token.text())
    return EXIT_OK


def _address(home: Home, configured: str) -> str:
    """How sensors reach this centre: as configured, else as it is bound, with the host's name for any
    address.
    """
    import json
    import socket

    if configured:
        return configured if "://" in configured else f"tcp://{configured}"
    home.wait_for(home.bound_file)
    try:
        bound: str = json.loads(home.bound_file.read_bytes())["address"]
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            "it is not known how sensors reach this centre",
            where=home.directory,
            fix="start `haidang centre serve`, or give --address tcp://HOST:PORT",
        ) from error
    for anywhere in ("//0.0.0.0:", "//[::]:"):
        bound = bound.replace(anywhere, f"//{socket.getfqdn()}:")
    return bound


def _revoke(args: argparse.Namespace, home: Home) -> int:
    from collectors.journal import Journal
    from collectors.registry import Registry

    home.load()
    registry = Registry(home.registry_file)
    count = registry.revoke(args.sensor, args.key)
    registry.close()
    journal = Journal(home.journal_file)
    journal.expect_no_heartbeat(args.sensor)
    journal.close()
    print(say(f"{args.sensor}: {count} key(s) revoked", f"{args.sensor}: đã thu hồi {count} khóa"))
    return EXIT_OK


def _rebuild(_: argparse.Namespace, home: Home) -> int:
    from collectors.serve import rebuild

    count = rebuild(home)
    print(
        say(
            f"{count} batches go into the store at the next start",
            f"{count} lô sẽ được nạp lại ở lần khởi động tới",
        )
    )
    return EXIT_OK


def _search(args: argparse.Namespace, home: Home) -> int:
    from collectors import show
    from collectors.store.search import MAX_LIMIT, Question, parse_time, search

    if not 1 <= args.limit <= MAX_LIMIT:
        raise UserError(f"--limit must be between 1 and {MAX_LIMIT}")
    question = Question(
        since=parse_time(args.since) if args.since else None,
        until=parse_time(args.until) if args.until else None,
        sid=args.sid,
        signature=args.signature,
        address=args.ip,
        host=args.host,
        flow_id=args.flow_id,
        sensor=args.sensor,
        event_type=args.type,
        limit=args.limit,
        oldest_first=args.oldest,
    )
    client, database = open_store(home)
    print_found = {"table": show.print_table, "json": show.print_json, "csv": show.print_csv}[args.format]
    count = print_found(search(client, database, question))
    if args.format == "table":
        more = say(" (--limit gives more)", " (--limit để xem thêm)") if count == args.limit else ""
        print(say(f"{count} events{more}", f"{count} sự kiện{more}"), file=sys.stderr)
    return EXIT_OK


def _sensors(args: argparse.Namespace, home: Home) -> int:
    import json
    from datetime import UTC, datetime

    from collectors import heartbeats, show
    from collectors.journal import Journal
    from collectors.registry import Registry
    from collectors.seen import origins
    from sensor.cli.relay_rows import origin_rows

    home.load()
    registry, journal = Registry(home.registry_file), Journal(home.journal_file)
    heard = {entry.sensor: entry for entry in journal.heard()}
    totals: dict[str, list[int]] = {}
    for name, _, batches, events, lost, _ in journal.totals():
        sums = totals.setdefault(name, [0, 0, 0])
        for index, value in enumerate((batches, events, lost)):
            sums[index] += value
    beats = {pulse.sensor: pulse for pulse in heartbeats.read(journal)}
    rows: list[dict[str, Any]] = []
    relays = registry.relays()
    for entry in registry.sensors():
        word = heard.get(entry.sensor)
        sums = totals.get(entry.sensor, [0, 0, 0])
        rows.append(
            {
                "sensor": entry.sensor,
                "state": "revoked" if entry.revoked else "relay" if entry.sensor in relays else "active",
                "enrolled": datetime.fromtimestamp(entry.added, UTC),
                "heard": datetime.fromtimestamp(word.heard_us / 1e6, UTC) if word else "never",
                "heartbeat": _heartbeat(beats.get(entry.sensor), is_active=not entry.revoked),
                "skew_ms": word.skew_us // 1000 if word else 0,
                "batches": sums[0],
                "events": sums[1],
                "waiting": sum(book["pending"] for book in json.loads(word.books)) if word else 0,
                "lost": sums[2],
                "withheld": 0,
                "reduced": 0,
                "software": word.software if word else "",
                "fingerprint": entry.fingerprint if args.format != "table" else entry.fingerprint[:16],
            }
        )
    rows += origin_rows(origins(home.journal_file))
    registry.close()
    journal.close()
    show.print_records(rows, form=args.format)
    return EXIT_OK


def _heartbeat(pulse: Pulse | None, *, is_active: bool) -> str:
    if pulse is None or not is_active:
        return "-"
    return f"ALARM: {pulse.stage}" if pulse.is_alarm else f"{pulse.age_seconds:.0f} s"


def _stats(args: argparse.Namespace, home: Home) -> int:
    from collectors import show
    from collectors.journal import Journal
    from collectors.store.search import by_type, size
    from sensor.bus import lanes
    from sensor.cli.relay_rows import gap_text, stats_rows

    client, database = open_store(home)
    rows: list[dict[str, Any]] = [
        {"sensor": sensor, "what": kind or "(no event)", "events": count, "first": first, "last": last}
        for sensor, kind, count, first, last in by_type(client, database)
    ]
    events, stored, parts = size(client, database)
    journal = Journal(home.journal_file)
    waiting = journal.backlog()[1]
    for sensor, lane, reason, gaps, lost in journal.gaps():
        what = gap_text(lanes.NAMES[lane], reason, gaps)
        rows.append({"sensor": sensor, "what": what, "events": lost, "first": "", "last": ""})
    for sensor, reason, count in journal.quarantined():
        rows.append(
            {"sensor": sensor, "what": f"quarantine: {reason}", "events": count, "first": "", "last": ""}
        )
    journal.close()
    rows += stats_rows(home)
    show.print_records(rows, form=args.format)
    if args.format == "table":
        each = f"{stored / events:.0f}" if events else "-"
        print(
            say(
                f"{events} events in {parts} parts, {stored / 1e6:.1f} MB ({each} bytes each); {waiting} "
                f"in the journal only",
                f"{events} sự kiện trong {parts} phần, {stored / 1e6:.1f} MB ({each} byte mỗi sự kiện); "
                f"{waiting} mới ở nhật ký",
            )
        )
    return EXIT_FINDINGS if any(str(row["what"]).startswith("quarantine") for row in rows) else EXIT_OK


def open_store(home: Home) -> tuple[Client, str]:
    """The store of a centre, and the name of its database."""
    from collectors.home import ANNOUNCE_SECONDS
    from collectors.store.client import connect, connect_embedded, server_address

    settings, _ = home.load()
    if settings.store_url:
        return connect(server_address(settings.store_url)), settings.store_database
    home.wait_for(home.store_endpoint)
    patience = ANNOUNCE_SECONDS if home.is_running() else 0.0
    return connect_embedded(home.store_endpoint, patience_seconds=patience), settings.store_database


def _natural(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) >= 2**64:
        raise argparse.ArgumentTypeError(say(f"{text!r} is no number", f"{text!r} không phải là số"))
    return int(text)
