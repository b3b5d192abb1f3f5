"""EVE JSON, the line as the sensor wrote it (Suricata's manual, "EVE JSON Output")."""

from __future__ import annotations

from collectors.outlets.item import Item

CONTENT_TYPE = "application/x-ndjson"


def render(item: Item) -> str:
    """The line. White space that could end it early stands between tokens only and becomes a space."""
    return item.raw.translate({9: " ", 10: " ", 13: " "})
