"""Capture filters in tcpdump's language, compiled by the system's libpcap where there is one.

libpcap is loaded when a filter is given, not before; without it a filter is an error that says so, never
ignored.
"""

from __future__ import annotations

import ctypes
import ctypes.util

from sensor.errors import UserError

Program = list[list[int]]
"""Instructions of classic BPF: [code, jump if true, jump if false, k]."""

_SNAPLEN_BYTES = 262_144  # what tcpdump takes: any frame in full
_NETMASK_UNKNOWN = 0xFFFFFFFF

_LINK_TYPES = {1: 1, 113: 113, 276: 276, 101: 12, 12: 12, 14: 12, 228: 228, 229: 229, 0: 0, 108: 108,
               109: 109, 9: 9, 50: 50, 51: 51, 104: 104}  # fmt: skip
"""Link types that captures name → the number libpcap has for them (they differ for raw IP)."""


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_ushort),
        ("jt", ctypes.c_ubyte),
        ("jf", ctypes.c_ubyte),
        ("k", ctypes.c_uint),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint), ("instructions", ctypes.POINTER(_Instruction)))


def compile_filter(text: str) -> dict[str, Program]:
    """The filter's program for every link type it makes sense on, keyed by the link type's number as text.

    Raises UserError where libpcap is missing or understands the filter for no link type.
    """
    library = _libpcap()
    programs: dict[str, Program] = {}
    reason = ""
    for link_type, number in _LINK_TYPES.items():
        handle = library.pcap_open_dead(number, _SNAPLEN_BYTES)
        if not handle:
            continue
        try:
            program = _Program()
            if library.pcap_compile(handle, ctypes.byref(program), text.encode(), 1, _NETMASK_UNKNOWN):
                reason = reason or library.pcap_geterr(handle).decode(errors="replace")
                continue
            instructions = (program.instructions[at] for at in range(program.length))
            programs[str(link_type)] = [[i.code, i.jt, i.jf, i.k] for i in instructions]
            library.pcap_freecode(ctypes.byref(program))
        finally:
            library.pcap_close(handle)
    if not programs:
        raise UserError(f"`{text}` is no capture filter: {reason}", fix="see pcap-filter(7) for the language")
    return programs


def _libpcap() -> ctypes.CDLL:
    for name in ("libpcap.so.0.8", "libpcap.so.1", ctypes.util.find_library("pcap")):
        try:
            library = ctypes.CDLL(name) if name else None
        except OSError:
            continue
        if library is not None:
            break
    else:
        raise UserError(
            "capture filters need libpcap, which is not on this machine",
            fix="install it (Debian: libpcap0.8), or filter first: tcpdump -r IN -w OUT FILTER",
        )
    library.pcap_open_dead.restype = ctypes.c_void_p
    library.pcap_open_dead.argtypes = (ctypes.c_int, ctypes.c_int)
    library.pcap_compile.argtypes = (
        ctypes.c_void_p, ctypes.POINTER(_Program), ctypes.c_char_p, ctypes.c_int, ctypes.c_uint,
    )  # fmt: skip
    library.pcap_geterr.restype = ctypes.c_char_p
    library.pcap_geterr.argtypes = (ctypes.c_void_p,)
    library.pcap_freecode.argtypes = (ctypes.POINTER(_Program),)
    library.pcap_close.argtypes = (ctypes.c_void_p,)
    return library
