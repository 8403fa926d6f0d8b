# SPDX-License-Identifier: GPL-2.0-or-later
"""The worker: the process whose sockets a script uses. It makes each call as asked, and says when it returned.

Calls are asked for on one pipe, and each is made by a thread of its own, so that one that blocks holds up nobody; what
it returned goes back with the time at which it did (CLOCK_MONOTONIC, ns). All else is asked for on another pipe, of the
main thread, which has a table of descriptors of its own: the script's descriptors count from 3, and nothing of ours
ever takes a number from it. Ends when nobody is there to ask. Imports only what starts fast.

A call is (number, name, arguments); its answer (number, time, (result, errno, data)), or (number, time, why) for
arguments that no call can have. Anything else is (method, arguments), its answer ("ok", value) or ("error", errno).
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
from multiprocessing.connection import Connection
from typing import Any

from labstack.live.holder import empty_namespace
from labstack.scenario.kernel import libc

CLONE_FILES = 0x400
FUTEX = "202" if os.uname().machine == "x86_64" else "98"  # the system call in which Python's own locks wait
LOOK = 100e-6  # s between two looks at a thread
SECONDS = 20  # that a shell's text may take
CONGESTION = "net.ipv4.tcp_congestion_control"
TABLES = ("netstat", "snmp", "snmp6")  # of counters, in /proc/net


class Worker:
    """running: the thread by which each call in progress is made"""

    def __init__(self, calls: Connection) -> None:
        self.calls = calls
        self.giving = threading.Lock()
        self.running: dict[int, int] = {}
        self.default = b""  # congestion control of new sockets, where the namespace may not have it as its default
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        try:
            while True:
                threading.Thread(target=self._make, args=self.calls.recv(), daemon=True).start()
        except BaseException:
            os._exit(1)

    def _make(self, number: int, name: str, args: tuple[Any, ...]) -> None:
        """Make a call, and tell."""
        self.running[number] = threading.get_native_id()
        try:
            back: Any = libc.call(name, args)
        except Exception as error:
            back = str(error)
        at = time.monotonic_ns()
        if name == "socket" and self.default and not isinstance(back, str) and back[0] >= 0:
            libc.setsockopt(back[0], socket.IPPROTO_TCP, libc.TCP_CONGESTION, self.default)
        with self.giving:
            del self.running[number]
            self.calls.send((number, at, back))

    # what else can be asked for

    def blocked(self, number: int) -> bool:
        """Does this call sleep in the kernel, in two looks one after the other?"""
        thread = self.running.get(number)
        if thread is None or not _asleep(thread):
            return False
        time.sleep(LOOK)
        return _asleep(thread) and number in self.running

    def sysctl(self, name: str, value: str | None) -> str:
        """Read or set one. Raises OSError."""
        path = "/proc/sys/" + name.replace(".", "/")
        if name == CONGESTION:
            return self._congestion(path, value)
        if value is not None:
            _write(path, value)
            if not os.access(path, os.R_OK):  # net.ipv4.route.flush, for one
                return value
        return " ".join(_read(path).split())

    def _congestion(self, path: str, value: str | None) -> str:
        """One that the machine keeps from namespaces as a default is given to each socket instead; none is loaded."""
        if value is not None:
            wanted = value.strip().encode()
            if wanted not in libc.LOADED[libc.TCP_CONGESTION]:
                raise OSError(errno.EINVAL, "no such congestion control")
            try:
                _write(path, value)
                self.default = b""
            except PermissionError:
                self.default = wanted
        return self.default.decode() or _read(path).strip()

    def counters(self) -> dict[str, int]:
        """Every counter, as nstat(8) names it."""
        return parsed([_read(f"/proc/net/{name}") for name in TABLES if os.path.exists(f"/proc/net/{name}")])

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


def _asleep(thread: int) -> bool:
    """Is a thread of ours in a system call, waiting? (proc_pid_syscall(5)); not for the lock of Python itself."""
    try:
        return _read(f"/proc/self/task/{thread}/syscall").split()[0] not in ("running", "-1", FUTEX)
    except OSError:
        return True  # a kernel that does not tell: it has been long enough


def _read(path: str) -> str:
    with open(path) as file:
        return file.read()


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def parsed(texts: list[str]) -> dict[str, int]:
    """Every counter: of "TcpExt: A B" over "TcpExt: 1 2", TcpExtA and TcpExtB; of "Ip6InReceives 3", as it is."""
    found: dict[str, int] = {}
    names: list[str] = []
    for words in (line.split() for text in texts for line in text.splitlines()):
        if len(words) == 2 and not words[0].endswith(":"):
            found[words[0]] = int(words[1])
        elif names[:1] == words[:1]:
            found |= {names[0][:-1] + name: int(n) for name, n in zip(names[1:], words[1:], strict=True)}
            names = []
        else:
            names = words
    return found


def work(calls: Connection, others: Connection) -> None:
    """Serve until nobody is there to ask; does not return."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    sys.setswitchinterval(0.0005)
    worker = Worker(calls)
    ctypes.CDLL(None).unshare(CLONE_FILES)
    try:
        while True:
            method, args = others.recv()
            try:
                answer: Any = "ok", getattr(worker, method)(*args)
            except OSError as error:
                answer = "error", error.errno or 0
            others.send(answer)
    except (EOFError, OSError):
        empty_namespace()
    finally:
        os._exit(0)
