"""`haidang centre outlets`: where events are handed on to, how far each is, and whether one takes them."""

from __future__ import annotations

import argparse
import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sensor.cli.centre_actions import add_directory, add_format
from sensor.cli.language import say
from sensor.errors import EXIT_FINDINGS, EXIT_OK, UserError

if TYPE_CHECKING:
    from collectors.home import Home
    from collectors.outlets.settings import Outlet

NAME = "outlets"
HELP = "list where events are handed on to, or try one"
HELP_VI = "danh sách nơi chuyển tiếp sự kiện, hoặc thử một nơi"
EPILOG = (
    "Outlets are set in centre.yaml. Example: haidang centre outlets --test soc. Exit codes: 0 all take "
    "events, 1 one does not or missed some, 2 usage or input."
)
EPILOG_VI = (
    "Nơi chuyển tiếp được đặt trong centre.yaml. Ví dụ: haidang centre outlets --test soc. Mã thoát: 0 mọi "
    "nơi đều nhận, 1 có nơi không nhận hoặc đã thiếu, 2 sai cách dùng."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_directory(parser)
    text = say("send it one test alert, and wait for it to be taken", "gửi thử một cảnh báo và chờ được nhận")
    parser.add_argument("--test", default="", metavar=say("NAME", "TÊN"), help=text)
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    from collectors.home import Home

    home = Home(args.directory)
    settings, _ = home.load()
    outlets = {outlet.name: outlet for outlet in settings.outlets}
    if args.test:
        if args.test not in outlets:
            raise UserError(
                f"no outlet {args.test!r} is set", where=home.settings_file, fix=f"known: {' '.join(outlets)}"
            )
        return _try(outlets[args.test], home)
    return _list(outlets, home, args.format)


def _list(outlets: dict[str, Outlet], home: Home, form: str) -> int:
    from collectors.journal import Journal
    from collectors.outlets.places import Places
    from collectors.show import print_records

    journal = Journal(home.journal_file)
    last = journal.last_id()
    places = {place.name: place for place in Places(journal).all()}
    journal.close()
    rows: list[dict[str, Any]] = []
    is_fine = True
    for name, outlet in outlets.items():
        place = places.get(name)
        if place is None:
            state = say("begins with the next start", "bắt đầu ở lần khởi động tới")
        elif place.since:
            since = f"{datetime.fromtimestamp(place.since, UTC):%Y-%m-%d %H:%M:%S}"
            state = say(f"FAILS since {since}: {place.error}", f"LỖI từ {since}: {place.error}")
        else:
            state = say("fine", "tốt")
        is_fine = is_fine and (place is None or not (place.since or place.lost))
        rows.append(
            {
                "outlet": name,
                "to": outlet.to,
                "format": outlet.format,
                "types": " ".join(outlet.types) or "*",
                "sent": place.sent if place else 0,
                "behind": last - place.upto if place else 0,
                "missed": place.lost if place else 0,
                "state": state,
            }
        )
    print_records(rows, form=form)
    return EXIT_OK if is_fine else EXIT_FINDINGS


def _try(outlet: Outlet, home: Home) -> int:
    from collectors.outlets.carriers import NotTaken, open_carrier, render
    from collectors.outlets.item import Item
    from sensor.errors import one_line

    now_us = time.time_ns() // 1000
    event = {
        "timestamp": datetime.fromtimestamp(now_us / 1e6, UTC).isoformat(timespec="microseconds"),
        "flow_id": 1,
        "event_type": "alert",
        "src_ip": "192.0.2.1",
        "src_port": 40000,
        "dest_ip": "198.51.100.1",
        "dest_port": 443,
        "proto": "TCP",
        "alert": {
            "action": "allowed",
            "gid": 1,
            "signature_id": 1,
            "rev": 1,
            "signature": "HD TEST of an outlet; nothing has happened",
            "category": "Not Suspicious Traffic",
            "severity": 3,
        },
    }
    item = Item(f"test/{now_us}/0/0/0", "test", now_us, json.dumps(event), event)
    try:
        carrier = open_carrier(outlet, home.directory)
        try:
            carrier.send([render(outlet, item)])
            carrier.confirm()
        finally:
            carrier.close()
    except (OSError, NotTaken) as error:
        text = one_line(str(error) or type(error).__name__)
        raise UserError(
            f"outlet {outlet.name!r} does not take events: {text}", where=outlet.to, exit_code=EXIT_FINDINGS
        ) from error
    print(say(f"{outlet.name} has taken a test alert", f"{outlet.name} đã nhận một cảnh báo thử"))
    return EXIT_OK
