# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls: a host of ours in virtual time: its system calls, and the packets that go in and come out.

    calls = Calls()
    fd = calls.socket(AF_INET, SOCK_STREAM).result
    calls.bind(fd, ("192.168.0.1", 8080)); calls.listen(fd, 1)
    calls.inject(syn)                                    an IP packet as bytes arrives now
    packet = calls.wait(calls.now + 1_000_000_000)       Packet(at, data): the SYN-ACK, or None within a second
    ticket = calls.accept(fd)                            Ticket(1): it blocks
    calls.inject(ack); calls.finished(ticket)            (at, Result(4, 0, ("192.0.2.1", 1024)))

Nothing happens but in here: time stands still unless wait() or advance() lets it pass, and one seed and the same
calls give the same bytes. The world is a History of the host and a Station at the other end of a wire without delay.
All times are ns since the beginning. The system calls, and how results, addresses and numbers are written, are
described in `syscalls`.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, cast

from labstack.core.config import parts_of, spoken, understood, unknown
from labstack.core.counters import unbalanced
from labstack.core.env import Env
from labstack.core.errors import StackError
from labstack.core.frame import ETHER_HLEN
from labstack.core.record import Record
from labstack.core.rng import Rng
from labstack.ip.family import V4, of, parse_addr, parse_prefix
from labstack.scenario.station import DEV, Station
from labstack.scenario.syscalls import Back, Syscalls
from labstack.scenario.target import Message, Packet, Result, Ticket
from labstack.sim.history import History
from labstack.sim.wire import Delay
from labstack.sim.world import UnendingError, World
from labstack.stack.stack import Stack, make
from labstack.stack.syscall import figures

PEER = "peer"
LOCAL = ("192.168.0.1/16", "fd3d:a0b:17d6::1/64")
MAC = "02:00:00:00:00:01"
EVENTS = 1_000_000


