"""`haidang rules test`: unit tests for rules, side by side in one process."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sensor.cli.language import say
from sensor.errors import EXIT_FINDINGS, EXIT_OK

if TYPE_CHECKING:
    from sensor.rules.testing.run import Result

NAME = "test"
HELP = "run the tests of rules: folders with test.yaml"
HELP_VI = "chạy các bài kiểm tra luật: thư mục có test.yaml"
EPILOG = (
    "Example: haidang rules test -S my.rules tests/. Exit codes: 0 all passed, 1 some failed or could not "
    "run, 2 usage or input error."
)
EPILOG_VI = (
    "Ví dụ: haidang rules test -S my.rules tests/. Mã thoát: 0 tất cả đạt, 1 có bài không đạt hoặc không "
    "chạy được, 2 sai cách dùng hoặc dữ liệu vào."
)

MAX_JOBS = 64
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from sensor.cli.configured import add_config_arguments

    add = parser.add_argument
    add(
        "paths",
        nargs="+",
        type=Path,
        metavar=say("FOLDER", "THƯ_MỤC"),
        help=say("tests, or folders with tests below", "bài kiểm tra, hoặc thư mục chứa chúng"),
    )
    add(
        "-S",
        dest="rules",
        action="append",
        default=[],
        metavar=say("RULES", "LUẬT"),
        help=say("rules for tests without their own", "luật cho các bài không có luật riêng"),
    )
    add(
        "-j",
        "--jobs",
        type=int,
        default=0,
        metavar="N",
        help=say("side by side (cores)", "số bài chạy song song"),
    )
    add("--junit", type=Path, metavar=say("FILE", "TỆP"), help=say("also as JUnit XML", "ghi cả JUnit XML"))
    add_config_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from sensor.rules import sources
    from sensor.rules.testing import case
    from sensor.rules.testing.run import Bench
    from sensor.rules.testing.run import run as run_all

    begin = time.monotonic()
    folders = case.find(args.paths)
    bench = Bench(
        Path(args.config) if args.config else None,
        args.settings,
        sources.find(args.rules) if args.rules else [],
    )
    jobs = min(args.jobs if args.jobs > 0 else os.cpu_count() or 1, MAX_JOBS)
    results = []
    for result in run_all(folders, bench, jobs=jobs):
        results.append(result)
        _tell(result, verbose=args.verbose > 0)
    if args.junit is not None:
        args.junit.write_text(_junit(results), encoding="utf-8")
    good = sum(result.is_good and not result.skipped for result in results)
    bad = sum(not result.is_good for result in results)
    skipped = sum(bool(result.skipped) for result in results)
    seconds = time.monotonic() - begin
    sys.stdout.write(
        say(
            f"{good} passed, {bad} failed, {skipped} skipped in {seconds:.2f} s\n",
            f"{good} đạt, {bad} không đạt, {skipped} bỏ qua trong {seconds:.2f} s\n",
        )
    )
    return EXIT_FINDINGS if bad else EXIT_OK


def _tell(result: Result, *, verbose: bool) -> None:
    if result.error:
        sys.stdout.write(f"{say('error', 'lỗi')} {result.name}: {result.error}\n")
    elif result.failures:
        sys.stdout.write(f"{say('FAILED', 'KHÔNG ĐẠT')} {result.name}\n")
        for failure in result.failures:
            sys.stdout.writelines(f"  {line}\n" for line in failure.splitlines())
    elif result.skipped:
        sys.stdout.write(f"{say('skipped', 'bỏ qua')} {result.name}: {result.skipped}\n")
    elif verbose:
        sys.stdout.write(f"{say('passed', 'đạt')} {result.name} ({result.seconds:.2f} s)\n")


def _junit(results: list[Result]) -> str:
    bad = sum(not result.is_good for result in results)
    skipped = sum(bool(result.skipped) for result in results)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuite name="haidang rules test" tests="{len(results)}" failures="{bad}" skipped="{skipped}">',
    ]
    for result in results:
        head = f'  <testcase name={_text(result.name)} time="{result.seconds:.3f}"'
        told = result.error or "\n".join(result.failures)
        if told:
            lines += [f"{head}>", f"    <failure message={_text(told)}/>", "  </testcase>"]
        elif result.skipped:
            lines += [f"{head}>", f"    <skipped message={_text(result.skipped)}/>", "  </testcase>"]
        else:
            lines.append(f"{head}/>")
    return "\n".join([*lines, "</testsuite>", ""])


def _text(text: str) -> str:
    from xml.sax.saxutils import quoteattr  # brings urllib, which others need not wait for

    return quoteattr(_NOT_XML.sub("\ufffd", text))
