"""The command `haidang`: finds the command asked for, runs it, and turns what goes wrong into one line.

A command is one file beside this one and one word in COMMANDS. The file has `NAME`, `HELP`, `HELP_VI`,
`add_arguments(parser)` and `run(args) -> int`; it imports at its top only what building the parser needs, so
that `haidang --help` stays quick, and raises `UserError` for what the user can mend.

Exit codes: 0 fine; 1 the command worked and found something bad (rules that do not load, sets that differ);
2 usage or input; 70 a fault of ours; 130 interrupted; 141 the reader of our output went away.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import re
import sys
from collections.abc import Sequence
from typing import NoReturn, Protocol, cast

from sensor.cli.language import say
from sensor.errors import (
    EXIT_BROKEN_PIPE,
    EXIT_INTERNAL,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_USAGE,
    UserError,
    from_os_error,
    one_line,
)

COMMANDS = (
    "replay",
    "capture",
    "show",
    "compare",
    "pcap",
    "doctor",
    "rules",
    "sensor",
    "bus",
    "centre",
    "relay",
    "keywords",
    "protocols",
)
"""The commands, in the order of the help: each is the module of that name in this folder."""

GARBAGE_THRESHOLD = 50_000
"""New objects between looks for unreachable cycles: a start makes many objects and no cycles, and looking for
some would be a tenth of it.
"""

_STORE_SAID = re.compile(r"Received ClickHouse exception.*?DB::Exception: |\(for url [^)]*\)")
_STORE_CHARACTERS = 400

_EPILOG = (
    "Exit codes: 0 fine, 1 something bad was found, 2 usage or input error. More: `haidang COMMAND --help`.",
    "Mã thoát: 0 tốt, 1 có phát hiện lỗi, 2 sai cách dùng hoặc dữ liệu vào. Thêm: `haidang LỆNH --help`.",
)


class Command(Protocol):
    """What every command module offers."""

    NAME: str
    HELP: str
    HELP_VI: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...  # may set parser.epilog
    def run(self, args: argparse.Namespace) -> int: ...


class _Formatter(argparse.HelpFormatter):
    def add_usage(self, usage, actions, groups, prefix=None):  # type: ignore[no-untyped-def]  # argparse's own, untyped
        super().add_usage(usage, actions, groups, say("usage: ", "cách dùng: ") if prefix is None else prefix)


class Parser(argparse.ArgumentParser):
    """argparse in two languages, which raises UserError instead of printing the usage and leaving."""

    def __init__(self, **options: object) -> None:
        options.setdefault("formatter_class", _Formatter)
        options.setdefault("allow_abbrev", False)
        options["add_help"] = False
        super().__init__(**options)  # type: ignore[arg-type]  # passed on as it came
        self._positionals.title = say("arguments", "đối số")
        self._optionals.title = say("options", "tùy chọn")
        self.add_argument(
            "-h",
            "--help",
            action="help",
            default=argparse.SUPPRESS,
            help=say("show this help and leave", "hiện trợ giúp này rồi thoát"),
        )

    def error(self, message: str) -> NoReturn:
        raise UserError(message, fix=say(f"see `{self.prog} --help`", f"xem `{self.prog} --help`"))


def load_command(name: str) -> Command:
    """The module of a command named in COMMANDS."""
    return cast(Command, importlib.import_module(f"sensor.cli.{name}"))


def build_parser(names: Sequence[str] = COMMANDS) -> Parser:
    """The parser with these commands; each sets `run` in the namespace it makes."""
    parser = Parser(
        prog="haidang",
        description=say(
            "Hải Đăng: network security monitoring with Suricata's rules and events.",
            "Hải Đăng: giám sát an ninh mạng với bộ luật và sự kiện của Suricata.",
        ),
        epilog=say(*_EPILOG),
    )
    parser.add_argument(
        "-V",
        "--version",
        action="version",
        version=f"haidang {_version()}",
        help=say("show the version and leave", "hiện phiên bản rồi thoát"),
    )
    commands = parser.add_subparsers(
        metavar=say("COMMAND", "LỆNH"), required=True, dest="command", title=say("commands", "các lệnh")
    )
    for name in names:
        command = load_command(name)
        text = say(command.HELP, command.HELP_VI)
        sub = commands.add_parser(command.NAME, help=text, description=text)
        command.add_arguments(sub)
        sub.set_defaults(run=command.run, takes_rest=getattr(command, "TAKES_REST", False))
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code. Raises nothing unless HAIDANG_TRACEBACK is set."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    gc.set_threshold(GARBAGE_THRESHOLD)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            code = _dispatch(arguments)
        except SystemExit as leave:  # argparse leaves after --help and --version
            code = (
                leave.code if isinstance(leave.code, int) else EXIT_OK if leave.code is None else EXIT_USAGE
            )
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone: what Python still buffers must not be written at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except Exception as fault:
        if os.environ.get("HAIDANG_TRACEBACK"):
            raise
        code, text = _explain(fault)
        print(f"haidang: {say('error', 'lỗi')}: {text}", file=sys.stderr)
        return code


def _dispatch(arguments: list[str]) -> int:
    # Only the command that is asked for is loaded; the whole list is needed for help and for mistakes.
    first = arguments[0] if arguments else ""
    parser = build_parser([first] if first in COMMANDS else COMMANDS)
    if not arguments:
        parser.print_help()
        return EXIT_USAGE
    args, rest = parser.parse_known_args(arguments)
    if rest and (not getattr(args, "takes_rest", False) or any(word.startswith("-") for word in rest)):
        parser.error(say("unknown arguments: ", "đối số lạ: ") + " ".join(rest))
    args.rest = rest
    return cast(int, args.run(args))


def _explain(fault: Exception) -> tuple[int, str]:
    if isinstance(fault, UserError):
        return fault.exit_code, str(fault)
    if isinstance(fault, OSError):
        return EXIT_USAGE, str(from_os_error(fault))
    if isinstance(fault, ModuleNotFoundError):
        missing = fault.name or "a module"
        remedy = "run `make setup`" if missing == "sensor._engine" else _remedy_for_package(missing)
        return EXIT_USAGE, one_line(f"{missing} is not installed ({remedy})")
    engine = sys.modules.get("sensor._engine")
    if engine is not None and isinstance(fault, engine.EngineError):
        return EXIT_USAGE, one_line(str(fault))
    clickhouse = sys.modules.get("clickhouse_connect.driver.exceptions")
    if clickhouse is not None and isinstance(fault, clickhouse.ClickHouseError):
        return EXIT_USAGE, one_line(
            f"the store refuses: {_STORE_SAID.sub('', str(fault))[:_STORE_CHARACTERS]}"
        )
    kind = type(fault).__name__
    return EXIT_INTERNAL, one_line(
        f"internal fault, {kind}: {fault} (please report it with the output of the same command under "
        f"HAIDANG_TRACEBACK=1)"
    )


def _remedy_for_package(module: str) -> str:
    if module.split(".")[0] in {"chdb", "clickhouse_connect"}:
        return "the centre needs its extra: pip install 'haidang[centre]'"
    if module.split(".")[0] in {"pygls", "lsprotocol"}:
        return "editors need an extra: pip install 'haidang[lsp]'"
    if module == "confluent_kafka":
        return "an outlet to Kafka needs its extra: pip install 'haidang[kafka]'"
    if module == "pyshark":
        return "pip install pyshark, and apt-get install tshark"
    return "install haidang anew, or run `make setup`"


def _version() -> str:
    from sensor import __version__

    return __version__
