# SPDX-License-Identifier: GPL-2.0-or-later
"""The nursery: what this process has to make kernel targets from; one, made when it is first needed.

A holder with a namespace (root), else inside a user namespace (anybody), and in it the nurse, who starts workers.
Everything in it ends with this process, however that goes: the holder ends the nurse, the nurse's end is the workers'.
"""

import atexit
import contextlib
import errno
import marshal
import os
import signal
import socket
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from labstack.live import doctor
from labstack.live.namespace import Namespace, StepError
from labstack.scenario.kernel import steady
from labstack.scenario.kernel.furnish import Plan

PATIENCE = 30  # s for what takes a few ms
_ROOT = str(Path(__file__).resolve().parents[3])
_CHILD = "import sys; sys.path.append(sys.argv.pop(1)); from labstack.scenario.kernel.nurse import main; main()"


class NoKernelError(OSError):
    """The kernel cannot be a target here; str() is doctor's lines, with what would mend it."""

    def __str__(self) -> str:
        return str(self.strerror)


class Worker(NamedTuple):
    """One worker: its pipes for calls and for all else, the descriptors of its wire, and of itself."""

    calls: Connection
    others: Connection
    fds: list[int]
    pid: int
    watch: int


class Nursery:
    """how: for people; raises NoKernelError if there can be none."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.tun = True  # as far as we know
        self.space, self.how = _space()
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(PATIENCE)
        argv = [sys.executable, "-I", "-S", "-c", _CHILD, _ROOT, str(theirs.fileno())]
        quiet = subprocess.DEVNULL
        with theirs:
            self.nurse = self.space.popen(argv, pass_fds=[theirs.fileno()], stdin=quiet, stdout=quiet)
        steady.prefer(self.nurse.pid)

    def worker(self, plan: Plan) -> Worker:
        """A worker in a fresh network; way "auto" is a TUN if there can be one. Raises StepError."""
        if plan.way != "auto":
            return self._worker(plan)
        if plan.link == "ip" and self.tun:
            try:
                return self._worker(plan._replace(way="tun"))
            except StepError as error:
                if error.step != "queue":
                    raise
                self.tun = False
        return self._worker(plan._replace(way="veth"))

    def _worker(self, plan: Plan) -> Worker:
        calls, theirs = socket.socketpair()
        others, other = socket.socketpair()
        fds: list[int] = []
        try:
            with self.lock, theirs, other:
                socket.send_fds(self.control, [marshal.dumps(tuple(plan))], [theirs.fileno(), other.fileno()])
                pid, fds, _, _ = socket.recv_fds(self.control, 4, 1, socket.MSG_CMSG_CLOEXEC)
                if not pid:
                    raise StepError("nurse", errno.EPIPE, "she is gone")
            others.settimeout(PATIENCE)
            message, wire, _, _ = socket.recv_fds(others, 4096, 2, socket.MSG_CMSG_CLOEXEC)
            failed = marshal.loads(message) if message else ("worker", errno.EPIPE)
            if failed:
                raise StepError(failed[0], failed[1], "")
        except BaseException as error:
            for it in (calls, others):
                it.close()
            for fd in fds:
                os.close(fd)
            if isinstance(error, OSError) and not isinstance(error, StepError):
                raise StepError("nurse", error.errno or errno.EPIPE, "she does not answer") from None
            raise
        others.settimeout(None)
        pipes = Connection(calls.detach()), Connection(others.detach())
        return Worker(*pipes, wire, int.from_bytes(pid, "little"), fds[0])

    @property
    def alive(self) -> bool:
        return self.nurse.poll() is None

    def close(self) -> None:
        """End every worker, and everything in their networks."""
        self.control.close()
        self.nurse.kill()
        self.nurse.wait()
        self.space.close()


def _space() -> tuple[Namespace, str]:
    """The namespace to start from, and how it came to be."""
    failed: list[doctor.Check] = []
    for user in (False, True):
        try:
            return Namespace(user), "user and network namespace" if user else "network namespace"
        except StepError as error:
            failed.append(doctor.namespace_check(user, error))
    raise NoKernelError(errno.EOPNOTSUPP, doctor.render(failed))


_nurseries: dict[int, Nursery] = {}  # by process: a fork has none yet
_making = Lock()


def nursery() -> Nursery:
    """This process's own. Raises NoKernelError."""
    with _making:
        mine = _nurseries.get(os.getpid())
        if mine is not None and not mine.alive:
            mine.close()
            mine = None
        if mine is None:
            mine = _nurseries[os.getpid()] = Nursery()
        return mine


@atexit.register
def close() -> None:
    """Give everything back; the next target makes a new nursery."""
    with _making:
        mine = _nurseries.pop(os.getpid(), None)
    if mine is not None:
        mine.close()


def kill(watch: int) -> None:
    """End a worker at once, by the descriptor of its process."""
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(watch, signal.SIGKILL)
