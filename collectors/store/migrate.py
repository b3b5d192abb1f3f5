"""A store of any version brought up to this one. Every step may be repeated, so one that was cut off is
simply taken again.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from collectors.store import schema
from sensor.errors import UserError

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

log = logging.getLogger("haidang.store")


def bring_up(client: Client, database: str, cluster: schema.Cluster | None = None) -> int:
    """Make what is missing; returns the version that was found, 0 for none. UserError when the store is of a
    newer version than this program.
    """
    for statement in schema.statements(database, cluster):
        client.command(statement)
    found = int(client.query(f"SELECT max(version) FROM {database}.layout").result_rows[0][0])
    if found > schema.VERSION:
        raise UserError(
            f"the store is of a newer version ({found}) than this program ({schema.VERSION})",
            where=database,
            fix="upgrade haidang here",
        )
    for version in range(found + 1, schema.VERSION + 1):
        for statement in schema.steps(version, database, cluster):
            client.command(statement)
        client.command(f"INSERT INTO {database}.layout SELECT {version}, now()")
        if version > 1:
            log.info("the store's tables are of version %d now", version)
    return found
