"""`haidang bus import`: takes what is on a stick into a centre's journal, each batch once."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path

from sensor.cli.language import say
from sensor.errors import EXIT_FINDINGS, EXIT_OK, UserError, from_os_error

NAME = "import"
HELP = "take the batches on a stick into a centre, each once"
HELP_VI = "nhập các lô từ USB vào trung tâm, mỗi lô đúng một lần"
EPILOG = (
    "The centre may be running. May be given again at any time: what is here already is not kept twice. "
    "Exit codes: 0 everything on the stick is here; 1 something was refused or is missing; 2 usage or input."
)
EPILOG_VI = (
    "Trung tâm có thể đang chạy. Lệnh có thể chạy lại bất cứ lúc nào: cái gì đã có thì không giữ hai lần. "
    "Mã thoát: 0 đã có đủ; 1 có lô bị từ chối hoặc thiếu tệp; 2 sai cách dùng."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from sensor.cli.centre_actions import add_directory

    parser.add_argument(
        "source", type=Path, metavar="STICK", help=say("the directory to read", "thư mục nguồn")
    )
    add_directory(parser)


def run(args: argparse.Namespace) -> int:
    import sqlite3

    from collectors.home import Home
    from collectors.journal import Journal
    from collectors.opening import opener_of
    from collectors.registry import Registry
    from collectors.relay.origins import Origins
    from collectors.relay.process import OwnSigner
    from collectors.stick.taking import Importer, find
    from sensor.bus.segments import SegmentError

    home = Home(args.directory)
    home.load()
    try:
        found = find(args.source)
    except OSError as error:
        raise from_os_error(error, where=args.source) from error
    if not found.paths and not found.unreadable:
        raise UserError("no segments (*.hdx) are here", where=args.source, fix="give the stick's directory")
    problems = [f"{path.name}: {why}" for path, why in found.unreadable]
    problems += [say(f"{name}: is missing on the stick", f"{name}: thiếu trên USB") for name in found.missing]
    batches = events = duplicates = 0
    complete: dict[bytes, bool] = {}
    with contextlib.ExitStack() as cleanup:
        registry = Registry(home.registry_file)
        cleanup.callback(registry.close)
        origins = Origins(home.registry_file, OwnSigner(home).read)
        cleanup.callback(origins.close)
        journal = Journal(home.journal_file)
        cleanup.callback(journal.close)
        opener, recipients = opener_of(home)
        importer = Importer(registry, origins, journal, opener, recipients)
        for path in found.paths:
            try:
                taken = importer.take(path)
            except SegmentError as error:
                problems.append(f"{path.name}: {error}")
                continue
            except OSError as error:
                problems.append(f"{path.name}: {(error.strerror or str(error)).lower()}")
                continue
            except sqlite3.Error as error:
                raise UserError(
                    f"the journal takes nothing: {error}",
                    where=home.journal_file,
                    fix="free some space, then give the same command again",
                ) from error
            batches, events = batches + taken.batches, events + taken.events
            duplicates += taken.duplicates
            complete[taken.head.export] = taken.is_last
            for reason, count in sorted(taken.refused.items()):
                problems.append(
                    say(
                        f"{path.name}: {count} batches are refused and in quarantine: {reason}",
                        f"{path.name}: {count} lô bị từ chối và cách ly: {reason}",
                    )
                )
            if sys.stderr.isatty():
                print(f"\r{path.name}  {events}", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    problems += [
        say(
            f"{export.hex()}: its end is not on the stick: export once more",
            f"{export.hex()}: thiếu phần cuối, hãy xuất lại",
        )
        for export, is_last in sorted(complete.items())
        if not is_last
    ]
    for problem in problems:
        print(f"haidang: {say('warning', 'cảnh báo')}: {problem}", file=sys.stderr)
    print(
        say(
            f"{events} events in {batches} batches are new; {duplicates} batches were here already",
            f"{events} sự kiện trong {batches} lô là mới; {duplicates} lô đã có từ trước",
        )
    )
    return EXIT_FINDINGS if problems else EXIT_OK
