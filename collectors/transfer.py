"""A table of a ClickHouse server as lines in a compressed file, and back, through the server's HTTP
interface: its disks are not ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import zstandard

from sensor.errors import UserError

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

SUFFIX = ".tsv.zst"
_BLOCK_BYTES = 1 << 20
_PIECE_BYTES = 64 << 20  # of one insert
_INSERT = {"distributed_foreground_insert": "1", "insert_deduplicate": "0"}


def export_lines(
    client: Client, database: str, table: str, columns: list[str], where: str, path: Path
) -> int:
    """Write what fits the condition, a line a row; how many. Nothing is written where there is none."""
    query = f"SELECT {', '.join(columns)} FROM {database}.{table} WHERE {where}"
    rows = 0
    stream = cast("BinaryIO", client.raw_stream(query, fmt="TabSeparated"))
    try:
        with path.open("xb") as file, zstandard.ZstdCompressor(level=3).stream_writer(file) as out:
            path.chmod(0o600)
            while block := stream.read(_BLOCK_BYTES):
                rows += block.count(b"\n")
                out.write(block)
    finally:
        stream.close()
    if not rows:
        path.unlink()
    return rows


def import_lines(client: Client, database: str, table: str, columns: list[str], path: Path) -> None:
    """Insert every line. UserError when the file does not end with one."""
    for piece in _pieces(path):
        client.raw_insert(f"{database}.{table}", columns, piece, fmt="TabSeparated", settings=dict(_INSERT))


def _pieces(path: Path) -> Iterator[bytes]:
    """Whole lines, so many bytes at a time."""
    held = b""
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as source:
        while block := source.read(_PIECE_BYTES):
            held += block
            end = held.rfind(b"\n") + 1
            if end:
                yield held[:end]
                held = held[end:]
    if held:
        raise UserError("does not end with a whole line", where=path, fix="take another backup")
