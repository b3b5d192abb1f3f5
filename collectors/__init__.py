"""The centre: ingest, journal, store, search."""
