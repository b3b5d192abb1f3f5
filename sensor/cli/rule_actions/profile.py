"""`haidang rules profile`: what each rule and each group of patterns costs on captures."""

from __future__ import annotations

import argparse
import json
import sys

from sensor.cli.language import say
from sensor.errors import EXIT_OK, UserError

NAME = "profile"
HELP = "tell what each rule and group of patterns costs on captures, worst first"
HELP_VI = "cho biết mỗi luật và nhóm mẫu tốn bao nhiêu trên tệp bắt gói, tốn nhất trước"
EPILOG = "Example: haidang rules profile -r day.pcap -S my.rules. Exit codes: 0 done, 2 usage or input error."
EPILOG_VI = (
    "Ví dụ: haidang rules profile -r ngay.pcap -S luat.rules. Mã thoát: 0 xong, 2 sai cách dùng hoặc đầu vào."
)

TOP = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from sensor.cli.configured import add_config_arguments, add_rule_arguments
    from sensor.cli.rule_actions.captures import add_captures

    add_captures(parser)
    parser.add_argument(
        "--top",
        type=int,
        default=TOP,
        metavar="N",
        help=say(
            f"rules and groups to tell; 0 = all (default {TOP})", f"số dòng; 0 = tất cả (mặc định {TOP})"
        ),
    )
    parser.add_argument(
        "--json", action="store_true", help=say("all of it as JSON", "toàn bộ dưới dạng JSON")
    )
    add_rule_arguments(parser)
    add_config_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from sensor.cli.configured import load_config, tell_warnings
    from sensor.cli.rule_actions.captures import captures_of
    from sensor.rules import profiling
    from sensor.rules.loading import load
    from sensor.rules.scratch import scratch

    if args.top < 0:
        raise UserError(f"{args.top} is no number of rules", where="--top", fix="give 0 or more")
    captures = captures_of(args)
    config = load_config(args)
    with scratch(config):
        ruleset, loaded = load(config, only=args.only, extra=args.extra)
        tell_warnings([*config.warnings, *loaded.remarks])
        found, warnings = profiling.profile(config, ruleset, captures)
    tell_warnings(warnings)
    if args.json:
        json.dump(found, sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in profiling.lines(found, args.top))
    return EXIT_OK
