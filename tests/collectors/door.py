"""A centre's socket in a thread, and clients that knock at it: for the tests of this folder."""

from __future__ import annotations

import threading

import zmq
from desk import CENTRE_KEYS, Desk

from collectors.listen import Listener
from sensor.bus.keys import SensorKeys
from sensor.bus.link import connect


class Door:
    """A listener in a thread."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.listener = Listener("tcp://127.0.0.1:0", CENTRE_KEYS, desk.registry, desk.receiver)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.listener.run, args=(self.stop,))
        self.thread.start()
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()

    def knock(self, keys: SensorKeys, server: str = CENTRE_KEYS.curve_public) -> zmq.Socket[bytes]:
        socket = connect(self.context, self.listener.bound, keys, server)
        socket.setsockopt(zmq.SNDTIMEO, 3000)
        socket.setsockopt(zmq.RCVTIMEO, 3000)
        return socket

    def close(self) -> None:
        self.stop.set()
        self.thread.join(10)
        self.listener.close()
        self.context.destroy(0)
