"""What a sensor gives up once its sockets are open: the user it was started as, every capability, and the way
back (capabilities(7), prctl(2)).
"""

from __future__ import annotations

import ctypes
import grp
import os
import pwd

from sensor.errors import UserError

_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def drop(user: str = "", group: str = "") -> None:
    """Become this user and group (names or numbers; empty: stay) and give up every capability, for good.

    Only threads that are started afterwards have none: call it before there are any. Raises UserError
    when the user is unknown or the system refuses.
    """
    if user or group:
        uid, gid = _user(user, group)
        try:
            os.setgroups([])
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
        except PermissionError:
            raise UserError(
                "only root can become another user", where="--user", fix="start as root, or leave it out"
            ) from None
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise UserError(f"no_new_privs is refused: {os.strerror(ctypes.get_errno())}")
    if os.geteuid() == 0:
        return  # root without capabilities could not write its own logs
    header, none = _Header(_CAPABILITY_VERSION_3, 0), (_Sets * 2)()
    if libc.capset(ctypes.byref(header), none):
        raise UserError(f"capabilities cannot be dropped: {os.strerror(ctypes.get_errno())}")


def _user(user: str, group: str) -> tuple[int, int]:
    try:
        if user.isdigit():
            uid, gid = int(user), int(user)
        elif user:
            entry = pwd.getpwnam(user)
            uid, gid = entry.pw_uid, entry.pw_gid
        else:
            uid, gid = os.geteuid(), os.getegid()
        if group:
            gid = int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    except KeyError as unknown:
        raise UserError(
            f"there is no such user or group: {unknown.args[0]}",
            where="--user",
            fix="adduser --system haidang",
        ) from None
    return uid, gid
