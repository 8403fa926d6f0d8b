# SPDX-License-Identifier: GPL-2.0-or-later
"""Fast Open, the client's side (RFC 7413 §4.1.3, §4.2.1): data with our SYN, and what is remembered of servers.

The first connection to a server asks for a cookie; later ones send it, and data, with their SYN. What the SYN,ACK does
not acknowledge goes again at once, a SYN that is repeated is an ordinary one. If connections with Fast Open come to
nothing again and again, something on the way swallows them, and it is left alone for a while (§7.4).
"""

from typing import NamedTuple

from labstack.core.config import SECOND
from labstack.core.env import Env
from labstack.core.state import State, field, state
from labstack.tcp import mtu, rack, recovery
from labstack.tcp.conn import Conn, Fast
from labstack.tcp.options import EXPERIMENT, FAST_OPEN, SPACE
from labstack.tcp.segment import Segment
from labstack.tcp.states import CLOSED

CLIENT, SERVER, CLIENT_FREE, SERVER_FREE, ALL_LISTENERS = 1, 2, 4, 0x200, 0x400  # bits of net.ipv4.tcp_fastopen
MOST = 1024  # servers that are remembered
LONGEST = 6  # doublings of the pause after Fast Open was swallowed
UNAVAILABLE, NOT_ACKED, REPEATED = 1, 2, 3  # why it was of no use, Linux's tcpi_fastopen_client_fail
TRY_EXPERIMENT, TRY_NO_MORE = 1, 2


class Known(NamedTuple):
    """What is remembered of a server. trial: it ignored requests for a cookie, in the way of RFC 7413 or in the older
    experimental one."""

    mss: int = 0
    cookie: bytes = b""
    kind: int = FAST_OPEN  # of the option that had the cookie
    trial: int = 0


@state
class Memory(State):
    """What a host remembers: servers by our address and theirs, oldest first; how often Fast Open was swallowed."""

    known: dict[bytes, Known] = field(default_factory=dict)
    swallowed: int = 0
    swallowed_at: int = 0  # ns


def possible(env: Env, memory: Memory, conn: Conn) -> bool:
    """Could data go with a SYN now?"""
    if _paused(env, memory):
        return False
    return _free(env, conn) or bool(memory.known.get(_key(conn), Known()).cookie)


def begin(env: Env, memory: Memory, conn: Conn, ready: int) -> int:
    """Before our SYN: how many of the ready bytes go with it (Linux's tcp_send_syn_data)."""
    known = memory.known.get(_key(conn), Known())
    fast = conn.fast = Fast()
    if _paused(env, memory):
        return 0
    fast.probation = memory.swallowed > 0
    if not _free(env, conn):
        if not known.cookie:
            env.note("7413/4.1.3/ask", conn.sock)
            kind = EXPERIMENT if known.trial == TRY_EXPERIMENT else FAST_OPEN
            fast.fail, fast.asked, fast.option = UNAVAILABLE, kind, (kind, b"")
            return 0
        fast.asked, fast.option = known.kind, (known.kind, known.cookie)
    if known.mss:
        conn.snd.clamp = min(known.mss, conn.user.maxseg or mtu.UNLIMITED)
        mtu.sync(env, conn, conn.mtu)
    room = conn.snd.mss + mtu.options(conn)  # as the server's MSS says; a SYN has other options
    fast.size = max(min(ready, room - SPACE), 0)  # room for those, and for what boxes on the way may add
    env.note("7413/4.2.1/data", conn.sock, fast.size)
    return fast.size


def _key(conn: Conn) -> bytes:
    return conn.local + conn.remote


def _free(env: Env, conn: Conn) -> bool:
    """Data may go without a cookie."""
    return bool(env.config["net.ipv4.tcp_fastopen"] & CLIENT_FREE or conn.user.no_cookie)


def _paused(env: Env, memory: Memory) -> bool:
    """RFC 7413 §7.4: it was swallowed a while ago; the more often, the longer it is left alone."""
    pause = env.config["net.ipv4.tcp_fastopen_blackhole_timeout_sec"] * SECOND
    if not pause or not memory.swallowed:
        return False
    return env.now < memory.swallowed_at + (pause << min(memory.swallowed - 1, LONGEST))


def answered(env: Env, conn: Conn, fast: Fast, seg: Segment) -> None:
    """A SYN,ACK: what it tells of the server, and of the data that went with our SYN (tcp_rcv_fastopen_synack)."""
    if not fast.asked and not fast.size:
        return
    snd, cookie, trial = conn.snd, seg.fo if fast.asked else None, 0
    if fast.asked and cookie is None and not fast.size and not conn.tally.retrans:
        trial = TRY_NO_MORE if fast.asked == EXPERIMENT else TRY_EXPERIMENT
    fast.news = (seg.mss or 0, cookie or b"", seg.fo_kind, trial)
    if snd.flight.queue:
        fast.fail = REPEATED if conn.tally.retrans else NOT_ACKED
        env.note("7413/4.2.1/again", conn.sock, fast.size)
        env.count["TcpExtTCPFastOpenActiveFail"] += 1
        for index in range(len(snd.flight.queue)):
            rack.lose(env, conn, index)
        recovery.no_congestion(env, conn)
        return
    conn.syn_data = fast.size > 0
    if conn.syn_data:
        env.count["TcpExtTCPFastOpenActive"] += 1
        snd.loss.delivered -= snd.loss.delivered > 1  # SYN and data were one segment


def timed_out(env: Env, conn: Conn, over: bool) -> None:
    """Something may swallow Fast Open, during the handshake or after it: three timeouts in a row are enough to think
    so, or the end."""
    fast, before = conn.fast, conn.snd.retries - 1
    if fast is None or not (fast.asked or fast.size) or not (before == 2 or (before < 2 and over)):
        return
    env.note("7413/7.4/swallowed", conn.sock)
    env.count["TcpExtTCPFastOpenActiveFail"] += 1
    fast.swallowed = True


# the memory of a host


def settle(env: Env, memory: Memory, conn: Conn, fast: Fast) -> None:
    """Take over what a connection has learnt."""
    if fast.news is not None:
        _remember(memory, _key(conn), *fast.news)
        fast.news = None
    if fast.swallowed:
        fast.swallowed = False
        _swallow(env, memory)
    if conn.state == CLOSED and fast.asked:
        fast.asked = 0
        rcv, heard = conn.rcv, conn.tally.data_segs_in
        if not heard and rcv.fin is not None and rcv.nxt <= rcv.fin:
            _swallow(env, memory)  # the FIN came, and nothing before it
        elif heard and fast.probation:
            memory.swallowed = 0


def _remember(memory: Memory, key: bytes, mss: int, cookie: bytes, kind: int, trial: int) -> None:
    old = memory.known.pop(key, Known())
    new = old._replace(mss=mss or old.mss)
    if cookie:
        new = new._replace(cookie=cookie, kind=kind)
    elif trial > old.trial and not old.cookie:
        new = new._replace(trial=trial)
    memory.known[key] = new
    if len(memory.known) > MOST:
        del memory.known[next(iter(memory.known))]


def _swallow(env: Env, memory: Memory) -> None:
    if env.config["net.ipv4.tcp_fastopen_blackhole_timeout_sec"]:
        env.count["TcpExtTCPFastOpenBlackhole"] += 1
        memory.swallowed += 1
        memory.swallowed_at = env.now
