"""Which system calls a sensor may make once everything is open (seccomp(2), Linux,
Documentation/userspace-api/seccomp_filter.rst): an allow-list; every other answers EPERM. No program can be
started, no packet socket opened, no namespace made.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct

from sensor.errors import UserError

_CALLS = {  # x86_64, aarch64 (-1: has none)
    "accept": (43, 202), "accept4": (288, 242), "access": (21, -1), "adjtimex": (159, 171),
    "arch_prctl": (158, -1), "bind": (49, 200), "brk": (12, 214), "chmod": (90, -1),
    "clock_getres": (229, 114), "clock_gettime": (228, 113), "clock_nanosleep": (230, 115),
    "clone": (56, 220), "close": (3, 57), "close_range": (436, 436), "connect": (42, 203),
    "copy_file_range": (326, 285), "dup": (32, 23), "dup2": (33, -1), "dup3": (292, 24),
    "epoll_create1": (291, 20), "epoll_ctl": (233, 21), "epoll_pwait": (281, 22),
    "epoll_pwait2": (441, 441), "epoll_wait": (232, -1), "eventfd2": (290, 19), "exit": (60, 93),
    "exit_group": (231, 94), "faccessat": (269, 48), "faccessat2": (439, 439), "fadvise64": (221, 223),
    "fallocate": (285, 47), "fchmod": (91, 52), "fchmodat": (268, 53), "fchown": (93, 55),
    "fchownat": (260, 54), "fcntl": (72, 25), "fdatasync": (75, 83), "flock": (73, 32), "fstat": (5, 80),
    "fstatfs": (138, 44), "fsync": (74, 82), "ftruncate": (77, 46), "futex": (202, 98),
    "getcpu": (309, 168), "getcwd": (79, 17), "getdents64": (217, 61), "getegid": (108, 177),
    "geteuid": (107, 175), "getgid": (104, 176), "getgroups": (115, 158), "getpeername": (52, 205),
    "getpid": (39, 172), "getppid": (110, 173), "getpriority": (140, 141), "getrandom": (318, 278),
    "getresgid": (120, 150), "getresuid": (118, 148), "getrlimit": (97, 163), "getrusage": (98, 165),
    "getsockname": (51, 204), "getsockopt": (55, 209), "gettid": (186, 178), "gettimeofday": (96, 169),
    "getuid": (102, 174), "ioctl": (16, 29), "listen": (50, 201), "lseek": (8, 62), "lstat": (6, -1),
    "madvise": (28, 233), "membarrier": (324, 283), "mkdir": (83, -1), "mkdirat": (258, 34),
    "mmap": (9, 222), "mprotect": (10, 226), "mremap": (25, 216), "msync": (26, 227), "munmap": (11, 215),
    "nanosleep": (35, 101), "newfstatat": (262, 79), "open": (2, -1), "openat": (257, 56),
    "pipe2": (293, 59), "poll": (7, -1), "ppoll": (271, 73), "prctl": (157, 167), "pread64": (17, 67),
    "preadv": (295, 69), "prlimit64": (302, 261), "pselect6": (270, 72), "pwrite64": (18, 68),
    "pwritev": (296, 70), "read": (0, 63), "readlink": (89, -1), "readlinkat": (267, 78),
    "readv": (19, 65), "recvfrom": (45, 207), "recvmmsg": (299, 243), "recvmsg": (47, 212),
    "rename": (82, -1), "renameat": (264, 38), "renameat2": (316, 276), "restart_syscall": (219, 128),
    "rmdir": (84, -1), "rseq": (334, 293), "rt_sigaction": (13, 134), "rt_sigpending": (127, 136),
    "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "rt_sigsuspend": (130, 133),
    "rt_sigtimedwait": (128, 137), "sched_get_priority_max": (146, 125),
    "sched_get_priority_min": (147, 126), "sched_getaffinity": (204, 123), "sched_getparam": (143, 121),
    "sched_getscheduler": (145, 120), "sched_setaffinity": (203, 122), "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119), "sched_yield": (24, 124), "select": (23, -1), "sendmmsg": (307, 269),
    "sendmsg": (46, 211), "sendto": (44, 206), "set_robust_list": (273, 99), "set_tid_address": (218, 96),
    "setpriority": (141, 140), "setsockopt": (54, 208), "shutdown": (48, 210), "sigaltstack": (131, 132),
    "socket": (41, 198), "socketpair": (53, 199), "stat": (4, -1), "statfs": (137, 43),
    "statx": (332, 291), "sync_file_range": (277, 84), "sysinfo": (99, 179), "tgkill": (234, 131),
    "time": (201, -1), "timerfd_create": (283, 85), "timerfd_settime": (286, 86), "times": (100, 153),
    "truncate": (76, 45), "umask": (95, 166), "uname": (63, 160), "unlink": (87, -1),
    "unlinkat": (263, 35), "utimensat": (280, 88), "wait4": (61, 260), "waitid": (247, 95),
    "write": (1, 64), "writev": (20, 66),
}  # fmt: skip
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column, AUDIT_ARCH_*
_CLONE3 = 435
_FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)
_NEW_NAMESPACES = 0x7E020000 | 0x80  # CLONE_NEW*
_X32 = 0x40000000

_LOAD, _AND, _EQUAL, _GREATER_EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENT = 0, 4, 16  # places in struct seccomp_data
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2

_Instruction = tuple[int, int, int, int]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def restrict() -> None:
    """From now on, for this thread and those it starts. no_new_privs must be set. UserError: the kernel or
    the processor does not allow it.
    """
    machine = os.uname().machine
    if machine not in _ARCHITECTURES:
        raise UserError(f"no list of system calls for {machine}")
    code = b"".join(struct.pack("=HBBI", *one) for one in _program(*_ARCHITECTURES[machine]))
    program = _Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0):
        raise UserError(f"seccomp is refused: {os.strerror(ctypes.get_errno())}")


def _program(column: int, architecture: int) -> list[_Instruction]:
    refuse = (_RETURN, 0, 0, _ERRNO | errno.EPERM)
    allow = (_RETURN, 0, 0, _ALLOW)
    families = [one for family in _FAMILIES for one in ((_EQUAL, 0, 1, int(family)), allow)]
    code: list[_Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 1, 0, architecture), refuse,
        (_LOAD, 0, 0, _NUMBER), (_GREATER_EQUAL, 0, 1, _X32), refuse,
        # Whoever cannot have it takes clone, whose flags can be looked at.
        (_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
        (_EQUAL, 0, len(families) + 2, _CALLS["socket"][column]),
        (_LOAD, 0, 0, _ARGUMENT), *families, refuse,
        (_EQUAL, 0, 5, _CALLS["clone"][column]),
        (_LOAD, 0, 0, _ARGUMENT), (_AND, 0, 0, _NEW_NAMESPACES), (_EQUAL, 0, 1, 0), allow, refuse,
    ]  # fmt: skip
    for name, numbers in _CALLS.items():
        if numbers[column] >= 0 and name not in ("socket", "clone"):
            code += [(_EQUAL, 0, 1, numbers[column]), allow]
    return [*code, refuse]
