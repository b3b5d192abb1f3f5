"""`haidang rules lsp`: the language server that editors start."""

from __future__ import annotations

import argparse
import os

from sensor.cli.language import say
from sensor.errors import EXIT_OK

NAME = "lsp"
HELP = "serve editors: findings while rules are written, completion and explanations (LSP on standard input)"
HELP_VI = "phục vụ trình soạn thảo: lỗi khi đang viết luật, gợi ý và giải thích (LSP qua đầu vào chuẩn)"
EPILOG = (
    "Example: haidang rules lsp -c suricata.yaml, started by the editor; deploy/editors has what VS Code and "
    "Neovim need. Exit codes: 0 the editor left, 2 usage, or the extra is not installed."
)
EPILOG_VI = (
    "Ví dụ: haidang rules lsp -c suricata.yaml, do trình soạn thảo khởi động; deploy/editors có cấu hình cho "
    "VS Code và Neovim. Mã thoát: 0 trình soạn thảo đã thoát, 2 sai cách dùng hoặc chưa cài gói thêm."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from sensor.cli.configured import add_config_arguments

    parser.add_argument(
        "--stdio",
        action="store_true",
        help=say("accepted; it is the only way", "được chấp nhận; là cách duy nhất"),
    )
    add_config_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from sensor.cli.configured import load_config
    from sensor.rules.lsp.server import make

    server = make(load_config(args))
    # It closes what it speaks over; the streams of the process are for whoever started it.
    with os.fdopen(os.dup(0), "rb") as heard, os.fdopen(os.dup(1), "wb") as said:
        server.start_io(heard, said)
    return EXIT_OK
