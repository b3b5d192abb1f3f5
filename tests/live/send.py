"""Sends the frames of captures on an interface: `python send.py IFACE RATE LAPS FILE...`.

RATE is packets a second, 0 for as fast as it goes; LAPS how often, or with an `s` behind it for how many
seconds. Prints how many it sent, the seconds that took, and those of processor time. Frames keep their order;
those longer than the interface takes are left out.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import sys
import time
from pathlib import Path

import dpkt

CHUNK = 64  # frames a call; fewer at low rates, so that they come evenly
LONGEST = 65_000
BURST_SECONDS = 0.1  # what a busy machine held back for longer is not sent all at once: no wire does that


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    _fields_ = (  # struct msghdr
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vector", ctypes.POINTER(_Iovec)),
        ("vector_length", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    # Nested, since the kernel's structure has room behind the flags: without it a call sends one frame.
    _fields_ = (("header", _Header), ("sent", ctypes.c_uint32))  # struct mmsghdr


def main() -> None:
    interface, rate_text, laps_text, *names = sys.argv[1:]
    frames: list[bytes] = []
    for name in names:
        with Path(name).open("rb") as file:
            frames += [frame for _, frame in dpkt.pcap.UniversalReader(file) if len(frame) <= LONGEST]
    seconds = float(laps_text[:-1]) if laps_text.endswith("s") else None
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    out.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 << 20)
    out.bind((interface, 0))
    vectors = (_Iovec * len(frames))(
        *(_Iovec(ctypes.cast(ctypes.c_char_p(frame), ctypes.c_void_p), len(frame)) for frame in frames)
    )
    messages = (_Message * len(frames))()
    for message, vector in zip(messages, vectors, strict=True):
        message.header.vector, message.header.vector_length = ctypes.pointer(vector), 1
    libc = ctypes.CDLL(None, use_errno=True)
    rate = float(rate_text)
    chunk = max(1, min(CHUNK, int(rate / 1000))) if rate else CHUNK
    sent, begin, lap, cpu, late = 0, time.monotonic(), 0, time.process_time(), 0.0
    while (time.monotonic() - begin < seconds) if seconds else (lap < int(laps_text)):
        lap += 1
        at = 0
        while at < len(frames):
            if rate and (wait := begin + late + sent / rate - time.monotonic()) > 0:
                time.sleep(wait)
            elif rate and wait < -BURST_SECONDS:
                late -= wait + BURST_SECONDS
            count = min(chunk, len(frames) - at)
            done = libc.sendmmsg(out.fileno(), ctypes.byref(messages, at * ctypes.sizeof(_Message)), count, 0)
            if done < 0:
                if ctypes.get_errno() not in (errno.ENOBUFS, errno.EAGAIN):
                    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
                time.sleep(0.0005)
                continue
            at += done
            sent += done
            if seconds and time.monotonic() - begin >= seconds:
                break
    print(sent, time.monotonic() - begin, time.process_time() - cpu)


if __name__ == "__main__":
    main()
