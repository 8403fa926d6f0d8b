# SPDX-License-Identifier: GPL-2.0-or-later
"""Host: one host of the lab at the prompt: h1.ping("10.0.0.2"), h1.connect(h2.ip, 80), h1.ss(), h1.arp.

A Host is a name in a lab. The stack behind it is looked up whenever it is used, because going back puts another in its
place.
"""

from collections.abc import Iterable
from typing import Any

from labstack.core.config import spoken, understood
from labstack.core.errors import StackError
from labstack.core.event import Call
from labstack.lab import tables
from labstack.lab.errors import LabError
from labstack.lab.handles import Connection, Handle, Listener, Ping, Udp
from labstack.lab.units import known, port, text, whole
from labstack.lab.view import Line, Span, View
from labstack.stack import status

MAKE = {"ping": 2, "connect": 2, "listen": 3, "udp": 2}  # which argument of a call that makes a socket is its number


class Host(View):
    """name; ip, ip6, mac: its addresses as text; stack: its present state."""

    def __init__(self, lab: Any, name: str, ip: str, ip6: str, mac: str) -> None:
        self.lab = lab
        self.name = name
        self.ip = ip
        self.ip6 = ip6
        self.mac = mac

    @property
    def stack(self) -> Any:
        """The stack as it is now; what you change in it is neither recorded nor undone."""
        return self.lab.history.world.hosts[self.name]

    # what makes packets: queued, and done by the next steps

    def ping(self, addr: str, size: int = 56) -> Ping:
        """Send one ICMP echo request with `size` bytes of data, 0..65507."""
        size = whole(size, "a size of a ping, in bytes", 0, 65507)
        return Ping(self, self._make("ping", known(addr), (bytes(range(256)) * 256)[:size]))

    def connect(self, addr: str, dport: int, lport: int = 0) -> Connection:
        """Open a TCP connection to addr and dport, from lport (0: any)."""
        return Connection(self, self._make("connect", known(addr), port(dport), more=(b"", port(lport, 0))))

    def listen(self, lport: int, backlog: int = 128) -> Listener:
        """Take TCP connections at lport; backlog: how many may wait to be accepted."""
        return Listener(self, self._make("listen", port(lport), b"", whole(backlog, "a backlog")))

    def udp(self, lport: int = 0) -> Udp:
        """A UDP socket at lport (0: any)."""
        return Udp(self, self._make("udp", port(lport, 0), b""))

    def sysctl(self, name: str, value: int | str | None = None) -> str:
        """A sysctl as Linux prints it: '1', 'cubic', '4096 131072 6291456'; looking is no event.

        value: what it is from now on, as Linux takes it, or as a number. Raises LabError with nothing done.
        """
        name = text(name, "the name of a sysctl")
        try:
            if value is not None:
                understood(name, value)
                self.now("sysctl", name, value)
            return spoken(self.stack.env.config, name)
        except StackError as error:
            raise LabError(error.strerror) from None

    def sockets(self) -> list[dict[str, Any]]:
        """The status of every socket, as `ss` knows it."""
        stack = self.stack
        return [status.status(stack, sock) for sock in status.sockets(stack)]

    # tables

    def ss(self) -> View:
        """Its sockets, as `ss -ti` prints them."""
        return tables.sockets([self])

    @property
    def arp(self) -> tables.Neighbours:
        """Its IPv4 neighbours, as `ip neigh`."""
        return tables.neighbours([self], (4,))

    @property
    def nd(self) -> tables.Neighbours:
        """Its IPv6 neighbours, as `ip -6 neigh`."""
        return tables.neighbours([self], (16,))

    @property
    def route(self) -> View:
        """Its routes, as `ip route`."""
        return tables.routes([self])

    @property
    def counters(self) -> View:
        """What it has counted, as `nstat -a`."""
        return tables.counters([self])

    def lines(self, width: int) -> Iterable[Line]:
        yield [Span(self.name, "host"), Span(f" {self.ip} {self.ip6} {self.mac}")]

    # how the handles reach the stack

    def queue(self, op: str, *args: Any) -> None:
        """Have the application call op with the next steps."""
        self.lab.call(self.name, op, *_numbers(args))

    def now(self, op: str, *args: Any) -> Any:
        """Call op at once, as an event. Raises StackError."""
        return self.lab.call_now(self.name, op, *_numbers(args))

    def look(self, op: str, *args: Any) -> Any:
        """Call an op that only looks, on a copy: no event. Raises StackError."""
        return self.stack.clone().handle(Call(op, _numbers(args)), self.lab.history.world.now)

    def queued(self, sock: int) -> list[str]:
        """The calls about this socket that the next steps will do, first one first."""
        calls = [event for _, _, name, event, _ in sorted(self.lab.history.world.calendar) if name == self.name]
        return [it.op for it in calls if isinstance(it, Call) and it.args[MAKE.get(it.op, 0)] == sock]

    def _make(self, op: str, *args: Any, more: tuple[Any, ...] = ()) -> int:
        sock: int = self.lab.new_sock()
        self.lab.call(self.name, op, *args, sock, *more)
        return sock


def _numbers(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Arguments of a call, handles as the numbers of their sockets."""
    return tuple([arg.sock if isinstance(arg, Handle) else arg for arg in args])
