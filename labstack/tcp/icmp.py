# SPDX-License-Identifier: GPL-2.0-or-later
"""ICMP errors about a connection's segments (RFC 9293 §3.9.2.2, RFC 1122 §4.2.3.9, RFC 5927)."""

import errno
import struct

from labstack.core.env import Env
from labstack.ip.datagram import Quoted
from labstack.ip.net import Net
from labstack.tcp import closing, mtu
from labstack.tcp.conn import Conn
from labstack.tcp.seq import unwrap
from labstack.tcp.states import SYN_SENT

_SEQ = struct.Struct("!I")


def arrive(env: Env, net: Net, conn: Conn, quoted: Quoted) -> bool:
    """An error that quotes one of our segments: fatal only while opening, believed only if the segment is in flight.

    Returns whether the owner of the socket may hear of it. That a segment was too large is nothing to him: the next
    will be smaller.
    """
    what = f"{quoted.type}/{quoted.code}"
    seq = unwrap(_SEQ.unpack_from(quoted.transport, 4)[0], conn.snd.nxt)
    if not conn.snd.una <= seq < conn.snd.nxt:
        env.note("5927/4/ignored", conn.sock, what)
        env.count["TcpExtOutOfWindowIcmps"] += 1
        return False
    if quoted.errno == errno.EMSGSIZE:
        mtu.reduced(env, net, conn, quoted)
        return False
    if quoted.hard and conn.state == SYN_SENT:
        env.note("9293/3.9.2.2/hard", conn.sock, what)
        closing.die(env, conn, quoted.errno)
    else:
        # DEVIATES: RFC 9293 §3.9.2.2 (SHLD-26) aborts on a hard error in any state; RFC 5927 §5 and Linux only remember
        # it once the connection is synchronized, because whoever guesses the addresses could send it.
        env.note("9293/3.9.2.2/soft", conn.sock, what)
        conn.soft = quoted.errno
    return True
