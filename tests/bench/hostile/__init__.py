"""Captures of any size, each shaped so that a careless engine's cost grows with its square: what `linear.py`
measures.

Every generator takes n and returns packets (time, Ethernet frame); their number or size is proportional to n.
One file for each layer or family of protocols; a generator is one function and one line of its `GENERATORS`.
"""

from __future__ import annotations

from . import decode, dialogue, dns, encrypted, http, http2, industrial, mail, office, stream
from .wire import Registry

GENERATORS: Registry = {
    name: entry
    for layer in (decode, stream, http, http2, dns, mail, encrypted, office, industrial, dialogue)
    for name, entry in layer.GENERATORS.items()
}
