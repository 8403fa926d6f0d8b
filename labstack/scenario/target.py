# SPDX-License-Identifier: GPL-2.0-or-later
"""Target: a host under test as a scenario sees it: system calls, packets in and out, a clock.

`calls.Calls` is our stack in virtual time, `kernel.Kernel` is Linux in a namespace of our own. Runners know nothing
else. Times are ns since the target was made; packets are IP packets, or Ethernet frames where link is "ether".
"""

from typing import Any, NamedTuple, Protocol

OPENS = frozenset({"socket", "accept", "accept4", "epoll_create", "epoll_create1"})  # they make descriptors


class Result(NamedTuple):
    """What a system call returned: result as in C (-1 for an error), errno (0: none), and what it handed back."""

    result: int
    errno: int = 0
    data: Any = None


class Ticket(NamedTuple):
    """A call that blocks; it returns later."""

    number: int


class Message(NamedTuple):
    """What recvmsg hands back; control: (level, type, data) of each control message, data as the kernel lays it out."""

    data: bytes
    address: tuple[str, int] | None
    flags: int
    control: tuple[tuple[int, int, bytes], ...]


class Packet(NamedTuple):
    """A packet that the host sent at `at` (ns)."""

    at: int
    data: bytes


class Target(Protocol):
    """See `calls.Calls` for what is not said here."""

    name: str  # "lab" or "kernel"
    link: str  # "ip" or "ether"
    tick: int  # ns: of the host's timers, one may end up to two of them late; 0: they are exact
    epoch: int  # ns: what the host's wall clock (in time stamps of control messages) shows at time 0

    @property
    def now(self) -> int: ...
    @property
    def fault(self) -> str: ...
    def call(self, name: str, *args: Any) -> Result | Ticket: ...
    def finished(self, ticket: Ticket) -> tuple[int, Result] | None: ...
    def inject(self, packet: bytes) -> None: ...
    def wait(self, until: int, ticket: Ticket | None = None) -> Packet | None: ...
    def info(self, fd: int) -> dict[str, int]: ...
    def sysctl(self, name: str, value: str | None = None) -> str: ...
    def forget(self) -> None: ...
    def counters(self) -> dict[str, int]: ...
    def end(self) -> None: ...
