"""`haidang rules diff`: two sets of rules on the same captures."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sensor.cli.language import say
from sensor.errors import EXIT_FINDINGS, EXIT_OK, one_line

if TYPE_CHECKING:
    from sensor.rules.comparing import Difference

NAME = "diff"
HELP = "compare two sets of rules on captures: alerts gained, lost and moved, what it costs"
HELP_VI = "so sánh hai bộ luật trên tệp bắt gói: cảnh báo thêm, mất, dời, và chi phí"
EPILOG = (
    "Example: haidang rules diff old.rules new.rules -r day.pcap. Exit codes: 0 the same alerts, 1 other "
    "alerts, 2 usage or input error."
)
EPILOG_VI = (
    "Ví dụ: haidang rules diff cu.rules moi.rules -r ngay.pcap. Mã thoát: 0 cùng cảnh báo, 1 khác cảnh báo, "
    "2 sai cách dùng hoặc đầu vào."
)

SHOWN_COSTS = 10
SHOWN_SIDS = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from sensor.cli.configured import add_config_arguments
    from sensor.cli.rule_actions.captures import add_captures

    text = say("rule file, pattern, or directory", "tệp luật, mẫu tên, hoặc thư mục")
    parser.add_argument("old", metavar=say("OLD", "CŨ"), help=text)
    parser.add_argument("new", metavar=say("NEW", "MỚI"), help=text)
    add_captures(parser)
    parser.add_argument(
        "--json", action="store_true", help=say("all of it as JSON", "toàn bộ dưới dạng JSON")
    )
    add_config_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from sensor.cli.configured import load_config, tell_warnings
    from sensor.cli.rule_actions.captures import captures_of
    from sensor.rules.comparing import compare, side
    from sensor.rules.scratch import scratch

    captures = captures_of(args)
    config = load_config(args)
    warnings = list(config.warnings)
    with scratch(config):
        sides = [side(config, [patterns], captures, warnings) for patterns in (args.old, args.new)]
    tell_warnings(dict.fromkeys(warnings))
    found = compare(*sides)
    if args.json:
        json.dump(found.json(), sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in _lines(found))
    return EXIT_OK if found.is_equal else EXIT_FINDINGS


def _lines(found: Difference) -> Iterator[str]:
    added, removed, changed = found.rules_added, found.rules_removed, found.rules_changed
    yield say(
        f"rules: {found.old_rules:,} > {found.new_rules:,}: {len(added)} new, {len(removed)} gone, "
        f"{len(changed)} changed in what they match",
        f"luật: {found.old_rules:,} > {found.new_rules:,}: {len(added)} mới, {len(removed)} bỏ, "
        f"{len(changed)} đổi điều kiện khớp",
    )
    for name, sids in (
        (say("new", "mới"), added),
        (say("gone", "bỏ"), removed),
        (say("changed", "đổi"), changed),
    ):
        if sids:
            more = ", ..." if len(sids) > SHOWN_SIDS else ""
            yield f"  {name}: {', '.join(map(str, sids[:SHOWN_SIDS]))}{more}"
    counts = [sum(change.count for change in changes) for changes in (found.gained, found.lost, found.moved)]
    yield say(
        f"alerts: {found.old_alerts:,} > {found.new_alerts:,}: {counts[0]} gained, {counts[1]} lost, "
        f"{counts[2]} moved to other packets of their flow",
        f"cảnh báo: {found.old_alerts:,} > {found.new_alerts:,}: {counts[0]} thêm, {counts[1]} mất, "
        f"{counts[2]} dời sang gói khác cùng luồng",
    )
    for name, changes in (
        (say("gained", "thêm"), found.gained),
        (say("lost", "mất"), found.lost),
        (say("moved", "dời"), found.moved),
    ):
        for change in changes:
            yield "  " + one_line(f"{name} {change.count:,}  {change.gid}:{change.sid} {change.signature}")
            for example in change.examples:
                yield f"    {one_line(example)}"
    old, new = found.old_cost, found.new_cost
    yield say(
        f"cost: rules {_change(old['rules_ns'], new['rules_ns'])}, searches "
        f"{_change(old['searches_ns'], new['searches_ns'])}; {old['checks']:,} > {new['checks']:,} tries",
        f"chi phí: luật {_change(old['rules_ns'], new['rules_ns'])}, tìm mẫu "
        f"{_change(old['searches_ns'], new['searches_ns'])}; {old['checks']:,} > {new['checks']:,} lần thử",
    )
    for cost in found.costs[:SHOWN_COSTS]:
        difference = (cost.new_ns - cost.old_ns) / 1e3
        tries = say("tries", "lần thử")
        yield "  " + one_line(
            f"{difference:+,.1f} µs  {cost.gid}:{cost.sid} {cost.signature} "
            f"({cost.old_checks:,} > {cost.new_checks:,} {tries})"
        )


def _change(old: int, new: int) -> str:
    percent = f" ({(new - old) / old:+.0%})" if old else ""
    return f"{old / 1e6:,.2f} > {new / 1e6:,.2f} ms{percent}"
