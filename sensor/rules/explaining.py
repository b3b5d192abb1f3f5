"""Why a rule alerts on captures or does not: asks the engine, and says in words what it saw.

The verdicts are the engine's; here is only how they are told.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sensor.cli.language import say
from sensor.config import Config
from sensor.errors import EXIT_FINDINGS, UserError, one_line

if TYPE_CHECKING:
    from sensor._engine import Ruleset

Explanation = dict[str, Any]
"""The engine's report: the rule, verdict, alerts, and by flow the nearest attempt with its conditions."""

MARKS = {"holds": "+", "fails": "x", "open": "x", "not asked": "-", "unknown": "?"}
_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6", 132: "sctp"}


def explain(
    config: Config, ruleset: Ruleset, gid: int, sid: int, captures: Sequence[str]
) -> tuple[Explanation, list[str]]:
    """The report on one rule, and what is wrong with the captures. Raises UserError when no such rule is
    loaded.
    """
    from sensor import _engine

    try:
        report, warnings, _ = _engine.explain(config.engine_json(), ruleset, gid, sid, list(captures))
    except _engine.EngineError as error:
        raise UserError(str(error), where=f"sid {sid}", fix="see `haidang rules check`") from None
    found: Explanation = json.loads(report)
    if found["disagreements"]:
        warnings.append(
            say(
                f"in {found['disagreements']} attempts the conditions told here and detection differ; please "
                "report it with rule and capture",
                f"trong {found['disagreements']} lần thử, các điều kiện nêu ở đây khác với bộ phát hiện; "
                "hãy báo lỗi kèm luật và tệp bắt gói",
            )
        )
    return found, warnings


def failed_condition(flow: Explanation) -> Explanation | None:
    """The condition that kept the rule from matching in a flow's nearest attempt; None when it matched."""
    attempt = flow["nearest"]
    if attempt is None or attempt["failed"] is None:
        return None
    condition: Explanation = attempt["conditions"][attempt["failed"]]
    return condition


def flow_of(report: Explanation, flow_id: int) -> Explanation:
    """The flow with this EVE flow_id. Raises UserError when the captures have none."""
    for flow in report["flows"]:
        if flow["flow_id"] == flow_id:
            found: Explanation = flow
            return found
    raise UserError(
        "no such flow in the captures", where=f"flow_id {flow_id}", fix="leave it out to see all",
        exit_code=EXIT_FINDINGS,
    )  # fmt: skip


def lines(report: Explanation, flows: Sequence[Explanation]) -> Iterator[str]:
    """The report for people: the verdict, then the flows given."""
    place = f"{report['file']}:{report['line']}"
    yield one_line(f"{report['gid']}:{report['sid']}:{report['rev']} {report['msg']} ({place})")
    alerts = report["alerts"]
    of_flows = len(report["flows"]) + report["flows_left_out"]
    verdict = (
        say(f"match: {alerts} alert{'s' * (alerts != 1)}", f"khớp: {alerts} cảnh báo")
        if alerts
        else say("no match", "không khớp")
    )
    flow_count = say(f"{of_flows} flow{'s' * (of_flows != 1)}", f"{of_flows} luồng")
    yield f"{verdict}; {flow_count}, {report['packets']} {say('packets', 'gói')}"
    for flow in flows:
        yield ""
        yield from _flow_lines(flow)
    hidden = of_flows - len(flows)
    if hidden > 0:
        yield ""
        yield say(
            f"{hidden} more flow{'s' * (hidden != 1)}, further from a match: --flows 0 shows all",
            f"còn {hidden} luồng nữa, xa hơn: --flows 0 để xem hết",
        )


def _flow_lines(flow: Explanation) -> Iterator[str]:
    yield _ends(flow)
    if flow["passed_by_sid"] is not None:
        yield "  " + say(
            f"pass rule {flow['passed_by_sid']} took the flow; {flow['packets_passed_over']} packets met no "
            "rule after that",
            f"luật pass {flow['passed_by_sid']} đã cho qua luồng; sau đó {flow['packets_passed_over']} gói "
            "không gặp luật nào",
        )
    if flow["matched"]:
        yield "  " + say(
            f"matched {flow['matched']} times, {flow['alerts']} alerts",
            f"khớp {flow['matched']} lần, {flow['alerts']} cảnh báo",
        )
    for why, count in flow["held_back"].items():
        yield "  " + say(f"held back: {_held(why)}, {count} times", f"bị giữ lại: {_held(why)}, {count} lần")
    attempt = flow["nearest"]
    if attempt is None:
        yield "  " + say("the rule met no packet of it", "luật không gặp gói nào của luồng")
        return
    yield "  " + _attempt_head(attempt)
    failed = attempt["failed"]
    for number, condition in enumerate(attempt["conditions"]):
        yield from _condition_lines(condition, is_first=number == failed)


