"""`haidang centre quality`: what each sensor's evidence is worth, in four words that are computed."""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sensor.cli.centre_actions import add_directory, add_format, add_span, span
from sensor.cli.language import is_vietnamese, say
from sensor.errors import EXIT_FINDINGS, EXIT_OK, UserError

if TYPE_CHECKING:
    from collectors.quality.report import Stretch
    from collectors.quality.words import Word

NAME = "quality"
HELP = "what each sensor's evidence is worth, in four words"
HELP_VI = "chất lượng chứng cứ của từng cảm biến: đúng, đủ, sạch, sống"
EPILOG = (
    "correct: signatures hold, the clock's error is bounded. complete: no gap, no loss. clean: every line is "
    "an event, nothing was refused for its form. live: heard, and soon in the store. Example: haidang centre "
    "quality --since 24h --step 1h. Exit codes: 0 all words hold, 1 one does not, 2 usage or input."
)
EPILOG_VI = (
    "đúng: chữ ký hợp lệ, sai số đồng hồ có giới hạn. đủ: không thiếu, không mất. sạch: mọi dòng là sự kiện, "
    "không gì bị từ chối vì hình thức. sống: có tiếng, vào kho sớm. Ví dụ: haidang centre quality --since "
    "24h --step 1h. Mã thoát: 0 đạt cả, 1 có từ không đạt, 2 sai cách dùng."
)

_MAX_ROWS = 100_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_directory(parser)
    add_span(parser)
    step = say("one line for each step, such as 1m 1h 1d (one for all)", "mỗi bước một dòng: 1m 1h 1d")
    parser.add_argument("--step", type=span, default=0, metavar=say("SPAN", "BƯỚC"), help=step)
    parser.add_argument("--sensor", default="", help=say("of this sensor only", "chỉ của cảm biến này"))
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    from collectors.home import Home
    from collectors.journal import Journal
    from collectors.quality.facts import KEEP_SECONDS
    from collectors.quality.report import report
    from collectors.quality.words import judge
    from collectors.registry import Registry

    now = time.time()
    since, until = stretch(args.since, args.until, now)
    if since >= until:
        raise UserError("--since is not before --until")
    if since < now - KEEP_SECONDS - 60:
        raise UserError(
            f"single minutes are kept for {KEEP_SECONDS // 86_400} days here",
            where="--since",
            fix="older ones are in the store's table `quality`",
        )
    if args.step and (until - since) // args.step > _MAX_ROWS:
        raise UserError("too many steps", where="--step", fix="give a larger one")
    home = Home(args.directory)
    home.load()
    registry, journal = Registry(home.registry_file), Journal(home.journal_file)
    found = report(journal, registry, since, until, step=args.step, sensor=args.sensor)
    registry.close()
    journal.close()
    if args.format == "table":
        _table(found)
    else:
        _lines(found, args.format)
    if args.sensor and not found:
        raise UserError(f"no sensor {args.sensor!r} is known", fix="`haidang centre sensors` lists them")
    failed = any(
        word.holds is False for entry in found for word in judge(entry.facts, entry.seconds * 1_000_000)
    )
    return EXIT_FINDINGS if failed else EXIT_OK


def stretch(since: str, until: str, now: float) -> tuple[int, int]:
    """The seconds since 1970 from which and up to which is reported: without `since` an hour, without `until`
    up to now. The second that has begun counts, or nobody would have been heard in the first of a minute.
    """
    from collectors.store.search import parse_time

    last = int(now) + 1
    end = min(int(parse_time(until).timestamp()), last) if until else last
    return int(parse_time(since).timestamp()) if since else end - 3600, end


def _table(found: list[Stretch]) -> None:
    from rich.console import Console
    from rich.table import Table

    from collectors.quality.words import judge, packet_lag_us
    from collectors.show import safe

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in (
        say("from (UTC)", "từ (UTC)"), say("sensor", "cảm biến"), say("correct", "đúng"),
        say("complete", "đủ"), say("clean", "sạch"), say("live", "sống"), say("clock s", "đồng hồ, giây"),
        say("packet>centre s", "gói>trung tâm, giây"), say(">store s", ">kho, giây"), say("why", "vì sao"),
    ):  # fmt: skip
        table.add_column(title, overflow="fold")
    for entry in found:
        quality = judge(entry.facts, entry.seconds * 1_000_000)
        reasons = [reason[is_vietnamese()] for word in quality for reason in word.reasons]
        table.add_row(
            f"{datetime.fromtimestamp(entry.begin, UTC):%Y-%m-%d %H:%M}",
            safe(entry.sensor),
            *(_told(word) for word in quality),
            _clock(entry.facts.skew_us, entry.facts.bound_us),
            _seconds(packet_lag_us(entry.facts)),
            _seconds(entry.facts.store_lag_us),
            "; ".join(reasons),
        )
    if found:
        Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 220).print(table)


def _told(word: Word) -> str:
    if word.holds is None:
        return "?"
    # 99.999 must not read as everything.
    percent = "" if word.ratio is None else f" {int(word.ratio * 10_000) / 100:g} %"
    return (say("yes", "đạt") if word.holds else say("NO", "KHÔNG")) + percent


def _clock(skew_us: int | None, bound_us: int | None) -> str:
    if skew_us is None:
        return "?"
    return f"{skew_us / 1e6:+.3f} ± {'?' if bound_us is None else f'{bound_us / 1e6:.3f}'}"


def _seconds(us: int | None) -> str:
    return "?" if us is None else f"{us / 1e6:,.1f}"


def _lines(found: list[Stretch], form: str) -> None:
    from collectors.quality.examine import statement
    from collectors.show import print_records

    rows: list[dict[str, Any]] = []
    for entry in found:
        row = statement(entry.sensor, entry.begin, entry.seconds, entry.facts)
        row["begin"] = datetime.fromtimestamp(entry.begin, UTC)
        if form == "csv":
            row["reasons"] = "; ".join(row["reasons"])
            del row["facts"]
        else:
            row["facts"] = json.loads(row["facts"])
        rows.append(row)
    print_records(rows, form=form)
