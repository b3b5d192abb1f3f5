"""`haidang sensor enrol|leave|run|status`: join centres, carry live traffic, captures or events to them, show
what waits and what was lost.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from sensor.cli.language import say
from sensor.cli.tokens import add_token, name_of, token_of
from sensor.errors import EXIT_OK, UserError

NAME = "sensor"
TAKES_REST = True  # words after the options belong to the capture filter of -i
HELP = "join a centre and carry captures or events to it"
HELP_VI = "gia nhập một trung tâm và chuyển bản ghi gói tin hoặc sự kiện tới đó"

DEFAULT_DIRECTORY = "/var/lib/haidang/sensor"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar=say("ACTION", "VIỆC"))
    enrol = actions.add_parser(
        "enrol",
        help=say("make this sensor's keys and register them with a token", "tạo khóa và đăng ký bằng mã"),
        description=say(
            "Make this sensor's keys and register them at the centre that made the token "
            "(`haidang centre token`).",
            "Tạo khóa của cảm biến và đăng ký với trung tâm đã cấp mã (`haidang centre token`).",
        ),
    )
    add_directory(enrol)
    add_token(enrol, say("this sensor's name (default: the host's)", "tên cảm biến"))
    enrol.add_argument(
        "--alternate",
        action="store_true",
        help=say(
            "a centre to turn to when the first does not serve this sensor; may be done several times",
            "trung tâm dự phòng, dùng khi trung tâm đầu không phục vụ; có thể thêm nhiều lần",
        ),
    )
    leave = actions.add_parser(
        "leave",
        help=say("turn to this alternate centre no more", "không dùng trung tâm dự phòng này nữa"),
    )
    add_directory(leave)
    leave.add_argument(
        "address",
        metavar=say("ADDRESS", "ĐỊA_CHỈ"),
        help=say("as `sensor status` shows it", "như `sensor status`"),
    )
    run_ = actions.add_parser(
        "run",
        help=say(
            "carry live traffic, captures or events to the centre",
            "chuyển lưu lượng trực tiếp, bản ghi gói tin hoặc sự kiện tới trung tâm",
        ),
        description=say(
            "Carry interfaces (-i), captures (-r) or EVE lines (--events) to the centre, each event once, "
            "also when either side is killed: "
            "begin again with the same command. Without input: ship what the spool still holds.",
            "Chuyển giao diện (-i), bản ghi gói tin (-r) hoặc dòng EVE (--events) tới trung tâm, mỗi sự kiện "
            "đúng một lần. "
            "Không có đầu vào: gửi nốt những gì còn trong vùng đệm.",
        ),
        epilog=say(
            "Exit codes: 0 the centre has everything; 1 something was lost or still waits in the spool; "
            "2 usage or input.",
            "Mã thoát: 0 trung tâm đã có đủ; 1 có mất mát hoặc còn chờ trong vùng đệm; 2 sai cách dùng.",
        ),
    )
    add_directory(run_)
    _run_arguments(run_)
    status = actions.add_parser(
        "status", help=say("show what is delivered, waits and was lost", "xem tình trạng gửi")
    )
    add_directory(status)
    status.add_argument("--json", action="store_true", help=say("as JSON", "dạng JSON"))


def add_directory(parser: argparse.ArgumentParser) -> None:
    """-d, --dir: which sensor."""
    parser.add_argument(
        "-d",
        "--dir",
        type=Path,
        default=Path(os.environ.get("HAIDANG_SENSOR", DEFAULT_DIRECTORY)),
        metavar=say("DIR", "THƯ_MỤC"),
        help=say(f"keys and spool (default: $HAIDANG_SENSOR or {DEFAULT_DIRECTORY})", "khóa và vùng đệm"),
    )


def _run_arguments(parser: argparse.ArgumentParser) -> None:
    from sensor.cli.configured import add_config_arguments
    from sensor.cli.interfaces import add_live_arguments

    add = parser.add_argument
    add(
        "filter",
        nargs="*",
        metavar=say("FILTER", "BỘ_LỌC"),
        help=say("with -i: a capture filter in tcpdump's language", "với -i: bộ lọc bắt gói"),
    )
    add_live_arguments(parser)
    source = parser.add_mutually_exclusive_group()
    captures = say("captures (pcap, pcapng), or directories of them", "tệp bắt gói hoặc thư mục")
    source.add_argument("-r", "--read", nargs="+", action="extend", default=[], metavar="PCAP", help=captures)
    lines = say("eve.json files, or - for standard input", "tệp eve.json, hoặc - cho đầu vào chuẩn")
    source.add_argument("--events", nargs="+", action="extend", default=[], metavar="FILE", help=lines)
    rules = say("RULES", "LUẬT")
    only = say(
        "rules instead of the configured ones; may be repeated", "luật thay cho cấu hình; có thể lặp lại"
    )
    add("-S", dest="only", action="append", default=[], metavar=rules, help=only)
    extra = say("rules on top of them; may be repeated", "luật thêm vào; có thể lặp lại")
    add("-s", dest="extra", action="append", default=[], metavar=rules, help=extra)
    add(
        "-k", dest="checksums", choices=("all", "none"), help=say("check checksums, or not", "kiểm tổng kiểm")
    )
    log_dir = say("also write the configured outputs here", "ghi cả các đầu ra đã cấu hình tại đây")
    add("-l", dest="log_dir", type=Path, metavar="DIR", help=log_dir)
    add(
        "--accept-failing",
        action="append",
        default=[],
        metavar=say("CHECK", "PHÉP_KIỂM"),
        help=say(
            "with -i: in service though this check of `haidang doctor` fails; written down and shown",
            "với -i: vẫn vào phục vụ dù phép kiểm này hỏng; được ghi lại và hiển thị",
        ),
    )
    add("--again", action="store_true", help=say("send what was sent before once more", "gửi lại từ đầu"))
    full = say(
        "spool full: wait for the centre, or give up the lowest lane (with -i: shed)",
        "vùng đệm đầy: chờ, hoặc bỏ bớt (với -i: bỏ bớt)",
    )
    add("--when-full", choices=("wait", "shed"), default=None, help=full)
    add(
        "--quota",
        default="10G",
        metavar="SIZE",
        help=say("bound of the spool (10G)", "giới hạn vùng đệm (10G)"),
    )
    rate = say(
        "bytes a second to the centre: 64K, 2M (no limit)", "số byte mỗi giây tới trung tâm (không giới hạn)"
    )
    add("--bandwidth", default="", metavar="SIZE", help=rate)
    drain = say("at the end, wait this long without progress (60)", "cuối cùng, chờ trung tâm bao lâu (60)")
    add("--drain", type=float, default=60.0, metavar="SECONDS", help=drain)
    failover = say(
        "turn to the next collector after so long without this one (30)",
        "chuyển sang trung tâm kế tiếp sau bao lâu (30)",
    )
    add("--failover", type=float, default=30.0, metavar="SECONDS", help=failover)
    metrics = say("Prometheus; '' for none (127.0.0.1:9477)", "địa chỉ số liệu (127.0.0.1:9477)")
    add("--metrics", default="127.0.0.1:9477", metavar="HOST:PORT", help=metrics)
    add_config_arguments(parser)


def run(args: argparse.Namespace) -> int:
    if args.rest and args.action != "run":
        raise UserError(say("unknown arguments: ", "đối số lạ: ") + " ".join(args.rest))
    if args.action == "enrol":
        return _enrol(args)
    if args.action == "leave":
        return _leave(args)
    if args.action == "run":
        from sensor.cli.carry import carry

        return carry(args)
    return _status(args)


def _enrol(args: argparse.Namespace) -> int:
    from sensor.bus.enrol import enrol
    from sensor.bus.keys import SensorKeys, load_keys

    name = _name_of(args.dir, args.name) if args.alternate else name_of(args)
    made = enrol(args.dir, token_of(args), name, alternate=args.alternate)
    own = load_keys(args.dir / "keys.json", SensorKeys).public().fingerprint
    print(say(f"{made.sensor} is enrolled at {made.address}", f"{made.sensor} đã đăng ký tại {made.address}"))
    print(f"  sensor {own}\n  centre {made.centre.fingerprint}")
    return EXIT_OK


def _name_of(directory: Path, asked: str) -> str:
    """The name of an enrolled sensor, which is the same at all its centres; UserError for another."""
    from sensor.bus.encryption import MAX_RECIPIENTS
    from sensor.bus.enrol import load_alternates, load_enrolment

    _, first = load_enrolment(directory)
    if asked not in ("", first.sensor):
        raise UserError(f"this sensor is {first.sensor} at its first centre", fix="leave --name out")
    if len(load_alternates(directory)) + 1 >= MAX_RECIPIENTS:
        raise UserError(f"a sensor has at most {MAX_RECIPIENTS} centres", fix="`haidang sensor leave` one")
    return first.sensor


def _leave(args: argparse.Namespace) -> int:
    from sensor.bus.enrol import load_alternates, load_enrolment, save_alternates

    load_enrolment(args.dir)
    alternates = load_alternates(args.dir)
    stay = [other for other in alternates if other.address != args.address]
    if len(stay) == len(alternates):
        raise UserError(
            f"{args.address} is no alternate of this sensor", fix="`haidang sensor status` lists them"
        )
    save_alternates(args.dir, stay)
    print(say(f"{args.address} is left", f"đã bỏ {args.address}"))
    return EXIT_OK


def _status(args: argparse.Namespace) -> int:
    import json

    import msgspec

    from sensor.bus.enrol import load_alternates, load_enrolment
    from sensor.bus.spool import SPOOL_FILE, Spool
    from sensor.cli.books import print_books
    from sensor.live.status import read_status, status_lines

    _, enrolment = load_enrolment(args.dir)
    spool = Spool(args.dir / SPOOL_FILE, enrolment.sensor)
    if args.json:
        told = {
            "sensor": enrolment.sensor,
            "address": enrolment.address,
            "alternates": [other.address for other in load_alternates(args.dir)],
            "epoch": spool.epoch,
            "spool_bytes": spool.used_bytes(),
            "books": msgspec.to_builtins(spool.books()),
            "live": read_status(args.dir),
        }
        print(json.dumps(told))
    else:
        print(f"{enrolment.sensor} > {enrolment.address}  ({spool.used_bytes() / 1e6:.1f} MB)")
        for other in load_alternates(args.dir):
            print(say(f"  else {other.address}", f"  dự phòng {other.address}"))
        print_books(spool)
        print(*status_lines(read_status(args.dir)), sep="\n")
    spool.close()
    return EXIT_OK
