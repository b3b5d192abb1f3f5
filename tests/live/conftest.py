"""The wire, for every test here."""

from live_wire import wire

__all__ = ["wire"]
