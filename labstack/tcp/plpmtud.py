# SPDX-License-Identifier: GPL-2.0-or-later
"""Finding out what the path carries without being told (RFC 4821, RFC 8899): now and then one segment is larger than
the others. If it arrives, all become as large; if it alone is lost, the path is narrow, not congested.

The range is halved by each probe until it is too small to matter. A black hole, where segments vanish again and again
and no router says why, makes them smaller. What may be probed, and when, is Linux's (tcp_mtu_probe, tcp_mtu_probing).
"""

from labstack.core.config import SECOND
from labstack.core.env import Env
from labstack.tcp import mtu
from labstack.tcp.conn import Conn, Search
from labstack.tcp.loss import CWR, OPEN

NO, WAIT = -1, 0
WINDOW = 11  # segments: so that losing the probe is noticed by duplicate ACKs
MS200 = SECOND // 5  # least retransmission timeout, for how long a black hole must last


def start(env: Env, conn: Conn) -> None:
    """The connection is established: probe from the start (tcp_mtu_probing 2), or be ready for it."""
    config = env.config
    low = mtu.mtu_of(conn, config["net.ipv4.tcp_base_mss"])
    conn.search = Search(config["net.ipv4.tcp_mtu_probing"] > 1, low, _most(conn), since=env.now)


def _most(conn: Conn) -> int:
    """The packet that the peer's MSS makes."""
    return conn.snd.clamp + conn.header


def probe(env: Env, conn: Conn) -> int:
    """Bytes of a segment that is to be a probe now; NO, or WAIT: nothing new goes until it can."""
    snd, search, loss = conn.snd, conn.search, conn.snd.loss
    if search.probe or loss.state != OPEN or snd.cc.cwnd < WINDOW or (conn.sack and conn.rcv.islands):
        return NO
    high = min(search.high, conn.mtu)  # what was learnt of the path before it was opened does not lower the range
    size = mtu.mss_of(env, conn, high + search.low >> 1)
    needed = size + (loss.reordering + 1) * snd.mss
    threshold = env.config["net.ipv4.tcp_probe_threshold"]
    if size > mtu.mss_of(env, conn, high) or high - search.low < threshold:
        _again(env, conn)
        return NO
    if snd.out.end - snd.nxt < needed or snd.wnd < needed:
        return NO
    if snd.nxt + needed > snd.una + snd.wnd:
        return WAIT
    if snd.flight.now + 2 > snd.cc.cwnd:
        return WAIT if snd.flight.now else NO
    return size


def _again(env: Env, conn: Conn) -> None:
    """The range is exhausted. Paths change: after ten minutes begin anew, from what we know (RFC 4821 §7.3)."""
    if env.now - conn.search.since >= env.config["net.ipv4.tcp_probe_interval"] * SECOND:
        env.note("4821/7.3/again", conn.sock)
        low = mtu.mtu_of(conn, conn.snd.mss)
        conn.search = Search(True, low, _most(conn), since=env.now)


def sent(env: Env, conn: Conn, seq: int, end: int) -> None:
    """The probe has left: it takes the place of two segments."""
    env.note("4821/7.2/probe", conn.sock, end - seq)
    conn.search = conn.search._replace(probe=mtu.mtu_of(conn, end - seq), start=seq, end=end)
    conn.snd.cc.cwnd -= 1


def arrived(env: Env, conn: Conn) -> None:
    """Everything before SND.UNA has arrived, perhaps the probe: segments become as large, and cwnd is as many bytes as
    before."""
    search, snd = conn.search, conn.snd
    if not search.probe or search.end > snd.una:
        return
    cc = snd.cc
    env.count["TcpExtTCPMTUPSuccess"] += 1
    env.note("4821/7.6.1/success", conn.sock, search.probe)
    cc.cwnd = max(cc.cwnd * mtu.mtu_of(conn, snd.mss) // search.probe, 1)
    cc.credit, cc.ssthresh, snd.full_at = 0, cc.worth(snd.loss.state), env.now
    conn.search = search._replace(low=search.probe, probe=0)
    mtu.sync(env, conn, conn.mtu)


def failed(env: Env, conn: Conn) -> bool:
    """Something is lost. True if that is the probe, and no sign of congestion (RFC 4821 §7.7)."""
    search, snd = conn.search, conn.snd
    if not search.probe or snd.loss.state >= CWR or snd.una != search.start:
        return False
    env.count["TcpExtTCPMTUPFail"] += 1
    env.note("4821/7.7/lost", conn.sock, search.probe)
    conn.search = search._replace(high=search.probe - 1, probe=0)
    snd.cc.cwnd += 1  # what `sent` has taken
    return True


def inconclusive(conn: Conn) -> None:
    """Something was sent again: what becomes of the probe says nothing any more."""
    if conn.search.probe:
        conn.search = conn.search._replace(probe=0)


def timed_out(env: Env, conn: Conn) -> None:
    """Another timeout. If they have gone on for some time, there may be a black hole: send less (RFC 4821 §7.7,
    RFC 2923)."""
    config, search, snd = env.config, conn.search, conn.snd
    long = ((2 << config["net.ipv4.tcp_retries1"]) - 1) * MS200
    if not config["net.ipv4.tcp_mtu_probing"] or not search.high or env.now - snd.trouble_at < long:
        return
    if not search.on:
        conn.search = search._replace(on=True, since=env.now)
    else:
        half = min(config["net.ipv4.tcp_base_mss"], mtu.mss_of(env, conn, search.low) >> 1)
        least = max(half, config["net.ipv4.tcp_mtu_probe_floor"], config["net.ipv4.tcp_min_snd_mss"])
        conn.search = search._replace(low=mtu.mtu_of(conn, least))
    mtu.sync(env, conn, conn.mtu)
    env.note("4821/7.7/black-hole", conn.sock, snd.mss)
