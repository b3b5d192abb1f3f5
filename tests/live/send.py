"""Sends the frames of captures on an interface: `python send.py IFACE RATE LAPS FILE...`.

RATE is packets a second, 0 for as fast as it goes. Prints how many it sent. Frames keep their order.
"""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

import dpkt


def main() -> None:
    interface, rate, laps, *names = sys.argv[1:]
    frames: list[bytes] = []
    for name in names:
        with Path(name).open("rb") as file:
            frames += [frame for _, frame in dpkt.pcap.UniversalReader(file)]
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    out.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 << 20)
    out.bind((interface, 0))
    sent, begin, gap = 0, time.monotonic(), 1 / float(rate) if float(rate) else 0.0
    for _ in range(int(laps)):
        for frame in frames:
            if gap and (wait := begin + sent * gap - time.monotonic()) > 0:
                time.sleep(wait)
            try:
                out.send(frame)
            except OSError as error:
                if error.errno != 105:  # ENOBUFS: the queue is full for a moment
                    raise
                time.sleep(0.001)
                out.send(frame)
            sent += 1
    print(sent)


if __name__ == "__main__":
    main()
