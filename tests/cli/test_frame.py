"""The frame of the command line: help, languages, errors, exit codes, speed."""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import sensor
from sensor import cli
from sensor.errors import UserError, from_os_error

ROOT = Path(__file__).parents[2]


def run_main(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fault: BaseException
) -> tuple[int, str]:
    def fail(_: argparse.Namespace) -> int:
        raise fault

    monkeypatch.setattr("sensor.cli.protocols.run", fail)
    code = cli.main(["protocols"])
    return code, capsys.readouterr().err


def test_user_error_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("HAIDANG_LANG", "en")
    fault = UserError("no such\nfile", where="a\x1b[31m.pcap", fix="check the name")
    assert run_main(monkeypatch, capsys, fault) == (
        2,
        "haidang: error: a [31m.pcap: no such file (check the name)\n",
    )


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError("x"), 70),
        (FileNotFoundError(2, "No such file", "x.pcap"), 2),
        (OSError(28, "No space left on device", "eve.json"), 2),
        (ModuleNotFoundError("no", name="chdb"), 2),
        (ModuleNotFoundError("no", name="sensor._engine"), 2),
        (RecursionError("deep"), 70),
        (UserError("bad", exit_code=1), 1),
    ],
)
def test_every_fault_has_a_code_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fault: BaseException, code: int
) -> None:
    got, err = run_main(monkeypatch, capsys, fault)
    assert got == code
    assert "Traceback" not in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["no-such-command"], ["keywords", "--json", "--csv"], ["protocols", "--no"]]
)
def test_wrong_usage_is_one_line_and_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "--help" in err


@pytest.mark.parametrize(
    ("language", "word"), [("en", "list the rule keywords"), ("vi", "liệt kê các từ khóa luật")]
)
def test_help_speaks_both_languages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], language: str, word: str
) -> None:
    monkeypatch.setenv("HAIDANG_LANG", language)
    monkeypatch.setenv("COLUMNS", "200")
    assert cli.main(["--help"]) == 0
    assert word in capsys.readouterr().out


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_keeps_the_contract(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    command = cli.load_command(name)
    assert name == command.NAME
    for language, text in (("en", command.HELP), ("vi", command.HELP_VI)):
        monkeypatch.setenv("HAIDANG_LANG", language)
        assert text
        assert text in " ".join(cli.build_parser().format_help().split())
    assert command.HELP != command.HELP_VI


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert "keywords" in capsys.readouterr().out


def test_help_is_quick() -> None:
    command = [sys.executable, "-m", "sensor.cli", "--help"]
    best_seconds = 10.0
    for _ in range(5):  # processor time, the best of five: the machine may be busy with other things
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        best_seconds = min(best_seconds, spent)
    assert best_seconds < 0.3  # 0.1 on a quiet machine; neighbours on the same core cost up to twice that


def test_a_reader_that_leaves_is_no_error() -> None:
    script = f"{sys.executable} -m sensor.cli --help | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=ROOT, timeout=20)
    assert done.stderr == ""
    assert done.returncode in {0, 141}


def test_version_is_the_distributions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert sensor.__version__ == project["version"]


def test_os_errors_name_the_file_and_the_remedy() -> None:
    with pytest.raises(OSError) as caught:
        Path("/nowhere/at/all").read_bytes()
    assert re.match(r"/nowhere/at/all: no such file or directory \(check", str(from_os_error(caught.value)))


def test_ascii_terminals_get_vietnamese_escaped_not_a_traceback() -> None:
    environ = {**os.environ, "HAIDANG_LANG": "vi", "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-m", "sensor.cli", "--help"], env=environ, capture_output=True, text=True, cwd=ROOT
    )
    assert (done.returncode, done.stderr) == (0, "")
