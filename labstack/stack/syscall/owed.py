# SPDX-License-Identifier: GPL-2.0-or-later
"""Owed: what a socket is to hear of bytes that it wrote: that they left, that they arrived, that their memory is free.

SO_TIMESTAMPING's times of transmission (Linux's tcp_tx_timestamp, __skb_tstamp_tx) and MSG_ZEROCOPY's completions
(msg_zerocopy_callback) go into the error queue. They are settled after every flush, when SND.NXT and SND.UNA say what
has left and what has arrived. Nothing is ever copied here, and nothing has to be, so a completion says "copied", as
Linux's does behind every device that has no memory of its own.
"""

import errno
from itertools import accumulate

from labstack.stack.host import Host
from labstack.stack.syscall import files, nla, poll, sk
from labstack.stack.syscall.files import Extended, Owed, Socket, refused
from labstack.tcp.conn import Conn
from labstack.tcp.states import CLOSED, LISTEN

ZEROCOPY, STAMPS = (1, 60), (1, 37)  # SO_ZEROCOPY, SO_TIMESTAMPING
MSG_ZEROCOPY = 0x400_0000
ORIGIN_STAMP, ORIGIN_ZEROCOPY, COPIED = 4, 5, 1
TX_SOFTWARE, SOFTWARE, OPT_ID, TX_SCHED, TX_ACK = 0x2, 0x10, 0x80, 0x100, 0x200
OPT_CMSG, OPT_TSONLY, OPT_STATS, OPT_ID_TCP = 0x400, 0x800, 0x1000, 0x1_0000
KNOWN = TX_SOFTWARE | SOFTWARE | OPT_ID | TX_SCHED | TX_ACK | OPT_CMSG | OPT_TSONLY | OPT_STATS | OPT_ID_TCP
SND, SCHED, ACK = 0, 1, 2  # SCM_TSTAMP_...
TIMES = ((SCHED, TX_SCHED), (SND, TX_SOFTWARE), (ACK, TX_ACK))
PAGE, FRAGMENTS = 4096, 17  # bytes, and pieces of memory in one packet
FREE = -1  # of Owed.what: the memory of a zero-copy write


def set_stamps(host: Host, s: Socket, value: int) -> None:
    """SO_TIMESTAMPING: what is to be told, and from where bytes are numbered. Raises EINVAL, ENOPROTOOPT."""
    before = s.options.get(STAMPS, 0)
    if value & ~KNOWN or (s.type != sk.SOCK_STREAM and value):
        raise refused(errno.ENOPROTOOPT)
    if (value & OPT_ID_TCP and not value & OPT_ID) or (value & OPT_STATS and not value & OPT_TSONLY):
        raise refused(errno.EINVAL)
    if value & OPT_ID and not before & OPT_ID:
        it = sk.conn(host, s)
        if it is None or sk.state(host, s) in (CLOSED, LISTEN):
            raise refused(errno.EINVAL)
        s.first = it.snd.out.end if value & OPT_ID_TCP else it.snd.una
    s.options[STAMPS] = value


def wrote(host: Host, s: Socket, size: int, flags: int) -> None:
    """A call has written so many bytes, the last of those that wait: remember what is to be told of them."""
    it, wanted = sk.conn(host, s), s.options.get(STAMPS, 0)
    if it is None or not size:
        return
    end = it.snd.out.end
    if wanted and it.state != CLOSED:
        number, text = end - 1 - s.first if wanted & OPT_ID else 0, _last(it, size, wanted)
        s.owed.extend(Owed(end, what, number, text) for what, flag in TIMES if wanted & flag)
    if flags & MSG_ZEROCOPY and s.options.get(ZEROCOPY):
        s.owed.append(Owed(end, FREE, s.sends))
        s.sends += 1
    if s.owed:
        host.files.owing[s.sock] = None


def stops(s: Socket, pieces: tuple[bytes, ...], flags: int) -> tuple[int, ...]:
    """Where the segments of a zero-copy write end because no more pieces of memory fit into one (MAX_SKB_FRAGS)."""
    if not flags & MSG_ZEROCOPY or not s.options.get(ZEROCOPY):
        return ()
    sizes = [min(PAGE, len(piece) - at) for piece in pieces for at in range(0, len(piece), PAGE)]
    return tuple(accumulate(sizes))[FRAGMENTS - 1 :: FRAGMENTS]


def _last(it: Conn, size: int, wanted: int) -> bytes:
    """The end of what was written, as far as one segment carries it: what comes with a time, if that is wanted."""
    size = 0 if wanted & OPT_TSONLY else min(size, it.snd.mss)
    return b"".join(it.snd.out.slice(it.snd.out.end - size, size))


def settle(host: Host, it: Conn) -> None:
    """Tell what is owed for bytes that have left or arrived. When a connection is over its memory is free, too."""
    s = host.files.sockets.get(host.files.owners.get(it.sock, 0))
    if s is None:
        host.files.owing.pop(it.sock, None)
        return
    over = it.state == CLOSED
    owed, s.owed = s.owed, []
    told = len(s.errors)
    for one in owed:
        if (it.snd.nxt if one.what in (SND, SCHED) else it.snd.una) >= one.end or (over and one.what == FREE):
            told = -1
            _tell(host, s, it, one)
        elif not over:
            s.owed.append(one)
    if told < 0:
        files.changed(host.files, s, poll.POLLERR)
    if not s.owed:
        del host.files.owing[it.sock]


def _tell(host: Host, s: Socket, it: Conn, one: Owed) -> None:
    """One entry of the error queue; a completion joins the one before it if it is the next."""
    if one.what != FREE:
        stats = bool(s.options.get(STAMPS, 0) & OPT_STATS)
        text = nla.attributes(host.env, it) if stats else one.text
        keep(s, Extended(errno.ENOMSG, ORIGIN_STAMP, info=one.what, data=one.number, payload=text, at=host.env.now,
                         stats=stats))  # fmt: skip
        return
    last = s.errors[-1] if s.errors else None
    if last is not None and last.origin == ORIGIN_ZEROCOPY and last.data + 1 == one.number:
        s.errors[-1] = last._replace(data=one.number)
        return
    keep(s, Extended(0, ORIGIN_ZEROCOPY, code=COPIED, info=one.number, data=one.number))


def keep(s: Socket, it: Extended) -> None:
    """Add an entry to the error queue, if there is room."""
    if len(s.errors) < files.MOST_ERRORS:
        s.errors.append(it)
