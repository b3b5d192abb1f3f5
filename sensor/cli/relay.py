"""`haidang relay join|status|check|rescan|identity|trust`: hand a provincial centre's events on to a national
one, by policy.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sensor.cli.centre_actions import add_directory, add_format
from sensor.cli.language import say
from sensor.cli.tokens import add_token, name_of, token_of
from sensor.errors import EXIT_FINDINGS, EXIT_OK, UserError, from_os_error

if TYPE_CHECKING:
    from collectors.home import Home

NAME = "relay"
HELP = "hand a centre's events on to a national one, by policy"
HELP_VI = "chuyển tiếp sự kiện của trung tâm lên trung tâm quốc gia, theo chính sách"

_STALE_SECONDS = 60.0  # what waits longer while the centre runs is a finding


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar=say("ACTION", "VIỆC"))
    join = actions.add_parser(
        "join",
        help=say("enrol this centre at a national one", "đăng ký trung tâm này với trung tâm quốc gia"),
        description=say(
            "Make this centre's keys as a relay and register them with a token of the national centre "
            "(`haidang centre token --relay`). A policy file is made that lets out alerts, anomalies and "
            "stats; edit it, then restart `haidang centre serve`.",
            "Tạo khóa chuyển tiếp và đăng ký bằng mã của trung tâm quốc gia "
            "(`haidang centre token --relay`). "
            "Tệp chính sách được tạo, chỉ cho phép alert, anomaly và stats; hãy sửa nó rồi khởi động lại "
            "`haidang centre serve`.",
        ),
    )
    add_token(join, say("this centre's name (default: the host's)", "tên trung tâm này"))
    join.add_argument(
        "--policy",
        type=Path,
        metavar=say("FILE", "TỆP"),
        help=say("the policy to begin with", "chính sách ban đầu"),
    )
    add_directory(join)
    status = actions.add_parser(
        "status",
        help=say("show what is delivered, waits, was kept back or lost", "xem tình trạng chuyển tiếp"),
        epilog=say(
            "Exit codes: 0 fine; 1 something was lost, is put off, or waits for more than a minute; 2 usage.",
            "Mã thoát: 0 tốt; 1 có mất mát, bị hoãn, hoặc chờ quá một phút; 2 sai cách dùng.",
        ),
    )
    add_directory(status)
    add_format(status)
    check = actions.add_parser(
        "check",
        help=say("check a policy, and what it leaves of events", "kiểm tra chính sách và tác dụng của nó"),
    )
    check.add_argument("policy", type=Path, metavar=say("POLICY", "CHÍNH_SÁCH"))
    check.add_argument(
        "--events",
        type=Path,
        metavar=say("FILE", "TỆP"),
        help=say("an eve.json; what would leave is printed", "tệp eve.json; in ra những gì sẽ rời đi"),
    )
    rescan = actions.add_parser(
        "rescan",
        help=say(
            "offer all that the journal holds once more (the nation lost its own)",
            "gửi lại mọi thứ còn trong nhật ký (trung tâm quốc gia bị mất dữ liệu)",
        ),
    )
    add_directory(rescan)
    identity = actions.add_parser(
        "identity",
        help=say(
            "print this centre's public keys, for one that exports to it or imports from it",
            "in khóa công khai của trung tâm này, cho nơi xuất hoặc nhập bằng USB",
        ),
    )
    add_directory(identity)
    trust = actions.add_parser(
        "trust",
        help=say(
            "take another centre's identity: it may bring batches of its sensors",
            "tin một trung tâm khác: nó được mang tới các lô của cảm biến nó quản lý",
        ),
    )
    trust.add_argument("identity", type=Path, metavar=say("FILE", "TỆP"))
    trust.add_argument("--name", required=True, help=say("what it is called here", "tên gọi ở đây"))
    trust.add_argument(
        "--sensors",
        default="",
        metavar="PATTERNS",
        help=say("names of its sensors ('hn-* hp-1'; without: any)", "tên cảm biến (không ghi: tất cả)"),
    )
    add_directory(trust)


def run(args: argparse.Namespace) -> int:
    actions = {
        "join": _join,
        "status": _status,
        "check": _check,
        "rescan": _rescan,
        "identity": _identity,
        "trust": _trust,
    }
    return actions[args.action](args)


def _join(args: argparse.Namespace) -> int:
    from collectors.home import Home
    from collectors.relay.policy import TEMPLATE, Policy
    from collectors.relay.uplink import policy_file, relay_directory
    from sensor.bus.durable import make_private_directory, write_whole
    from sensor.bus.enrol import enrol

    home = Home(args.directory)
    settings, _ = home.load()
    directory, policy = relay_directory(home), policy_file(home, settings)
    content = TEMPLATE.encode()
    if args.policy is not None:
        Policy.load(args.policy)
        content = args.policy.read_bytes()
    token = token_of(args)
    try:
        make_private_directory(directory)
        if args.policy is not None or not policy.exists():
            write_whole(policy, content, mode=0o640)
    except OSError as error:
        raise from_os_error(error, where=directory) from error
    made = enrol(directory, token, name_of(args))
    print(
        say(
            f"{made.sensor} relays to {made.address}, what {policy} lets out",
            f"{made.sensor} chuyển tiếp tới {made.address} theo {policy}",
        )
    )
    print(f"  {made.centre.fingerprint}")
    print(
        say(
            f"next: edit the policy, restart haidang centre serve -d {home.directory}",
            f"tiếp: sửa chính sách, khởi động lại haidang centre serve -d {home.directory}",
        )
    )
    return EXIT_OK


def _status(args: argparse.Namespace) -> int:
    import time

    from collectors import show
    from collectors.home import Home
    from sensor.cli.relay_rows import relay_rows

    home = Home(args.directory)
    home.load()
    rows = relay_rows(home)
    if rows is None:
        raise _not_joined(home)
    show.print_records(rows, form=args.format)
    is_late = any(row["oldest_s"] > _STALE_SECONDS for row in rows)
    has_losses = any(row["lost"] or row["put_off"] for row in rows)
    if args.format == "table":
        from sensor.bus.enrol import load_enrolment

        _, enrolment = load_enrolment(home.directory / "relay")
        now = time.strftime("%H:%M:%S")
        print(f"{enrolment.sensor} > {enrolment.address}  ({now})")
    return EXIT_FINDINGS if has_losses or is_late else EXIT_OK


def _check(args: argparse.Namespace) -> int:
    from collectors.relay.policy import Policy

    policy = Policy.load(args.policy)
    print(
        say(f"{args.policy}: fine, id {policy.id.hex()}", f"{args.policy}: hợp lệ, mã {policy.id.hex()}"),
        file=sys.stderr,
    )
    if args.events is None:
        return EXIT_OK
    total = left = reduced = 0
    try:
        with args.events.open("rb") as file:
            for line in file:
                event = line.rstrip(b"\r\n")
                if not event.strip():
                    continue
                kept = policy.apply(event + b"\n", 1)
                total, left, reduced = (
                    total + 1,
                    left + kept.events,
                    reduced + (kept.events and not kept.whole),
                )
                sys.stdout.write(kept.ndjson.decode(errors="backslashreplace"))
    except OSError as error:
        raise from_os_error(error, where=args.events) from error
    print(
        say(
            f"{total} events: {left} leave, {reduced} of them without some fields; {total - left} stay",
            f"{total} sự kiện: {left} rời đi, trong đó {reduced} bị bớt trường; {total - left} ở lại",
        ),
        file=sys.stderr,
    )
    return EXIT_OK


def _rescan(args: argparse.Namespace) -> int:
    from collectors.home import Home
    from collectors.relay.ledger import OUTBOX_FILE, rescan
    from collectors.relay.uplink import relay_directory

    home = Home(args.directory)
    home.load()
    path = relay_directory(home) / OUTBOX_FILE
    if not path.exists():
        raise _not_joined(home)
    with home.hold(seconds=0):
        rescan(path)
    print(
        say(
            "the next start offers all that the journal holds; what the nation has it keeps once",
            "lần khởi động tới, trung tâm gửi lại mọi thứ trong nhật ký; cái gì đã có thì chỉ giữ một lần",
        )
    )
    return EXIT_OK


def _identity(args: argparse.Namespace) -> int:
    from collectors.home import Home
    from collectors.stick.identity import identity_of

    home = Home(args.directory)
    home.load()
    sys.stdout.write(identity_of(home).text())
    return EXIT_OK


def _trust(args: argparse.Namespace) -> int:
    import contextlib

    from collectors.home import Home
    from collectors.registry import Registry
    from collectors.stick.identity import Identity

    home = Home(args.directory)
    home.load()
    identity = Identity.load(args.identity)
    with contextlib.closing(Registry(home.registry_file)) as registry:
        refusal = registry.trust(args.name, identity.signer, args.sensors.split())
    if refusal:
        raise UserError(refusal, where=args.identity, fix="`haidang centre sensors` lists who is known here")
    print(say(f"{args.name} is trusted", f"đã tin {args.name}") + f"\n  {identity.signer.fingerprint}")
    return EXIT_OK


def _not_joined(home: Home) -> UserError:
    return UserError(
        "this centre relays to nobody",
        where=home.directory,
        fix="`haidang centre token --relay` at the national centre, `haidang relay join` here",
    )