class Calls(Syscalls):
    """A host of ours as a target. The module's head shows how it is used, that of `syscalls` how calls are made.

    seed:     what every random choice of the host follows from (ISNs, ports, identifications, ...)
    local:    its addresses with their prefix lengths; in use at once, without duplicate detection
    gateway:  where packets beyond its subnets go, at most one address of each family; (): straight to the wire
              (with link "ether" the host then asks for each destination itself)
    mtu:      of its interface, bytes of an IP packet
    sysctls:  what differs from Linux's defaults, by name, values as in /proc/sys
    link:     "ip": packets are bare IP, as on a TUN, and nothing is sent unasked; "ether": Ethernet frames, the host
              has the MAC 02:00:00:00:00:01, asks with ARP and ND, and whoever injects answers
    neighbours: address -> MAC, with link "ether": known from the beginning, never asked for
    mss:      a TCP segment for the host with more bytes of data is a super-segment of so many each; 0: as it is
    events:   that may happen; then UnendingError is raised by whatever lets time pass: the host goes round in circles
    host:     its name, in what is shown

    history:  the whole run: to be looked at, and a fork of it to be stepped both ways
    Raises StackError (an OSError) with a sentence for an address, prefix or MTU that cannot be, ValueError for a link,
    KeyError and ValueError for a sysctl.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        local: Sequence[str] = LOCAL,
        gateway: Sequence[str] = (),
        mtu: int = 1500,
        sysctls: Mapping[str, int | str] | None = None,
        link: str = "ip",
        neighbours: Mapping[str, str] | None = None,
        mss: int = 0,
        events: int = EVENTS,
        host: str = "h1",
    ) -> None:
        if link not in ("ip", "ether"):
            raise ValueError(f"link={link!r}: expected 'ip' (bare IP packets) or 'ether' (Ethernet frames)")
        self.name = "lab"
        self._name = host
        self.link = link
        self.events = events
        self.epoch = self.tick = 0
        stack = make(host, seed)
        stack.call("link_add", "tun0" if link == "ip" else "eth0", b"" if link == "ip" else MAC, mtu, 0, False)
        for cidr in local:
            stack.call("addr_add", DEV, cidr, False)
        _routes(stack, local, gateway)
        for address, mac in (neighbours or {}).items():
            stack.call("neigh_add", DEV, address, mac)
        self.history = History(_world(stack, seed, 0 if link == "ip" else ETHER_HLEN, mss))
        self._sent: deque[Packet] = deque()
        self._parked: dict[int, str] = {}  # ticket: the call
        self._returned: dict[int, tuple[int, Result]] = {}
        self._failed = ""
        self._ended = False
        for key, value in (sysctls or {}).items():
            self.sysctl(key, str(value))

    @property
    def now(self) -> int:
        """ns since the beginning."""
        return self.history.world.now

    @property
    def host(self) -> Stack:
        """The present state of the host, to be looked at only."""
        return self.history.world.hosts[self._name]

    @property
    def fault(self) -> str:
        """What is wrong inside the host, always a bug of ours: a traceback or a sentence; "" if all is well."""
        return self._failed or wrong(self.host)

    # system calls

    def call(self, name: str, *args: Any) -> Back:
        """Make the system call `name` now; see Syscalls for names and arguments, and a wrong one raises StackError."""
        back = self._op(self._name, "sys", name, *args)
        if not isinstance(back, int):
            return result(name, back)
        self._parked[back] = name
        return Ticket(back)

    def finished(self, ticket: Ticket) -> tuple[int, Result] | None:
        """When (ns) and with what a call that blocked returned; None if it still blocks."""
        number = ticket.number
        if number in self._parked and number in self.host.files.done:
            at, back = self._op(self._name, "sys_result", number)
            self._returned[number] = at, result(self._parked.pop(number), back)
        return self._returned.get(number)

    # packets and time

    def inject(self, packet: bytes, at: int | None = None) -> None:
        """A packet arrives at the host: now, or (without any waiting here) at a time to come, `at` in ns.

        packet: bytes of an IP packet, or of an Ethernet frame; whatever is in it, nothing is raised for it.
        Raises TypeError for what is no bytes, ValueError for a time that is over.
        """
        if not isinstance(packet, bytes | bytearray | memoryview):
            raise TypeError(f"inject({packet!r}): expected bytes; bytes(packet) makes them of a packet of layers/Scapy")
        if at is not None and at < self.now:
            raise ValueError(f"inject at {at} ns: it is {self.now} ns already")
        self._op(PEER, "inject", bytes(packet), self.now if at is None else at)

    def wait(self, until: int, ticket: Ticket | None = None) -> Packet | None:
        """Let time pass, up to `until` (ns), to the next packet that the host sends; one already sent comes at once.

        Returns Packet(at, data), or None: nothing came by `until` and it is that time now, or `ticket` returned.
        """
        while not self._sent:
            if ticket is not None and self.finished(ticket) is not None:
                return None
            if not self._step(until):
                self._pass(until)
                return None
            self._settle()
        return self._sent.popleft()

    def packets(self) -> list[Packet]:
        """All packets that the host has sent and nobody has taken, each with its time; no time passes."""
        taken = list(self._sent)
        self._sent.clear()
        return taken

    def advance(self, until: int) -> None:
        """Let time pass up to `until` (ns), whatever happens. Raises ValueError for a time that is over."""
        if until < self.now:
            raise ValueError(f"advance to {until} ns: it is {self.now} ns already")
        while self._step(until):
            pass
        self._pass(until)

    # what there is to know

    def info(self, fd: int) -> dict[str, int]:
        """What TCP_INFO (without tcpi_) and SO_MEMINFO (SK_MEMINFO_...) say of a socket, by name; units as Linux's.

        Raises StackError EBADF, ENOTSOCK.
        """
        host = self.host.clone()  # which may know that it is later than when it last did something
        host.env.now = self.now
        return figures.of(host, fd)

    def administer(self, op: str, *args: Any) -> Any:
        """What an administrator may ask of the host, by its name in `stack.manage`, such as "link_set".

        Raises StackError as that does.
        """
        return self._op(self._name, op, *args)

    def sysctl(self, name: str, value: str | None = None) -> str:
        """Read a sysctl ("net.ipv4.tcp_rmem" is "4096 131072 6291456"), or set it; returns what it is now.

        Raises KeyError for one that this host does not have, ValueError for a value that it cannot be.
        """
        if not parts_of(name):
            raise KeyError(unknown(name))
        if value is not None:
            try:
                understood(name, value)
            except StackError as error:
                raise ValueError(error.strerror) from None
            if self.history.n:
                self._op(self._name, "sysctl", name, value)
            else:  # nothing has happened yet: the host begins like this
                self.host.call("sysctl", name, value)
        return spoken(self.host.env.config, name)

    def forget(self) -> None:
        """Forget what the host remembers of destinations, for Fast Open (`ip tcp_metrics flush`)."""
        self._op(self._name, "metrics_flush")

    def counters(self) -> dict[str, int]:
        """What the host has counted, by the names of nstat, and its drops by reason: "drop.tcp.csum"."""
        return {name: n for name, n in self.host.env.count.items() if n}

    def end(self) -> None:
        """The host is gone: no call, packet or time from now on; `history` stays."""
        self._ended = True

    # how

    def _op(self, where: str, op: str, *args: Any) -> Any:
        """Have the host or the station do something now, as an event, and all that follows at this time."""
        if self._ended:
            raise ValueError(f"{self.name} is gone: end() was called")
        before = self.history.n
        try:
            return self.history.now_call(where, op, *args)
        finally:
            if self.history.n > before:
                self._take(self.history.last)
                self._settle()

    def _settle(self) -> None:
        """Let everything happen that is due now."""
        while self._step(self.now):
            pass

    def _step(self, by: int) -> bool:
        """Let the next event happen, if it is due by then."""
        record = self.history.step_by(by)
        if self.history.n > self.events:
            raise UnendingError(f"{self.events} events and no end: it is {self.now} ns")
        self._take(record)
        return record is not None

    def _pass(self, until: int) -> None:
        if until > self.now:
            self.history.run(until)

    def _take(self, record: Record | None) -> None:
        """Keep what the host sent with an event, and how it failed."""
        if record is None or record.host != self._name:
            return
        self._failed = self._failed or record.fault
        for sent in record.sent:
            self._sent.extend(Packet(record.at, raw) for raw in sent.frame.cuts())


def _world(host: Stack, seed: int, hlen: int, mss: int) -> World:
    """The host, the station, and a wire without delay; every rule is traced."""
    world = World(Rng(seed))
    world.add(host)
    world.add(cast(Stack, Station(PEER, Env(Rng(seed)), hlen, mss)))
    world.net.cable((host.name, DEV), (PEER, DEV), Delay(0))
    world.trace()
    return world


def _routes(host: Stack, local: Sequence[str], gateway: Sequence[str]) -> None:
    """A default route for each family that the host has addresses of."""
    via = {of(parse_addr(it)): it for it in gateway}
    for family in dict.fromkeys(of(parse_prefix(cidr)[0]) for cidr in local):
        host.call("route_add", "0.0.0.0/0" if family is V4 else "::/0", via.get(family, ""), DEV)


def result(name: str, back: tuple[int, int, Any]) -> Result:
    """What a system call returned, as targets say it."""
    number, errno, data = back
    return Result(number, errno, Message(*data) if name == "recvmsg" and data is not None else data)


def wrong(host: Stack) -> str:
    """The invariant that does not hold, as a sentence; or ""."""
    try:
        host.check()
    except AssertionError as error:
        return str(error)
    except Exception as error:  # a check that cannot even be made
        return f"check() failed: {type(error).__name__}: {error}"
    return "; ".join(unbalanced(host.env.count))
