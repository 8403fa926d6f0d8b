# SPDX-License-Identifier: GPL-2.0-or-later
"""The socket table: numbers, ports, and who is found by which addresses (RFC 6056 for ephemeral ports)."""

import errno

from labstack.core.env import Env
from labstack.core.errors import StackError
from labstack.ip import route
from labstack.ip.family import text
from labstack.ip.net import Path
from labstack.ip.net import local as is_local
from labstack.stack.host import TCP, UDP, Host
from labstack.tcp.closing import TIMERS
from labstack.tcp.conn import Conn
from labstack.tcp.states import CLOSED
from labstack.tcp.window import shift_for

MAX_SOCKETS = 65_536


def fresh(host: Host, wanted: int = 0) -> int:
    """A free socket number; `wanted` if the caller has one in mind. Raises StackError EADDRINUSE, ENFILE."""
    if full(host):
        raise StackError(errno.ENFILE, f"{MAX_SOCKETS} sockets are open; close some")
    if wanted < 0:
        raise StackError(errno.EINVAL, f"socket number {wanted}: expected one from 1, or 0 for a free one")
    if wanted:
        if in_use(host, wanted):
            raise StackError(errno.EADDRINUSE, f"socket number {wanted} is in use; leave it out to get a free one")
        return wanted
    while in_use(host, host.next_sock):
        host.next_sock += 1
    host.next_sock += 1
    return host.next_sock - 1


def full(host: Host) -> bool:
    return len(host.conns) + len(host.listeners) + len(host.udps) + len(host.echoes) >= MAX_SOCKETS


def in_use(host: Host, sock: int) -> bool:
    return sock in host.conns or sock in host.listeners or sock in host.udps or sock in host.echoes


def path(host: Host, remote: bytes, local: bytes, dev: int) -> Path:
    """The way to a peer, from our address `local` (b"": any). Raises StackError ENETUNREACH, EADDRNOTAVAIL, EINVAL."""
    if local and len(local) != len(remote):
        raise StackError(errno.EINVAL, f"from {text(local)} to {text(remote)}: both must be of one family")
    if local and not is_local(host.net, local):
        raise StackError(errno.EADDRNOTAVAIL, f"{text(local)} is not an address of {host.name}")
    found = route.lookup(host.env, host.net, remote, local or None, dev)
    if found is None:
        raise StackError(errno.ENETUNREACH, f"no route to {text(remote)}; add one with route_add")
    return found


def find(host: Host, proto: str, local: bytes, port: int) -> int:
    """The socket bound to this port on this address, or on any address; 0 if there is none."""
    return host.bound.get((proto, local, port)) or host.bound.get((proto, b"", port), 0)


def bind(host: Host, proto: str, local: bytes, port: int, sock: int) -> None:
    """Claim a port. Raises StackError EADDRINUSE, EADDRNOTAVAIL, EINVAL."""
    if not isinstance(port, int) or not 0 < port < 65_536:
        raise StackError(errno.EINVAL, f"port {port!r}: expected a number in 1..65535")
    if local and not is_local(host.net, local):
        raise StackError(errno.EADDRNOTAVAIL, f"{text(local)} is not an address of {host.name}")
    if find(host, proto, local, port) or (not local and any(k[0] == proto and k[2] == port for k in host.bound)):
        raise StackError(errno.EADDRINUSE, f"{proto} port {port} is taken; choose another or close its socket")
    host.bound[(proto, local, port)] = sock


def unbind(host: Host, sock: int) -> None:
    for key in [k for k, owner in host.bound.items() if owner == sock]:
        del host.bound[key]


def ephemeral(host: Host, proto: str, local: bytes, remote: bytes, rport: int) -> int:
    """A free local port: a keyed offset per destination, then upwards (RFC 6056 §3.3.3). Raises EADDRNOTAVAIL."""
    env = host.env
    low, high = env.config["net.ipv4.ip_local_port_range.min"], env.config["net.ipv4.ip_local_port_range.max"]
    span = max(high - low + 1, 1)
    start = env.rng.secret(b"port", local, remote, rport.to_bytes(2, "big")) + _turn(env)
    for i in range(span):
        port = low + (start + i) % span
        if proto == UDP and not find(host, UDP, local, port):
            return port
        key = remote + local + rport.to_bytes(2, "big") + port.to_bytes(2, "big")
        if proto == TCP and key not in host.flows and not find(host, TCP, local, port):
            return port
    raise StackError(errno.EADDRNOTAVAIL, f"no free port in {low}..{high} towards {text(remote)} port {rport}")


def _turn(env: Env) -> int:
    env.count["PortsChosen"] += 1
    return env.count["PortsChosen"]


def adopt(host: Host, conn: Conn, options: dict[str, int]) -> None:
    """Take a new connection into the table, with the options that its creator set. Raises as set_option."""
    for name, value in options.items():
        set_option(host, conn, name, value)
    host.conns[conn.sock] = conn
    host.flows[conn.key] = conn.sock
    host.env.dirty[conn.sock] = None


def set_option(host: Host, conn: Conn, name: str, value: int) -> None:
    """One of OPTIONS. Raises StackError ENOPROTOOPT, EINVAL."""
    check_option(name, value)
    if name == "nodelay":
        conn.snd.nodelay = bool(value)
        host.env.dirty[conn.sock] = None
    elif name == "sndbuf":
        conn.snd.limit = value
    elif name == "rcvbuf":
        conn.rcv.limit = value
        if conn.snd.nxt == conn.snd.iss and conn.scaling:  # before our SYN: the scale is still ours to choose
            conn.rcv.shift = shift_for(value)
    elif name == "ttl":
        conn.ttl = value
    else:
        conn.tos = value


def check_option(name: str, value: int) -> None:
    """Raise StackError ENOPROTOOPT or EINVAL if there is no such option or value."""
    if name not in OPTIONS:
        raise StackError(errno.ENOPROTOOPT, f"no option {name!r}; there are {', '.join(OPTIONS)}")
    least, most = OPTIONS[name]
    if not isinstance(value, int) or not least <= value <= most:
        raise StackError(errno.EINVAL, f"{name} = {value!r}: expected a number in {least}..{most}")


OPTIONS = {"nodelay": (0, 1), "rcvbuf": (256, 1 << 30), "sndbuf": (256, 1 << 30), "ttl": (1, 255), "tos": (0, 255)}


def renumber(host: Host, conn: Conn, sock: int) -> None:
    """Give a connection another socket number; its timers follow."""
    timers = host.env.timers
    for kind in TIMERS:
        due = timers.at.get((kind, conn.sock))
        if due is not None:
            timers.set((kind, sock), due)
    forget(host, conn)
    conn.sock = sock
    host.conns[sock] = conn
    if conn.state != CLOSED:
        host.flows[conn.key] = sock
    host.env.dirty[sock] = None


def unlink(host: Host, conn: Conn) -> None:
    """Segments with these addresses are no longer for conn; a younger connection may have them already."""
    if host.flows.get(conn.key) == conn.sock:
        del host.flows[conn.key]


def forget(host: Host, conn: Conn) -> None:
    """Remove a connection and everything that leads to it."""
    host.conns.pop(conn.sock, None)
    host.lingering.pop(conn.sock, None)
    unlink(host, conn)
    for kind in TIMERS:
        host.env.timers.stop((kind, conn.sock))
    host.env.dirty.pop(conn.sock, None)
