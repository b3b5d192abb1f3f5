"""From file names, patterns and folders to the bytes of rule files. It must not look into them."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from pathlib import Path

from sensor.errors import UserError, from_os_error

PIECE_BYTES = 4 << 20  # from here on malloc gives back what is freed (engine, memory.rs)
MAX_FILE_BYTES = 128 << 20  # three times the largest published collection; /dev/zero must end too


def find(patterns: Iterable[str], warnings: list[str] | None = None) -> list[Path]:
    """The files that the patterns name, in order, each once. A folder stands for the .rules files below it.

    A pattern that matches nothing is a UserError, or a line in `warnings` when that is given.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        paths = [Path(pattern)] if Path(pattern).exists() else _matches(pattern)
        files = sorted(
            file for path in paths for file in (path.rglob("*.rules") if path.is_dir() else [path])
        )
        if not files:
            refusal = UserError(
                "no rule file matches", where=pattern, fix="check the name and default-rule-path"
            )
            if warnings is None:
                raise refusal
            warnings.append(str(refusal))
        found.update(dict.fromkeys(files))
    return list(found)


def _matches(pattern: str) -> list[Path]:
    return [Path(name) for name in glob.glob(pattern, recursive=True)]  # noqa: PTH207 (absolute patterns)


def size(path: Path) -> int:
    """How many bytes `read` will give; 0 when it will not."""
    try:
        return min(path.stat().st_size, MAX_FILE_BYTES)
    except OSError:
        return 0


def read(path: Path) -> bytes:
    """The bytes of one rule file. Raises UserError."""
    return b"".join(read_pieces(path))


def read_pieces(path: Path) -> list[bytes]:
    """The same in pieces, each but the last up to the end of a line, for those who need not keep them all.
    Raises UserError.
    """
    pieces, left = list[bytes](), MAX_FILE_BYTES + 1
    try:
        with path.open("rb") as file:
            while piece := file.read(min(PIECE_BYTES, left)):
                piece += file.readline(left - len(piece))
                left -= len(piece)
                pieces.append(piece)
    except OSError as error:
        raise from_os_error(error, where=path) from None
    if not left:
        raise UserError(
            f"larger than {MAX_FILE_BYTES >> 20} MiB", where=path, fix="split it; is this a rules file?"
        )
    return pieces
