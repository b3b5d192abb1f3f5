"""`haidang doctor`: what ails the mirror port, from a capture (-r) or on this machine (-i)."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from sensor.cli.language import say
from sensor.errors import EXIT_FINDINGS, EXIT_OK, EXIT_USAGE, UserError

if TYPE_CHECKING:
    from sensor.doctor.check import LiveCheck
    from sensor.doctor.examine import Answer
    from sensor.doctor.machine import Machine

NAME = "doctor"
HELP = "diagnose the mirror port, from a capture or on this machine"
HELP_VI = "chẩn đoán cổng nhân bản, từ tệp bắt gói hoặc trên máy này"

_SENSOR, _RULES = "/var/lib/haidang/sensor", "/var/lib/haidang/rules"
_WORDS = {
    "ok": ("ok", "tốt"),
    "warn": ("warn", "cảnh báo"),
    "fail": ("fail", "hỏng"),
    "skipped": ("skipped", "bỏ qua"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = say(
        "Example: haidang doctor -r day.pcap. Exit codes: 0 healthy, 1 findings, 2 usage or input.",
        "Ví dụ: haidang doctor -r ngay.pcap. Mã thoát: 0 khỏe, 1 có phát hiện, 2 sai cách dùng.",
    )
    add = parser.add_argument
    add(
        "-r",
        dest="captures",
        nargs="+",
        metavar=say("FILE", "TỆP"),
        help=say("captures or folders, - for standard input", "tệp bắt hoặc thư mục, - là đầu vào chuẩn"),
    )
    add("-i", dest="interface", metavar="IFACE", help=say("the capture interface", "giao diện bắt gói"))
    add(
        "-d",
        "--dir",
        type=Path,
        default=Path(os.environ.get("HAIDANG_SENSOR", _SENSOR)),
        metavar=say("DIR", "THƯ_MỤC"),
        help=say("keys and spool of the sensor", "khóa và vùng đệm của cảm biến"),
    )
    add(
        "--rules",
        type=Path,
        default=Path(_RULES),
        metavar=say("DIR", "THƯ_MỤC"),
        help=say(f"the rules in use (default: {_RULES})", f"bộ luật đang dùng (mặc định: {_RULES})"),
    )
    add("--fix", action="store_true", help=say("mend what is safe to mend", "sửa những gì sửa được an toàn"))
    add("--all", action="store_true", help=say("show healthy checks too", "hiện cả phép kiểm tốt"))
    add("--list", action="store_true", help=say("list the checks", "liệt kê các phép kiểm"))
    add("--json", action="store_true", help=say("write JSON", "ghi JSON"))


def run(args: argparse.Namespace) -> int:
    if args.list:
        return _list(args.json)
    if args.captures and (args.interface or args.fix):
        raise UserError("-r goes with neither -i nor --fix", fix="see `haidang doctor --help`")
    return _captures(args) if args.captures else _live(args)


def _list(as_json: bool) -> int:
    from sensor.doctor.registry import CAPTURE_CHECKS, LIVE_CHECKS

    kinds = (("capture", CAPTURE_CHECKS), ("live", LIVE_CHECKS))
    if as_json:
        rows = [
            {"name": check.name, "of": kind, "doc": check.doc[0]} for kind, all_ in kinds for check in all_
        ]
        print(json.dumps(rows, indent=2))
        return EXIT_OK
    for kind, checks in kinds:
        for check in checks:
            print(f"{kind:8} {check.name:22} {say(*check.doc)}")
    return EXIT_OK


def _captures(args: argparse.Namespace) -> int:
    from sensor.cli.inputs import STANDARD_INPUT, find_captures
    from sensor.doctor.examine import examine_capture

    found = find_captures(args.captures)
    for refusal in found.refused:
        print(f"haidang: {say('error', 'lỗi')}: {refusal}", file=sys.stderr)
    code = EXIT_USAGE if found.refused else EXIT_OK
    told, before = [], 0
    with ExitStack() as stack:
        bar = None
        if found.paths and sys.stderr.isatty():
            from sensor.cli.progress import ProgressBar

            bar = stack.enter_context(ProgressBar(say("examine", "khám")))

        def tell(done_bytes: int) -> None:
            if bar is not None:
                bar.show(before + done_bytes, found.total_bytes)

        for path in found.paths:
            try:
                answers, problems = examine_capture("-" if path == STANDARD_INPUT else path, tell)
            except UserError as error:
                print(f"haidang: {say('error', 'lỗi')}: {error}", file=sys.stderr)
                code = EXIT_USAGE
                continue
            before += Path(path).stat().st_size if Path(path).is_file() else 0
            told.append((path, answers, problems))
    is_ill = any(answer.is_finding for _, answers, _ in told for answer in answers)
    if args.json:
        print(
            json.dumps(
                [{"capture": path, "problems": bad, "checks": _rows(all_)} for path, all_, bad in told],
                indent=2,
            )
        )
    else:
        for path, answers, problems in told:
            print(f"{path}: {_summary(answers)}")
            for problem in problems:
                print(f"  {say('damaged file', 'tệp hỏng')}: {problem}")
            _print(answers if args.all else [answer for answer in answers if answer.is_finding], args.all)
    return code or (EXIT_FINDINGS if is_ill else EXIT_OK)


def _live(args: argparse.Namespace) -> int:
    from sensor.doctor.examine import Answer, in_order
    from sensor.doctor.machine import Machine, interfaces
    from sensor.doctor.registry import LIVE_CHECKS

    known = interfaces()
    if args.interface and not Path("/sys/class/net", args.interface).is_dir():
        raise UserError(
            "no such interface", where=args.interface, fix=f"one of: {', '.join(known) or 'none'}"
        )
    machine = Machine(args.interface or (known[0] if known else "lo"), args.dir, args.rules)
    done: list[dict[str, object]] = []
    answers = []
    for kind in LIVE_CHECKS:
        check = kind()
        result = check.look(machine)
        if args.fix and result.verdict in ("warn", "fail"):
            done += _fix(check, machine)
            result = check.look(machine)
        answers.append(Answer(check, result))
    ordered = in_order(answers)
    if args.json:
        print(json.dumps({"interface": machine.interface, "fixes": done, "checks": _rows(ordered)}, indent=2))
    else:
        for row in done:
            print(f"{row['check']}: {row['command']}: {row['outcome']}")
        print(f"{machine.interface}: {_summary(ordered)}")
        _print(ordered, args.all)
    return EXIT_FINDINGS if any(answer.is_finding for answer in ordered) else EXIT_OK


def _fix(check: LiveCheck, machine: Machine) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for command in check.fix(machine):
        if os.geteuid() != 0:
            outcome = say("not root: would run this", "không phải root: sẽ chạy lệnh này")
        elif shutil.which(command[0]) is None:
            outcome = say(f"{command[0]} is not installed", f"chưa cài {command[0]}")
        else:
            ran = subprocess.run(  # noqa: S603  # the checks' own words and an interface that exists
                command, capture_output=True, text=True, timeout=10, check=False
            )
            outcome = say("done", "đã làm") if ran.returncode == 0 else ran.stderr.strip()
        rows.append({"check": check.name, "command": " ".join(command), "outcome": outcome})
    return rows


def _summary(answers: list[Answer]) -> str:
    found = [answer for answer in answers if answer.is_finding]
    if not found:
        return say("healthy", "khỏe")
    return say("first verdict: ", "chẩn đoán chính: ") + found[0].check.name


def _print(answers: list[Answer], everything: bool) -> None:
    for answer in answers:
        check, result = answer.check, answer.result
        if not answer.is_finding and not everything and result.verdict != "skipped":
            continue
        follows = say("; follows from ", "; là hệ quả của ") + answer.follows if answer.follows else ""
        print(f"  {say(*_WORDS[result.verdict])}: {check.name}: {say(*check.doc)}{follows}")
        if answer.is_finding:
            print(f"    {say('evidence', 'bằng chứng')}: {say(*check.evidence).format(**result.numbers)}")
            print(f"    {say('remedy', 'cách chữa')}: {say(*check.remedy).format(**result.numbers)}")
        elif result.verdict == "skipped":
            print(f"    {say('because', 'vì')}: {say(*result.why)}")


def _rows(answers: list[Answer]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for answer in answers:
        check, result = answer.check, answer.result
        row: dict[str, object] = {"check": check.name, "verdict": result.verdict, "numbers": result.numbers}
        if answer.is_finding:
            row["evidence"] = check.evidence[0].format(**result.numbers)
            row["remedy"] = check.remedy[0].format(**result.numbers)
            row["follows"] = answer.follows
        elif result.verdict == "skipped":
            row["why"] = result.why[0]
        rows.append(row)
    return rows
