# SPDX-License-Identifier: GPL-2.0-or-later
"""Stack: the machine. (state, event, now) -> (state', actions), and nothing else.

    stack = make("h1", seed=1)
    stack.call("link_add", "eth0", "02:00:00:00:00:01")
    stack.handle(Rx(1, frame), now); stack.drain(now) -> [Tx(1, frame), Wake(3, READABLE)]

Every event is handled inside one boundary: an exception in a handler costs that frame, that timer or that
connection, is counted, and comes out as a Quarantine action. The state stays usable and the runner's loop goes on.
"""

import errno
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from labstack.core import kinds
from labstack.core.config import Config
from labstack.core.env import Env
from labstack.core.errors import StackError
from labstack.core.event import FAILED, Action, Call, Event, Rx, Tick, Trace
from labstack.core.rng import Rng
from labstack.core.state import state
from labstack.core.timers import Key
from labstack.ip import icmp
from labstack.ip import timeouts as ip_timeouts
from labstack.stack import arguments, arrive, calls, manage, ports, shortcut, status
from labstack.stack.contain import contain
from labstack.stack.host import Host
from labstack.stack.syscall import owed, parked
from labstack.tcp import closing, eager, fastopen, listen, memory, output, sndbuf
from labstack.tcp import timeouts as tcp_timeouts
from labstack.tcp.conn import Conn
from labstack.tcp.states import CLOSED, CLOSING, CURRENT, FIN_WAIT_1, FIN_WAIT_2, LAST_ACK, SYN_RECEIVED, TIME_WAIT

OPS: dict[str, Callable[..., Any]] = {**calls.OPS, **manage.OPS, **status.OPS, **parked.OPS}
SHAPES = {name: arguments.shape(op) for name, op in OPS.items()}
ENDING = frozenset({FIN_WAIT_1, CLOSING, LAST_ACK})  # our FIN is on its way, or behind data that is
NOTHING: Mapping[str, Any] = {}
LOOPS = 1000  # packets to itself that one drain takes in


