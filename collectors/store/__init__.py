"""The store: where events are searched. Filled from the journal, and rebuildable from it; never written by
anything else.

schema    the tables, for one machine or a cluster
daemon    the process that owns the embedded engine (chDB) and speaks ClickHouse's HTTP interface on loopback
client    how everything else reaches it, or a ClickHouse server
fill      journal > store, idempotently
search    the questions analysts ask
"""
