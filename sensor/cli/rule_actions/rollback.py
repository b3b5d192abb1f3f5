"""`haidang rules rollback`: the bundle before, or one by number, becomes the current one again."""

from __future__ import annotations

import argparse
import sys

from sensor.cli.language import say
from sensor.errors import EXIT_OK, UserError

NAME = "rollback"
HELP = "make an earlier bundle of rules the current one"
HELP_VI = "dùng lại một gói luật trước đó"
EPILOG = (
    "Example: haidang rules rollback -o rules --to 3. Exit codes: 0 done, 2 usage or input error. The next "
    "update makes a new bundle from the sources and haidang.rules."
)
EPILOG_VI = (
    "Ví dụ: haidang rules rollback -o rules --to 3. Mã thoát: 0 xong, 2 sai cách dùng hoặc dữ liệu vào. Lần "
    "cập nhật sau lại tạo gói mới từ các nguồn và haidang.rules."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from sensor.cli.rule_actions.outputs import add_output

    parser.add_argument(
        "--to",
        type=int,
        metavar=say("NUMBER", "SỐ"),
        help=say(
            "the number of the bundle (default: the one before)", "số của gói (mặc định: gói ngay trước)"
        ),
    )
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    from sensor.rules.update import bundle
    from sensor.rules.update.run import PUBLIC

    bundles = bundle.numbers(args.output)
    now = bundle.current(args.output)
    here = next((number for number, path in bundles.items() if now and path.name == now.name), None)
    wanted = args.to
    if wanted is None:
        earlier = [number for number in bundles if here is not None and number < here]
        if not earlier:
            raise UserError("no earlier bundle", where=args.output, fix="name one with --to")
        wanted = earlier[-1]
    if wanted not in bundles:
        known = ", ".join(map(str, bundles)) or "none"
        raise UserError(f"no bundle {wanted}", where=args.output, fix=f"there are: {known}")
    path = bundles[wanted]
    manifest = bundle.verify(path, bundle.load_public(args.output / PUBLIC))
    bundle.make_current(args.output, path.name)
    sys.stdout.write(
        say("current", "hiện tại") + f": {path}: {manifest.created}, {manifest.counts.enabled:,} enabled\n"
    )
    return EXIT_OK
