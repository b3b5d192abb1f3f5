"""`haidang rules update`: published rules, tuned and merged with local edits, as a signed bundle."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sensor.cli.language import say
from sensor.errors import EXIT_FINDINGS, EXIT_OK, UserError

if TYPE_CHECKING:
    from sensor.rules.update.run import Outcome

NAME = "update"
HELP = "make a signed bundle from published rules, the four tuning files and local edits"
HELP_VI = "tạo gói luật có chữ ký từ luật công bố, bốn tệp tinh chỉnh và sửa đổi tại chỗ"
EPILOG = (
    "Example: haidang rules update -o /var/lib/haidang/rules https://example.org/emerging.rules.tar.gz "
    "my.rules. Exit codes: 0 done, 1 done with rules in quarantine or conflicts, or refused for the rules it "
    "would lose, 2 usage or input error."
)
EPILOG_VI = (
    "Ví dụ: haidang rules update -o /var/lib/haidang/rules https://example.org/emerging.rules.tar.gz "
    "my.rules. Mã thoát: 0 xong, 1 xong nhưng có luật bị cách ly hoặc xung đột, hoặc từ chối vì mất quá "
    "nhiều luật, 2 sai cách dùng hoặc dữ liệu vào."
)

SOURCES = "sources.txt"
_FIRST = 20  # of each kind of remark; -v tells all

_TUNING = (
    ("disable", "disable.conf", "rules to disable", "luật cần tắt"),
    ("enable", "enable.conf", "rules to enable", "luật cần bật"),
    ("drop", "drop.conf", "rules to turn into drop rules", "luật cần đổi thành drop"),
    ("modify", "modify.conf", "changes to the text of rules", "sửa đổi nội dung luật"),
    ("threshold", "threshold.in", "thresholds; re: stands for rules", "ngưỡng; re: thay cho các luật"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from sensor.cli.configured import add_config_arguments
    from sensor.cli.rule_actions.outputs import add_output
    from sensor.rules.update import LEFT_OUT, MAX_LOSS_PERCENT

    parser.add_argument(
        "sources",
        nargs="*",
        metavar=say("SOURCE", "NGUỒN"),
        help=say(
            f"files, patterns, folders, archives, URLs (default: the lines of DIR/{SOURCES})",
            f"tệp, mẫu tên, thư mục, tệp nén, URL (mặc định: các dòng của DIR/{SOURCES})",
        ),
    )
    add_output(parser)
    for name, file, english, vietnamese in _TUNING:
        suffix = file.rpartition(".")[2]
        parser.add_argument(
            f"--{name}-{suffix}",
            dest=name,
            type=Path,
            metavar=say("FILE", "TỆP"),
            help=say(f"{english} (default: DIR/{file})", f"{vietnamese} (mặc định: DIR/{file})"),
        )
    parser.add_argument(
        "--ignore",
        action="append",
        default=None,
        metavar=say("PATTERN", "MẪU"),
        help=say(
            f"rule files to leave out (default: {' '.join(LEFT_OUT)})",
            f"tệp luật bỏ qua (mặc định: {' '.join(LEFT_OUT)})",
        ),
    )
    parser.add_argument(
        "--offline", action="store_true", help=say("URLs only from the cache", "URL chỉ lấy từ bộ đệm")
    )
    parser.add_argument(
        "--max-loss",
        type=float,
        default=MAX_LOSS_PERCENT,
        metavar="PERCENT",
        help=say(
            f"refuse when more of the enabled rules would be lost ({MAX_LOSS_PERCENT:g})",
            f"từ chối khi mất nhiều hơn số luật đang bật ({MAX_LOSS_PERCENT:g})",
        ),
    )
    parser.add_argument("--force", action="store_true", help=say("do not refuse", "không từ chối"))
    parser.add_argument(
        "--theirs",
        action="store_true",
        help=say("in conflicts take upstream's rule", "khi xung đột thì lấy luật của nguồn"),
    )
    add_config_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from sensor.cli.configured import load_config
    from sensor.rules.update import LEFT_OUT
    from sensor.rules.update.run import Request, update

    output: Path = args.output
    given = args.sources or _remembered(output)
    config = load_config(args)
    files = {name: _tuning_file(getattr(args, name), output / file) for name, file, _, _ in _TUNING}
    outcome = update(
        Request(
            output=output, sources=given, **files, left_out=args.ignore or LEFT_OUT, offline=args.offline,
            force=args.force, max_loss_percent=args.max_loss, prefer_theirs=args.theirs,
        ),
        config,
    )  # fmt: skip
    _tell(outcome, output, verbose=args.verbose > 0)
    return EXIT_FINDINGS if outcome.quarantined or outcome.merged.conflicts else EXIT_OK


def _remembered(output: Path) -> list[str]:
    try:
        lines = (output / SOURCES).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        lines = []
    found = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
    if not found:
        raise UserError(
            "no sources",
            where=output / SOURCES,
            fix="name files, folders, archives or URLs, or write them there, one a line",
        )
    return found


def _tuning_file(given: Path | None, usual: Path) -> Path | None:
    if given is not None:
        return given
    return usual if usual.exists() else None


def _tell(outcome: Outcome, output: Path, *, verbose: bool) -> None:
    from sensor.cli.configured import tell_warnings

    first = None if verbose else _FIRST
    tell_warnings(outcome.remarks[:first])
    hidden = len(outcome.remarks) - len(outcome.remarks[:first])
    if hidden:
        tell_warnings(
            [say(f"{hidden} more of these (-v tells all)", f"còn {hidden} điều nữa (-v để xem hết)")]
        )
    out = sys.stdout.write
    tuned, merged = outcome.tuned, outcome.merged
    out(
        say("tuned", "tinh chỉnh") + f": {tuned.disabled:,} disabled, {tuned.enabled:,} enabled, "
        f"{tuned.dropped:,} dropped, {tuned.modified:,} modified, "
        f"{tuned.for_flowbits:,} enabled for flowbits\n"
    )
    if merged.kept:
        out(
            say(
                f"merged: {merged.kept:,} local changes, {len(merged.conflicts):,} conflicts\n",
                f"hợp nhất: {merged.kept:,} sửa đổi tại chỗ, {len(merged.conflicts):,} xung đột\n",
            )
        )
    for conflict in merged.conflicts[:first]:
        out(f"  {say('conflict', 'xung đột')}: {conflict}\n")
    for reason in outcome.quarantined[:first]:
        out(f"  {say('quarantined', 'cách ly')}: {reason}\n")
    if outcome.has_new_keys:
        out(
            say(
                f"made new keys: keep {output / 'publisher.keys'} secret, give {output / 'publisher.pub'} to "
                "sensors\n",
                f"đã tạo khóa mới: giữ kín {output / 'publisher.keys'}, đưa {output / 'publisher.pub'} cho "
                "cảm biến\n",
            )
        )
    if outcome.manifest is None:
        out(say("nothing changed; the current bundle stays\n", "không có gì đổi; giữ gói hiện tại\n"))
        return
    counts = outcome.manifest.counts
    out(
        f"{outcome.bundle}: {counts.enabled:,} enabled, {counts.disabled:,} disabled, "
        f"{counts.quarantined:,} quarantined\n"
    )
