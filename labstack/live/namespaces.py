# SPDX-License-Identifier: GPL-2.0-or-later
"""The system calls behind a lab's namespaces: unshare, setns, prctl. Only for single-threaded processes that start
fast.

An ordinary user may own a network namespace inside a user namespace of their own (user_namespaces(7)); root needs no
user namespace, but gets a network namespace of its own all the same.
"""

import ctypes
import os

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
PR_SET_PDEATHSIG = 1


def _libc(name: str, *args: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*args):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def unshare(user: bool) -> None:
    """Enter a new network namespace, and before it a new user namespace if asked. Raises OSError."""
    _libc("unshare", CLONE_NEWNET | (CLONE_NEWUSER if user else 0))


def become_root_inside(uid: int, gid: int) -> None:
    """Map the uid and gid that we had outside to root inside the new user namespace. Raises OSError."""
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def join(fd: int) -> None:
    """Enter the namespace that fd (an open /proc/PID/ns/...) stands for. Raises OSError."""
    _libc("setns", fd, 0)


def signal_on_parents_death(signal: int) -> None:
    """Ask for signal when the thread that started us ends; namespaces and credentials reset it, so ask afterwards."""
    _libc("prctl", PR_SET_PDEATHSIG, signal, 0, 0, 0)
