"""The one error that is meant for people. It must not depend on any other module of the project.

Whoever raises it says what is wrong, where, and what to do about it; the command line prints it as one line
and turns `exit_code` into the exit status. Everything else that escapes a command is a fault of ours.
"""

from __future__ import annotations

import os
import re

EXIT_OK = 0
EXIT_FINDINGS = (
    1  # the command worked, and what it looked at is bad (rules that do not load, sets that differ)
)
EXIT_USAGE = 2  # the command could not work: wrong arguments, unreadable input, unusable configuration
EXIT_INTERNAL = 70  # a fault of ours (EX_SOFTWARE of sysexits.h)
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells expect
EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE, as shells expect

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class UserError(Exception):
    """What went wrong, for the person who can mend it.

    what: the fact, in a short sentence without a full stop. where: file, `file:line` or configuration path.
    fix: what to do. exit_code: EXIT_USAGE unless the command says otherwise.
    """

    def __init__(
        self, what: str, *, where: str | os.PathLike[str] = "", fix: str = "", exit_code: int = EXIT_USAGE
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = os.fspath(where)
        self.fix = fix
        self.exit_code = exit_code

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return one_line(f"{text} ({self.fix})" if self.fix else text)


def one_line(text: str) -> str:
    """The text on one line: control characters (file names and hostile input hold them) become spaces."""
    return _CONTROL.sub(" ", text).strip()


def from_os_error(error: OSError, *, where: str | os.PathLike[str] = "", fix: str = "") -> UserError:
    """The system's refusal as a UserError; adds the usual remedy for the usual refusals."""
    name = os.fspath(where) or os.fsdecode(error.filename if error.filename is not None else "")
    return UserError(
        (error.strerror or str(error) or type(error).__name__).lower(),
        where=name,
        fix=fix or _USUAL_FIX.get(type(error).__name__, "") or _FIX_BY_NUMBER.get(error.errno or 0, ""),
    )


_USUAL_FIX = {
    "FileNotFoundError": "check the name; relative names start at the current directory",
    "PermissionError": "check the rights of the file and of the directories above it",
    "IsADirectoryError": "give a file instead",
    "NotADirectoryError": "a part of the path is a file",
}
_FIX_BY_NUMBER = {
    28: "free some space or choose another directory",  # ENOSPC
    30: "the file system is mounted read-only; choose another directory",  # EROFS
    122: "the disk quota is used up; choose another directory",  # EDQUOT
}
