"""The centre: ingest, journal, store, search, relay to another centre, batches on a stick."""
