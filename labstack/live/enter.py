# SPDX-License-Identifier: GPL-2.0-or-later
"""Become another program inside a lab's namespaces: `LIFE,FD[,FD] program argument ...`, as nsenter(1) does.

The descriptors: a pipe that closes when the holder ends, then the namespaces to join, user before net. Imports only
what starts fast.
"""

import errno
import os
import sys

from labstack.live import namespaces


def main() -> None:
    """Join the namespaces and execute the program; exit status 127 with one line of reason if that fails."""
    fds, *argv = sys.argv[1:]
    try:
        life, *spaces = map(int, fds.split(","))
        for fd in spaces:
            namespaces.join(fd)
            os.close(fd)
        if ended(life):
            raise OSError(errno.ENETDOWN, "the lab's network is gone")
        os.execvp(argv[0], argv)
    except OSError as error:
        sys.stderr.write(f"{argv[0]}: {error.strerror}\n")
        raise SystemExit(127) from None


def ended(life: int) -> bool:
    """Has the writing end of this (non-blocking) pipe been closed?"""
    try:
        return os.read(life, 1) == b""
    except BlockingIOError:
        return False
    finally:
        os.close(life)