def _ends(flow: Explanation) -> str:
    proto = (
        _PROTOCOLS.get(flow["proto"], f"ip {flow['proto']}")
        if flow["ip_version"]
        else say("no IP", "không IP")
    )
    has_ports = flow["proto"] in (6, 17, 132)
    source, destination = (
        f"{flow[f'{side}_ip']}:{flow[f'{side}_port']}" if has_ports else flow[f"{side}_ip"]
        for side in ("src", "dest")
    )
    if flow["flow_id"] is None:
        return say(
            f"packets of no flow, e.g. {source} > {destination} {proto}",
            f"các gói không thuộc luồng nào, ví dụ {source} > {destination} {proto}",
        )
    app = f" {flow['app_proto']}" if flow["app_proto"] else ""
    about = f"{source} > {destination} {proto}{app} (flow_id {flow['flow_id']}, {flow['packets']}"
    return say(f"flow {about} packets)", f"luồng {about} gói)")


def _attempt_head(attempt: Explanation) -> str:
    way = (
        say("to the server", "đến máy chủ")
        if attempt["direction"] == "to_server"
        else say("to the client", "đến máy khách")
    )
    where = (
        say("the end of the flow", "cuối luồng")
        if attempt["is_end_of_flow"]
        else say(f"packet {attempt['pcap_cnt']}", f"gói {attempt['pcap_cnt']}")
    )
    tx = f", {say('transaction', 'giao dịch')} {attempt['tx_id']}" if attempt["tx_id"] is not None else ""
    what = say("matched at", "khớp tại") if attempt["outcome"] else say("nearest:", "gần nhất:")
    return f"{what} {where}, {way}{tx}"


def _held(why: str) -> str:
    return {
        "passed": say("a pass rule came first", "luật pass đứng trước"),
        "passes": say("it is a pass rule", "đây là luật pass"),
        "suppressed": say("suppressed by threshold.config", "threshold.config chặn"),
        "threshold": say("threshold or detection_filter", "threshold hoặc detection_filter"),
        "rate filter": say("rate_filter makes it pass", "rate_filter cho qua"),
        "noalert": "noalert",
        "packet-alert-max": say("the packet had its packet-alert-max", "gói đã đủ packet-alert-max"),
    }.get(why, why)


def _condition_lines(condition: Explanation, *, is_first: bool) -> Iterator[str]:
    mark = MARKS[condition["verdict"]]
    name = f"{condition['buffer']}: " if condition["buffer"] else ""
    if not condition["options"] and condition["keyword"] != "prefilter":
        name = f"{condition['keyword']}: "
    text = condition["text"] or say("no pattern: tried on all that fits", "không có mẫu: thử mọi gói phù hợp")
    if condition["keyword"] == "prefilter":
        name = "prefilter: "
        found = condition["verdict"] == "holds"
        if condition["text"] and not found:
            text += say(" led nobody here", " không dẫn tới đây")
    marked = say("   <-- the first that failed", "   <-- điều kiện đầu tiên không đạt") if is_first else ""
    earlier = (
        say(f" (in packet {condition['held_in_packet']})", f" (ở gói {condition['held_in_packet']})")
        if condition["held_in_packet"] is not None
        else ""
    )
    yield one_line(f"    {mark} {name}{text}{earlier}{marked}").replace(mark, f"    {mark}", 1)
    if condition["verdict"] in ("fails", "open") or is_first:
        for line in _seen_lines(condition.get("seen") or {}, condition["verdict"]):
            yield f"        {line}"


def _seen_lines(seen: Explanation, verdict: str) -> Iterator[str]:
    if "exists" not in seen:
        if seen:
            yield ", ".join(f"{name} {_plain(value)}" for name, value in seen.items())
        return
    if not seen["exists"]:
        yield (
            say("not there yet", "chưa có")
            if verdict == "open"
            else say("there is no such buffer", "không có vùng này")
        )
        return
    if "excerpt" not in seen:
        return
    excerpt = seen["excerpt"]
    place = say(f" from {excerpt['offset']}", f" từ {excerpt['offset']}") if excerpt["is_cut"] else ""
    of = f"{seen['from']}: " if "from" in seen else ""
    yield of + say(
        f'looked at {seen["length"]} bytes{place}: "{excerpt["bytes"]}"',
        f'đã xem {seen["length"]} byte{place}: "{excerpt["bytes"]}"',
    )
    if seen["window"]:
        start, end = seen["window"]
        yield say(f"had to lie in [{start}, {end})", f"phải nằm trong [{start}, {end})")
    if seen["found"] and verdict == "fails":
        yield say(f"found at {seen['found'][0]}", f"tìm thấy ở {seen['found'][0]}")
    if seen["number"] is not None:
        yield say(f"the number is {seen['number']}", f"giá trị là {seen['number']}")
    if near := seen["nearest"]:
        yield say(
            f'nearest at {near["offset"]}: "{near["bytes"]}", {near["why"]}',
            f'gần nhất ở {near["offset"]}: "{near["bytes"]}", {_WHY_VI.get(near["why"], near["why"])}',
        )


_WHY_VI = {
    "outside the window": "ngoài khoảng cho phép",
    "not at the end": "không ở cuối",
    "in other case": "khác chữ hoa/thường",
    "in part": "giống một phần",
}


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return say("yes", "có") if value else say("no", "không")
    if isinstance(value, list):
        return ", ".join(map(str, value)) or say("none", "không có")
    return say("none", "không có") if value is None else str(value)
