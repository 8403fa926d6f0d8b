# SPDX-License-Identifier: GPL-2.0-or-later
"""The worker: the process whose sockets a script uses. It makes each call as asked, and says when it returned.

Requests come on one socket and are taken by whichever thread is free, so that a call that blocks holds up nobody;
what it returned goes back with the time at which it did (CLOCK_MONOTONIC, ns). Service requests come on another, to
the main thread, which has a table of descriptors of its own: the script's descriptors count from 3, and nothing of
ours ever takes a number from it. Ends when nobody is there to ask. Imports only what starts fast.

A call is (number, name, arguments); its answer (number, time, (result, errno, data)), or (number, time, why) for
arguments that no call can have. A service request is (operation, arguments), its answer ("ok", value) or ("error",
errno).
"""

import ctypes
import errno
import os
import select
import signal
import socket
import sys
import threading
import time
from typing import Any

from labstack.live.holder import empty_namespace
from labstack.scenario.kernel import libc
from labstack.scenario.kernel.framing import receive, send

IDLE = 4  # threads from the beginning
CLONE_FILES = 0x400
FUTEX = "202" if os.uname().machine == "x86_64" else "98"  # the system call in which Python's own locks wait
LOOK = 100e-6  # s between two looks at a thread
SECONDS = 20  # that a shell's text may take
CONGESTION = "net.ipv4.tcp_congestion_control"


class Calls:
    """Threads that make calls; running: the thread that each one in progress is made by."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.taking, self.giving = threading.Lock(), threading.Lock()
        self.idle = 0
        self.running: dict[int, int] = {}
        self.congestion = b""  # what new sockets use where the namespace may not have it as its default
        for _ in range(IDLE):
            self.thread()

    def thread(self) -> None:
        with self.giving:
            self.idle += 1
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        try:
            while True:
                self.one()
        except BaseException:
            os._exit(1)

    def one(self) -> None:
        with self.taking:
            number, name, args = receive(self.sock)
            with self.giving:
                self.running[number] = threading.get_native_id()
                self.idle -= 1
            if not self.idle:
                self.thread()
        try:
            back: Any = libc.call(name, args)
        except Exception as error:
            back = str(error)
        at = time.monotonic_ns()
        if name == "socket" and self.congestion and not isinstance(back, str) and back[0] >= 0:
            libc.setsockopt(back[0], socket.IPPROTO_TCP, libc.TCP_CONGESTION, self.congestion)
        with self.giving:
            del self.running[number]
            self.idle += 1
            send(self.sock, (number, at, back))

    def blocked(self, number: int) -> bool:
        """Does this call sleep in the kernel, in two looks one after the other?"""
        thread = self.running.get(number)
        if thread is None or not _asleep(thread):
            return False
        time.sleep(LOOK)
        return _asleep(thread) and number in self.running


def _asleep(thread: int) -> bool:
    """Is a thread of ours in a system call, waiting? (proc_pid_syscall(5)); not for the lock of Python itself."""
    try:
        with open(f"/proc/self/task/{thread}/syscall") as file:
            return file.read().split()[0] not in ("running", "-1", FUTEX)
    except OSError:
        return True  # a kernel that does not tell: it has been long enough


class Service:
    """The main thread's part: what is no system call of the script."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls

    def blocked(self, number: int) -> bool:
        return self.calls.blocked(number)

    def sysctl(self, name: str, value: str | None) -> str:
        """Read or set one. Raises OSError."""
        path = "/proc/sys/" + name.replace(".", "/")
        if name == CONGESTION:
            return self._congestion(path, value)
        if value is not None:
            _write(path, value)
            if not os.access(path, os.R_OK):  # net.ipv4.route.flush, for one
                return value
        with open(path) as file:
            return " ".join(file.read().split())

    def _congestion(self, path: str, value: str | None) -> str:
        """One that the machine keeps from namespaces as a default is given to each socket instead; none is loaded."""
        if value is not None:
            wanted = value.strip().encode()
            if wanted not in libc.LOADED[libc.TCP_CONGESTION]:
                raise OSError(errno.EINVAL, "no such congestion control")
            try:
                _write(path, value)
                self.calls.congestion = b""
            except PermissionError:
                self.calls.congestion = wanted
        with open(path) as file:
            return self.calls.congestion.decode() or file.read().strip()

    def tables(self) -> list[str]:
        """/proc/net/netstat, snmp and snmp6."""
        found = []
        for name in ("netstat", "snmp", "snmp6"):
            if os.path.exists(f"/proc/net/{name}"):
                with open(f"/proc/net/{name}") as file:
                    found.append(file.read())
        return found

    def shell(self, text: str, folder: str, variables: dict[str, str]) -> tuple[int, str]:
        """Run a text by sh: its status and what it printed; one that goes on for SECONDS is ended."""
        output = os.memfd_create("output")
        actions = [(os.POSIX_SPAWN_DUP2, output, 1), (os.POSIX_SPAWN_DUP2, output, 2)]
        os.chdir(folder)
        usual = os.SCHED_OTHER, os.sched_param(0)
        pid = os.posix_spawnp("sh", ["sh", "-c", text], variables, file_actions=actions, scheduler=usual)
        watch = os.pidfd_open(pid)
        if not select.select([watch], [], [], SECONDS)[0]:
            os.kill(pid, signal.SIGKILL)
            os.write(output, f"it was ended after {SECONDS} s\n".encode())
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        printed = os.pread(output, os.fstat(output).st_size, 0).decode(errors="replace")
        for fd in (watch, output):
            os.close(fd)
        return status, printed

    def empty(self) -> None:
        empty_namespace()


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def work(calls: socket.socket, service: socket.socket) -> None:
    """Serve until nobody is there to ask; does not return."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    sys.setswitchinterval(0.0005)
    threads = Calls(calls)
    serving = Service(threads)
    ctypes.CDLL(None).unshare(CLONE_FILES)
    try:
        while True:
            operation, args = receive(service)
            try:
                answer: Any = "ok", getattr(serving, operation)(*args)
            except OSError as error:
                answer = "error", error.errno or 0
            send(service, answer)
    except (EOFError, OSError):
        empty_namespace()
    finally:
        os._exit(0)
