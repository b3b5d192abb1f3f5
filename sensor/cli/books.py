"""The books of a sensor, as people read them: per lane, what was made, delivered, waits and was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensor.cli.language import say

if TYPE_CHECKING:
    from sensor.bus.spool import Spool


def print_books(spool: Spool) -> int:
    """The account by lane; returns the events lost."""
    from rich.console import Console
    from rich.table import Table

    from sensor.bus import lanes

    table = Table(box=None, pad_edge=False)
    for title in (
        say("lane", "làn"),
        say("made", "tạo ra"),
        say("delivered", "đã giao"),
        say("pending", "còn chờ"),
        say("lost", "mất"),
    ):
        table.add_column(title, justify="left" if not table.columns else "right")
    total = 0
    for book in spool.books():
        lost = sum(book.lost.values())
        total += lost
        why = (
            " (" + ", ".join(f"{reason} {events}" for reason, events in sorted(book.lost.items())) + ")"
            if lost
            else ""
        )
        table.add_row(
            lanes.NAMES[book.lane], str(book.made), str(book.delivered), str(book.pending), f"{lost}{why}"
        )
    Console(highlight=False, markup=False).print(table)
    return total
