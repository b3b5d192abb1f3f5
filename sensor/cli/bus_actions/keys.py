"""`haidang bus keys`: the keys of this sensor and of its centre as this sensor knows them, with their age."""

from __future__ import annotations

import argparse
import json
import time
from datetime import UTC, datetime

from sensor.cli.language import say
from sensor.errors import EXIT_OK

NAME = "keys"
HELP = "list this sensor's keys and its centre's, with age"
HELP_VI = "danh sách khóa của cảm biến và của trung tâm, kèm tuổi"
EPILOG = (
    "Secrets are never printed. `pending` keys were made and may not be known to the centre yet: "
    "`haidang bus rotate` goes on with them. Exit codes: 0 listed, 2 usage or input."
)
EPILOG_VI = (
    "Không bao giờ in phần bí mật. Khóa `pending` đã tạo nhưng có thể trung tâm chưa biết: "
    "`haidang bus rotate` sẽ làm tiếp. Mã thoát: 0 xong, 2 sai cách dùng."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from sensor.cli.sensor import add_directory

    add_directory(parser)
    parser.add_argument("--json", action="store_true", help=say("as JSON", "dạng JSON"))


def run(args: argparse.Namespace) -> int:
    from sensor.bus.enrol import load_enrolment
    from sensor.bus.keys import SensorKeys, load_keys
    from sensor.bus.rotation import NEXT_KEYS_FILE

    keys, enrolment = load_enrolment(args.dir)
    found = [("sensor", "active", keys.public().fingerprint, keys.created)]
    if (pending := args.dir / NEXT_KEYS_FILE).exists():
        made = load_keys(pending, SensorKeys)
        found.append(("sensor", "pending", made.public().fingerprint, made.created))
    found.append(("centre", "active", enrolment.centre.fingerprint, enrolment.enrolled))
    now = time.time()
    for owner, state, fingerprint, since in found:
        days = max(0, int((now - since) / 86_400))
        moment = datetime.fromtimestamp(since, UTC).isoformat().replace("+00:00", "Z")
        if args.json:
            told = {"owner": owner, "state": state, "fingerprint": fingerprint, "since": moment, "days": days}
            print(json.dumps(told))
        else:
            print(f"{owner:7} {state:8} {moment}  {days:5} " + say("days", "ngày") + f"  {fingerprint}")
    return EXIT_OK
