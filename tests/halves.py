"""All tests in two processes side by side: those that run processes and wait for them, and the others.

    python tests/halves.py [ARGUMENT OF PYTEST…]

What a half says is shown when it has ended, so that the two do not mix. Exit code: 0 when both pass, else
that of a half that does not.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).parent
WAITING = ("docs", "doctor", "e2e", "live")


def halves() -> list[list[str]]:
    """Folders of each; every folder with tests is in one of them."""
    folders = sorted({path.relative_to(TESTS).parts[0] for path in TESTS.glob("*/**/test_*.py")})
    return [list(WAITING), [folder for folder in folders if folder not in WAITING]]


def main(arguments: list[str]) -> int:
    running = []
    for folders in halves():
        told = tempfile.TemporaryFile()  # noqa: SIM115  (read after the process has ended)
        command = [sys.executable, "-m", "pytest", *arguments, *(str(TESTS / folder) for folder in folders)]
        running.append((folders, told, subprocess.Popen(command, stdout=told, stderr=subprocess.STDOUT)))
    code = 0
    for folders, told, process in running:
        code = process.wait() or code
        told.seek(0)
        print(f"---- tests/{{{','.join(folders)}}}", flush=True)
        sys.stdout.buffer.write(told.read())
        sys.stdout.flush()
        told.close()
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