@state
class Stack(Host):
    def handle(self, event: Event, now: int) -> Any:
        """Take in one event at time now (ns). A Call returns its result; a caller's mistake raises StackError."""
        self.env.now = now
        if isinstance(event, Rx):
            try:
                if not shortcut.taken(self, event.dev, event.frame):
                    arrive.frame(self, event.dev, event.frame)
            except Exception:
                contain(self.env, "ContainedFrames", event)
        elif isinstance(event, Tick):
            self._tick(event, now)
        else:
            return self._call(event)
        return None

    def call(self, op: str, *args: Any, now: int | None = None, **named: Any) -> Any:
        """handle(Call(op, args)) at time now, or at the time of the latest event."""
        self.env.now = self.env.now if now is None else now
        return self._call(Call(op, args), named)

    def drain(self, now: int) -> list[Action]:
        """What is to be done since the last drain. Acknowledgments and output are decided here, once for all events."""
        env = self.env
        env.now = now
        for iface in self.net.ifaces.values():
            if iface.neigh.failed:
                self._guarded("ContainedFrames", Tick(), Stack._report)
        later = self._flush()
        if self.net.loop or self.files.sockets or self.files.woken:
            later += self._go_on()
        for sock in later:
            env.dirty[sock] = None
        return env.take_actions()

    def _go_on(self) -> list[int]:
        """What this host sends to itself arrives, and calls that waited return; then there may be more to send."""
        later = []
        for _ in range(LOOPS):
            if self.net.loop:
                self._guarded("ContainedFrames", Rx(0, self.net.loop[0]), arrive.loop)
            elif not ((self.files.sockets or self.files.woken) and parked.resume(self)):
                break
            later += self._flush()
        else:
            parked.hear(self)
        return later

    def deadline(self) -> int | None:
        """When the next Tick is due (ns), or None. Not later than now if the last drain left something to send."""
        left = self.env.dirty or self.net.loop or self.files.woken
        return self.env.now if left else self.env.timers.next()

    def take_trace(self) -> tuple[Trace, ...]:
        """The rules followed and states changed since the last time, if env.tracing."""
        trace, self.env.trace = tuple(self.env.trace), []
        return trace

    def _call(self, event: Call, named: Mapping[str, Any] = NOTHING) -> Any:
        name, args = event
        op = OPS.get(name)
        if op is None:
            raise StackError(errno.EOPNOTSUPP, f"no operation {name!r}; there are {', '.join(OPS)}")
        try:
            arguments.check(name, SHAPES[name], args, named)
            return op(self, *args, **named) if named else op(self, *args)
        except StackError:
            raise
        except Exception as fault:
            contain(self.env, "ContainedCalls", event)
            raise StackError(errno.EIO, f"{name} failed inside ({fault!r}); only this call is lost") from fault

    def _tick(self, event: Tick, now: int) -> None:
        timers = self.env.timers
        while (key := timers.pop(now)) is not None:
            try:
                self.expire(key)
            except Exception:
                contain(self.env, "ContainedTimers", event)
                self._orphan(key)

    def expire(self, key: Key) -> None:
        """A timer went off: its kind says whose it is."""
        if key[0] in ip_timeouts.KINDS:
            ip_timeouts.expire(self.env, self.net, key)
        elif key[0] == kinds.SYSCALL:
            parked.expire(self, key[1])
        elif key[0] == kinds.TCP_SYNACK and key[1] in self.conns:
            conn = self.conns[key[1]]
            listen.expire(self.env, self.listeners.get(conn.parent), conn)
        elif key[1] in self.conns:
            tcp_timeouts.expire(self.env, self.conns[key[1]], key[0])

    def _orphan(self, key: Key) -> None:
        """A connection whose timer failed would wait for ever: better that it ends."""
        conn = self.conns.get(key[1]) if key[0] in closing.TIMERS else None
        if conn is not None:
            self._sacrifice(conn)

    def _report(self) -> None:
        """Tell our own sockets of packets whose neighbour did not answer."""
        for d in icmp.undelivered(self.env, self.net):
            self._guarded("ContainedFrames", Rx(d.iface.index, d.frame), arrive.datagram, d)

    def _flush(self) -> list[int]:
        """Send what is due on every connection that something happened to; returns those with more to send."""
        env = self.env
        later = []
        while env.dirty:
            socks, env.dirty = env.dirty, {}
            for sock in socks:
                conn = self.conns.get(sock)
                if conn is None:
                    continue
                try:
                    if output.flush(env, self.net, conn):
                        later.append(sock)
                    memory.settle(env, conn, sndbuf.queued(conn.snd))
                    if sock in self.files.owing:
                        owed.settle(self, conn)
                    self._settle(conn)
                except Exception:
                    contain(self.env, "ContainedConns", Call("flush", (sock,)))
                    self._sacrifice(conn)
        return later

    def _settle(self, conn: Conn) -> None:
        """After an event: a connection that opened waits for accept, one that ended is forgotten."""
        if conn.fast is not None:
            eager.settle(self.env, self.memory, conn, conn.fast)
        if conn.owed and conn.half is None:
            host = self.listeners.get(conn.owed)
            conn.owed = 0
            if host is not None:
                fastopen.over(self.env, host.guests, conn)
        listener = self.listeners.get(conn.parent) if conn.parent else None
        if listener is not None and conn.state != SYN_RECEIVED and conn.sock in listener.half:
            listen.left(listener, conn.sock)
            if conn.state != CLOSED:
                listener.ready.append(conn.sock)
        if not conn.held:
            self._left_alone(conn)
        if conn.state != CLOSED:
            return
        if conn.held or (listener is not None and conn.sock in listener.ready):
            ports.unlink(self, conn)
        else:
            ports.forget(self, conn)

    def _left_alone(self, conn: Conn) -> None:
        """Nobody holds it: it costs memory until its peer has heard of its end. Beyond tcp_max_orphans it is reset."""
        if conn.state in (FIN_WAIT_2, TIME_WAIT):
            self._linger(conn)
        if conn.state not in ENDING:
            self.orphans.pop(conn.sock, None)
        elif conn.sock not in self.orphans:
            self.orphans[conn.sock] = None
            if len(self.orphans) > self.env.config["net.ipv4.tcp_max_orphans"]:
                del self.orphans[conn.sock]
                self.env.count["TcpExtTCPAbortOnMemory"] += 1
                self.env.note("linux/tcp_check_oom/orphans", conn.sock, len(self.orphans))
                closing.reset(self.env, conn, errno.ECONNABORTED)
                output.flush(self.env, self.net, conn)

    def _linger(self, conn: Conn) -> None:
        """Connections that only wait for their time to pass cost memory: beyond tcp_max_tw_buckets the oldest ends
        early. A peer that never sends its FIN must not keep more of them than one that does."""
        self.lingering[conn.sock] = None
        while len(self.lingering) > self.env.config["net.ipv4.tcp_max_tw_buckets"]:
            oldest = self.conns[next(iter(self.lingering))]
            self.env.count["TcpExtTCPTimeWaitOverflow"] += 1
            self.env.note("linux/tcp_max_tw_buckets/oldest", oldest.sock)
            closing.finish(self.env, oldest)
            ports.forget(self, oldest)

    def _guarded(self, counter: str, event: Event, handler: Callable[..., None], *args: Any) -> None:
        try:
            handler(self, *args)
        except Exception:
            contain(self.env, counter, event)

    def _sacrifice(self, conn: Conn) -> None:
        """A connection whose own handler failed ends here; its owner is told."""
        listener = self.listeners.get(conn.parent)
        if listener is not None:
            listen.left(listener, conn.sock)
            listener.ready = deque(sock for sock in listener.ready if sock != conn.sock)
        ports.forget(self, conn)
        self.env.count["TcpCurrEstab"] -= conn.state in CURRENT
        conn.state, conn.error = CLOSED, errno.EIO
        if conn.held:
            self.conns[conn.sock] = conn
            self.env.wake(conn.sock, FAILED)


def make(name: str, seed: int = 1, config: Config | None = None, tracing: bool = False) -> Stack:
    """A host with no interface yet. seed: one seed, one run; a live stack is seeded from the operating system."""
    return Stack(name=name, env=Env(rng=Rng(seed), config=config or Config(), tracing=tracing))
