# SPDX-License-Identifier: GPL-2.0-or-later
"""Handles: a Connection, a Listener, a Udp socket of a host in the lab, as values at the prompt.

What makes packets (`send`, `close`, ...) is queued and happens with the next steps; what returns a value (`recv`,
`accept`) happens at once, as an event of its own, so `back` undoes it too. Looking (`status`, `state`) is no event. A
handle holds names and numbers only, so it stays valid when the lab goes back, on, or is forked.
"""

from collections.abc import Iterable
from errno import EAGAIN, EBADF
from typing import Any

from labstack.core.errors import StackError
from labstack.lab.errors import LabError
from labstack.lab.units import known, port
from labstack.lab.view import Line, Span, View

SNDBUF = "net.ipv4.tcp_wmem.default"
HOW = {"r": 0, "w": 1, "rw": 2}


class Handle(View):
    """A socket of `host` (lab.host.Host) with the number `sock`."""

    kind = "socket"

    def __init__(self, host: Any, sock: int) -> None:
        self.host = host
        self.sock = sock

    def status(self) -> dict[str, Any]:
        """All that `ss` knows of it, as a dict. Raises LabError while it does not exist (yet, or any more)."""
        try:
            found: dict[str, Any] = self.host.look("status", self.sock)
        except StackError as error:
            raise self._missing(error) from None
        return found

    @property
    def state(self) -> str:
        """The TCP state; CLOSED when there is no such socket."""
        try:
            return str(self.status().get("state", "CLOSED"))
        except LabError:
            return "CLOSED"

    def close(self) -> "Handle":
        """Close it, with the next steps."""
        return self._queue("close")

    def lines(self, width: int) -> Iterable[Line]:
        yield [Span(f"{self.host.name} ", "host"), Span(f"{self.kind} {self.sock} "), Span(self._now_words(), "state")]

    def _now_words(self) -> str:
        queued = self.host.queued(self.sock)
        if not queued:
            return self._state_words()
        state = f"{self._state_words()} " if self._exists() else ""
        return f"{state}(queued: {', '.join(queued)}; done by the next steps)"

    def _exists(self) -> bool:
        try:
            return bool(self.status())
        except LabError:
            return False

    def _state_words(self) -> str:
        return self.state

    def _queue(self, op: str, *args: Any) -> "Handle":
        self.host.queue(op, self.sock, *args)
        return self

    def _now(self, op: str, *args: Any) -> Any:
        """Do a call at once. What could not be done is found out on a copy, so that it is no event."""
        try:
            self.host.look(op, self.sock, *args)
            return self.host.now(op, self.sock, *args)
        except StackError as error:
            if error.errno == EAGAIN:
                raise LabError(f"{op}: nothing there yet; let time go on (step, continue) and try again") from None
            raise self._missing(error) from None

    def _missing(self, error: StackError) -> Exception:
        if error.errno != EBADF:
            return error
        why = "the call that makes it still waits (step), or it is closed"
        return LabError(f"{self.host.name} has no such socket: {why}")


class Tcp(Handle):
    """A TCP socket."""

    def setopt(self, name: str, value: int | str) -> None:
        """Set an option at once, a listener's for the connections to come: setopt("nodelay", 1),
        setopt("congestion", "bbr"). Raises StackError."""
        self._now("setopt", name, value)


class Connection(Tcp):
    """One end of a TCP connection."""

    kind = "connection"

    @property
    def snd(self) -> Any:
        """RFC 9293 §3.3.1's SND: c.snd.una, .nxt, .wnd, .iss; on the wire 32 bits of them."""
        return self._conn().snd

    @property
    def rcv(self) -> Any:
        """RFC 9293 §3.3.1's RCV: c.rcv.nxt, .irs."""
        return self._conn().rcv

    def _conn(self) -> Any:
        """Its present state; what you change in it is neither recorded nor undone."""
        self.status()
        return self.host.stack.conns[self.sock]

    def send(self, data: bytes | str, flags: int = 0) -> "Connection":
        """Queue data for the peer; it is sent with the next steps. Raises LabError if it can never fit the buffer.

        flags: socket.MSG_OOB, and the last byte is urgent.
        """
        raw = _bytes(data)
        room = self.host.stack.env.config[SNDBUF]
        if len(raw) > room:
            advice = f"send it in pieces, with steps between, or first: {self.host.name}.sysctl({SNDBUF!r}, {len(raw)})"
            raise LabError(f"{len(raw)} bytes are more than the send buffer of {room}; {advice}")
        self._queue("send", raw, *([flags] if flags else []))
        return self

    def recv(self, n: int = 65536) -> bytes:
        """Up to n bytes that have arrived; b'' after the peer's FIN. Raises LabError when there is nothing yet."""
        return bytes(self._now("recv", n))

    def shutdown(self, how: str = "w") -> "Connection":
        """Close one half: 'w' sends a FIN and still receives, 'r' receives no more, 'rw' is both."""
        if not isinstance(how, str) or how not in HOW:
            raise LabError(f"shutdown({how!r}): expected 'r', 'w' or 'rw'")
        self._queue("shutdown", HOW[how])
        return self

    def abort(self) -> "Connection":
        """Reset the connection."""
        self._queue("abort")
        return self


class Listener(Tcp):
    """A TCP socket that takes connections."""

    kind = "listener"

    def accept(self) -> Connection:
        """The next established connection. Raises LabError when there is none yet."""
        sock, _ = self._now("accept")
        return Connection(self.host, sock)


class Ping(Handle):
    """Echo requests sent, and the replies."""

    kind = "ping"

    def _state_words(self) -> str:
        replies = self.status()["recv_q"]
        return f"{replies or 'no'} repl{'y' if replies == 1 else 'ies'}"

    def reply(self) -> tuple[bytes, tuple[str, int]]:
        """The next reply: (data, (from, sequence number)). Raises LabError when there is none yet."""
        data, (addr, seq) = self._now("recvfrom")
        return bytes(data), (addr, seq)


class Udp(Handle):
    """A UDP socket."""

    kind = "udp"

    def sendto(self, data: bytes | str, addr: str, dport: int) -> "Udp":
        """Send a datagram with the next steps."""
        self._queue("sendto", _bytes(data), known(addr), port(dport))
        return self

    def recvfrom(self) -> tuple[bytes, tuple[str, int]]:
        """The next datagram and where it came from. Raises LabError when there is none yet."""
        data, (addr, sport) = self._now("recvfrom")
        return bytes(data), (addr, sport)


def _bytes(data: bytes | str) -> bytes:
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise LabError(f"send({data!r}): expected bytes such as b'hello', or text")
