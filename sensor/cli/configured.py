"""The options that commands with a configuration or rules share, and how its remarks are told."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from sensor.cli.language import say
from sensor.errors import one_line

if TYPE_CHECKING:
    from sensor.config import Config

FIRST_UNKNOWN_KEYS = 5  # as many as fit on one line of a terminal


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """-c and --set."""
    parser.add_argument(
        "-c",
        dest="config",
        metavar=say("FILE", "TỆP"),
        help=say("configuration, e.g. a suricata.yaml", "tệp cấu hình, ví dụ suricata.yaml"),
    )
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help=say(
            "set one key of the configuration; may be repeated", "đặt một khóa cấu hình; có thể lặp lại"
        ),
    )
    parser.add_argument(
        "-v", dest="verbose", action="count", default=0, help=say("tell more", "hiện chi tiết hơn")
    )


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    """-l, --data-dir and --stdout."""
    folder = say("DIR", "THƯ_MỤC")
    parser.add_argument(
        "-l",
        dest="log_dir",
        metavar=folder,
        help=say("where output goes (default: here)", "nơi ghi kết quả (mặc định: tại đây)"),
    )
    parser.add_argument(
        "--data-dir",
        dest="data_dir",
        metavar=folder,
        help=say("where data sets are kept (default: here)", "nơi giữ các tập dữ liệu (mặc định: tại đây)"),
    )
    parser.add_argument(
        "--stdout",
        action="store_true",
        help=say("write events to standard output too", "ghi sự kiện ra cả đầu ra chuẩn"),
    )


def add_rule_arguments(parser: argparse.ArgumentParser) -> None:
    """-S, -s and -k: what is looked for, and in which packets."""
    parser.add_argument(
        "-S",
        dest="only",
        action="append",
        default=[],
        metavar=say("RULES", "LUẬT"),
        help=say(
            "rule file or pattern instead of the configured rules; may be repeated",
            "tệp luật hoặc mẫu tên thay cho luật trong cấu hình; có thể lặp lại",
        ),
    )
    parser.add_argument(
        "-s",
        dest="extra",
        action="append",
        default=[],
        metavar=say("RULES", "LUẬT"),
        help=say(
            "rule file or pattern on top of the configured rules; may be repeated",
            "tệp luật hoặc mẫu tên thêm vào luật trong cấu hình; có thể lặp lại",
        ),
    )
    parser.add_argument(
        "-k",
        dest="checksums",
        choices=("all", "none"),
        help=say(
            "check all checksums, or none (default: find out about offload)",
            "kiểm mọi tổng kiểm, hoặc không (mặc định: tự nhận biết offload)",
        ),
    )


def load_config(args: argparse.Namespace) -> Config:
    """The configuration the arguments ask for; its remarks go to standard error."""
    from sensor.config import load  # here: `haidang --help` shall not wait for it

    config = load(
        Path(args.config) if args.config is not None else None,
        args.settings,
        checksums=getattr(args, "checksums", None) or "",
    )
    tell_warnings(config.warnings)
    config.warnings.clear()
    tell_unused_keys(config, verbose=args.verbose > 0)
    return config


def tell_unused_keys(config: Config, *, verbose: bool) -> None:
    """Unknown keys in one line, each with -v; with -v also the known ones that do nothing here."""
    count = len(config.unknown)
    if count and not verbose:
        first = ", ".join(config.unknown[:FIRST_UNKNOWN_KEYS])
        more = (
            say(" and others (-v lists all)", " và các khóa khác (-v liệt kê hết)")
            if count > FIRST_UNKNOWN_KEYS
            else ""
        )
        tell_warnings(
            [say(f"{count} unknown keys are ignored: ", f"bỏ qua {count} khóa lạ: ") + first + more]
        )
    elif verbose:
        tell_warnings(say(f"unknown key {key} is ignored", f"bỏ qua khóa lạ {key}") for key in config.unknown)
        tell_warnings(
            say(f"{key} has no effect: {why}", f"{key} không có tác dụng: {why}")
            for key, why in config.without_effect
        )


def tell_warnings(warnings: Iterable[str]) -> None:
    """One line each on standard error."""
    for warning in warnings:
        print(f"haidang: {say('warning', 'cảnh báo')}: {one_line(warning)}", file=sys.stderr)
