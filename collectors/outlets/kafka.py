"""Kafka, by confluent-kafka (the extra `kafka`): the sensor is the key, all replicas must have the event."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from collectors.outlets.carriers import Message, NotTaken
from collectors.outlets.settings import Outlet
from sensor import __version__

_FLUSH_SECONDS = 30.0
_POLL_SECONDS = 0.1
_ROUNDS = 300  # of polling for room in the client's queue


def open_connection(outlet: Outlet, home: Path) -> Connection:
    """A producer; it connects by itself."""
    from confluent_kafka import Producer

    parts = urlsplit(outlet.to)
    secured = bool(outlet.ca or outlet.certificate)
    settings: dict[str, Any] = {
        "bootstrap.servers": f"{parts.hostname}:{parts.port}",
        "client.id": f"haidang-{outlet.name}",
        "client.software.name": "haidang",
        "client.software.version": __version__,
        "enable.idempotence": True,  # order within a key, and no doubles by retries of the client's own
        "acks": "all",
        "compression.type": "zstd",
        "linger.ms": 20,
        "message.timeout.ms": int(_FLUSH_SECONDS * 1000),
        "security.protocol": "ssl" if secured else "plaintext",
    }
    files = (
        ("ssl.ca.location", outlet.ca),
        ("ssl.certificate.location", outlet.certificate),
        ("ssl.key.location", outlet.key),
    )
    settings |= {name: str(home / file) for name, file in files if file}
    return Connection(Producer(settings), parts.path.strip("/"))


class Connection:
    """A producer and what became of its events."""

    def __init__(self, producer: Any, topic: str) -> None:
        self._producer = producer
        self._topic = topic
        self._error = ""

    def send(self, messages: Sequence[Message]) -> None:
        for message in messages:
            for _ in range(_ROUNDS):
                try:
                    self._producer.produce(
                        self._topic,
                        message.body.encode(errors="replace"),
                        key=message.item.sensor.encode(),
                        headers={"id": message.item.id.encode()},
                        on_delivery=self._note,
                    )
                    break
                except BufferError:  # its queue is full: wait for answers
                    self._producer.poll(_POLL_SECONDS)
            else:
                raise NotTaken("no broker takes events")
        self._producer.poll(0)
        self._raise()

    def confirm(self) -> None:
        waiting = self._producer.flush(_FLUSH_SECONDS)
        self._raise()
        if waiting:
            raise NotTaken(f"{waiting} events without an answer in {_FLUSH_SECONDS:.0f} s")

    def close(self) -> None:
        self._producer.purge()
        self._producer.flush(1.0)

    def _note(self, error: Any, _: Any) -> None:
        if error is not None:
            self._error = self._error or str(error)

    def _raise(self) -> None:
        if self._error:
            raise NotTaken(self._error)
