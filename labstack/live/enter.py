# SPDX-License-Identifier: GPL-2.0-or-later
"""Become another program inside a lab's namespaces: `FD[,FD] program argument ...`, as nsenter(1) does.

The descriptors are the namespaces to join, user before net. Imports only what starts fast.
"""

import os
import sys

from labstack.live import namespaces


def main() -> None:
    """Join the namespaces and execute the program; exit status 127 with one line of reason if that fails."""
    fds, *argv = sys.argv[1:]
    try:
        for fd in fds.split(","):
            namespaces.join(int(fd))
            os.close(int(fd))
        os.execvp(argv[0], argv)
    except OSError as error:
        sys.stderr.write(f"{argv[0]}: {error.strerror}\n")
        raise SystemExit(127) from None
