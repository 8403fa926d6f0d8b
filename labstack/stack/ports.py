# SPDX-License-Identifier: GPL-2.0-or-later
"""The socket table: numbers, ports, and who is found by which addresses (RFC 6056 for ephemeral ports)."""

import errno
from collections.abc import Iterator, Mapping

from labstack.core.errors import StackError
from labstack.ip import route
from labstack.ip.family import V4, V6, text
from labstack.ip.net import Path
from labstack.ip.net import local as is_local
from labstack.stack.host import TCP, UDP, Host
from labstack.tcp import memory, timewait
from labstack.tcp.closing import TIMERS
from labstack.tcp.conn import Conn
from labstack.tcp.settings import SETTINGS as OPTIONS
from labstack.tcp.states import CLOSED

MOST = "fs.file-max"

TURNS, LEAP = 256, 8  # slots of the table of RFC 6056 §3.3.4; a choice moves its slot on by up to so many ports


def fresh(host: Host, wanted: int = 0) -> int:
    """A free socket number; `wanted` if the caller has one in mind. Raises StackError EADDRINUSE, ENFILE."""
    if full(host):
        raise StackError(errno.ENFILE, f"{host.env.config[MOST]} sockets are open (sysctl {MOST}); close some")
    if wanted < 0:
        raise StackError(errno.EINVAL, f"socket number {wanted}: expected one from 1, or 0 for a free one")
    if wanted:
        if in_use(host, wanted):
            raise StackError(errno.EADDRINUSE, f"socket number {wanted} is in use; leave it out to get a free one")
        return wanted
    return free(host)


def free(host: Host) -> int:
    """The next socket number that nobody has."""
    while in_use(host, host.next_sock):
        host.next_sock += 1
    host.next_sock += 1
    return host.next_sock - 1


def full(host: Host) -> bool:
    return len(host.conns) + len(host.listeners) + len(host.udps) + len(host.echoes) >= host.env.config[MOST]


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
    """The socket bound to this port: on this address, on any of its family, on any address; 0 if there is none."""
    bound = host.bound
    return (
        bound.get((proto, local, port))
        or bound.get((proto, _ANY.get(len(local), b""), port))
        or bound.get((proto, b"", port), 0)
    )


_ANY = {family.size: family.any for family in (V4, V6)}


def overlap(one: bytes, other: bytes) -> bool:
    """Can one packet be for both? b"" is any address, zeroes are any of their family."""
    if not one or not other:
        return True
    return len(one) == len(other) and (one == other or not any(one) or not any(other))


def bind(host: Host, proto: str, local: bytes, port: int, sock: int) -> None:
    """Claim a port. Raises StackError EADDRINUSE, EADDRNOTAVAIL, EINVAL."""
    if not isinstance(port, int) or not 0 < port < 65_536:
        raise StackError(errno.EINVAL, f"port {port!r}: expected a number in 1..65535")
    if local and not is_local(host.net, local):
        raise StackError(errno.EADDRNOTAVAIL, f"{text(local)} is not an address of {host.name}")
    theirs = [where for name, where, number in host.bound if (name, number) == (proto, port)]
    if any(overlap(local, other) for other in [*theirs, *claims(host, proto, port)]):
        raise StackError(errno.EADDRINUSE, f"{proto} port {port} is taken; choose another or close its socket")
    host.bound[(proto, local, port)] = sock


def claims(host: Host, proto: str, port: int) -> list[bytes]:
    """The addresses on which descriptors' sockets have this port, whether or not anything arrives for them yet."""
    files = host.files
    held = [files.sockets[number].local for number in files.ports.get((proto, port), ())]
    return [local[0] for local in held if local is not None]


def unbind(host: Host, sock: int) -> None:
    for key in [k for k, owner in host.bound.items() if owner == sock]:
        del host.bound[key]


