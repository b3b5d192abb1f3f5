"""`haidang rules check`: every rule that would not load, with its place, its reason and its remedy."""

from __future__ import annotations

import argparse
import json
import sys

from sensor.cli.language import say
from sensor.errors import EXIT_FINDINGS, EXIT_OK

NAME = "rules"
HELP = "check rules offline"
HELP_VI = "kiểm tra luật ngoại tuyến"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from sensor.cli.configured import add_config_arguments

    actions = parser.add_subparsers(metavar=say("ACTION", "VIỆC"), required=True, dest="action")
    text = say(
        "report every rule that would not load: file:line:column, keyword, reason, fix",
        "báo mọi luật không nạp được: tệp:dòng:cột, từ khóa, lý do, cách sửa",
    )
    check = actions.add_parser("check", help=text, description=text)
    check.add_argument(
        "files",
        nargs="+",
        metavar=say("FILE", "TỆP"),
        help=say("rule files, patterns, or directories", "tệp luật, mẫu tên, hoặc thư mục"),
    )
    check.add_argument("--json", action="store_true", help=say("as JSON", "dạng JSON"))
    add_config_arguments(check)


def run(args: argparse.Namespace) -> int:
    from sensor.cli.configured import load_config, tell_warnings
    from sensor.cli.summary import rule_counts
    from sensor.rules.loading import load

    config = load_config(args)
    _, report = load(config, only=args.files, validate_only=True)
    tell_warnings([*config.warnings, *report.warnings])
    if args.json:
        document = {
            "loaded": report.loaded,
            "quarantined": report.quarantined,
            "skipped": report.skipped,
            "findings": [finding.json() for finding in report.findings],
        }
        json.dump(document, sys.stdout, ensure_ascii=False, indent=2)
        sys.stdout.write("\n")
    else:
        sys.stdout.writelines(f"{finding}\n" for finding in report.findings)
        files = say(
            f"rules in {report.files} file{'s' * (report.files != 1)}", f"luật trong {report.files} tệp"
        )
        sys.stdout.write(f"{files}: {rule_counts(report)}\n")
    return EXIT_FINDINGS if report.is_bad else EXIT_OK
