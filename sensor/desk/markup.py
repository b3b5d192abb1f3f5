"""HTML made safely: everything that comes from the wire or a rule goes through `text`."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator

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
    """A table of text; the columns of `numbers` are set to the right. On a narrow page the cells of more than
    three columns stand below each other, each with its title."""
    right, titles = set(numbers), [text(title) for title in head]
    is_many = len(titles) > 3
    body = "".join(f"<tr>{''.join(_cells(row, titles if is_many else [], right))}</tr>" for row in rows)
    heads = "".join(f"<th{' class=n' if at in right else ''}>{title}</th>" for at, title in enumerate(titles))
    many = " class=many" if is_many else ""
    return f"<div class=wide><table{many}><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"


def _cells(row: Iterable[object], titles: list[str], right: set[int]) -> Iterator[str]:
    for at, cell in enumerate(row):
        title = f' data-title="{titles[at]}"' if at < len(titles) else ""
        yield f"<td{' class=n' if at in right else ''}{title}>{text(cell)}</td>"