def ephemeral(host: Host, proto: str, local: bytes, remote: bytes, rport: int) -> int:
    """A free local port towards a peer (b"", 0: none yet). Raises EADDRNOTAVAIL."""
    for port in candidates(host, local, remote, rport):
        if proto == UDP and not find(host, UDP, local, port) and (proto, port) not in host.files.ports:
            return port
        key = remote + local + rport.to_bytes(2, "big") + port.to_bytes(2, "big")
        free = _free(host, key) and not find(host, TCP, local, port)
        if proto == TCP and free and (proto, port) not in host.files.ports:
            return port
    raise StackError(errno.EADDRNOTAVAIL, f"no free port towards {text(remote)} port {rport}")


def _free(host: Host, key: bytes) -> bool:
    """Is there no connection with these addresses and ports, or one that may be replaced?"""
    sock = host.flows.get(key)
    return sock is None or timewait.free(host.env, host.conns[sock])


def candidates(host: Host, local: bytes, remote: bytes, rport: int) -> Iterator[int]:
    """Ephemeral ports in the order of trying: a keyed offset per destination, then upwards (RFC 6056 §3.3.4).

    Beside the offset counts how many were tried before for destinations of the same slot of a small table, so that who
    sees our ports learns nothing of those towards others. As on Linux connections have every other port first, and
    bind(), which has no destination, the rest.
    """
    env = host.env
    low, high = env.config["net.ipv4.ip_local_port_range.min"], env.config["net.ipv4.ip_local_port_range.max"]
    key = env.rng.secret(b"port", local, remote, rport.to_bytes(2, "big"))
    slot = key % TURNS
    turn = host.turns.get(slot, 0)
    leap = env.rng.secret(b"turn", key.to_bytes(8, "big"), turn.to_bytes(8, "big")) % LEAP
    first = low if remote else low + 1
    for begin in (first, low + low + 1 - first):
        half = range(begin, high + 1, 2)
        for tried in range(len(half)):
            host.turns[slot] = turn + max(tried, leap) + 1
            yield half[((key >> 32) + turn + tried) % len(half)]


def adopt(host: Host, conn: Conn) -> None:
    """Take a new connection into the table."""
    host.conns[conn.sock] = conn
    host.flows[conn.key] = conn.sock
    host.env.dirty[conn.sock] = None


def set_options(host: Host, conn: Conn, options: Mapping[str, int | str]) -> None:
    """What the creator of a connection wishes, or its listener. Raises as set_option."""
    for name, value in options.items():
        set_option(host, conn, name, value)


def set_option(host: Host, conn: Conn, name: str, value: int | str) -> None:
    """One of OPTIONS. Raises as option."""
    number = option(name, value)
    OPTIONS[name].write(host.env, conn, number)


def option(name: str, value: int | str) -> int:
    """The value of one of OPTIONS as a number. Raises StackError ENOPROTOOPT (no such option), EINVAL (no such number),
    ENOENT (no such word)."""
    if name not in OPTIONS:
        raise StackError(errno.ENOPROTOOPT, f"no option {name!r}; there are {', '.join(OPTIONS)}")
    it = OPTIONS[name]
    words = it.names()
    if isinstance(value, str) and words:
        if value not in words:
            raise StackError(errno.ENOENT, f"{name} = {value!r}: expected {', '.join(words)}")
        return words.index(value)
    least, most = it.least, len(words) - 1 if words else it.most
    if not isinstance(value, int) or not (least <= value <= most or (it.unset and value == 0)):
        also = ", or 0" if it.unset else ""
        raise StackError(errno.EINVAL, f"{name} = {value!r}: expected a number in {least}..{most}{also}")
    return value


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
    memory.forget(host.env, conn)
    host.lingering.pop(conn.sock, None)
    host.orphans.pop(conn.sock, None)
    unlink(host, conn)
    host.env.timers.silence(TIMERS, conn.sock)
    host.env.dirty.pop(conn.sock, None)
