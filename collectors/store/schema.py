"""The store's tables, as one description that becomes DDL for one machine or for a ClickHouse cluster.

Raw lines go into `inbox`, a Null table that keeps nothing; one materialized view projects them into
`events`: typed columns for the questions analysts ask, and the line itself. A line that is no EVE event (not
JSON, or without an event type) is kept with an empty event_type: out of every search, in `haidang centre
stats`, never thrown away.
"""

from __future__ import annotations

import re
from typing import NamedTuple

VERSION = 2
"""Of the tables. `steps` leads from one version to the next, `migrate` takes them."""

INBOX_COLUMNS = ("sensor", "epoch", "lane", "seq", "received_us", "row", "raw")
"""What the filler writes, as TSVRaw: the batch's identity, when the centre received it, the row within the
batch, the line.
"""

_IDENTITY = (
    ("sensor", "LowCardinality(String)"),
    ("epoch", "UInt64"),
    ("lane", "UInt8"),
    ("seq", "UInt64"),
    ("row", "UInt32"),
)

# (column, type, expression over `e`, the event as a tuple). Field names are EVE's.
_PROJECTED = (
    ("ts", "DateTime64(6, 'UTC')", "parseDateTime64BestEffortOrZero(e.timestamp, 6, 'UTC')"),
    # JSONExtract reads numbers as text and arrays as tuples: neither makes an event.
    (
        "event_type",
        "LowCardinality(String)",
        "if(startsWith(raw, '{') AND match(e.event_type, '^[a-z][a-z0-9_]{0,31}$'), e.event_type, '')",
    ),
    ("flow_id", "UInt64", "e.flow_id"),
    ("src_ip", "IPv6", "toIPv6OrDefault(e.src_ip)"),
    ("src_port", "UInt16", "e.src_port"),
    ("dest_ip", "IPv6", "toIPv6OrDefault(e.dest_ip)"),
    ("dest_port", "UInt16", "e.dest_port"),
    ("proto", "LowCardinality(String)", "e.proto"),
    ("app_proto", "LowCardinality(String)", "e.app_proto"),
    ("community_id", "String", "e.community_id"),
    ("action", "LowCardinality(String)", "e.alert.action"),
    ("gid", "UInt32", "e.alert.gid"),
    ("sid", "UInt64", "e.alert.signature_id"),
    ("signature", "LowCardinality(String)", "e.alert.signature"),
    ("category", "LowCardinality(String)", "e.alert.category"),
    ("severity", "UInt8", "e.alert.severity"),
    (
        "host",
        "String",
        "lower(multiIf(e.http.hostname != '', e.http.hostname, e.tls.sni != '', e.tls.sni, "
        "e.dns.rrname != '', e.dns.rrname, e.dns.query[1].rrname != '', e.dns.query[1].rrname, "
        "e.dns.queries[1].rrname))",
    ),
    ("url", "String", "e.http.url"),
    ("payload", "String", "e.payload_printable"),
)

_EVENT = (
    "Tuple(timestamp String, event_type String, flow_id UInt64, src_ip String, src_port UInt16, dest_ip "
    "String, "
    "dest_port UInt16, proto String, app_proto String, community_id String, payload_printable String, "
    "alert Tuple(action String, gid UInt32, signature_id UInt64, signature String, category String, "
    "severity UInt8), "
    "http Tuple(hostname String, url String), tls Tuple(sni String), "
    "dns Tuple(rrname String, query Array(Tuple(rrname String)), queries Array(Tuple(rrname String))))"
)

# A term of two columns with OR is served by indexes of every granule only (GRANULARITY 1).
_INDEXES = (
    "INDEX by_ts ts TYPE minmax",
    "INDEX by_flow flow_id TYPE bloom_filter(0.01) GRANULARITY 1",
    "INDEX by_src src_ip TYPE bloom_filter(0.01) GRANULARITY 1",
    "INDEX by_dest dest_ip TYPE bloom_filter(0.01) GRANULARITY 1",
    "INDEX by_host host TYPE bloom_filter(0.01) GRANULARITY 1",
    "INDEX by_sid sid TYPE set(1000) GRANULARITY 8",
    "INDEX by_received received TYPE minmax",
    "INDEX by_payload lower(payload) TYPE text(tokenizer = ngrams(4))",
)
_NEW_INDEXES = {2: ("by_received", "by_payload")}
"""Of the version that brought them."""

# What was measured of the sensors (docs/spec/quality.md): (column, type).
_QUALITY = (
    ("sensor", "LowCardinality(String)"),
    ("begin", "DateTime('UTC')"),
    ("seconds", "UInt32"),
    *((name, "Nullable(Bool)") for name in ("correct", "complete", "clean", "live")),
    *((f"{name}_ratio", "Nullable(Float64)") for name in ("correct", "complete", "clean", "live")),
    *((name, "Nullable(Int64)") for name in ("skew_us", "clock_error_us", "packet_lag_us", "store_lag_us")),
    ("reasons", "Array(String)"),
    ("facts", "String CODEC(ZSTD(3))"),
)

# Parts are made per day of receipt, not of the event: an insert then touches one partition and is atomic,
# and times that a capture or an attacker made up cannot scatter it over thousands.
_TABLE_TAIL = "PARTITION BY toYYYYMMDD(received) ORDER BY (event_type, sensor, ts)"

_QUALITY_DAYS = 400
_DEDUPLICATION_BLOCKS = 10_000
# To show one event its granule's lines are unpacked: a hundred scattered events cost 60 MB so, and 480 MB
# with the usual 8,192 (docs/speed.md). Stores made before keep what they have.
_GRANULE_ROWS = 1024


class Cluster(NamedTuple):
    """A ClickHouse cluster, as its `remote_servers` names it."""

    name: str


