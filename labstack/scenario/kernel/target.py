# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernel: the Linux kernel of this machine as a target, in a network namespace of its own, in real time.

    with Kernel(sysctls={"net.ipv4.tcp_congestion_control": "cubic"}) as kernel:
        fd = kernel.socket(AF_INET, SOCK_STREAM).result
        kernel.bind(fd, ("192.168.0.1", 8080)); kernel.listen(fd, 1)
        ticket = kernel.accept(fd)                           Ticket: it sleeps in the kernel
        kernel.inject(syn); packet = kernel.wait(kernel.now + 1_000_000_000)

The same calls as `calls.Calls` has, and the same shapes. A call is a Ticket when its thread has been seen asleep in the
system call, so a busy machine makes it late but not wrong. Packets are stamped by the kernel when they leave, returns
by the thread that made the call. Times are ns since the target was made (CLOCK_MONOTONIC).
"""

import contextlib
import errno
import os
import re
import select
import socket
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Self

from labstack.core.errors import StackError
from labstack.live import doctor
from labstack.live.namespace import StepError
from labstack.scenario.calls import LOCAL, result
from labstack.scenario.kernel import nursery, steady, worker
from labstack.scenario.kernel.furnish import planned
from labstack.scenario.kernel.nursery import NoKernelError
from labstack.scenario.kernel.wire import Wire, clocks
from labstack.scenario.syscalls import Back, Syscalls
from labstack.scenario.target import Packet, Result, Ticket
from labstack.stack.syscall import info

SPIN = 300_000  # ns before a time at which we stop sleeping, to be on time
EAGER = 1_000_000  # ns for which a call's answer is waited for awake: a machine that was idle takes half as long
PATIENCE = 10 * 1_000_000_000  # ns for a call that neither returns nor sleeps
ANSWER = worker.SECONDS + 10  # s for whatever else is asked for; a shell may take some
LONGEST = 1_000_000  # ms of one sleep
MOST_BLOCKED = 256  # calls at once
BLOCKING = frozenset(
    {"accept", "accept4", "connect", "read", "recv", "readv", "recvfrom", "recvmsg", "write", "send", "writev"}
    | {"sendto", "sendmsg", "poll", "epoll_wait"}
)
SO_MEMINFO, TCP_FIGURES = 55, (11, 26, 13)  # TCP_INFO, TCP_CC_INFO, TCP_CONGESTION
MOST_INFO = 1024  # bytes: more than any of these structs has
CLOCK_MONOTONIC_COARSE = 6
_NAME = re.compile(r"net\.(core|ipv4|ipv6|mptcp)(\.[A-Za-z0-9_-]+)+")


class Kernel(Syscalls):
    """Linux as a target: the module's head shows how it is used; for what is not said here see Calls. Not for threads.

    local:    IPv6 addresses are left out where the MTU is below 1280
    remote:   addresses that have a route of their own, so that it can be changed (`ip route change`)
    mss:      over "veth" only
    device:   "tun" or "veth" (the only one for "ether"); "auto": a TUN if there can be one

    epoch:    what the machine's clock showed, in ns, at time 0
    tick:     of the kernel's timers, in ns: one may end up to two ticks late
    held_up:  the longest time, in ns, for which nothing went on here where something should have: if that is more
              than a few ms the machine had no time for us, and what then is late says nothing about the kernel
    wire:     the packets
    Raises NoKernelError if there can be none here, StepError for a network that the kernel refuses, ValueError for an
    address or link that is none, KeyError and ValueError as sysctl() does.
    """

    def __init__(
        self,
        *,
        local: Sequence[str] = LOCAL,
        mtu: int = 1500,
        sysctls: Mapping[str, int | str] | None = None,
        link: str = "ip",
        remote: Sequence[str] = (),
        device: str = "auto",
        mss: int = 0,
    ) -> None:
        plan = planned(link, device, mtu, local, remote)
        self.name = "kernel"
        self.link = link
        self._fault = ""
        self._number = 0
        self._sent: deque[Packet] = deque()
        self._blocked: dict[int, str] = {}  # ticket: the call
        self._returned: dict[int, tuple[int, Result | str]] = {}  # ticket: when, what; or what is wrong with the call
        self._worker = nursery.nursery().worker(plan)
        self.wire = Wire(link, self._worker.fds, mtu, mss)
        self._ended = False
        self._untidy = False  # programs may run in the namespace
        self._steady = steady.hold()
        self._poll, self._back = select.poll(), select.poll()  # for packets and what returns; for the latter
        for poll, fd in (
            (self._poll, self.wire.fd),
            (self._poll, self._worker.calls),
            (self._back, self._worker.calls),
        ):
            poll.register(fd, select.POLLIN)
        self._start = self._last = self.held_up = 0
        try:
            for key, value in (sysctls or {}).items():
                self.sysctl(key, str(value))
            self._before: dict[str, int] = self._ask("counters")
        except BaseException:
            self.end()
            raise
        self._start, apart = clocks()
        self.epoch = self._start + apart
        self.tick = round(time.clock_getres(CLOCK_MONOTONIC_COARSE) * 1e9)
        self._last = self._start
        self.held_up = 0

    @property
    def now(self) -> int:
        """ns since the target was made."""
        return time.monotonic_ns() - self._start

    @property
    def fault(self) -> str:
        """What is wrong with the target itself, as a sentence; "" if nothing is."""
        lost = 0 if self._ended else self.wire.lost()
        if lost:
            self._fault = self._fault or f"{lost} packets came too fast to be kept"
        return self._fault

    # system calls

    def call(self, name: str, *args: Any) -> Back:
        """Make the system call `name` now, as Calls.call."""
        self._pulse()
        if len(self._blocked) >= MOST_BLOCKED:
            raise StackError(errno.EAGAIN, f"{MOST_BLOCKED} calls are blocked, and no more can be")
        may_block = name in BLOCKING or (name == "close" and len(args) == 1 and self._lingers(args[0]))
        self._number = number = self._number + 1
        self._blocked[number] = name
        try:
            self._worker.calls.send((number, name, _plain(args)))
        except OSError:
            raise self._gone() from None
        returned = self._returns(number, may_block)
        self._pulse()
        if not returned:
            return Ticket(number)
        back = self._returned.pop(number)[1]
        if isinstance(back, str):
            raise StackError(errno.EINVAL, f"{name}{args}: {back}")
        return back

    def finished(self, ticket: Ticket) -> tuple[int, Result] | None:
        """When (ns) and with what a call that blocked returned; None if it still blocks."""
        self._check()
        self._receive()
        found = self._returned.get(ticket.number)
        return (found[0], found[1]) if found and isinstance(found[1], Result) else None

    def _lingers(self, fd: Any) -> bool:
        """May close() wait? Without SO_LINGER it may sleep in the kernel for a moment, but it does not block."""
        back = self.call("getsockopt", fd, socket.SOL_SOCKET, socket.SO_LINGER, 8)
        return isinstance(back, Result) and back.errno == 0 and any(back.data[:4])

    def _returns(self, number: int, may_block: bool) -> bool:
        """Wait until a call has returned, or, False, is seen to block."""
        began = time.monotonic_ns()
        self._receive()
        while number not in self._returned:
            passed = time.monotonic_ns() - began
            if passed < EAGER:
                os.sched_yield()
            elif may_block and self._ask("blocked", number):
                self._receive()
                break
            elif passed > PATIENCE:
                raise self._gone(f"{self._blocked[number]} neither returns nor sleeps")
            else:
                self._look()
                self._poll.poll(1)
            self._receive()
        return number in self._returned

    def _receive(self) -> None:
        """Take what has returned."""
        while self._back.poll(0):
            try:
                number, at, back = self._worker.calls.recv()
            except (OSError, EOFError):
                raise self._gone() from None
            name = self._blocked.pop(number)
            self._returned[number] = at - self._start, back if isinstance(back, str) else result(name, back)

    # packets and time

    def inject(self, packet: bytes) -> None:
        """A packet arrives at the host now, as with Calls.inject."""
        if not isinstance(packet, bytes | bytearray | memoryview):
            raise TypeError(f"inject({packet!r}): expected bytes; bytes(packet) makes them of a packet of layers/Scapy")
        self._pulse()
        self.wire.write(bytes(packet))

    def wait(self, until: int, ticket: Ticket | None = None) -> Packet | None:
        """Let time pass to the next packet that the host sends, as Calls.wait."""
        due = 0
        while True:
            now = self._pulse(due)
            self._look()
            if self._sent and self._sent[0].at <= until:
                return self._sent.popleft()
            if now >= until or (ticket is not None and ticket.number in self._returned):
                return None
            if until - now > SPIN:
                self._poll.poll(min((until - now - SPIN) // 1_000_000, LONGEST))
                due = until - SPIN

    def packets(self) -> list[Packet]:
        """All packets that the host has sent and nobody has taken, each with its time."""
        self._check()
        self._look()
        taken = list(self._sent)
        self._sent.clear()
        return taken

    def _pulse(self, due: int = 0) -> int:
        """We are here, at a time (ns) that is returned, and need not have been before `due`."""
        self._check()
        now = self.now
        self.held_up = max(self.held_up, now - max(self._last, due))
        self._last = now
        return now

    def _look(self) -> None:
        """Take what there is: packets, and what has returned."""
        while (found := self.wire.read()) is not None:
            self._sent.append(Packet(found[0] - self._start, found[1]))
        self._receive()

    # what there is to know

    def info(self, fd: int) -> dict[str, int]:
        """What TCP_INFO (without tcpi_), TCP_CC_INFO and SO_MEMINFO say of a socket, by name; units as Linux's.

        Raises StackError EBADF, ENOTSOCK.
        """
        wanted = [(socket.SOL_SOCKET, SO_MEMINFO), *((socket.IPPROTO_TCP, name) for name in TCP_FIGURES)]
        back = self.call("figures", fd, wanted, MOST_INFO)
        if isinstance(back, Ticket) or back.errno:
            raise StackError(back[1] if isinstance(back, Result) else errno.EIO, f"descriptor {fd}")
        memory, tcp, control, name = back.data
        return (
            info.unpack(info.TCP_INFO, tcp)
            | info.unpack(info.CC_INFO.get(name.rstrip(b"\0").decode(), ()), control)
            | info.unpack(info.MEMINFO, memory)
        )

    def sysctl(self, name: str, value: str | None = None) -> str:
        """Read a sysctl of this target's own network, or set it; returns what it is now.

        A congestion control that this machine keeps from namespaces as a default is given to each new socket instead.
        Raises KeyError for one that a namespace does not have, ValueError for a value that it cannot be.
        """
        if not _NAME.fullmatch(name):
            raise KeyError(f"{name!r}: expected the name of a sysctl, as net.ipv4.tcp_sack")
        try:
            return str(self._ask("sysctl", name, value))
        except FileNotFoundError:
            whole = os.path.exists("/proc/sys/" + name.replace(".", "/"))
            why = "belongs to the whole machine: a namespace has none" if whole else "is none of this kernel's"
            raise KeyError(f"sysctl {name} {why}") from None
        except PermissionError:
            raise ValueError(f"sysctl {name} can only be set for the whole machine, or to what it allows") from None
        except OSError as error:
            raise ValueError(f"sysctl {name} = {value}: the kernel says {error.strerror}") from None

    def forget(self) -> None:
        """Nothing is known of destinations in a namespace of one script; `shell` does what more there is."""

    def counters(self) -> dict[str, int]:
        """What the kernel has counted here since the target was made, by the names of nstat."""
        now = self._ask("counters")
        return {name: n - self._before.get(name, 0) for name, n in now.items() if n != self._before.get(name, 0)}

    def shell(self, text: str, folder: str = ".", variables: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Run a text by sh, inside: its status, and what it printed. It can do here what whoever runs us can do.

        folder: where it begins; variables: its environment, default ours
        """
        self._untidy = True
        status, printed = self._ask("shell", text, os.path.abspath(folder), dict(variables or os.environ))
        return status, printed

    def _ask(self, operation: str, *args: Any) -> Any:
        """Have the worker's main thread do something. Raises its OSError."""
        self._check()
        try:
            self._worker.others.send((operation, args))
            if not self._worker.others.poll(ANSWER):
                raise EOFError
            kind, back = self._worker.others.recv()
        except (OSError, EOFError):
            raise self._gone(f"{operation} was not answered") from None
        except BaseException:  # interrupted: what comes next would be its answer
            self.end()
            raise
        if kind == "error":
            raise OSError(back, os.strerror(back))
        return back

    # the end

    def _check(self) -> None:
        if self._ended:
            raise ValueError(f"{self.name} is gone: end() was called")

    def _gone(self, why: str = "") -> StackError:
        """The worker is of no use any more: an error to raise."""
        self._fault = self._fault or why or "the process that makes the calls has ended"
        nursery.kill(self._worker.watch)
        return StackError(errno.EPIPE, f"{self.name}: {self._fault}")

    def end(self) -> None:
        """The host is gone, and everything that belonged to it."""
        if self._ended:
            return
        if self._untidy and not self._fault:
            with contextlib.suppress(OSError):
                self._ask("empty")
        self._ended = True
        self.wire.close()
        nursery.kill(self._worker.watch)
        os.close(self._worker.watch)
        self._worker.calls.close()
        self._worker.others.close()
        steady.release(self._steady)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def _plain(value: Any) -> Any:
    """An argument, or a list of them, as a value of the plain kinds that another process knows."""
    if value is None or isinstance(value, str):
        return value and str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, Sequence):
        return tuple(map(_plain, value))
    raise StackError(errno.EINVAL, f"{value!r}: expected a number, bytes, text, or a list of them")


def trial() -> str:
    """Can the kernel be a target here? Why not, with what would mend it; "" if it can."""
    try:
        Kernel().end()
    except NoKernelError as error:
        return str(error)
    except StepError as error:
        return doctor.render([doctor.device_check("veth", error)])
    return ""
