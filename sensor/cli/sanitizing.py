"""`haidang pcap sanitize`: its arguments, the proof it gives and what it tells."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensor.cli.actions import action, must_be_capture
from sensor.cli.language import say
from sensor.errors import EXIT_FINDINGS, EXIT_OK, UserError, from_os_error, one_line

if TYPE_CHECKING:
    from sensor.pcap.proof import Proof
    from sensor.pcap.sanitize import Outcome

FIRST_LEFT = 20


def add_arguments(actions: Any) -> None:
    """The action `sanitize`."""
    from sensor.cli.configured import add_config_arguments, add_rule_arguments

    parser = action(
        actions,
        "sanitize",
        (
            "replace addresses, names and secrets by pseudonyms, and show that the alerts are the same",
            "thay địa chỉ, tên và bí mật bằng bí danh, và chứng minh cảnh báo không đổi",
        ),
        "haidang pcap sanitize in.pcap out.pcap --key share.key -S my.rules",
        (
            "0 written, same alerts, no name left; 1 written, and something differs as told; 2 not written",
            "0 đã ghi, cảnh báo như cũ, không còn tên; 1 đã ghi nhưng có khác biệt như đã nêu; 2 không ghi",
        ),
    )
    add = parser.add_argument
    add("input", metavar="IN", help=say("the capture", "tệp bắt"))
    add("output", metavar="OUT", help=say("where the sanitized one goes", "nơi ghi tệp đã làm sạch"))
    add(
        "--key",
        metavar=say("FILE", "TỆP"),
        help=say(
            "32 secret bytes: the same key gives the same pseudonyms (default: a new key, thrown away)",
            "32 byte bí mật: cùng khóa cho cùng bí danh (mặc định: khóa mới rồi bỏ)",
        ),
    )
    add(
        "--new-key",
        metavar=say("FILE", "TỆP"),
        help=say("make a key, keep it here and use it", "tạo khóa, giữ ở đây và dùng nó"),
    )
    add(
        "--keep",
        action="append",
        default=[],
        metavar=say("NAME", "TÊN"),
        help=say(
            "leave this host label or name as it is; may be repeated",
            "giữ nguyên nhãn hay tên này; có thể lặp lại",
        ),
    )
    add(
        "--no-proof",
        action="store_true",
        help=say("do not replay before and after", "không chạy lại trước và sau"),
    )
    add_rule_arguments(parser)
    add_config_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Sanitize, replay both, tell the difference."""
    from sensor.cli.configured import load_config, tell_warnings
    from sensor.desk.replaying import events, everything
    from sensor.pcap import proof
    from sensor.pcap.known import known_from
    from sensor.pcap.pseudonyms import Pseudonyms
    from sensor.pcap.sanitize import sanitize
    from sensor.rules.loading import load

    source, target = Path(args.input), Path(args.output)
    must_be_capture(source)
    key = _key(args)
    config = load_config(args)
    pseudonyms = Pseudonyms(key, proof.home_ranges(config))
    knowing, no_rules = everything()
    kept = {word.lower().encode() for word in args.keep}
    named = known_from(events(knowing, no_rules, [str(source)]), kept)
    known = known_from(events(knowing, no_rules, [str(source)]), kept)  # grows by what the packets name
    outcome = sanitize(source, target, known, pseudonyms)
    tell_warnings(f"{source}: {problem}" for problem in outcome.problems)
    for line in _outcome_lines(outcome, len(known.addresses), known.is_cut):
        print(line)
    if args.no_proof:
        return EXIT_OK
    ruleset, report = load(config, only=args.only, extra=args.extra)
    tell_warnings([*config.warnings, *report.remarks])
    signatures: dict[int, str] = {}
    result = proof.Proof(
        proof.alerts(config, ruleset, [str(source)], signatures, pseudonyms),
        proof.alerts(config, ruleset, [str(target)], signatures),
        signatures,
        proof.left_over(named, known_from(events(knowing, no_rules, [str(target)])), pseudonyms),
    )
    for line in _proof_lines(result):
        print(one_line(line))
    return EXIT_FINDINGS if result.lost or result.gained or result.left else EXIT_OK


