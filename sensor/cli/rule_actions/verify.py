"""`haidang rules verify`: whether a bundle is what its publisher signed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sensor.cli.language import say
from sensor.errors import EXIT_FINDINGS, EXIT_OK, UserError

NAME = "verify"
HELP = "check the signatures and files of a bundle of rules"
HELP_VI = "kiểm tra chữ ký và các tệp của một gói luật"
EPILOG = (
    "Example: haidang rules verify --key publisher.pub rules/current. Exit codes: 0 it holds, 1 it does not, "
    "2 usage or input error."
)
EPILOG_VI = (
    "Ví dụ: haidang rules verify --key publisher.pub rules/current. Mã thoát: 0 đúng, 1 sai, 2 sai cách "
    "dùng hoặc dữ liệu vào."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from sensor.cli.rule_actions.outputs import add_output

    parser.add_argument(
        "bundle",
        nargs="?",
        type=Path,
        metavar=say("BUNDLE", "GÓI"),
        help=say("its folder (default: DIR/current)", "thư mục của gói (mặc định: DIR/current)"),
    )
    parser.add_argument(
        "--key",
        type=Path,
        metavar=say("FILE", "TỆP"),
        help=say(
            "the publisher's public key (default: DIR/publisher.pub)", "khóa công khai của nơi phát hành"
        ),
    )
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    from sensor.rules.update import bundle
    from sensor.rules.update.run import PUBLIC

    public = bundle.load_public(args.key or args.output / PUBLIC)
    path = args.bundle or args.output / bundle.CURRENT
    if not path.is_dir():
        raise UserError("no bundle there", where=path, fix="make one with `haidang rules update`")
    try:
        manifest = bundle.verify(path, public)
    except UserError as error:
        sys.stdout.write(f"{error}\n")
        return EXIT_FINDINGS
    counts = manifest.counts
    sys.stdout.write(
        f"{path}: number {manifest.number} of {manifest.created}, {counts.enabled:,} rules enabled, "
        f"signed by {public.fingerprint[:16]}\n"
    )
    return EXIT_OK
