"""HTML made safely: everything that comes from the wire or a rule goes through `text`."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

# Control characters, and those that turn the direction of text around or hide in it.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
MAX_CHARACTERS = 2_000


def text(value: object) -> str:
    """Any value as text of a page: no markup, nothing unseen, not endless."""
    raw = str(value)
    raw = raw if len(raw) <= MAX_CHARACTERS else raw[:MAX_CHARACTERS] + "..."
    return html.escape(_UNSEEN.sub(lambda found: f"\\x{ord(found[0]):02x}", raw), quote=True)


def table(head: Iterable[str], rows: Iterable[Iterable[object]], numbers: Iterable[int] = ()) -> str:
    """A table of text; the columns of `numbers` are set to the right."""
    right = set(numbers)
    body = "".join(
        "<tr>"
        + "".join(f"<td{' class=n' if at in right else ''}>{text(cell)}</td>" for at, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    titles = "".join(
        f"<th{' class=n' if at in right else ''}>{text(title)}</th>" for at, title in enumerate(head)
    )
    return f"<div class=wide><table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>"
