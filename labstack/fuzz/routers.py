# SPDX-License-Identifier: GPL-2.0-or-later
"""What routers say: ICMP errors about a connection's segments, and what must follow from each of them.

A true one quotes a segment that is in flight. It may make segments smaller, ends an attempt to connect if it is hard
(RFC 1122 §4.2.3.9), and else only says why a connection that gives up does so. A forged one quotes numbers that are not
in flight: nothing at all follows from it (RFC 5927 §4).
"""

import errno
from typing import Any, NamedTuple

from labstack.core.rng import Rng
from labstack.fuzz.broken import BrokenError
from labstack.ip import pmtu
from labstack.ip.family import text
from labstack.ip.net import Learnt
from labstack.stack.host import Host
from labstack.stack.syscall.sk import mapped
from labstack.tcp.conn import Conn
from labstack.tcp.seq import MASK
from labstack.tcp.states import CLOSED, SYN_RECEIVED, SYN_SENT, TIME_WAIT
from layers.icmp import ICMP
from layers.icmp6 import ICMPv6DestUnreach, ICMPv6PacketTooBig, ICMPv6ParamProblem, ICMPv6TimeExceeded
from layers.ip import IP
from layers.ip6 import IPv6
from layers.packet import Header
from layers.tcp import TCP

PATIENT = "net.ipv4.ip_no_pmtu_disc"
IGNORED = "TcpExtOutOfWindowIcmps"
QUOTED = 8  # bytes of a segment that every error quotes at least
SIZES = (0, 68, 296, 551, 552, 576, 1000, 1279, 1280, 1300, 1499, 1500, 9000, 65_535)  # MTUs that routers claim
OPENING = frozenset({SYN_SENT, SYN_RECEIVED})
TRUE, FORGED, TRUE_EARLY, FORGED_EARLY = "true error", "forged error", "early error", "early forgery"
KINDS = (TRUE, FORGED, TRUE_EARLY, FORGED_EARLY)  # early: about a connection that opens

# type and code: what a socket gets to see, and whether it ends an attempt to connect
HARD, SOFT = True, False
SAYS4 = {
    (3, 0): (errno.ENETUNREACH, SOFT),
    (3, 1): (errno.EHOSTUNREACH, SOFT),
    (3, 2): (errno.ENOPROTOOPT, HARD),
    (3, 3): (errno.ECONNREFUSED, HARD),
    (3, 5): (errno.EOPNOTSUPP, SOFT),
    (3, 7): (errno.EHOSTDOWN, HARD),
    (3, 13): (errno.EHOSTUNREACH, HARD),
    (11, 0): (errno.EHOSTUNREACH, SOFT),
    (12, 0): (errno.EPROTO, SOFT),
    (4, 0): (0, SOFT),  # a source quench, which nobody heeds (RFC 6633)
}
SAYS6 = {
    (1, 0): (errno.ENETUNREACH, SOFT),
    (1, 1): (errno.EACCES, HARD),
    (1, 3): (errno.EHOSTUNREACH, SOFT),
    (1, 4): (errno.ECONNREFUSED, HARD),
    (3, 0): (errno.EHOSTUNREACH, SOFT),
    (4, 1): (errno.EPROTO, SOFT),
}
ERRORS6 = {1: ICMPv6DestUnreach, 3: ICMPv6TimeExceeded, 4: ICMPv6ParamProblem}


class Said(NamedTuple):
    """An ICMP error about a connection of a host. true: about a segment in flight; errno: what it means, 0: nothing;
    quoted: of the segment."""

    host: Host
    conn: Conn
    packet: Header
    true: bool
    type: int
    code: int
    errno: int
    hard: bool
    quoted: bytes

    @property
    def entry(self) -> tuple[Any, ...]:
        """As an error queue has it: errno, origin, type, code, the data, and who says so."""
        origin = 3 if len(self.conn.local) == 16 else 2
        return self.errno, origin, self.type, self.code, self.quoted, mapped(self.conn.remote)


def say(rng: Rng, kind: str, host: Host) -> Said | None:
    """An error of a kind for the host; None if there is nothing to aim at."""
    early, true = kind in (TRUE_EARLY, FORGED_EARLY), kind in (TRUE, TRUE_EARLY)
    aims = []
    for conn in host.conns.values():
        seq = _in_flight(rng, conn) if true else _elsewhere(rng, conn)
        if seq is not None and early == (conn.state in OPENING) and conn.state != CLOSED:
            aims.append((conn, seq))
    return _error(rng, host, *aims[rng.below(len(aims))], true) if aims else None


