"""`haidang centre`: run a centre, enrol sensors and list them; what else it does is in centre_actions/."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sensor.cli.actions import add_actions
from sensor.cli.centre_actions import add_directory, add_format
from sensor.cli.language import say
from sensor.errors import EXIT_OK, UserError

if TYPE_CHECKING:
    from collectors.heartbeats import Pulse
    from collectors.home import Home

NAME = "centre"
HELP = "run a centre, enrol sensors, search what they sent"
HELP_VI = "vận hành trung tâm, đăng ký cảm biến, tìm kiếm sự kiện"

ACTIONS = (
    "search",
    "top",
    "timeline",
    "show",
    "stats",
    "quality",
    "outlets",
    "retain",
    "backup",
    "restore",
    "keys",
    "rotate",
)
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
    add_directory(serve)
    token = actions.add_parser(
        "token", help=say("make a token that enrols one sensor", "cấp mã cho một cảm biến")
    )
    add_directory(token)
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
    add_directory(revoke)
    revoke.add_argument("sensor", help=say("its name", "tên"))
    one = say("only the key whose fingerprint begins so", "chỉ khóa có dấu vân tay bắt đầu như vậy")
    revoke.add_argument("--key", default="", metavar="FINGERPRINT", help=one)
    again = say("empty the store, to be filled from the journal", "làm trống kho, nạp lại từ nhật ký")
    add_directory(actions.add_parser("rebuild", help=again))
    told = say("list sensors: keys, last word, what is missing", "danh sách cảm biến")
    sensors = actions.add_parser("sensors", help=told)
    add_directory(sensors)
    add_format(sensors)
    add_actions(actions, "centre_actions", ACTIONS)


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
        "sensors": _sensors,
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
    from collectors.transport import read_transports
    from sensor.bus.enrol import Token

    settings, keys = home.load()
    if not 1 <= args.minutes <= 7 * 24 * 60:
        raise UserError("--minutes must be between 1 and 10080 (a week)")
    present = read_transports(home.keys_file, settings.listen, settings.address)[0]
    address = args.address or _address(home, present.address)
    token = Token.issue(address, keys.public(), args.minutes * 60)
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

    from collectors.transport import reachable

    if configured:
        return reachable(configured, "")
    home.wait_for(home.bound_file)
    try:
        bound: str = json.loads(home.bound_file.read_bytes())["address"]
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            "it is not known how sensors reach this centre",
            where=home.directory,
            fix="start `haidang centre serve`, or give --address tcp://HOST:PORT",
        ) from error
    return reachable("", bound)


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