def _key(args: argparse.Namespace) -> bytes:
    from sensor.pcap.pseudonyms import KEY_BYTES

    if args.key and args.new_key:
        raise UserError("a key is given twice", where="--new-key", fix="give --key or --new-key")
    try:
        if args.key:
            key = Path(args.key).read_bytes()
            if len(key) != KEY_BYTES:
                raise UserError(
                    f"a key has {KEY_BYTES} bytes, this has {len(key)}",
                    where=args.key,
                    fix="make one with --new-key",
                )
            return key
        key = os.urandom(KEY_BYTES)
        if args.new_key:
            descriptor = os.open(args.new_key, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(key)
        return key
    except OSError as error:
        raise from_os_error(error, where=args.key or args.new_key) from error


def _outcome_lines(outcome: Outcome, addresses: int, is_cut: bool) -> Iterator[str]:
    counts = ", ".join(f"{kind} {count:,}" for kind, count in sorted(outcome.replaced.items()))
    yield say(f"packets  {outcome.packets:,}", f"gói      {outcome.packets:,}")
    yield say(
        f"replaced {addresses:,} addresses; in payload: {counts or 'nothing'}",
        f"thay     {addresses:,} địa chỉ; trong nội dung: {counts or 'không'}",
    )
    if outcome.blanked:
        yield say(
            f"blanked  {outcome.blanked:,} QUIC packets that anyone can decrypt",
            f"xóa      {outcome.blanked:,} gói QUIC mà ai cũng giải mã được",
        )
    for link, count in sorted(outcome.unknown_links.items()):
        yield say(
            f"blanked  {count:,} packets of link type {link}: where their addresses stand is not known",
            f"xóa      {count:,} gói có kiểu liên kết {link}: không biết địa chỉ nằm ở đâu",
        )
    if outcome.control:
        yield say(
            f"blanked  {outcome.control:,} packets of routing, discovery or unknown protocols, and trailers",
            f"xóa      {outcome.control:,} gói định tuyến, dò tìm hay giao thức lạ, và phần đuôi",
        )
    if outcome.compressed:
        yield say(
            f"replaced {outcome.compressed:,} compressed bodies, or blanked where they cannot be read",
            f"thay     {outcome.compressed:,} nội dung nén: nén lại, xóa trắng nếu không đọc được",
        )
    if outcome.http2:
        yield say(
            f"blanked  {outcome.http2:,} HTTP/2 header values in Huffman code",
            f"xóa      {outcome.http2:,} giá trị trường HTTP/2 mã Huffman",
        )
    if is_cut:
        yield say(
            "careful  more names than are kept: some are not replaced",
            "chú ý    quá nhiều tên: một số không được thay",
        )


def _proof_lines(result: Proof) -> Iterator[str]:
    from sensor.desk.alerts import counts_by_rule

    before, after = result.before.total(), result.after.total()
    if not result.lost and not result.gained:
        yield say(
            f"alerts   the same {before:,} before and after", f"cảnh báo {before:,}, trước và sau như nhau"
        )
    else:
        yield say(f"alerts   {before:,} before, {after:,} after", f"cảnh báo {before:,} trước, {after:,} sau")
        for title, alerts in ((say("lost", "mất"), result.lost), (say("gained", "thêm"), result.gained)):
            for sid, count in counts_by_rule(alerts).most_common():
                yield f"         {title} {count:,} x {sid} {result.signatures.get(sid, '')}"
    if result.left:
        yield say(
            f"left     {len(result.left):,} names are still there: ",
            f"còn lại  {len(result.left):,} tên vẫn còn: ",
        ) + ", ".join(result.left[:FIRST_LEFT])
    else:
        yield say(
            "left     no name and no address that the engine sees",
            "còn lại  không tên, không địa chỉ nào mà bộ máy thấy",
        )
