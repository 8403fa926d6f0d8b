# SPDX-License-Identifier: GPL-2.0-or-later
"""Namespace: our handle on a holder child and on the network namespace that lives exactly as long as it does.

Programs run inside as ordinary `subprocess` children of ours. Safe in a process with threads: only the child
unshares.
"""

import contextlib
import errno
import marshal
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

MOST = 65_536  # bytes of one request or answer
_ROOT = str(Path(__file__).resolve().parents[2])
_CHILD = "import sys; sys.path.append(sys.argv.pop(1)); from labstack.live.{0} import main; main()"


class StepError(OSError):
    """A step of the holder failed: `step` names it, `errno` says why."""

    def __init__(self, step: str, code: int, text: str) -> None:
        super().__init__(code, text or os.strerror(code))
        self.step = step

    def __str__(self) -> str:
        return f"{self.step}: {errno.errorcode.get(self.errno or 0, self.errno)} ({self.strerror})"


class Namespace:
    """A network namespace of our own, empty but for `lo`.

    user: inside a user namespace, which needs no privilege; within: owned by the user namespace of that one
    """

    def __init__(self, user: bool, within: "Namespace | None" = None) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.user = user
        self.lock = Lock()
        self.fds: list[int] = []
        argv = [*_python("holder"), str(theirs.fileno())]
        self.start = within.popen if within else subprocess.Popen  # from where a program can enter
        with theirs:
            self.child = self.start(argv, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        try:
            self.fds = self.ask("enter", user)[1]
        except OSError:
            self.close()
            raise

    def ask(self, operation: str, *args: object) -> tuple[Any, list[int]]:
        """Have the holder do an operation of holder.OPERATIONS: (value, descriptors). Raises StepError."""
        with self.lock:
            try:
                self.control.send(marshal.dumps((operation, args)))  # type: ignore[arg-type]
                message, fds, _, _ = socket.recv_fds(self.control, MOST, 4)
            except OSError as error:
                raise StepError(operation, error.errno or errno.EPIPE, "the holder is gone") from None
        if not message:
            raise StepError(operation, errno.EPIPE, "the holder is gone")
        kind, *rest = marshal.loads(message)
        if kind == "error":
            raise StepError(*rest)
        return rest[0], fds

    @property
    def pid(self) -> int:
        """The holder's."""
        return self.child.pid

    @property
    def entrance(self) -> str:
        """The words that, before a command, let it run inside, typed in another shell of the same user."""
        return f"nsenter {'--preserve-credentials -U ' * self.user}-n -t {self.pid}"

    def popen(self, argv: Sequence[str], **options: Any) -> "subprocess.Popen[Any]":
        """Start a program inside; options as for subprocess.Popen."""
        options["pass_fds"] = [*options.get("pass_fds", ()), *self.fds]
        return self.start([*_python("enter"), ",".join(map(str, self.fds)), *argv], **options)

    def close(self) -> None:
        """End the holder, and with it every program and device inside."""
        with contextlib.suppress(OSError):
            self.control.shutdown(socket.SHUT_RDWR)
        self.control.close()
        self.child.wait()
        for fd in self.fds:
            os.close(fd)
        self.fds = []


def _python(module: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", _CHILD.format(module), _ROOT]