def events_table(cluster: Cluster | None) -> str:
    """The table that holds the events of one machine."""
    return "events_local" if cluster else "events"


def statements(database: str, cluster: Cluster | None = None) -> list[str]:
    """The DDL that makes an empty store; every statement may be repeated.

    Without a cluster: MergeTree tables of one machine. With one: replicated local tables and a Distributed
    table of the same name as the embedded one, so that searches do not change.
    """
    name = _identifier(database)
    on_cluster = f" ON CLUSTER {_identifier(cluster.name)}" if cluster else ""
    local = f"{name}.{events_table(cluster)}"
    made = [
        f"CREATE DATABASE IF NOT EXISTS {name}{on_cluster}",
        f"CREATE TABLE IF NOT EXISTS {name}.inbox{on_cluster} (sensor String, epoch UInt64, lane UInt8, "
        f"seq UInt64, "
        "received_us UInt64, row UInt32, raw String) ENGINE = Null",
        f"CREATE TABLE IF NOT EXISTS {local}{on_cluster} ({', '.join(_columns())}, {', '.join(_INDEXES)}) "
        f"ENGINE = {_engine(cluster)} {_TABLE_TAIL} SETTINGS {_table_settings(cluster)}",
        f"CREATE MATERIALIZED VIEW IF NOT EXISTS {name}.project{on_cluster} TO {local} AS "
        f"{_projection(name)}",
        f"CREATE TABLE IF NOT EXISTS {name}.layout{on_cluster} (version UInt32, at DateTime('UTC')) "
        f"ENGINE = {_engine(cluster)} ORDER BY version",
        # Who asks with FINAL, or takes the last row, sees every interval once.
        f"CREATE TABLE IF NOT EXISTS {name}.quality{on_cluster} "
        f"({', '.join(f'{column} {kind}' for column, kind in _QUALITY)}) "
        f"ENGINE = {_engine(cluster, 'ReplacingMergeTree')} PARTITION BY toYYYYMM(begin) "
        f"ORDER BY (sensor, begin) TTL begin + INTERVAL {_QUALITY_DAYS} DAY",
        # What retention took away, and why.
        f"CREATE TABLE IF NOT EXISTS {name}.retired{on_cluster} (day Date, class LowCardinality(String), "
        f"events UInt64, reason LowCardinality(String), at DateTime('UTC')) ENGINE = {_engine(cluster)} "
        "ORDER BY (day, class)",
    ]
    if cluster:
        made.append(
            f"CREATE TABLE IF NOT EXISTS {name}.events{on_cluster} AS {local} "
            f"ENGINE = Distributed({_identifier(cluster.name)}, {name}, events_local, cityHash64(sensor, "
            f"epoch, lane, seq))"
        )
    return made


def steps(version: int, database: str, cluster: Cluster | None = None) -> list[str]:
    """What makes a store of this version from one of the version before, after `statements`. May be
    repeated.
    """
    name = _identifier(database)
    on_cluster = f" ON CLUSTER {_identifier(cluster.name)}" if cluster else ""
    local = f"{name}.{events_table(cluster)}"
    made = []
    for index in _INDEXES:
        word = index.split()[1]
        if word in _NEW_INDEXES.get(version, ()):
            made.append(
                f"ALTER TABLE {local}{on_cluster} ADD {index.replace('INDEX', 'INDEX IF NOT EXISTS', 1)}"
            )
            # In the background, part by part; questions are answered without it meanwhile.
            made.append(f"ALTER TABLE {local}{on_cluster} MATERIALIZE INDEX {word}")
    return made


def insert_settings() -> dict[str, str]:
    """Settings of every insert into `inbox`: the same token twice must have the effect of once, also behind
    the view.
    """
    return {
        "insert_deduplicate": "1",
        "deduplicate_blocks_in_dependent_materialized_views": "1",
        # One batch group is one block and so one part: an insert is there or it is not.
        "max_insert_block_size": "1048576",
        "min_insert_block_size_rows": "1048576",
        "min_insert_block_size_bytes": str(1 << 30),
        "input_format_parallel_parsing": "0",
        "input_format_tsv_crlf_end_of_line": "0",
    }


def _columns() -> list[str]:
    typed = [f"{name} {kind}" for name, kind in _IDENTITY]
    typed.append("received DateTime64(6, 'UTC')")
    typed += [f"{name} {kind}" for name, kind, _ in _PROJECTED]
    typed.append("raw String CODEC(ZSTD(3))")
    return typed


def _projection(database: str) -> str:
    columns = [name for name, _ in _IDENTITY]
    columns.append("fromUnixTimestamp64Micro(toInt64(received_us), 'UTC') AS received")
    columns += [f"{expression} AS {name}" for name, _, expression in _PROJECTED]
    return (
        f"SELECT {', '.join(columns)}, raw FROM (SELECT sensor, epoch, lane, seq, received_us, row, raw, "
        f"JSONExtract(raw, '{_EVENT}') AS e FROM {database}.inbox)"
    )


def _engine(cluster: Cluster | None, engine: str = "MergeTree") -> str:
    if cluster is None:
        return engine
    return f"Replicated{engine}('/clickhouse/tables/{{shard}}/{{database}}/{{table}}', '{{replica}}')"


def _table_settings(cluster: Cluster | None) -> str:
    # The journal forgets what the store has, so the store must have it on the disk and not only in the page
    # cache.
    durable = "fsync_after_insert = 1, fsync_part_directory = 1"
    window = "replicated_deduplication_window" if cluster else "non_replicated_deduplication_window"
    return f"index_granularity = {_GRANULE_ROWS}, {durable}, {window} = {_DEDUPLICATION_BLOCKS}"


def _identifier(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", name):
        raise ValueError(f"{name!r} is no identifier")
    return name
