# SPDX-License-Identifier: GPL-2.0-or-later
"""Play: what a Python scenario has in its hand: the host under test, and the peer at the other end of the link.

    t.send(t.IP() / UDP(sport=5000, dport=9) / b"anybody?")      the peer sends: ours, Scapy's, or bytes
    sent = t.expect(ICMP(type=3, code=3), within=0)              the host's next packet must be this one
    t.silence("10s")                                             nothing leaves the host for so long: proven
    s = t.socket("dgram"); s.bind(9); s.recv(returns=b"hello")   the host's system calls
    c = t.accepts(80); c.send(b"hello"); c.expect(flags="A", ack=6)   TCP with the numbers kept (see tcp)

It works on every Target: in virtual time to the nanosecond, on Linux with a tolerance. The order of the host's packets
is part of what is proven: expect() means the next packet that nobody has asked for, End.expect() the next one of its
connection. Times are seconds, or text with a unit ("200ms"); `t.now` is seconds since the beginning.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from labstack.lab.units import nanoseconds
from labstack.scenario.packets.match import why
from labstack.scenario.play.condition import shown
from labstack.scenario.play.packets import SECOND, Packets, Time
from labstack.scenario.play.socket import Blocked, Descriptor, Where, errno_name, judged, number, said, value
from labstack.scenario.play.tcp import End
from labstack.scenario.syscalls import Syscalls
from labstack.scenario.target import OPENS, Result, Target, Ticket
from labstack.scenario.verdict import Field, Parted, PlayError

PROMPT = SECOND // 2  # ns in which a call returns that does not block, where time is real and the machine others' too
MAPPED = "ipv4-mapped-ipv6"


class Play(Packets):
    """See the module's head; arguments as those of Packets."""

    def __init__(
        self, target: Target, ip: str, ignore: Sequence[Any] = (), neighbours: bool = True, tolerance: float = 0.02
    ) -> None:
        super().__init__(target, ip, ignore, neighbours, tolerance)
        self.listeners: dict[int, Descriptor] = {}
        self.ends = 0

    # system calls

    def call(self, name: str, *args: Any, returns: Any = None, fails: str | None = None) -> Any:
        """A system call of the host, by its name and arguments as in `syscalls`; returns what it hands back.

        returns: the value that it must hand back, or a condition; fails: the errno with which it must fail, by name;
        none of them: it must succeed. It must not block (see blocking()).
        """
        self._step()
        back = self._made(name, args)
        if isinstance(back, Ticket):
            self.inbox.wait(self.target.now + self._prompt, back)
            found = self.target.finished(back)
            if found is None:
                raise Parted("result", f"{said(name, args)} blocks; t.blocking({name!r}, ...) can wait for it")
            back = found[1]
        found_value = judged(name, args, back, returns, fails)
        return Descriptor.of(found_value, self) if name in OPENS and fails is None else found_value

    def blocking(self, name: str, *args: Any) -> Blocked:
        """A system call that must block; what it returns in the end is asked of the Blocked."""
        self._step()
        back = self._made(name, args)
        if not isinstance(back, Ticket):
            got = errno_name(back.errno) or shown(value(name, back))
            raise Parted("result", f"{said(name, args)} should block: it gave {got}")
        self.blocked.append(Blocked(self, back, name, args))
        return self.blocked[-1]

    @property
    def _prompt(self) -> int:
        return PROMPT if self.tolerance else 0

    def _made(self, name: str, args: tuple[Any, ...]) -> Result | Ticket:
        """Make a call; arguments that have a default may be left out."""
        plain = map(_plain, args)
        made = getattr(Syscalls, name, None)  # knows the defaults
        return made(self.target, *plain) if made else self.target.call(name, *plain)

    def returned(self, blocked: Blocked, within: Time | None) -> tuple[int, Result] | None:
        """When (ns) and with what a call returned that blocked; None if it does not within a time (None: by now)."""
        self._step()
        until = self.target.now + (self._prompt if within is None else nanoseconds(within) + self.tolerance)
        if self.target.finished(blocked.ticket) is None:
            self.inbox.wait(until, blocked.ticket)
        return self.target.finished(blocked.ticket)

    def socket(self, kind: str = "stream") -> Descriptor:
        """A socket of the family: "stream" (TCP) or "dgram" (UDP)."""
        if kind not in ("stream", "dgram"):
            raise PlayError(f"socket({kind!r}): expected 'stream' or 'dgram'")
        family = "AF_INET" if self.family == "ipv4" else "AF_INET6"
        return cast(Descriptor, self.call("socket", number(family), number(f"SOCK_{kind.upper()}"), 0))

    def address(self, where: Where, host: str = "") -> tuple[str, int]:
        """An address as the sockets of the family have it; a port alone is one of the peer's, or of `host`."""
        text, port = where if isinstance(where, tuple) else (host or self.peer.ip, where)
        return f"::ffff:{text}" if self.family == MAPPED and ":" not in text else text, port

    # TCP

    def listen(self, port: int, backlog: int = 128) -> Descriptor:
        """A socket of the host that listens on a port."""
        self.listeners[port] = fd = self.socket()
        fd.bind(port)
        fd.listen(backlog)
        return fd

    def peer_tcp(self, port: int, sport: int = 0, **of: Any) -> End:
        """The peer's end of a connection with a port of the host, before anything is sent.

        sport: its own port, 0: a new one; of: ip=, iss= (where its numbers begin), mss=, window=, as tcp.End
        """
        self.ends += 1
        usual = {"ip": self.peer.ip, "iss": 1_000_000 * self.ends, "mss": 1440 if self.v6 else 1460, "window": 65535}
        return End(self, port=sport or 10_000 + self.ends, peer=port, **{**usual, **of})

    def accepts(self, port: int, sport: int = 0, **of: Any) -> End:
        """A connection that the peer opens and the host accepts; it listens if it does not yet. `fd` is the host's."""
        listener = self.listeners.get(port) or self.listen(port)
        end = self.peer_tcp(port, sport, **of)
        end.send(flags="S")
        end.expect(flags="SA", ack=1)
        end.send()
        end.fd = listener.accept()
        return end

    def connects(self, port: int, fd: Descriptor | None = None, **of: Any) -> End:
        """A connection that the host opens to a port of the peer, with a new socket or with this one."""
        fd = fd or self.socket()
        end = self.peer_tcp(0, port, **of)
        connecting = self.blocking("connect", fd, self.address((end.ip, port)))
        end.expect(flags="S", seq=0)
        end.send(flags="SA")
        end.expect(flags="A", seq=1, ack=1)
        connecting.returns(0)
        end.fd = fd
        return end

    # the host

    def sysctl(self, name: str, value: str | int | None = None) -> str:
        """Read or set a sysctl of the host; values as /proc/sys has them."""
        self._step()
        try:
            return self.target.sysctl(name, None if value is None else str(value))
        except (KeyError, ValueError) as error:
            raise Parted("refused", str(error.args[0] if error.args else error)) from None

    def info(self, fd: int) -> dict[str, int]:
        """TCP_INFO, congestion control's own figures and SK_MEMINFO_* of a socket, by name."""
        return self.target.info(int(fd))

    def counters(self) -> dict[str, int]:
        """What the host has counted, by the names of nstat."""
        return self.target.counters()

    @contextmanager
    def counts(self, **by: int) -> Iterator[None]:
        """`with t.counts(UdpNoPorts=1):` these counters of the host grow by so many inside."""
        before = self.counters()
        yield
        after = self.counters()
        rows = tuple(Field(it, str(n), str(after.get(it, 0) - before.get(it, 0))) for it, n in by.items())
        if any(row.differs for row in rows):
            raise Parted("data", why(rows), rows)

    def check(self, holds: Any, sentence: str) -> None:
        """Something must hold; sentence: what."""
        self._step()
        if not holds:
            raise Parted("code", f"this does not hold: {sentence}")


def _plain(argument: Any) -> Any:
    """An argument of a system call with plain numbers for descriptors."""
    if isinstance(argument, list | tuple):
        return type(argument)(map(_plain, argument))
    return int(argument) if isinstance(argument, Descriptor) else argument
