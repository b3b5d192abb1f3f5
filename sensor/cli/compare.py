"""`haidang compare`: two eve files side by side, as text or JSON. What is compared and how is
sensor.desk.compare's business.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sensor.cli.language import say
from sensor.errors import EXIT_FINDINGS, EXIT_OK, one_line

if TYPE_CHECKING:
    from sensor.desk.compare import FieldDifference, Result

NAME = "compare"
HELP = "compare two eve files: alerts as multisets, then field by field, then the other events"
HELP_VI = "so sánh hai tệp eve: cảnh báo theo tập, rồi từng trường, rồi các sự kiện khác"
EPILOG = (
    "Example: haidang compare yesterday/eve.json today/eve.json --ignore pcap_cnt. "
    "Exit codes: 0 equal, 1 different, 2 input that cannot be read.",
    "Ví dụ: haidang compare hom-qua/eve.json hom-nay/eve.json --ignore pcap_cnt. "
    "Mã thoát: 0 giống nhau, 1 khác nhau, 2 không đọc được đầu vào.",
)

FIRST_RULES = 40  # of each kind; --json has all


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = say(*EPILOG)
    add = parser.add_argument
    add("a", metavar="A.json", help=say("one eve file", "một tệp eve"))
    add("b", metavar="B.json", help=say("the other", "tệp kia"))
    add(
        "--ignore",
        action="append",
        default=[],
        metavar=say("FIELD", "TRƯỜNG"),
        help=say(
            "leave a field out, e.g. pcap_cnt, timestamp, tls.ja3; may be repeated (flow_id always is)",
            "bỏ qua một trường, ví dụ pcap_cnt, timestamp, tls.ja3; có thể lặp lại (flow_id luôn bị bỏ qua)",
        ),
    )
    add("--alerts", action="store_true", help=say("alerts only", "chỉ so cảnh báo"))
    add(
        "--counts",
        action="store_true",
        help=say("count alerts and events, compare no fields", "chỉ đếm, không so các trường"),
    )
    add(
        "-v",
        dest="verbose",
        action="store_true",
        help=say("tell the fields that differ rule by rule", "nêu trường khác nhau theo từng luật"),
    )
    add("--json", action="store_true", help=say("write JSON", "ghi JSON"))


def run(args: argparse.Namespace) -> int:
    from sensor.desk.compare import compare

    result = compare(
        Path(args.a), Path(args.b), ignore=args.ignore, alerts_only=args.alerts, fields=not args.counts
    )
    if args.json:
        print(_json(result))
    else:
        print(*map(one_line_kept, _text(result, args.verbose)), sep="\n")
    return EXIT_OK if result.is_equal else EXIT_FINDINGS


def one_line_kept(text: str) -> str:
    """The text without control characters, its indent kept."""
    indent = len(text) - len(text.lstrip(" "))
    return " " * indent + one_line(text)


def _json(result: Result) -> str:
    import msgspec

    a, b = result.events
    document = {
        "equal": result.is_equal,
        "events": {kind: [a[kind], b[kind]] for kind in sorted(a.keys() | b.keys())},
        "alerts": {
            "in_both": result.alerts_in_both,
            "only_a": sum(rule.only_a for rule in result.rules),
            "only_b": sum(rule.only_b for rule in result.rules),
            "rules": [
                {
                    "gid": rule.rule[0],
                    "signature_id": rule.rule[1],
                    "signature": rule.signature,
                    "only_a": rule.only_a,
                    "only_b": rule.only_b,
                    "examples": rule.examples,
                }
                for rule in result.rules
            ],
            "fields": [
                {"gid": gid, "signature_id": sid, "fields": found}
                for (gid, sid), found in result.alert_fields.items()
            ],
            "fields_not_compared": result.not_matched,
        },
        "fields": result.type_fields,
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1).decode()


def _text(result: Result, verbose: bool) -> Iterator[str]:
    a, b = result.events
    only_a, only_b = sum(r.only_a for r in result.rules), sum(r.only_b for r in result.rules)
    yield say(
        f"alerts   A {a['alert']:,}, B {b['alert']:,}: {result.alerts_in_both:,} in both, "
        f"{only_a:,} only in A, {only_b:,} only in B",
        f"cảnh báo A {a['alert']:,}, B {b['alert']:,}: {result.alerts_in_both:,} có ở cả hai, "
        f"{only_a:,} chỉ ở A, {only_b:,} chỉ ở B",
    )
    for title, side in ((say("only in A", "chỉ ở A"), "only_a"), (say("only in B", "chỉ ở B"), "only_b")):
        rules = [rule for rule in result.rules if getattr(rule, side)]
        for rule in rules[:FIRST_RULES]:
            gid, sid = rule.rule
            yield f"  {title}: {getattr(rule, side):>6,} x {gid}:{sid} {rule.signature}"
            for example in rule.examples:
                yield f"      {example}"
        yield from _and_more(len(rules))
    yield from _fields_by_rule(result) if verbose else _fields_of_alerts(result)
    if result.not_matched:
        yield "  " + say(
            f"{result.not_matched:,} more alerts differ in fields or order; too many to look at one by one",
            f"còn {result.not_matched:,} cảnh báo khác; quá nhiều để xem từng cái",
        )
    if result.alerts_only:
        return
    for kind in sorted((a.keys() | b.keys()) - {"alert"}):
        differs = "" if a[kind] == b[kind] else say("   differs", "   khác")
        yield f"{kind:<16} A {a[kind]:>9,}  B {b[kind]:>9,}{differs}"
        for difference in result.type_fields.get(kind, []):
            yield from _field(difference)
    if result.paths_are_cut:
        yield say(
            "more fields than are kept apart: the rest is one", "quá nhiều trường: phần còn lại gộp làm một"
        )


def _fields_by_rule(result: Result) -> Iterator[str]:
    for (gid, sid), found in result.alert_fields.items():
        yield "  " + say(f"fields that differ on {gid}:{sid}", f"trường khác nhau ở {gid}:{sid}")
        for difference in found:
            yield from _field(difference)


def _fields_of_alerts(result: Result) -> Iterator[str]:
    from sensor.desk.compare import over_all_rules

    for difference, rules in over_all_rules(result):
        on = say(f"alerts of {rules:,} rules", f"cảnh báo của {rules:,} luật")
        yield from _field(difference, on)


def _and_more(count: int) -> Iterator[str]:
    if count > FIRST_RULES:
        more = count - FIRST_RULES
        yield say(f"  and {more:,} more rules (--json has all)", f"  và {more:,} luật nữa (--json có đủ)")


def _field(difference: FieldDifference, on: str = "") -> Iterator[str]:
    pairs = "; ".join(
        f"A {one}, B {other}" if one and other else f"A {one}" if one else f"B {other}"
        for one, other in difference.examples
    )
    yield f"      {difference.name} x {difference.count:,}{on and ' ' + on}: {pairs}"
