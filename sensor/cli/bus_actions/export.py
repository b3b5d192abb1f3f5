"""`haidang bus export`: what a centre's journal or a sensor's spool holds, onto a stick."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sensor.cli.language import say
from sensor.errors import EXIT_FINDINGS, EXIT_OK, UserError, from_os_error

if TYPE_CHECKING:
    from sensor.bus.exporting import Exported, Source, Span

NAME = "export"
HELP = "write batches to a stick, sealed to the centre that is to import them"
HELP_VI = "ghi các lô ra USB, niêm phong cho trung tâm sẽ nhập"
EPILOG = (
    "The same command goes on where it was broken off, and later adds what has come since. A centre seals "
    "anew and applies its policy; a sensor copies what is sealed to one of its centres. Times are those of "
    "receipt, or of spooling. Exit codes: 0 all is on the stick, 1 some batches were left out, 2 usage or "
    "input."
)
EPILOG_VI = (
    "Chạy lại đúng lệnh ấy thì nó tiếp tục chỗ dở, và về sau ghi thêm những gì mới đến. Trung tâm niêm phong "
    "lại và áp dụng chính sách; cảm biến chỉ sao chép những gì đã niêm phong cho một trung tâm của nó. Thời "
    "gian là lúc nhận hoặc lúc vào vùng đệm. Mã thoát: 0 đã đủ, 1 có lô bị bỏ lại, 2 sai cách dùng."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from sensor.cli.centre_actions import add_directory

    parser.add_argument(
        "target", type=Path, metavar="STICK", help=say("the directory to write to", "thư mục đích")
    )
    add_directory(parser)
    parser.add_argument(
        "--sensor",
        type=Path,
        metavar="DIR",
        help=say("export this sensor's spool instead of a centre", "xuất vùng đệm của cảm biến này"),
    )
    parser.add_argument(
        "--to",
        type=Path,
        metavar="KEY",
        help=say(
            "the receiver, as its `haidang relay identity` printed it (a sensor: its first centre)",
            "nơi nhận, như `haidang relay identity` ở đó in ra (cảm biến: trung tâm đầu)",
        ),
    )
    times = say("ISO time, seconds since 1970, or an age: 15m 24h 7d", "thời điểm ISO, hoặc 15m 24h 7d trước")
    parser.add_argument("--since", default="", metavar="TIME", help=times)
    parser.add_argument("--until", default="", metavar="TIME", help=times)
    parser.add_argument(
        "--policy",
        type=Path,
        metavar="FILE",
        help=say(
            "what may leave a centre (default: its relay's policy, or everything where it has none)",
            "chính sách (mặc định: của relay, hoặc tất cả nếu không có)",
        ),
    )
    parser.add_argument(
        "--segment",
        type=int,
        default=32,
        metavar="MIB",
        help=say("size of the files, 1 to 32 MiB (32)", "cỡ tệp, 1 đến 32 MiB (32)"),
    )


def run(args: argparse.Namespace) -> int:
    if not 1 <= args.segment <= 32:
        raise UserError("--segment must be between 1 and 32")
    if not args.target.is_dir():
        raise UserError("is no directory", where=args.target, fix="mount the stick, or make the directory")
    with contextlib.ExitStack() as cleanup:
        if args.sensor is not None:
            return _from_sensor(args, cleanup)
        return _from_centre(args, cleanup)


def _from_sensor(args: argparse.Namespace, cleanup: contextlib.ExitStack) -> int:
    from sensor.bus.enrol import load_alternates, load_enrolment
    from sensor.bus.spooled import SpooledSource

    if args.policy is not None:
        raise UserError("--policy is a centre's", fix="a sensor's batches leave as they are")
    keys, enrolment = load_enrolment(args.sensor)
    to = enrolment.centre
    if args.to is not None:
        from collectors.stick.identity import Identity

        to = Identity.load(args.to).centre
        known = [enrolment.centre, *(other.centre for other in load_alternates(args.sensor))]
        if to.recipient not in {centre.recipient for centre in known}:
            raise UserError(
                "this sensor seals nothing to that centre",
                where=args.to,
                fix="`haidang sensor enrol --alternate` there first, or export from its centre",
            )
    source = SpooledSource(args.sensor, keys, enrolment, to)
    cleanup.callback(source.close)
    done = _export(args, source)
    if source.skipped:
        print(
            say(
                f"{source.skipped} batches are damaged or sealed to other centres, and left out",
                f"{source.skipped} lô bị hỏng hoặc niêm phong cho trung tâm khác, được bỏ lại",
            ),
            file=sys.stderr,
        )
    _tell(args, done)
    return EXIT_FINDINGS if source.skipped else EXIT_OK


def _from_centre(args: argparse.Namespace, cleanup: contextlib.ExitStack) -> int:
    from collectors.home import Home
    from collectors.opening import opener_of
    from collectors.registry import Registry
    from collectors.relay.backlog import Backlog
    from collectors.relay.policy import Policy
    from collectors.relay.uplink import policy_file
    from collectors.stick.identity import Identity, exporter_name, signing_keys
    from collectors.stick.source import JournalSource

    if args.to is None:
        raise UserError(
            "--to is missing: to whom shall it be sealed?",
            fix="give the file that `haidang relay identity` printed at the receiving centre",
        )
    to = Identity.load(args.to).centre
    home = Home(args.directory)
    settings, _ = home.load()
    path = args.policy or policy_file(home, settings)
    is_everything = args.policy is None and not settings.relay.policy and not path.exists()
    policy = Policy.parse(b"default: allow", where=path) if is_everything else Policy.load(path)
    registry = Registry(home.registry_file)
    cleanup.callback(registry.close)
    backlog = Backlog(home.journal_file)
    cleanup.callback(backlog.close)
    opener, _ = opener_of(home)
    source = JournalSource(
        exporter_name(home),
        signing_keys(home),
        opener,
        to,
        policy,
        backlog,
        registry.public_keys,
        registry.path,
    )
    done = _export(args, source)
    if source.damaged:
        print(
            say(f"{source.damaged} damaged batches are left out", f"bỏ lại {source.damaged} lô bị hỏng"),
            file=sys.stderr,
        )
    if source.withheld:
        print(
            say(
                f"{source.withheld} events stay here by policy {path}",
                f"{source.withheld} sự kiện ở lại theo chính sách {path}",
            ),
            file=sys.stderr,
        )
    _tell(args, done)
    return EXIT_FINDINGS if source.damaged else EXIT_OK


def _export(args: argparse.Namespace, source: Source) -> Exported:
    from sensor.bus.exporting import export

    asked = f"{args.since} {args.until}"
    try:
        with _progress() as watch:
            size = args.segment << 20
            return export(source, args.target, lambda: _span(args), asked, segment_bytes=size, watch=watch)
    except OSError as error:
        raise from_os_error(error, where=args.target, fix="free some space, then give it again") from error


def _span(args: argparse.Namespace) -> Span:
    from collectors.store.search import parse_time
    from sensor.bus.exporting import Span

    since, until = (
        max(0, int(parse_time(text).timestamp() * 1e6)) if text else 0 for text in (args.since, args.until)
    )
    if until and until <= since:
        raise UserError("--until is not after --since")
    return Span(since, until)


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int, int], object]]:
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield lambda _batches, _size: None
        return
    with console.status("") as status:
        yield lambda batches, size: status.update(
            say(f"{batches} batches, {size / 1e6:.1f} MB", f"{batches} lô, {size / 1e6:.1f} MB")
        )


def _tell(args: argparse.Namespace, done: Exported) -> None:
    if not done.segments:
        told = say(
            f"{args.target}: nothing new, {done.before} segments are there",
            f"{args.target}: không có gì mới, đã có {done.before} tệp",
        )
    else:
        told = say(
            f"{done.events} events in {done.batches} batches, {done.segments} segments, "
            f"{done.size_bytes / 1e6:.1f} MB ({done.before} segments were there)",
            f"{done.events} sự kiện trong {done.batches} lô, {done.segments} tệp, "
            f"{done.size_bytes / 1e6:.1f} MB (trước đó có {done.before} tệp)",
        )
    print(told)
