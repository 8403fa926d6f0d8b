# SPDX-License-Identifier: GPL-2.0-or-later
"""How large our segments may be: the peer's MSS, the path's MTU, half the peer's window (RFC 9293 §3.7.1, §3.7.3).

Linux's tcp_sync_mss. What routers say of the path, `icmp` hears and `ip.pmtu` remembers; finding out without them is
`plpmtud`'s.
"""

from labstack.core.env import Env
from labstack.ip import route
from labstack.ip.net import Net, Path
from labstack.tcp import agreed
from labstack.tcp.conn import Conn
from labstack.tcp.options import SPACE
from labstack.tcp.segment import TCP_HLEN

DONT, WANT, DO, PROBE, INTERFACE, OMIT = range(6)  # IP_MTU_DISCOVER
UNLIMITED = 1 << 16  # bytes of MSS: the peer has not said anything yet
SMALL_WND = 536  # a peer whose windows are no larger has no use for halves of them
LEAST = 48  # bytes of a segment for such a peer


def announced(env: Env, path: Path) -> int:
    """The MSS option of our SYN: what the path brings us (RFC 9293 §3.7.1; ipv4_default_advmss)."""
    fits = path.mtu - path.family.header - TCP_HLEN
    return path.advmss or max(fits, env.config[path.family.min_advmss])


def mss_of(env: Env, conn: Conn, mtu: int) -> int:
    """Payload of a segment that makes a packet of mtu bytes, as far as the peer takes that much. That he takes hardly
    anything is no order to send a storm of tiny packets (CVE-2019-11479)."""
    fits, most, least = mtu - conn.header, conn.snd.clamp, env.config["net.ipv4.tcp_min_snd_mss"]
    if most < least:
        most = least
    return (most if most < fits else fits) - options(conn)


def mtu_of(conn: Conn, mss: int) -> int:
    """The packet that a segment with mss bytes of payload makes."""
    return mss + options(conn) + conn.header


def options(conn: Conn) -> int:
    """Bytes of the options that every segment has, once they are agreed upon."""
    return agreed.always(conn) if conn.snd.clamp < UNLIMITED else 0


def sync(env: Env, conn: Conn, mtu: int) -> None:
    """The path carries packets of mtu bytes: Eff.snd.MSS follows (RFC 9293 §3.7.3, SHLD-6)."""
    snd = conn.snd
    conn.mtu = mtu
    if conn.search.high > mtu:
        conn.search = conn.search._replace(high=mtu)
    mss = mss_of(env, conn, mtu)
    if snd.max_wnd >> 1 < mss:
        mss = _half_window(snd.max_wnd, mss)
    snd.mss = min(mss, mss_of(env, conn, conn.search.low)) if conn.search.on else mss
    snd.cc.mss = snd.mss
    env.note("9293/3.7.1/mss", conn.sock, snd.mss)


def _half_window(wnd: int, mss: int) -> int:
    """No segment takes more than half of the peer's largest window: else it would be sent piece by piece, or the ACK of
    one would never meet another on the way (tcp_bound_to_half_wnd)."""
    most = wnd // 2 if wnd > SMALL_WND else wnd
    return min(mss, max(most, LEAST)) if most else mss


def follow(env: Env, net: Net, conn: Conn) -> None:
    """Interfaces, routes or what we know of paths changed: segments must fit the path as it is now."""
    conn.version = net.version
    path = conn.path = route.lookup(env, net, conn.remote, conn.local, conn.dev)
    if path is None:
        return
    room = max(path.gso - conn.header - SPACE, 0)  # for whatever options a header may have
    conn.gso = room if conn.acc is None and not conn.keys else 0
    conn.df = whole(conn, path)
    conn.fq = net.ifaces[path.dev].qdisc == "fq"
    if path.mtu == conn.mtu:
        return
    before = conn.snd.mss if path.mtu > conn.mtu else 0
    sync(env, conn, path.mtu)
    if conn.snd.mss < before:
        # a path that grew is no reason for smaller segments, though `plpmtud` begins with small ones
        conn.snd.mss = conn.snd.cc.mss = before


def whole(conn: Conn, path: Path) -> bool:
    """Must our packets arrive in one piece: DF (ip_dont_fragment)?"""
    return conn.discover == DO or (conn.discover == WANT and not path.fragile)
