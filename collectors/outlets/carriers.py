"""How events travel: by the scheme of an outlet's address."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, cast

from collectors.outlets.item import Item
from collectors.outlets.settings import Outlet

CARRIERS = {
    "tls": "syslog",
    "tcp": "syslog",
    "https": "webhook",
    "http": "webhook",
    "kafka": "kafka",
}
"""The module in this folder, by scheme. It has `open(outlet, home) -> Carrier`."""


class Message(NamedTuple):
    """An event, and how the outlet's format writes it."""

    item: Item
    body: str


class Carrier(Protocol):
    """A connection to a receiver. Its methods raise OSError or NotTaken when it is not there or will not."""

    def send(self, messages: Sequence[Message]) -> None:
        """Hand these over, in order."""

    def confirm(self) -> None:
        """Return once the receiver has taken everything that was sent; the connection may end with it."""

    def close(self) -> None:
        """Give the connection up, whatever was sent."""


class NotTaken(Exception):
    """The receiver answered, and does not take what was sent."""

    def __init__(self, text: str, *, retry_after_seconds: float = 0.0) -> None:
        super().__init__(text)
        self.retry_after_seconds = retry_after_seconds


def open_carrier(outlet: Outlet, home: Path) -> Carrier:
    """Connect. OSError when nobody is there; UserError when a file of ours is missing or wrong."""
    module = importlib.import_module(f"collectors.outlets.{CARRIERS[outlet.scheme]}")
    return cast(Carrier, module.open_connection(outlet, home))


def render(outlet: Outlet, item: Item) -> Message:
    """The event as this outlet's format writes it."""
    module = importlib.import_module(f"collectors.outlets.{outlet.format}")
    return Message(item, module.render(item))


def content_type(outlet: Outlet) -> str:
    """Of a body of many messages, a line each."""
    return cast(str, importlib.import_module(f"collectors.outlets.{outlet.format}").CONTENT_TYPE)
