"""`haidang rules tune`: an exception from a rule, with owner, reason and expiry, tried on what was seen."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensor.cli.language import say
from sensor.errors import EXIT_FINDINGS, EXIT_OK, UserError, one_line

if TYPE_CHECKING:
    from sensor.config import Config
    from sensor.rules.exceptions import Hidden, Wanted

NAME = "tune"
ALIASES = ("suppress",)
HELP = "make an exception from a rule, with owner, reason and expiry; tell first what it would have hidden"
HELP_VI = "tạo ngoại lệ cho luật, có người chịu trách nhiệm, lý do, hạn; cho biết trước nó sẽ giấu gì"
EPILOG = (
    'Example: haidang rules tune 2024897 --by src --ip 10.0.0.5 --owner "Lan" --reason "our scanner" '
    "--expires 90d -r day.pcap --write. Exit codes: 0 done, 1 it would have hidden nothing, or with --list "
    "some exception is over, 2 usage or input error."
)
EPILOG_VI = (
    'Ví dụ: haidang rules tune 2024897 --by src --ip 10.0.0.5 --owner "Lan" --reason "máy quét của ta" '
    "--expires 90d -r ngay.pcap --write. Mã thoát: 0 xong, 1 ngoại lệ không giấu gì, hoặc với --list có "
    "ngoại lệ hết hạn, 2 sai cách dùng hoặc đầu vào."
)

SHOWN_PAIRS = 10
STORE_ALERTS = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from sensor.cli.configured import add_config_arguments, add_rule_arguments
    from sensor.cli.rule_actions.captures import add_captures

    add = parser.add_argument
    text, file, folder = say("TEXT", "CHỮ"), say("FILE", "TỆP"), say("DIR", "THƯ_MỤC")
    add(
        "sid",
        nargs="?",
        metavar="SID",
        help=say("the rule: 2024897, or GID:SID", "luật: 2024897, hoặc GID:SID"),
    )
    add(
        "--by",
        choices=("src", "dst", "either"),
        help=say("whose address is meant", "địa chỉ của bên nào"),
    )
    for name, metavar, english, vietnamese in (
        ("--ip", say("ADDRESS", "ĐỊA_CHỈ"), "address, network, list or $VARIABLE; without: everybody",
         "địa chỉ, mạng, danh sách hoặc $BIẾN; bỏ trống: tất cả"),
        ("--limit", say("N/SECONDS", "N/GIÂY"), "N alerts in so many seconds per address (--by)",
         "chỉ N cảnh báo trong số giây cho mỗi địa chỉ (--by)"),
        ("--owner", text, "who answers for it", "người chịu trách nhiệm"),
        ("--reason", text, "why", "lý do"),
        ("--expires", say("DAY", "NGÀY"), "its last day: 2026-12-31, or 90d from now",
         "ngày cuối: 2026-12-31, hoặc 90d kể từ nay"),
    ):  # fmt: skip
        add(name, metavar=metavar, help=say(english, vietnamese))
    add_captures(parser)
    for name, metavar, english, vietnamese in (
        ("--store", folder, "try it on the store of the centre in this directory",
         "thử trên kho của trung tâm trong thư mục này"),
        ("--file", file, "the threshold.config (default: threshold-file, else ./threshold.config)",
         "tệp threshold.config (mặc định: threshold-file, hoặc ./threshold.config)"),
    ):  # fmt: skip
        add(name, type=Path, metavar=metavar, help=say(english, vietnamese))
    add(
        "--eve",
        action="append",
        default=[],
        type=Path,
        metavar=file,
        help=say("try it on the alerts of an eve file", "thử trên cảnh báo của tệp eve"),
    )
    add(
        "--since",
        default="30d",
        metavar=say("TIME", "LÚC"),
        help=say("with --store: from then on (default 30d ago)", "với --store: từ lúc đó (mặc định 30d)"),
    )
    for name, english, vietnamese in (
        ("--untried", "make it without trying it", "tạo mà không thử"),
        ("--write", "write it; without, only tell", "ghi lại; nếu không, chỉ cho biết"),
        ("--list", "list the exceptions there are", "liệt kê các ngoại lệ đang có"),
        ("--json", "tell as JSON", "kết quả dạng JSON"),
    ):
        add(name, action="store_true", help=say(english, vietnamese))
    add_rule_arguments(parser)
    add_config_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from sensor.cli.configured import load_config, tell_warnings
    from sensor.config.exceptions import Note, today
    from sensor.rules import exceptions

    if args.list:
        return _list(args)
    wanted = _wanted(args)
    for name in ("owner", "reason", "expires"):
        value = getattr(args, name)
        if not value or not value.strip():
            raise UserError("an exception needs an owner, a reason and a last day", where=f"--{name}",
                            fix=f"give --{name}")  # fmt: skip
    note = Note(one_line(args.owner), one_line(args.reason), today(), exceptions.expiry(args.expires))
    if not (args.reads or args.eve or args.store or args.untried):
        raise UserError("nothing to try it on", fix="give -r, --eve or --store, or --untried")
    config = load_config(args)
    path = _file(args, config)
    content = exceptions.content_with(path, note, wanted)
    warnings = list(config.warnings)
    tried = list(_try(args, config, path, content, wanted, warnings))
    tell_warnings(dict.fromkeys(warnings))
    if args.write:
        exceptions.write(path, content)
        if Path(config.text("threshold-file")) != path:
            remark = say(
                f"threshold-file does not name {path}: let it, for the exception to hold",
                f"threshold-file chưa trỏ tới {path}: hãy đặt để ngoại lệ có hiệu lực",
            )
            tell_warnings([remark])
    if args.json:
        json.dump(
            {
                "line": wanted.directive(),
                "note": note.line(),
                "file": str(path),
                "written": args.write,
                "tried": [
                    {"on": on, "alerts": of.alerts, "hidden": of.hidden, "pairs": dict(of.by_pair)}
                    for on, of in tried
                ],
            },
            sys.stdout, ensure_ascii=False, indent=1,
        )  # fmt: skip
        sys.stdout.write("\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in _lines(wanted, note.line(), path, tried, args.write))
    hides_some = args.untried or any(hidden.hidden for _, hidden in tried)
    return EXIT_OK if hides_some else EXIT_FINDINGS


def _wanted(args: argparse.Namespace) -> Wanted:
    from sensor.cli.rule_actions.rule_id import rule_id
    from sensor.rules.exceptions import Wanted

    if args.sid is None:
        raise UserError("no rule given", where="SID", fix="e.g. 2024897, or --list")
    gid, sid = rule_id(args.sid)
    limit = None
    if args.limit is not None:
        words = args.limit.split("/")
        if len(words) != 2 or not all(w.isascii() and w.isdigit() and 0 < int(w) < 2**31 for w in words):
            raise UserError(f"{args.limit!r} is no limit", where="--limit", fix="e.g. 1/3600")
        limit = (int(words[0]), int(words[1]))
        if args.ip:
            raise UserError("a limit is for all addresses", where="--ip", fix="leave out --ip or --limit")
        if args.by not in ("src", "dst"):
            raise UserError("whose alerts are counted?", where="--by", fix="give --by src or --by dst")
    elif bool(args.ip) != (args.by is not None):
        raise UserError(
            "--by and --ip go together", where="--by", fix="give both, or neither for all addresses"
        )
    if any(character in (args.ip or "") for character in "\n\r#"):
        raise UserError("is no address", where="--ip", fix="e.g. 10.0.0.5")
    return Wanted(gid, sid, args.by or "", "".join((args.ip or "").split()), limit)


def _file(args: argparse.Namespace, config: Config) -> Path:
    return args.file or Path(config.text("threshold-file") or "threshold.config")


def _try(
    args: argparse.Namespace, config: Config, path: Path, content: bytes, wanted: Wanted, warnings: list[str]
) -> Iterator[tuple[str, Hidden]]:
    """(what it was tried on, what it would have hidden there)"""
    from sensor.cli.configured import load_config
    from sensor.cli.rule_actions.captures import captures_of
    from sensor.rules import exceptions
    from sensor.rules.scratch import scratch

    if args.reads:
        captures = captures_of(args)
        with tempfile.TemporaryDirectory() as folder, scratch(config):
            proposed = Path(folder) / "threshold.config"
            proposed.write_bytes(content)
            if path.exists():
                config.tree["threshold-file"] = str(path)
            changed = load_config(args)
            changed.tree["threshold-file"] = str(proposed)
            with scratch(changed):
                yield (
                    ", ".join(args.reads),
                    exceptions.on_captures(
                        config, changed, wanted, args.only, args.extra, captures, warnings
                    ),
                )
    for eve in args.eve:
        from sensor.desk.events import read_events

        yield str(eve), exceptions.on_events(read_events(eve), wanted, config)
    if args.store is not None:
        yield str(args.store), exceptions.on_events(_stored(args, wanted.sid), wanted, config)


def _stored(args: argparse.Namespace, sid: int) -> Iterator[dict[str, Any]]:
    """The alerts of a rule in the store of a centre."""
    from collectors.home import Home
    from collectors.store.search import Question, parse_time, search
    from sensor.cli.centre_actions import open_store

    client, database = open_store(Home(args.store))
    question = Question(since=parse_time(args.since), sid=sid, event_type="alert", limit=STORE_ALERTS)
    for found in search(client, database, question):
        event = json.loads(found.raw)
        if isinstance(event, dict):
            yield event


def _lines(
    wanted: Wanted, note: str, path: Path, tried: list[tuple[str, Hidden]], is_written: bool
) -> Iterator[str]:
    rule = f"{wanted.gid}:{wanted.sid}"
    for on, hidden in tried:
        yield say(
            f"{on}: would have hidden {hidden.hidden:,} of {hidden.alerts:,} alerts of {rule}",
            f"{on}: sẽ giấu {hidden.hidden:,} trong {hidden.alerts:,} cảnh báo của {rule}",
        )
        for pair, count in hidden.by_pair.most_common(SHOWN_PAIRS):
            yield f"  {count:6,}  {one_line(pair)}"
        if len(hidden.by_pair) > SHOWN_PAIRS:
            more = len(hidden.by_pair) - SHOWN_PAIRS
            yield say(f"  and {more:,} more pairs", f"  và {more:,} cặp nữa")
    yield note
    yield wanted.directive()
    yield (
        say(f"written to {path}", f"đã ghi vào {path}")
        if is_written
        else say(f"not written; --write adds it to {path}", f"chưa ghi; --write để thêm vào {path}")
    )


def _list(args: argparse.Namespace) -> int:
    from sensor.cli.configured import load_config, tell_warnings
    from sensor.rules import exceptions

    path = _file(args, load_config(args))
    if not path.is_file():
        raise UserError("no such file", where=path, fix="give --file, or threshold-file in the configuration")
    warnings: list[str] = []
    found = list(exceptions.listed(path, warnings))
    tell_warnings(warnings)
    rows = [
        {
            "line": one.line,
            "directive": one.text,
            "owner": one.note.owner,
            "reason": one.note.reason,
            "added": one.note.added.isoformat(),
            "expires": one.note.expires.isoformat(),
            "is_over": one.note.is_over,
        }
        for one in found
        if one.note is not None
    ]
    if args.json:
        json.dump(rows, sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
    else:
        for row in rows:
            until = say("over since", "hết hạn từ") if row["is_over"] else say("until", "đến")
            sys.stdout.write(
                one_line(
                    f"{path}:{row['line']}: {until} {row['expires']}  {row['owner']}: {row['reason']}  "
                    f"({row['directive']})"
                )
                + "\n"
            )
    return EXIT_FINDINGS if any(row["is_over"] for row in rows) else EXIT_OK
