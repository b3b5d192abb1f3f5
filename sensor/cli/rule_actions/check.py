"""`haidang rules check`: every rule that would not load, with its place, reason and remedy, and what lint
says of those that would.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from typing import TYPE_CHECKING

from sensor.cli.language import say
from sensor.errors import EXIT_FINDINGS, EXIT_OK
from sensor.rules.reports import FORMS

if TYPE_CHECKING:
    from sensor._engine import RawRule
    from sensor.rules.findings import Finding

NAME = "check"
HELP = "report every rule that would not load, and lint the others: file:line:column, keyword, reason, fix"
HELP_VI = "báo mọi luật không nạp được, và soát các luật còn lại: tệp:dòng:cột, từ khóa, lý do, cách sửa"
EPILOG = (
    "Example: haidang rules check --level note --ignore S8 my.rules. Exit codes: 0 nothing at or above "
    "--fail-on, 1 something, 2 usage or input error. docs/lint.md tells of every code."
)
EPILOG_VI = (
    "Ví dụ: haidang rules check --level note --ignore S8 my.rules. Mã thoát: 0 không có gì từ mức --fail-on "
    "trở lên, 1 có, 2 sai cách dùng hoặc dữ liệu vào. docs/lint.md giải thích từng mã."
)

_LEVELS = ("error", "warning", "note")
_RANK = {"error": 0, "warning": 1, "skip": 1, "note": 2}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from sensor.cli.configured import add_config_arguments

    parser.add_argument(
        "files",
        nargs="+",
        metavar=say("FILE", "TỆP"),
        help=say("rule files, patterns, or directories", "tệp luật, mẫu tên, hoặc thư mục"),
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--format", choices=FORMS, default="text", help=say("how to tell it", "dạng kết quả"))
    form.add_argument("--json", action="store_true", help=say("short for --format json", "như --format json"))
    parser.add_argument(
        "--level",
        choices=_LEVELS,
        help=say(
            "the mildest findings to tell (default: warning; note with --select)",
            "mức nhẹ nhất được báo (mặc định: warning; note khi có --select)",
        ),
    )
    parser.add_argument(
        "--fail-on",
        choices=(*_LEVELS, "never"),
        default="error",
        help=say(
            "exit with 1 from this severity on (default: error)",
            "thoát với mã 1 từ mức này (mặc định: error)",
        ),
    )
    for name, english, vietnamese in (
        (
            "--select",
            "only lint codes that begin so, e.g. H1,S020",
            "chỉ các mã bắt đầu như vậy, ví dụ H1,S020",
        ),
        ("--ignore", "no lint codes that begin so", "bỏ các mã bắt đầu như vậy"),
    ):
        parser.add_argument(
            name, action="append", default=[], metavar=say("CODES", "MÃ"), help=say(english, vietnamese)
        )
    parser.add_argument(
        "--no-lint", action="store_true", help=say("only what does not load", "chỉ báo luật không nạp được")
    )
    parser.add_argument(
        "--summary", action="store_true", help=say("only how often each code occurs", "chỉ đếm theo mã")
    )
    add_config_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from sensor.cli.configured import load_config, tell_warnings
    from sensor.cli.summary import rule_counts
    from sensor.rules.lint.run import chosen, lint
    from sensor.rules.loading import load
    from sensor.rules.reports import Checked, code_of, form

    select, ignore = _words(args.select), _words(args.ignore)
    checks = [] if args.no_lint else chosen(select, ignore)
    config = load_config(args)
    rules: list[RawRule] = []
    _, report = load(config, only=args.files, validate_only=True, read=rules)
    tell_warnings([*config.warnings, *report.warnings])
    bad = {(finding.file, finding.line) for finding in report.findings if finding.severity == "error"}
    linted = lint(rules, checks, without=bad)
    everything = sorted([*report.findings, *linted], key=lambda finding: (finding.file, finding.line))
    level = _RANK[args.level or ("note" if select else "warning")]
    counts = Counter(str(finding.severity) for finding in linted)
    checked = Checked(
        report=report,
        findings=[finding for finding in everything if _RANK[finding.severity] <= level],
        counts={name: counts[name] for name in _LEVELS},
        summary=f"{_of_files(report.files)}: {rule_counts(report)}{_of_lint(counts, level, args.no_lint)}",
        files=sorted(report.names),
    )
    if args.summary:
        told = Counter((code_of(finding), finding.severity) for finding in checked.findings)
        for (code, severity), count in told.most_common():
            sys.stdout.write(f"{count:8,} {severity:8} {code:13} {_title(code)}\n")
        sys.stdout.write(f"{checked.summary}\n")
    else:
        form("json" if args.json else args.format).write(sys.stdout, checked)
    return EXIT_FINDINGS if _fails(args.fail_on, everything) else EXIT_OK


def _fails(fail_on: str, findings: list[Finding]) -> bool:
    # What this build lacks ("skip") is no fault of the rule.
    return fail_on != "never" and any(
        _RANK[finding.severity] <= _RANK[fail_on] for finding in findings if finding.severity != "skip"
    )


def _words(given: list[str]) -> list[str]:
    return [word for text in given for word in text.replace(",", " ").split()]


def _of_files(count: int) -> str:
    return say(f"rules in {count} file{'s' * (count != 1)}", f"luật trong {count} tệp")


def _of_lint(counts: Counter[str], level: int, is_off: bool) -> str:
    if is_off or not counts:
        return ""
    said = [
        say(f"{counts[name]:,} {name}{'s' * (counts[name] != 1)}", f"{counts[name]:,} {name}")
        for name in _LEVELS
        if counts[name]
    ]
    hidden = counts["note"] and level < _RANK["note"]
    more = say(" (--level note tells the notes)", " (--level note để xem note)") if hidden else ""
    return f"; lint: {', '.join(said)}{more}"


def _title(code: str) -> str:
    from sensor.rules.lint.checks import CHECKS

    return next((check.title for check in CHECKS if check.code == code), "")
