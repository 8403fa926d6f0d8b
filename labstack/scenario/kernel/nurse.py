# SPDX-License-Identifier: GPL-2.0-or-later
"""The nurse: a process inside the user namespace that starts one worker for each target, in a network of its own.

A fork of a process that has everything imported, and a new network namespace, take a few milliseconds. Each request
is a Plan with two sockets, the worker's ends; the answer is the worker's process id, with a descriptor of it. The
worker itself says on the second how its network came to be: () with the packet socket and the TUN, or
(step, errno). Workers end when the nurse ends, and the nurse when who started her does.
"""

import fcntl
import gc
import marshal
import os
import resource
import signal
import socket
import sys
from multiprocessing.connection import Connection

from labstack.live import namespaces
from labstack.scenario.kernel import worker
from labstack.scenario.kernel.furnish import Furnisher, Plan

MOST = 65_536  # bytes of one request
TOP = 4096  # our descriptors are the last below this, or below the limit: a script that counts up finds its own first
OURS = 16


def main() -> None:
    """python -c ... FD: serve the control socket FD."""
    control = socket.socket(fileno=int(sys.argv[-1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the user's ^C is for whoever runs the scenario
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for workers
    gc.disable()
    gc.freeze()
    me = os.getpid()
    while True:
        message, fds, _, _ = socket.recv_fds(control, MOST, 2)
        if not message:
            break
        pid = os.fork()
        if not pid:
            _born(me, control, Plan(*marshal.loads(message)), fds)
        watch = os.pidfd_open(pid)
        socket.send_fds(control, [pid.to_bytes(4, "little")], [watch])
        for fd in (watch, *fds):
            os.close(fd)


def _born(nurse: int, control: socket.socket, plan: Plan, fds: list[int]) -> None:
    """In the child: a worker in a network of its own. Does not return."""
    try:
        namespaces.signal_on_parents_death(signal.SIGKILL)
        if os.getppid() != nurse:
            os._exit(1)
        control.detach()
        top = _top()
        calls, others = (socket.socket(fileno=fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, top)) for fd in fds)
        _silence(top)
        for fd in _furnished(plan, others):  # kept here, too: whoever closes them last waits for the kernel
            fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, top)
            os.close(fd)
        worker.work(Connection(calls.detach()), Connection(others.detach()))
    finally:
        os._exit(1)


def _top() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (min(soft, TOP) if soft > 0 else TOP) - OURS


def _silence(top: int) -> None:
    """Nothing on the standard streams, and every other descriptor below `top` free."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.closerange(3, top)


def _furnished(plan: Plan, others: socket.socket) -> list[int]:
    """Leave the nurse's network for a new one, furnish it, and tell."""
    maker = None
    try:
        namespaces.unshare(False)
        maker = Furnisher(plan)
        fds = maker.furnish()
    except OSError as error:
        others.send(marshal.dumps((maker.step if maker else "unshare", error.errno or 0)))
        os._exit(1)
    socket.send_fds(others, [marshal.dumps(())], fds)
    return fds
