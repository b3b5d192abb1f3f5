"""Looks for many byte strings of one length at once, in one pass over any bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator


class Needles:
    """Byte strings of one length, looked for in any payload."""

    def __init__(self, images: dict[bytes, bytes]) -> None:
        self.images = images
        columns = (b"".join(re.escape(bytes([b])) for b in sorted(set(c))) for c in zip(*images, strict=True))
        classes = b"".join(b"[" + column + b"]" for column in columns)
        # One pattern that finds all of them and more: a class of bytes for each place.
        self._pattern = re.compile(b"(?=(" + classes + b"))", re.DOTALL) if images else None

    def found(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """(where, what it becomes) of each occurrence."""
        if self._pattern is None:
            return
        for found in self._pattern.finditer(data):
            image = self.images.get(found[1])
            if image is not None:
                yield found.start(), image
