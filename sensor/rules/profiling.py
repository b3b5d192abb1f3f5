"""What rules cost on captures: asks the engine, and tells it, worst first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sensor.cli.language import say
from sensor.config import Config
from sensor.errors import UserError, one_line

if TYPE_CHECKING:
    from sensor._engine import Ruleset

Profile = dict[str, Any]
"""The engine's report: totals, rules and groups, each list with the most expensive first. Times in ns."""

MESSAGE_CHARACTERS = 60


def profile(config: Config, ruleset: Ruleset, captures: Sequence[str]) -> tuple[Profile, list[str]]:
    """What the rules cost on the captures, and what is wrong with the captures."""
    from sensor import _engine

    try:
        report, warnings, counters = _engine.profile(config.engine_json(), ruleset, list(captures))
    except _engine.EngineError as error:
        raise UserError(str(error)) from None
    found: Profile = json.loads(report)
    found["bytes"] = counters.get("decoder.bytes", 0)
    return found, warnings


def lines(found: Profile, top: int) -> Iterator[str]:
    """The profile for people; `top` rules and groups, 0 = all."""
    rules, groups = found["rules"], found["groups"]
    whole = max(found["ns"], 1)
    yield say(
        f"{found['packets']:,} packets in {_milliseconds(whole)}: {found['rules_ns'] / whole:.0%} in rules, "
        f"{found['searches_ns'] / whole:.0%} in searches for patterns",
        f"{found['packets']:,} gói trong {_milliseconds(whole)}: {found['rules_ns'] / whole:.0%} ở luật, "
        f"{found['searches_ns'] / whole:.0%} ở tìm mẫu",
    )
    yield say(
        f"{found['rules_tried']:,} of {found['rules_loaded']:,} rules tried, {found['checks']:,} times; "
        f"{found['matches']:,} matches, {found['alerts']:,} alerts",
        f"{found['rules_tried']:,} trong {found['rules_loaded']:,} luật được thử, {found['checks']:,} lần; "
        f"{found['matches']:,} lần khớp, {found['alerts']:,} cảnh báo",
    )
    yield ""
    yield say(
        "   share  ns/check     checks    matches        led  rule",
        "  tỷ lệ   ns/lần    lần thử   lần khớp   được dẫn  luật",
    )
    shown = rules[:top] if top else rules
    for rule in shown:
        per_check = rule["ns"] // max(rule["checks"], 1)
        share = rule["ns"] / max(found["rules_ns"], 1)
        name = one_line(f"{rule['gid']}:{rule['sid']} {rule['msg'][:MESSAGE_CHARACTERS]}")
        yield (
            f"{share:8.1%} {per_check:9,} {rule['checks']:10,} {rule['matches']:10,} {rule['led']:10,} "
            f" {name}"
        )
        for word in rule["why"]:
            yield f"{'':54}  - {reason(word, rule)}"
    if len(shown) < len(rules):
        yield say(
            f"{len(rules) - len(shown):,} more: --top 0 shows all",
            f"còn {len(rules) - len(shown):,} luật: --top 0 để xem hết",
        )
    yield ""
    yield say(
        "   share   ns/byte   searches      bytes        led  group of patterns",
        "  tỷ lệ   ns/byte   lần tìm       byte   dẫn tới  nhóm mẫu",
    )
    for group in groups[:top] if top else groups:
        share = group["ns"] / max(found["searches_ns"], 1)
        per_byte = group["ns"] / max(group["bytes"], 1)
        yield (
            f"{share:8.1%} {per_byte:9.2f} {group['searches']:10,} {group['bytes']:10,} {group['led']:10,}"
            f"  {group['group']}"
        )


def reason(word: str, rule: Profile) -> str:
    """What makes a rule cost much, and what helps."""
    pattern = rule["pattern"]
    # A rule about packets may be led by what must stand at one place, which is looked up more cheaply.
    placed = rule["packet_pattern"]
    or_placed = f' (in packets "{placed}" at its place)' if placed else ""
    or_placed_vi = f' (trong gói: "{placed}" ở đúng chỗ)' if placed else ""
    english, vietnamese = {
        "no-pattern": (
            "no pattern to be found by: it is tried on all that fits its header; add a content",
            "không có mẫu để tìm: bị thử trên mọi thứ hợp phần đầu; hãy thêm content",
        ),
        "short-pattern": (
            f'the pattern "{pattern}" is short, and stands in much: choose a longer one with fast_pattern',
            f'mẫu "{pattern}" ngắn, có ở nhiều nơi: chọn mẫu dài hơn bằng fast_pattern',
        ),
        "common-pattern": (
            f'the pattern "{pattern}"{or_placed} led here {rule["led"]:,} times for {rule["matches"]:,} '
            "matches: choose a rarer one with fast_pattern",
            f'mẫu "{pattern}"{or_placed_vi} dẫn tới đây {rule["led"]:,} lần cho {rule["matches"]:,} lần '
            "khớp: chọn mẫu hiếm hơn bằng fast_pattern",
        ),
        "pcre": (
            "has a pcre: put contents before it that fail first",
            "có pcre: đặt trước nó các content dễ sai",
        ),
        "script": ("runs a script", "chạy một tập lệnh"),
        "transform": ("transforms a buffer each time", "mỗi lần đều biến đổi vùng dữ liệu"),
        "body": (
            "looks at a body, again and again as it grows",
            "xem phần thân nhiều lần khi nó dài ra",
        ),
    }.get(word, (word, word))
    return say(english, vietnamese)


def _milliseconds(nanoseconds: int) -> str:
    return f"{nanoseconds / 1e6:,.1f} ms"
