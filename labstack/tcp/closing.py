# SPDX-License-Identifier: GPL-2.0-or-later
"""Closing: CLOSE and ABORT calls, FINs, resets, and the end of a connection (RFC 9293 §3.6, §3.10.4, §3.10.5)."""

import errno

from labstack.core import kinds
from labstack.core.config import SECOND
from labstack.core.env import Env
from labstack.core.event import CLOSED as WAKE_CLOSED
from labstack.core.event import FAILED, READABLE
from labstack.tcp import ackgen, memory, tally
from labstack.tcp.conn import Conn
from labstack.tcp.sent import forget
from labstack.tcp.states import (
    CAN_SEND,
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    LAST_ACK,
    SYN_RECEIVED,
    SYN_SENT,
    TIME_WAIT,
    become,
)

TIMEWAIT = 60 * SECOND  # ns
TIMERS = (
    kinds.TCP_RETRANSMIT,
    kinds.TCP_PERSIST,
    kinds.TCP_DELACK,
    kinds.TCP_TIMEWAIT,
    kinds.TCP_KEEPALIVE,
    kinds.TCP_PACING,
    kinds.TCP_SYNACK,
    kinds.TCP_COMPRESS,
)


def close(env: Env, conn: Conn) -> None:
    """The CLOSE call: no more data will be sent; a FIN follows what is queued (RFC 9293 §3.10.4)."""
    env.dirty[conn.sock] = None
    if conn.state == SYN_SENT:
        env.note("9293/3.10.4/syn-sent", conn.sock)
        finish(env, conn)
    elif conn.state in (SYN_RECEIVED, ESTABLISHED):
        env.note("9293/3.10.4/established", conn.sock)
        conn.snd.fin = True
        become(env, conn, FIN_WAIT_1)
    elif conn.state == CLOSE_WAIT:
        env.note("9293/3.10.4/close-wait", conn.sock)
        conn.snd.fin = True
        become(env, conn, LAST_ACK)


def release(env: Env, conn: Conn) -> None:
    """The application lets go of the socket: CLOSE, or RST if it left data unread (SHLD-3)."""
    conn.held = False
    if conn.rcv.queued and conn.state not in (CLOSED, TIME_WAIT):
        env.note("9293/3.6.1/unread", conn.sock, conn.rcv.queued)
        env.count["TcpExtTCPAbortOnClose"] += 1
        reset(env, conn, errno.ECONNABORTED)
    elif conn.state in CAN_SEND:
        close(env, conn)
    elif conn.state == FIN_WAIT_2 and conn.user.linger2 < 0:
        env.note("linux/tcp_close/linger2", conn.sock)
        env.count["TcpExtTCPAbortOnLinger"] += 1
        abort(env, conn)
    elif conn.state == FIN_WAIT_2:
        linger(env, conn)


def abort(env: Env, conn: Conn) -> None:
    """The ABORT call: the end, with a RST if the peer expects anything else (RFC 9293 §3.10.5)."""
    if conn.state in (CLOSED, SYN_SENT, TIME_WAIT) or _said_all(conn):
        die(env, conn, errno.ECONNABORTED)
    else:
        reset(env, conn, errno.ECONNABORTED)


def _said_all(conn: Conn) -> bool:
    """Both sides have sent everything, and their FINs: there is nothing to reset (tcp_disconnect)."""
    return conn.state in (CLOSING, LAST_ACK) and conn.snd.nxt > conn.snd.fin_seq


def reset(env: Env, conn: Conn, code: int) -> None:
    """The connection ends with a RST, and for its owner with an errno."""
    env.note("9293/3.10.5/reset", conn.sock)
    env.count["TcpOutRsts"] += 1
    conn.reset = True
    env.dirty[conn.sock] = None
    die(env, conn, code)


def disconnect(env: Env, conn: Conn) -> int:
    """ABORT as connect(AF_UNSPEC) and SO_LINGER with 0 s mean it; returns the errno that is left behind, or 0.

    TIME-WAIT is nobody's any more, and stays.
    """
    if conn.state in (CLOSED, TIME_WAIT):
        return 0
    if _said_all(conn):
        finish(env, conn)
        return 0
    abort(env, conn)
    return errno.ECONNRESET


