# SPDX-License-Identifier: GPL-2.0-or-later
"""How large our segments may be: the peer's MSS, the path's MTU, half the peer's window; and what to do when a router
says that a segment was too large (RFC 9293 §3.7.1, §3.7.3; RFC 1191 §6; RFC 8201 §5; RFC 5927 §7).

Linux's tcp_sync_mss and tcp_v4_mtu_reduced. What the path carries is remembered in `ip.pmtu`; finding that out without
routers is `plpmtud`'s.
"""

import errno

from labstack.core.env import Env
from labstack.ip import pmtu, route
from labstack.ip.datagram import Quoted
from labstack.ip.family import of
from labstack.ip.net import Net, Path
from labstack.tcp import agreed, recovery
from labstack.tcp.conn import Conn
from labstack.tcp.segment import TCP_HLEN
from labstack.tcp.states import CLOSED

DONT, WANT, DO, PROBE, INTERFACE, OMIT = range(6)  # IP_MTU_DISCOVER
UNLIMITED = 65_535  # bytes of MSS, before the peer has said anything
SMALL_WND = 536  # a peer whose windows are no larger has no use for halves of them
LEAST = 48  # bytes of a segment for such a peer


def announced(env: Env, path: Path) -> int:
    """The MSS option of our SYN: what the path brings us (RFC 9293 §3.7.1; ipv4_default_advmss)."""
    fits = path.mtu - path.family.header - TCP_HLEN
    return path.advmss or max(fits, env.config[path.family.min_advmss])


def mss_of(env: Env, conn: Conn, mtu: int) -> int:
    """Payload of a segment that makes a packet of mtu bytes, as far as the peer takes that much. That he takes hardly
    anything is no order to send a storm of tiny packets (CVE-2019-11479)."""
    fits = mtu - of(conn.remote).header - TCP_HLEN
    return min(max(conn.snd.clamp, env.config["net.ipv4.tcp_min_snd_mss"]), fits) - options(conn)


def mtu_of(conn: Conn, mss: int) -> int:
    """The packet that a segment with mss bytes of payload makes."""
    return mss + options(conn) + TCP_HLEN + of(conn.remote).header


def options(conn: Conn) -> int:
    """Bytes of the options that every segment has, once they are agreed upon."""
    return agreed.always(conn) if conn.rcv.nxt else 0


def sync(env: Env, conn: Conn, mtu: int) -> bool:
    """The path carries packets of mtu bytes: Eff.snd.MSS follows (RFC 9293 §3.7.3, SHLD-6). True if it shrank."""
    snd, before = conn.snd, conn.snd.mss
    conn.mtu = mtu
    snd.mss = _half_window(snd.max_wnd, mss_of(env, conn, mtu))
    snd.cc.mss = snd.mss
    env.note("9293/3.7.1/mss", conn.sock, snd.mss)
    return snd.mss < before


def _half_window(wnd: int, mss: int) -> int:
    """No segment takes more than half of the peer's largest window: else it would be sent piece by piece, or the ACK of
    one would never meet another on the way (tcp_bound_to_half_wnd)."""
    most = wnd // 2 if wnd > SMALL_WND else wnd
    return min(mss, max(most, LEAST)) if most else mss


def follow(env: Env, net: Net, conn: Conn) -> None:
    """Interfaces, routes or what we know of paths changed: segments must fit the path as it is now."""
    conn.version = net.version
    path = route.lookup(env, net, conn.remote, conn.local, conn.dev)
    if path is None:
        return
    conn.gso = max(path.gso - path.family.header - TCP_HLEN, 0)
    conn.df = whole(conn, path)
    if path.mtu != conn.mtu:
        sync(env, conn, path.mtu)


def whole(conn: Conn, path: Path) -> bool:
    """Must our packets arrive in one piece: DF (ip_dont_fragment)?"""
    return conn.discover == DO or (conn.discover == WANT and not path.fragile)


def reduced(env: Env, net: Net, conn: Conn, quoted: Quoted) -> None:
    """A router could not send a segment of ours on: it takes quoted.mtu bytes.

    Nothing is lost but what was too large, and that goes again at once; no sign of congestion (RFC 8201 §5.4).
    """
    if conn.state == CLOSED or conn.discover in (INTERFACE, OMIT):
        return
    if not quoted.family.min_pmtu and mss_of(env, conn, quoted.mtu) >= conn.snd.mss:
        # tcp_v6_mtu_reduced: what would change nothing here is not learnt for others, either
        env.note("5927/7.2/no-smaller", conn.sock, quoted.mtu)
        return
    pmtu.learn(env, net, conn.remote, quoted.mtu)
    path = route.lookup(env, net, conn.remote, conn.local, conn.dev)
    if path is None:
        return
    if quoted.mtu < path.mtu and whole(conn, path):
        conn.soft = errno.EMSGSIZE  # the connection may not survive that
    if conn.discover == DONT or path.mtu >= conn.mtu:
        return
    before = conn.snd.mss
    follow(env, net, conn)
    if conn.snd.mss < before:
        env.note("5927/7.2/smaller", conn.sock, path.mtu, conn.snd.mss)
        recovery.simple_retransmit(env, conn)
