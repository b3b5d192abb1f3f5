"""The language of the command line: English, or Vietnamese when HAIDANG_LANG or the locale says so.

Only text that people read changes. Machine formats (JSON, CSV, eve.json, exit codes) never do.
"""

from __future__ import annotations

import os
from collections.abc import Mapping


def is_vietnamese(environ: Mapping[str, str] = os.environ) -> bool:
    """HAIDANG_LANG decides; else the first of LC_ALL, LC_MESSAGES, LANG that is set, as POSIX orders them."""
    for name in ("HAIDANG_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = environ.get(name)
        if value:
            return value.lower().startswith("vi")
    return False


def say(english: str, vietnamese: str) -> str:
    """The text in the reader's language."""
    return vietnamese if is_vietnamese() else english
