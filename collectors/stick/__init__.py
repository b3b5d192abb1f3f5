"""Batches that travel as files: what a centre writes for another one, and takes from others."""
