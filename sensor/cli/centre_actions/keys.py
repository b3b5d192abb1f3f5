"""`haidang centre keys`: the keys of this centre and of its sensors, how old they are and whether they are
honoured; `--drop` forgets an older key of the centre.
"""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime
from typing import Any

from sensor.cli.centre_actions import add_directory, add_format
from sensor.cli.language import say
from sensor.errors import EXIT_OK, UserError

NAME = "keys"
HELP = "list the keys of this centre and its sensors, with age and state"
HELP_VI = "danh sách khóa của trung tâm và các cảm biến, tuổi và trạng thái"
EPILOG = (
    "States: active; replaced (newer keys follow, still honoured until `ends`); ended; revoked. A key that "
    "nothing follows never ends. `batches` of a centre's key: how many in the journal only it opens. Exit "
    "codes: 0 done, 2 usage or input."
)
EPILOG_VI = (
    "Trạng thái: active; replaced (đã có khóa mới, còn được nhận tới `ends`); ended; revoked. Khóa chưa được "
    "thay thì không bao giờ hết hạn. `batches`: số lô trong nhật ký chỉ khóa đó mở được. Mã thoát: 0 xong, "
    "2 sai cách dùng."
)

_DAY_SECONDS = 86_400


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_directory(parser)
    add_format(parser)
    parser.add_argument(
        "--drop",
        default="",
        metavar="ID",
        help=say("forget this older key of the centre for good", "xóa hẳn khóa cũ này của trung tâm"),
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help=say("also when batches in the journal need it", "kể cả khi nhật ký còn cần đến nó"),
    )


def run(args: argparse.Namespace) -> int:
    from collectors import show
    from collectors.home import Home
    from collectors.journal import Journal
    from collectors.keyring import drop, read_keys
    from collectors.registry import Registry
    from collectors.transport import read_transports

    home = Home(args.directory)
    settings, _ = home.load()
    journal = Journal(home.journal_file)
    sealed = journal.sealed_to()
    journal.close()
    if args.drop:
        needed = sealed.get(args.drop.lower(), 0)
        if needed and not args.force:
            raise UserError(
                f"{needed} batches in the journal can only be opened with this key",
                where=args.drop,
                fix="wait until they are pruned, or --force; sensors may still hold some, too",
            )
        drop(home.keys_file, args.drop.lower())
        print(say(f"{args.drop} is forgotten", f"đã xóa {args.drop}"))
        return EXIT_OK
    now = int(time.time())
    rows: list[dict[str, Any]] = []
    for index, key in enumerate(read_keys(home.keys_file)):
        public = key.public()
        rows.append(
            _row("(centre)", public.recipient.hex(), key.created, now)
            | {"state": "replaced" if index else "active", "batches": sealed.get(public.recipient.hex(), 0)}
        )
    for index, transport in enumerate(read_transports(home.keys_file, settings.listen)):
        rows.append(
            _row("(transport)", f"{transport.curve_public} at {transport.listen}", transport.created, now)
            | {"state": "replaced" if index else "active"}
        )
    registry = Registry(home.registry_file)
    for entry in registry.all_keys():
        shown = entry.fingerprint if args.format != "table" else entry.fingerprint[:16]
        rows.append(
            _row(entry.sensor, shown, entry.added, now)
            | {
                "state": entry.state(now),
                "last_used": _time(entry.last_used),
                "ends": _time(entry.ends) if entry.revoked is None else _time(entry.revoked),
            }
        )
    registry.close()
    show.print_records(rows, form=args.format)
    return EXIT_OK


def _row(owner: str, key: str, since: int, now: int) -> dict[str, Any]:
    return {
        "owner": owner,
        "key": key,
        "since": datetime.fromtimestamp(since, UTC),
        "days": max(0, now - since) // _DAY_SECONDS,
        "state": "",
        "last_used": "",
        "ends": "",
        "batches": "",
    }


def _time(seconds: int | None) -> datetime | str:
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC)
