"""The report of a replay as one HTML page that needs nothing else: no script, no network, style inside.

It shows what attackers wrote. All of it goes through sensor.desk.markup, and the page's own policy forbids
everything but its style.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from sensor.desk.advice import advice_for
from sensor.desk.gather import FACTS, Gathered, RuleAlerts
from sensor.desk.markup import table, text
from sensor.desk.rule_texts import classtype_of

Say = Callable[[str, str], str]

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
FIRST_TALKERS = 15
FIRST_FACTS = 8
FIRST_ENDS = 5
_WIDTH, _HEIGHT, _MIN_BINS = 800, 120, 60
_SEVERITIES = {1: "high", 2: "medium"}

STYLE = """
:root{--ink:#1c2530;--soft:#5a6776;--line:#d8dee6;--back:#fff;--box:#f5f7fa;--high:#b3261e;
--medium:#9a6700;--low:#3b6ea5}
@media(prefers-color-scheme:dark){:root{--ink:#e4e9ef;--soft:#9fadbd;--line:#36414e;--back:#141a21;
--box:#1d252e;--high:#ff8a80;--medium:#f2c055;--low:#8ab8ea}}*{box-sizing:border-box}
body{margin:0 auto;max-width:1200px;padding:16px;font:15px/1.5 system-ui,sans-serif;color:var(--ink);
background:var(--back)}h1{font-size:1.5em;margin:.2em 0}
h2{font-size:1.2em;margin:1.6em 0 .5em;border-bottom:1px solid var(--line)}
h3{font-size:1em;margin:0}p{margin:.4em 0}.soft{color:var(--soft)}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(130px,1fr));gap:10px;margin:12px 0}
.figures div{background:var(--box);padding:10px;border-radius:6px}
.figures b{display:block;font-size:1.3em}.wide{overflow-x:auto;margin-bottom:14px}
table{border-collapse:collapse;width:100%;font-size:.92em}
th,td{text-align:left;padding:4px 8px;border-bottom:1px solid var(--line);vertical-align:top;
overflow-wrap:anywhere;min-width:5em}th{color:var(--soft);font-weight:600}
.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.alert{background:var(--box);border-left:5px solid var(--low);border-radius:4px;padding:10px 12px;
margin:10px 0}.alert.high{border-color:var(--high)}.alert.medium{border-color:var(--medium)}
pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:.4em 0;font:12.5px/1.45 ui-monospace,monospace}
summary{cursor:pointer;color:var(--soft)}svg{width:100%;height:110px;display:block}
.events{fill:var(--line)}.alerts{fill:var(--high)}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(340px,100%),1fr));gap:0 24px}
.columns h3{margin-top:.9em}li{overflow-wrap:anywhere}
@media(max-width:640px){.many thead{display:none}.many tr{display:block;padding:6px 0;
border-bottom:1px solid var(--line)}.many td{display:block;text-align:left;white-space:normal;border:0;
padding:1px 8px}.many td:empty{display:none}.many td::before{content:attr(data-title) ": ";color:var(--soft)}}
"""


def page(
    found: Gathered,
    counters: Mapping[str, int],
    losses: Sequence[str],
    *,
    captures: Sequence[str],
    rules: Mapping[int, str],
    rule_counts: str,
    version: str,
    is_vietnamese: bool,
) -> str:
    """The whole page. rules: their text by sid; losses: sentences about what was lost."""

    def say(english: str, vietnamese: str) -> str:
        return vietnamese if is_vietnamese else english

    title = say("Replay report", "Báo cáo chạy lại")
    parts = [
        f'<!doctype html><html lang="{"vi" if is_vietnamese else "en"}"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{text(title)}</title><style>{STYLE}</style></head><body>",
        f"<header><h1>{text(title)}</h1><p class=soft>{text(_captures(captures, say))}<br>",
        f"{text(found.first)} .. {text(found.last)}</p></header><main>",
        _figures(found, counters, say),
        _timeline(found, say),
        _alerts(found, rules, say),
        _talkers(found, say),
        _protocols(found, say),
        _files(found, say),
        _certificates(found, say),
        _quality(found, counters, losses, rule_counts, say),
        f"</main><footer class=soft><p>Hải Đăng {text(version)}</p></footer></body></html>\n",
    ]
    return "".join(parts)


def _captures(captures: Sequence[str], say: Say) -> str:
    shown = ", ".join(captures[:5])
    return shown + (
        say(f" and {len(captures) - 5} more", f" và {len(captures) - 5} tệp nữa") if len(captures) > 5 else ""
    )


def _figures(found: Gathered, counters: Mapping[str, int], say: Say) -> str:
    alerts = sum(rule.count for rule in found.rules.values())
    figures = (
        (say("packets", "gói"), counters.get("decoder.pkts", 0)),
        (say("bytes", "byte"), counters.get("decoder.bytes", 0)),
        (say("flows", "luồng"), counters.get("flow.total", found.flows)),
        (say("alerts", "cảnh báo"), alerts),
        (say("rules that alerted", "luật có cảnh báo"), len(found.rules)),
        (say("files seen", "tệp đã thấy"), found.files_in_all),
    )
    return (
        f"<h2>{text(say('Summary', 'Tóm tắt'))}</h2><div class=figures>"
        + "".join(f"<div><b>{count:,}</b>{text(name)}</div>" for name, count in figures)
        + "</div>"
    )


def _timeline(found: Gathered, say: Say) -> str:
    bins = found.timeline.bins
    if not bins:
        return ""
    first, last = min(bins), max(bins)
    step = _WIDTH / max(last - first + 1, _MIN_BINS)
    tops = [max(1, max(counts[series] for counts in bins.values())) for series in (0, 1)]
    bars = []
    for at, counts in sorted(bins.items()):
        for series, name in ((1, "events"), (0, "alerts")):
            if counts[series]:
                share = (counts[series] / tops[series]) ** 0.5 * (1.0 if series else 0.75)
                high = max(2.0, share * _HEIGHT)
                bars.append(
                    f'<rect class={name} x="{(at - first) * step:.2f}" y="{_HEIGHT - high:.1f}" '
                    f'width="{max(step * 0.9, 1):.2f}" height="{high:.1f}"/>'
                )
    width = found.timeline.width_seconds
    told = say(
        f"Events (grey) and alerts (red) per {width} s; heights by square root, {tops[1]:,} events "
        f"and {tops[0]:,} alerts at most.",
        f"Sự kiện (xám) và cảnh báo (đỏ) mỗi {width} s; chiều cao theo căn bậc hai, nhiều nhất {tops[1]:,} "
        f"sự kiện và {tops[0]:,} cảnh báo.",
    )
    ends = f"{_clock(first * width)} .. {_clock((last + 1) * width)} UTC"
    return (
        f"<h2>{text(say('Timeline', 'Dòng thời gian'))}</h2>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{text(told)}" '
        'preserveAspectRatio="none">' + "".join(bars) + f"</svg><p class=soft>{text(ends)}. {text(told)}</p>"
    )


def _clock(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return f"{seconds:.0f}"


def _alerts(found: Gathered, rules: Mapping[int, str], say: Say) -> str:
    title = f"<h2>{text(say('Alerts', 'Cảnh báo'))}</h2>"
    if not found.rules:
        return f"{title}<p>{text(say('None.', 'Không có.'))}</p>"
    ordered = sorted(found.rules.items(), key=lambda item: (_severity(item[1]), -item[1].count))
    cut = (
        say("There are more rules than are kept.", "Có nhiều luật hơn số được giữ.")
        if found.rules_are_cut
        else ""
    )
    return (
        title
        + f"<p>{text(cut)}</p>" * bool(cut)
        + "".join(_alert(gid, sid, rule, rules.get(sid, ""), say) for (gid, sid), rule in ordered)
    )


def _severity(rule: RuleAlerts) -> int:
    value = rule.facts.get("severity", 3)
    return value if isinstance(value, int) else 3


def _alert(gid: int, sid: int, rule: RuleAlerts, rule_text: str, say: Say) -> str:
    severity = _severity(rule)
    advice = say(*advice_for(classtype_of(rule_text)))
    ends = " > ".join(
        ", ".join(f"{name} ({count:,})" for name, count in side.top(FIRST_ENDS))
        + (f", +{len(side.counts) - FIRST_ENDS:,}" if len(side.counts) > FIRST_ENDS else "")
        for side in (rule.sources, rule.targets)
    )
    shown_rule = (
        f"<details><summary>{text(say('the rule', 'luật'))}</summary><pre>{text(rule_text)}</pre></details>"
        if rule_text
        else ""
    )
    return (
        f'<section class="alert {_SEVERITIES.get(severity, "low")}">'
        f"<h3>{text(rule.facts.get('signature', ''))}</h3>"
        f"<p class=soft>{gid}:{sid}:{text(rule.facts.get('rev', 0))} · {rule.count:,} × · "
        f"{text(say('severity', 'mức'))} {severity} · {text(rule.facts.get('category', ''))}<br>"
        f"{text(rule.first)} .. {text(rule.last)}</p><p>{text(ends)}</p>"
        f"<p><b>{text(say('Next:', 'Việc tiếp theo:'))}</b> {text(advice)}</p>"
        f"<details><summary>{text(say('examples', 'ví dụ'))}</summary>"
        f"<pre>{text(chr(10).join(rule.examples))}</pre>"
        f"</details>{shown_rule}</section>"
    )


def _talkers(found: Gathered, say: Say) -> str:
    head = say("bytes", "byte")
    addresses = table((say("address", "địa chỉ"), head), _rows(found.talkers.top(FIRST_TALKERS)), (1,))
    pairs = table((say("conversation", "trao đổi"), head), _rows(found.pairs.top(FIRST_TALKERS)), (1,))
    applications = table(
        (say("protocol", "giao thức"), say("flows", "luồng")),
        _rows(found.applications.top(FIRST_TALKERS)),
        (1,),
    )
    exact = found.talkers.is_exact and found.pairs.is_exact
    note = "" if exact else say("Counts of rare ones are approximate.", "Số của các mục hiếm là gần đúng.")
    return (
        f"<h2>{text(say('Top talkers', 'Máy trao đổi nhiều nhất'))}</h2>"
        f"<div class=columns><div>{addresses}</div>"
        f"<div>{applications}</div></div>{pairs}<p class=soft>{text(note)}</p>"
    )


def _rows(counts: Sequence[tuple[str, int]]) -> list[tuple[str, str]]:
    return [(name, f"{count:,}") for name, count in counts]


def _protocols(found: Gathered, say: Say) -> str:
    parts = [f"<h2>{text(say('Protocol facts', 'Dữ kiện giao thức'))}</h2><div class=columns>"]
    for kind, path, english, vietnamese in FACTS:
        counts = found.facts.get((kind, path))
        if counts is not None:
            more = len(counts.counts) - FIRST_FACTS
            title = f"{kind.upper()}: {say(english, vietnamese)}" + (f" (+{more:,})" if more > 0 else "")
            rows = table((title, "×"), _rows(counts.top(FIRST_FACTS)), (1,))
            parts.append(f"<div>{rows}</div>")
    if len(parts) == 1:
        parts.append(f"<p>{text(say('None.', 'Không có.'))}</p>")
    return "".join([*parts, "</div>"])


def _files(found: Gathered, say: Say) -> str:
    if not found.files:
        return ""
    rows = []
    for event in found.files:
        facts = event.get("fileinfo", {})
        digest = facts.get("sha256") or facts.get("sha1") or facts.get("md5") or ""
        size = facts.get("size", 0)
        rows.append(
            (
                facts.get("filename", ""),
                f"{size:,}" if isinstance(size, int) else "",
                facts.get("magic", ""),
                f"{event.get('src_ip', '')} > {event.get('dest_ip', '')} {event.get('app_proto', '')}",
                facts.get("state", ""),
                digest,
            )
        )
    head = (
        say("file", "tệp"), say("bytes", "byte"), say("kind", "loại"), say("way", "đường đi"),
        say("state", "trạng thái"), "SHA-256",
    )  # fmt: skip
    more = found.files_in_all - len(found.files)
    note = f"<p class=soft>+{more:,}</p>" if more else ""
    return f"<h2>{text(say('Files', 'Tệp'))}</h2>{table(head, rows, (1,))}{note}"


def _certificates(found: Gathered, say: Say) -> str:
    if not found.certificates:
        return ""
    rows = []
    for event, when in found.certificates.values():
        facts = event.get("tls", {})
        oddities = []
        if facts.get("subject") == facts.get("issuerdn"):
            oddities.append(say("self-signed", "tự ký"))
        if str(facts.get("notafter", "9"))[:19] < when[:19]:
            oddities.append(say("expired", "hết hạn"))
        if str(facts.get("notbefore", ""))[:19] > when[:19]:
            oddities.append(say("not valid yet", "chưa có hiệu lực"))
        server = f"{event.get('dest_ip', '')} port {event.get('dest_port', '')}"
        rows.append(
            (
                facts.get("subject", ""),
                facts.get("issuerdn", ""),
                f"{facts.get('notbefore', '')} .. {facts.get('notafter', '')}",
                f"{server} {facts.get('sni', '')}",
                ", ".join(oddities),
            )
        )
    rows.sort(key=lambda row: not row[-1])
    head = (
        say("subject", "chủ thể"), say("issuer", "nhà phát hành"), say("valid", "hiệu lực"),
        say("server", "máy chủ"),
        say("odd", "điều lạ"),
    )  # fmt: skip
    return f"<h2>{text(say('Certificates', 'Chứng thư'))}</h2>{table(head, rows)}"


def _quality(
    found: Gathered, counters: Mapping[str, int], losses: Sequence[str], rule_counts: str, say: Say
) -> str:
    """What was lost, and whether the mirror port gave both directions and whole streams."""
    share = found.one_sided / found.tcp_flows if found.tcp_flows else 0.0
    gaps = counters.get("tcp.reassembly_gap", 0)
    told = [
        say(
            f"One direction only in {found.one_sided:,} of {found.tcp_flows:,} TCP flows ({share:.1%}).",
            f"Chỉ thấy một chiều ở {found.one_sided:,} trên {found.tcp_flows:,} luồng TCP ({share:.1%}).",
        ),
        say(f"Gaps in TCP streams: {gaps:,}.", f"Khoảng hở trong dòng TCP: {gaps:,}."),
    ]
    if share > 0.1:
        told.append(
            say(
                "The mirror seems to give one direction of some links: check that both are copied.",
                "Cổng mirror dường như chỉ cho một chiều của một số đường: hãy kiểm tra có sao chép cả hai.",
            )
        )
    if found.tcp_flows and gaps > found.tcp_flows * 0.05:
        told.append(
            say(
                "Packets are missing within streams: the mirror or the capture drops under load.",
                "Thiếu gói trong dòng: cổng mirror hoặc bộ bắt gói bị rớt khi tải cao.",
            )
        )
    told += losses or [say("Nothing was lost.", "Không mất gì.")]
    told.append(say(f"Rules: {rule_counts}.", f"Luật: {rule_counts}."))
    items = "".join(f"<li>{text(line)}</li>" for line in told)
    return f"<h2>{text(say('Loss and mirror quality', 'Mất mát và chất lượng mirror'))}</h2><ul>{items}</ul>"
