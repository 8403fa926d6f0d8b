# SPDX-License-Identifier: GPL-2.0-or-later
"""LISTEN: who may connect, half-open connections, and the queue for accept (RFC 9293 §3.10.7.2)."""

from collections import deque

from labstack.core.env import Env
from labstack.core.state import State, field, state
from labstack.ip.net import Net
from labstack.tcp import acks, opening, output
from labstack.tcp.conn import Conn
from labstack.tcp.segment import ACK, RST, SYN, Segment
from labstack.tcp.states import LISTEN, SYN_RECEIVED, become


@state
class Listener(State):
    sock: int
    local: bytes  # b"": any address
    lport: int
    backlog: int
    dev: int = 0
    half: dict[int, None] = field(default_factory=dict)  # half-open connections, oldest first
    ready: deque[int] = field(default_factory=deque)  # established, waiting for accept
    options: dict[str, int] = field(default_factory=dict)  # that its connections inherit

    state = LISTEN


def wants(env: Env, net: Net, listener: Listener, seg: Segment) -> bool:
    """SEGMENT ARRIVES in LISTEN: True if seg opens a connection; otherwise it was answered or dropped."""
    if seg.flags & RST:
        # first
        env.drop("drop.tcp.listen_rst")
    elif seg.flags & ACK:
        # second
        env.drop("drop.tcp.listen_ack")
        output.refuse(env, net, seg)
    elif not seg.flags & SYN:
        # fourth
        env.drop("drop.tcp.listen_nothing", seg.names)
    elif seg.flags & 1:
        # DEVIATES: RFC 9293 §3.10.7.2 would look at the FIN after the SYN; Linux drops both, only scanners send them.
        env.drop("drop.tcp.syn_fin")
    else:
        # third: the SYN bit
        return room(env, listener) and _half_room(env, listener)
    return False


def room(env: Env, listener: Listener) -> bool:
    """May one more connection wait for accept? If not, the segment is dropped."""
    if len(listener.ready) > listener.backlog:
        env.count["TcpExtListenOverflows"] += 1
        env.drop("drop.tcp.accept_queue", listener.backlog)
        return False
    return True


def _half_room(env: Env, listener: Listener) -> bool:
    if len(listener.half) >= env.config["net.ipv4.tcp_max_syn_backlog"]:
        env.count["TcpExtTCPReqQFullDrop"] += 1
        env.drop("drop.tcp.syn_queue", len(listener.half))
        return False
    return True


def passive(env: Env, conn: Conn, listener: Listener, seg: Segment) -> None:
    """A SYN for a listener: the new connection answers with SYN,ACK at the next drain.

    DEVIATES: RFC 9293 §3.10.7.2 keeps text that comes with a SYN; we acknowledge the SYN alone, as Linux without TCP
    Fast Open, so that a spoofed SYN costs no memory. The peer sends the text again.
    """
    env.count["TcpPassiveOpens"] += 1
    env.count["TcpInDelivers"] += 1
    env.note("9293/3.10.7.2/syn", conn.sock)
    conn.passive, conn.parent = True, listener.sock
    listener.half[conn.sock] = None
    opening.take_syn(env, conn, seg)
    acks.window(env, conn, seg.seq, seg.ack, seg.wnd)
    become(env, conn, LISTEN)
    become(env, conn, SYN_RECEIVED)
    conn.snd.syn = True
    env.dirty[conn.sock] = None
