"""`haidang rules explain`: why a rule alerts on captures or does not, by flow and condition."""

from __future__ import annotations

import argparse
import json
import sys

from sensor.cli.language import say
from sensor.errors import EXIT_FINDINGS, EXIT_OK, UserError

NAME = "explain"
HELP = "tell why a rule alerts on captures or does not, flow by flow and condition by condition"
HELP_VI = "giải thích vì sao luật cảnh báo hoặc không, từng luồng và từng điều kiện"
EPILOG = (
    "Example: haidang rules explain 2024897 -r day.pcap -S my.rules. Exit codes: 0 it alerts, 1 it does not, "
    "2 usage or input error."
)
EPILOG_VI = (
    "Ví dụ: haidang rules explain 2024897 -r ngay.pcap -S luat.rules. Mã thoát: 0 có cảnh báo, 1 không, "
    "2 sai cách dùng hoặc đầu vào."
)

SHOWN_FLOWS = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from sensor.cli.configured import add_config_arguments, add_rule_arguments
    from sensor.cli.rule_actions.captures import add_captures

    add = parser.add_argument
    add("sid", metavar="SID", help=say("the rule: 2024897, or GID:SID", "luật: 2024897, hoặc GID:SID"))
    add_captures(parser)
    add(
        "--flows",
        type=int,
        default=SHOWN_FLOWS,
        metavar="N",
        help=say(
            f"how many to tell, the nearest to a match first; 0 = all (default {SHOWN_FLOWS})",
            f"số luồng được nêu, gần khớp nhất trước; 0 = tất cả (mặc định {SHOWN_FLOWS})",
        ),
    )
    add(
        "--flow",
        type=int,
        metavar="FLOW_ID",
        help=say("only this flow, by its flow_id in eve.json", "chỉ luồng có flow_id này trong eve.json"),
    )
    add("--json", action="store_true", help=say("all of it as JSON", "toàn bộ dưới dạng JSON"))
    add_rule_arguments(parser)
    add_config_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from sensor.cli.configured import load_config, tell_warnings
    from sensor.cli.rule_actions.captures import captures_of
    from sensor.cli.rule_actions.rule_id import rule_id
    from sensor.rules import explaining
    from sensor.rules.loading import load
    from sensor.rules.scratch import scratch

    gid, sid = rule_id(args.sid)
    if args.flows < 0:
        raise UserError(f"{args.flows} is no number of flows", where="--flows", fix="give 0 or more")
    captures = captures_of(args)
    config = load_config(args)
    with scratch(config):
        ruleset, loaded = load(config, only=args.only, extra=args.extra)
        tell_warnings([*config.warnings, *loaded.warnings])
        refused = [f for f in loaded.findings if f.sid == sid and f.severity != "warning"]
        if refused:
            raise UserError(f"the rule does not load: {refused[0]}", exit_code=EXIT_FINDINGS)
        report, warnings = explaining.explain(config, ruleset, gid, sid, captures)
    tell_warnings(warnings)
    flows = report["flows"] if args.flow is None else [explaining.flow_of(report, args.flow)]
    if args.json:
        json.dump({**report, "flows": flows}, sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
    else:
        if args.flow is not None:
            report = {**report, "flows": flows, "flows_left_out": 0}
        shown = flows if args.flows == 0 else flows[: args.flows]
        sys.stdout.writelines(f"{line}\n" for line in explaining.lines(report, shown))
    matched = any(flow["alerts"] for flow in flows) if args.flow is not None else report["alerts"] > 0
    return EXIT_OK if matched else EXIT_FINDINGS