def fin_acked(env: Env, conn: Conn) -> bool:
    """Our FIN has arrived (RFC 9293 §3.10.7.4, fifth). True: the answer to whoever says so is a reset."""
    if conn.state == FIN_WAIT_1:
        env.note("9293/3.10.7.4/ack/fin-wait-1", conn.sock)
        become(env, conn, FIN_WAIT_2)
        if not conn.held and conn.user.linger2 < 0:
            env.note("linux/tcp_rcv_state_process/linger2", conn.sock)
            env.count["TcpExtTCPAbortOnData"] += 1
            finish(env, conn)
            return True
        if not conn.held:
            linger(env, conn)
            env.wake(conn.sock, WAKE_CLOSED)
    elif conn.state == CLOSING:
        env.note("9293/3.10.7.4/ack/closing", conn.sock)
        time_wait(env, conn)
    elif conn.state == LAST_ACK:
        env.note("9293/3.10.7.4/ack/last-ack", conn.sock)
        finish(env, conn)
    return False


def fin_arrived(env: Env, conn: Conn) -> None:
    """Everything up to the peer's FIN has arrived (RFC 9293 §3.10.7.4, eighth)."""
    conn.rcv.nxt += 1
    conn.rcv.edge = max(conn.rcv.edge, conn.rcv.nxt)
    conn.rcv.recent = ()
    env.note("9293/3.10.7.4/fin/arrived", conn.sock)
    env.wake(conn.sock, READABLE)
    if conn.state in (SYN_RECEIVED, ESTABLISHED):
        become(env, conn, CLOSE_WAIT)
        ackgen.expect_answer(env, conn.rcv)  # our own FIN may follow at once, and take the ACK along
        ackgen.in_order(env, conn)
        return
    ackgen.at_once(conn)
    if conn.state == FIN_WAIT_1:
        become(env, conn, CLOSING)
    elif conn.state == FIN_WAIT_2:
        time_wait(env, conn)


def time_wait(env: Env, conn: Conn) -> None:
    """Linger, so that the peer's last FIN finds an answer and old segments die (RFC 9293 §3.6.1, MUST-13)."""
    become(env, conn, TIME_WAIT)
    env.count["TcpExtTW"] += 1
    env.timers.silence(TIMERS, conn.sock)
    linger(env, conn)
    env.wake(conn.sock, WAKE_CLOSED)


def linger(env: Env, conn: Conn) -> None:
    """(Re)start the time in TIME-WAIT, or in FIN-WAIT-2 without an owner.

    DEVIATES: RFC 9293 §3.4.2 has 2 MSL = 4 min; Linux stays 60 s, and so do we.
    """
    time = TIMEWAIT
    if conn.state == FIN_WAIT_2:
        time = conn.user.linger2 or env.config["net.ipv4.tcp_fin_timeout"] * SECOND
    env.timers.set((kinds.TCP_TIMEWAIT, conn.sock), env.now + time)


def again(env: Env, conn: Conn) -> None:
    """In TIME-WAIT the peer's FIN came again: our last ACK was lost (RFC 9293 §3.10.7.4, eighth)."""
    env.note("9293/3.10.7.4/fin/time-wait", conn.sock)
    ackgen.at_once(conn)
    linger(env, conn)


def expire(env: Env, conn: Conn) -> None:
    """TIME-WAIT is over (RFC 9293 §3.10.8), or FIN-WAIT-2 of a connection that nobody holds (tcp_fin_timeout)."""
    env.note("9293/3.10.8/time-wait", conn.sock)
    finish(env, conn)


def was_reset(env: Env, conn: Conn) -> None:
    """An acceptable RST (RFC 9293 §3.10.7.4, second)."""
    refused = conn.state in (SYN_SENT, SYN_RECEIVED) and not conn.passive
    orderly = conn.state in (CLOSING, LAST_ACK, TIME_WAIT)
    env.note("9293/3.10.7.4/rst/accept", conn.sock)
    die(env, conn, errno.ECONNREFUSED if refused else 0 if orderly else errno.ECONNRESET)


def die(env: Env, conn: Conn, code: int) -> None:
    """The connection ends with an error (errno), or without one (0)."""
    conn.error = code
    if not conn.reset:  # the RST still tells of what came
        memory.forget_beyond(conn.rcv)
    if conn.state in (SYN_SENT, SYN_RECEIVED):
        env.count["TcpAttemptFails"] += 1
    finish(env, conn)


def finish(env: Env, conn: Conn) -> None:
    """CLOSED: no timer, nothing more to send; the record stays while the application holds the socket."""
    if conn.state == CLOSED:
        return
    env.count["TcpEstabResets"] += conn.state in (ESTABLISHED, CLOSE_WAIT)  # whoever ended it (RFC 4022)
    become(env, conn, CLOSED)
    conn.half = None
    env.timers.silence(TIMERS, conn.sock)
    conn.snd.out.drop_before(conn.snd.out.end)
    conn.snd.chunks.clear()
    forget(conn.snd.flight)
    tally.over(conn.tally, env.now)
    env.wake(conn.sock, WAKE_CLOSED | (FAILED if conn.error else 0))
    env.dirty[conn.sock] = None