def _in_flight(rng: Rng, conn: Conn) -> int | None:
    """The number of a byte, or of a SYN or FIN, that was sent and not acknowledged; None if there is none."""
    first, end = _first(conn), conn.snd.nxt
    return first + rng.below(end - first) if first < end and conn.state != TIME_WAIT else None


def _elsewhere(rng: Rng, conn: Conn) -> int:
    """The nearer the likelier."""
    far = rng.below(1 << rng.below(31))
    return conn.snd.nxt + far if rng.chance(0.5) else _first(conn) - 1 - far


def _first(conn: Conn) -> int:
    return conn.snd.una if conn.half is None else conn.snd.iss


def _error(rng: Rng, host: Host, conn: Conn, seq: int, true: bool) -> Said:
    six = len(conn.local) == 16
    about = TCP(
        sport=conn.lport, dport=conn.rport, seq=seq & MASK, ack=conn.rcv.nxt & MASK,
        flags="S" if seq == conn.snd.iss else "A",
    )  # fmt: skip
    quoted = bytes(ip(text(conn.local), text(conn.remote)) / about)
    short = rng.below(len(about) - QUOTED + 1)
    what: Header
    if rng.chance(0.3):
        size = SIZES[rng.below(len(SIZES))]
        kind, code, number, hard = 2 if six else 3, 0 if six else 4, errno.EMSGSIZE, SOFT
        if not six and host.env.config[PATIENT] == pmtu.IGNORED:
            number = 0
        what = ICMPv6PacketTooBig(mtu=size) if six else ICMP(type=3, code=4, nexthopmtu=size)
    else:
        says = SAYS6 if six else SAYS4
        kind, code = tuple(says)[rng.below(len(says))]
        number, hard = says[kind, code]
        what = ERRORS6[kind](code=code) if six else ICMP(type=kind, code=code)
    packet = from_peer(conn, what / quoted[: len(quoted) - short])
    return Said(host, conn, packet, true, kind, code, number, hard, quoted[-len(about) :][: len(about) - short])


def ip(src: str, dst: str) -> Header:
    return IPv6(src=src, dst=dst) if ":" in src else IP(src=src, dst=dst)


def from_peer(conn: Conn, what: Header) -> Header:
    found: Header = ip(text(conn.remote), text(conn.local)) / what
    return found


class Touched(NamedTuple):
    """What an ICMP error could change of a connection, and of its host."""

    ignored: int
    paths: dict[bytes, Learnt]
    state: str
    error: int
    soft: int
    una: int
    nxt: int
    congestion: int  # the state
    rto: int
    retries: int
    repeats: int
    guest: bool  # of Fast Open, whom nobody has accepted


def touched(host: Host, conn: Conn) -> Touched:
    snd, half = conn.snd, conn.half
    return Touched(
        host.env.count.get(IGNORED, 0), dict(host.net.learnt),
        conn.state, conn.error, conn.soft, snd.una, snd.nxt, snd.loss.state,
        snd.rtt.rto, snd.retries, conn.tally.retrans, half is not None and half.fast and bool(conn.parent),
    )  # fmt: skip


def judge(said: Said, before: Touched) -> bool:
    """An error has arrived at a connection that was `before`: is it now what it must be? Returns whether an attempt to
    connect has ended."""
    conn = said.conn
    if not said.true or not said.errno:
        due, now = before._replace(ignored=before.ignored + (said.errno != 0)), touched(said.host, conn)
        if now != due:
            raise BrokenError(f"{_named(said)} has not left everything as it was: {now}, and it should be {due}")
        return False
    refused = said.errno != errno.EMSGSIZE and (before.guest or (said.hard and before.state == SYN_SENT))
    died = conn.state == CLOSED
    if refused != died and (refused or before.state in OPENING):  # later it may have been the last try
        raise BrokenError(f"{_named(said)} came in {before.state}, and it is {conn.state}")
    if refused and conn.error != said.errno:
        raise BrokenError(f"{_named(said)} has ended the attempt to connect with {conn.error}")
    if not died and said.errno not in (errno.EMSGSIZE, conn.soft):
        raise BrokenError(f"{_named(said)} came, and {conn.soft} is remembered")
    return refused


def _named(said: Said) -> str:
    name = errno.errorcode.get(said.errno, "nothing")
    return f"a {'true' if said.true else 'forged'} ICMP error {said.type}/{said.code} ({name})"
