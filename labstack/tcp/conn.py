# SPDX-License-Identifier: GPL-2.0-or-later
"""The records of a connection: what the sender, the receiver and the connection itself must remember.

RFC 9293 §3.3.1's transmission control block, in three parts. Sequence numbers are absolute; windows, sizes and
cwnd are bytes; times are ns. `check` says what must always be true.
"""

from operator import lt
from typing import NamedTuple

from labstack.core.frame import Piece
from labstack.core.state import State, field, state
from labstack.ip.net import Path
from labstack.tcp.cc.controller import Controller
from labstack.tcp.delivery import Delivery
from labstack.tcp.loss import Loss
from labstack.tcp.md5 import Keys
from labstack.tcp.rtt import Rtt
from labstack.tcp.sent import Flight
from labstack.tcp.stream import Outbox
from labstack.tcp.tally import Tally
from labstack.tcp.tstamp import Timestamps

NEVER = -(1 << 62)  # ns: of something that has not happened yet
NONE, DELAYED, NOW = 0, 1, 2  # when the next acknowledgment is due
NOTHING, RTO, TAIL, REORDER = range(4)  # what the retransmission timer waits for: a timeout, a tail probe, RACK


class User(NamedTuple):
    """What the application asked for beyond the sysctls (`settings`); 0: as those say. It seldom changes, so clones
    share it."""

    maxseg: int = 0  # bytes
    syn_retries: int = 0
    timeout: int = 0  # ns without an acknowledgment before giving up: R2 by the application's choice (MUST-21)
    linger2: int = 0  # ns in FIN-WAIT-2 without an owner; -1: not at all
    notsent_lowat: int = 0  # bytes
    pacing: int = 0  # bytes/s, at most (SO_MAX_PACING_RATE); 0: no limit
    keepalive: int = 0  # 1: on
    keep_idle: int = 0  # ns
    keep_interval: int = 0  # ns
    keep_count: int = 0
    no_cookie: int = 0  # 1: Fast Open without a cookie
    defer_accept: int = 0  # timeouts of a SYN,ACK for which a connection without data stays half open


class Search(NamedTuple):
    """The search for the MTU of the path (`plpmtud`); sizes are those of packets, bytes."""

    on: bool = False
    low: int = 0  # this much gets through
    high: int = 0  # more cannot
    probe: int = 0  # the one that is under way; 0: none
    start: int = 0  # its sequence numbers
    end: int = 0
    since: int = 0  # ns, when the search began


@state
class Accurate(State):
    """What accurate ECN counts (`accecn`), without what the counters begin with; bytes by mark: ECT(1), CE, ECT(0)."""

    syn: int  # the mark of the peer's SYN or SYN,ACK
    reflects: bool  # our next ACK tells that one: it is the third of the handshake
    came: int = 0  # packets with CE that arrived
    came_bytes: tuple[int, int, int] = (0, 0, 0)
    told: int = 0  # packets of ours with CE, says the peer
    told_bytes: tuple[int, int, int] = (0, 0, 0)
    untold: int = 0  # packets with CE that no ACK has told of
    last: int = 0  # the mark of the packet before
    options: bool = False  # the peer's option gets through, so ours may
    owed: int = 0  # options that are owed, because something changed
    plain: bool = False  # marks do not survive the path: ours are not ECT


@state
class Snd(State):
    """The send sequence space (RFC 9293 §3.3.1, figure 4)."""

    iss: int
    una: int  # oldest unacknowledged
    nxt: int  # next never sent
    out: Outbox
    flight: Flight  # what lies between una and nxt
    cc: Controller
    rtt: Rtt
    loss: Loss
    delivery: Delivery
    limit: int  # bytes of memory that the send buffer may take
    mss: int  # Eff.snd.MSS: payload of a full-sized segment
    clamp: int  # the MSS that the peer announced, or less by the application's wish
    fits: int = 0  # the same now: less while SACK blocks are told
    wnd: int = 0
    wl1: int = 0
    wl2: int = 0
    max_wnd: int = 0
    shift: int = 0  # Snd.Wind.Shift (RFC 7323 §2.2)
    fin: bool = False  # a FIN follows the last byte of `out`
    nodelay: bool = False
    small: int = 0  # end of the last segment that was not full-sized (Linux's snd_sml)
    corked: bool = False  # TCP_CORK: only full-sized segments
    more: bool = False  # the same until the next write or acknowledgment (MSG_MORE)
    pushed: int = 0  # where what was written was last marked to be pushed; 0: nowhere
    unfinished: bool = False  # more is to follow the last write, says the application (MSG_MORE): its end is not pushed
    push: bool = False  # what waits goes now, whatever Nagle and the cork say (Linux's TCP_NAGLE_PUSH)
    syn: bool = False  # our SYN is to be sent, or to be sent again, now
    probe: bool = False  # a window probe is to be sent, now
    poke: bool = False  # a keep-alive is to be sent
    pending: int = NOTHING  # what the retransmission timer stands for
    retries: int = 0  # retransmission timeouts in a row
    probes: int = 0  # window probes in a row
    refused: int = 0  # attempts in a row that our own device refused
    unanswered: int = 0  # of those, and of keep-alives, since the peer was last heard
    trouble_at: int = 0  # when the first SYN, or the first retransmission or window probe in a row went out
    ack_at: int = 0  # when an ACK last came
    sent_at: int = -1  # when data last went out; -1: never
    full_at: int = 0  # when cwnd was last what limited us
    most: int = 0  # segments in flight, at most, since the round trip began that ends at `round`
    round: int = 0
    used: int = 0  # segments in flight, at most, since cwnd last limited us
    pacing: int = 0  # bytes/s at which it would pace
    burst: int = 2  # segments that leave together, at most
    departs: int = 0  # when pacing lets the next segment go; 0: now
    up: int = 0  # SND.UP: behind the last urgent byte, if that is not acknowledged
    awaited: bool = False  # while we connect: the application waits to write more
    locked: bool = False  # the application chose `limit`
    chunks: list[tuple[int, bool]] = field(default_factory=list)  # buffers of what was not sent (`sndbuf`)
    oldest: tuple[int, int] = (0, 0)  # of those in flight, as it was sent: where it begins and ends
    blocked: bool = False  # the application found the buffer full

    @property
    def fin_seq(self) -> int:
        """Where our FIN stands, if there is one."""
        return self.out.end

    def broken(self, sack: bool) -> list[str]:
        """What must be true of it, and is not."""
        una, nxt, out = self.una, self.nxt, self.out
        end, found = out.end + 1, []
        if una > nxt:
            found.append("SND.UNA <= SND.NXT")
        if nxt > end:
            found.append("SND.NXT is at most one (the FIN) behind the stream")
        if not out.start <= (una if una > self.iss else self.iss + 1) <= end:
            found.append("the stream begins at SND.UNA")
        if self.cc.cwnd < 1:
            found.append("cwnd >= 1 segment")
        return found + self.flight.broken(una, nxt, sack)


SOON, HERE, FETCHED = range(3)  # an urgent byte: announced, arrived, taken out of band


class Urgent(NamedTuple):
    """The mark in the stream that comes (`urgent`)."""

    state: int
    seq: int  # of the urgent byte
    byte: bytes = b""


class Trip(NamedTuple):
    """What the receiver knows of round trips (`autotune`); it changes once in one, so clones share it."""

    space: int = 0  # the most bytes that the application has read in a round trip
    since: int = 0  # where the present measurement of that began, sequence number
    at: int = 0  # ns, when
    rtt: int = 0  # ns; 0: unknown
    turn: int = 0  # end of the window that the peer fills at present; 0: none yet
    turned: int = 0  # ns, when that began
    echo: int = 0  # the last timestamp of ours that came back with data; that of a SYN is none


class Held(NamedTuple):
    """Duplicate ACKs for one gap (`compress`), which stands at nxt: how many were sent at once, and are held back."""

    nxt: int = -1
    told: int = 0
    waiting: int = 0


@state
class Rcv(State):
    """The receive sequence space (RFC 9293 §3.3.1, figure 4)."""

    irs: int
    nxt: int
    edge: int  # right edge of the window as last advertised; it does not move left
    limit: int  # bytes of memory that the receive buffer may take
    mss: int  # the largest segment we expect: what we announced
    headers: int = 40  # bytes before the payload
    shift: int = 0  # Rcv.Wind.Shift
    locked: bool = False  # the application chose `limit`
    lowat: int = 1  # bytes that the application waits for (SO_RCVLOWAT)
    ratio: int = 128  # of 256 bytes of memory, how many are payload, as far as is known
    clamp: int = 0  # the window is never larger; 0: not known yet
    ssthresh: int = 0  # nor is it at the moment larger than this
    trip: Trip = Trip()
    ready: list[Piece] = field(default_factory=list)  # in order, for the application
    queued: int = 0  # bytes in `ready`
    islands: list[tuple[int, int, tuple[Piece, ...]]] = field(default_factory=list)  # beyond a gap: start, end, pieces
    alloc: int = 0  # bytes of memory that all this costs (`memory`)
    charges: list[tuple[int, int]] = field(default_factory=list)  # of what is in order: end, cost
    beyond: list[tuple[int, int, int, int]] = field(default_factory=list)  # beyond a gap: end, start, cost, spare
    spare: int = 0  # bytes that are free in the buffer that came last
    urgent: Urgent | None = None
    inline: bool = False  # SO_OOBINLINE: the urgent byte is part of the stream
    starved: bool = False  # there was no memory for a segment: tell it
    recent: tuple[int, ...] = ()  # a place in each SACK block that is told, the latest first
    held: Held = Held()
    twice: tuple[int, int] | None = None  # what came twice, until it is told (RFC 2883)
    fin: int | None = None  # where the peer's FIN stands
    ack: int = NONE  # is an acknowledgment due?
    acked: int = 0  # RCV.NXT in the last segment we sent
    seen: int = 0  # the largest segment so far: what "full-sized" means for this peer
    small: int = 0  # the size of the last segment that was not: twice the same, and it is
    pushed: int = 0  # segments since our last ACK that ended a burst; 2: or more
    heard: int = 0  # when data last arrived
    ato: int = 0  # ns an acknowledgment may wait, adapted to the peer; 0 before the first data
    quick: int = 0  # acknowledgments that still go out at once (Linux's quick ACK mode)
    pingpong: int = 0  # how often the application has answered at once; often enough, and an ACK can ride on the answer
    deaf: bool = False  # both directions were shut: text that arrives is answered with a reset, as Linux does
    wanted: bool = True  # False after shutdown(SHUT_RD): data is acknowledged and thrown away

    def broken(self) -> list[str]:
        """What must be true of it, and is not."""
        found = []
        if self.nxt > self.edge:
            found.append("the receive window is not negative")
        if self.fin is not None and self.nxt > self.fin + 1:
            found.append("nothing is received beyond the peer's FIN")
        if self.alloc or self.queued or self.ready or self.charges or self.islands or self.beyond:
            found += self._broken_memory()
        if self.islands:
            found += self._broken_islands()
        return found

    def _broken_memory(self) -> list[str]:
        found = []
        if self.queued != sum(map(len, self.ready)):
            found.append("queued counts what is ready")
        if self.alloc != sum([it[1] for it in self.charges]) + sum([it[2] for it in self.beyond]):
            found.append("alloc is the sum of what segments cost")
        if bool(self.charges) != bool(self.queued):
            found.append("what waits costs memory, and nothing else in order")
        if bool(self.beyond) != bool(self.islands):
            found.append("what waits beyond a gap costs memory, and nothing else there")
        return found

    def _broken_islands(self) -> list[str]:
        found = []
        starts, ends = [it[0] for it in self.islands], [it[1] for it in self.islands]
        if self.fin is not None and max(ends) > self.fin:
            found.append("no island beyond the peer's FIN")
        if min(starts) <= self.nxt:
            found.append("islands lie beyond RCV.NXT")
        if not all(map(lt, ends, starts[1:])):
            found.append("islands are sorted, disjoint and not adjacent")
        return found


@state
class Half(State):
    """A connection that the peer opens, until its ACK of our SYN has come: the SYN,ACK, which is sent and repeated here
    and not by the sender (Linux's request_sock)."""

    due: bool = True  # the SYN,ACK is to be sent, now
    sent_at: int = -1  # ns; when it first went out
    timeouts: int = 0  # how often nothing came
    repeats: int = 0  # SYN,ACKs after the first
    acked: bool = False  # the ACK has come, but was not enough to open, or found no room
    fast: bool = False  # Fast Open: the application may have the connection already
    option: tuple[int, bytes] | None = None  # kind and cookie of a Fast Open option for the first SYN,ACK


@state
class Fast(State):
    """Fast Open of a connection that we open (RFC 7413 §4.2.1)."""

    option: tuple[int, bytes] | None = None  # kind and cookie for our first SYN; an empty one asks for one
    asked: int = 0  # kind of the option that it had
    size: int = 0  # bytes of data that went with it
    deferred: bool = False  # there is no SYN yet: it waits for data (TCP_FASTOPEN_CONNECT)
    probation: bool = False  # Fast Open was swallowed a while ago; this is the first try
    fail: int = 0  # why it was of no use, as TCP_INFO says it
    news: tuple[int, bytes, int, int] | None = None  # of the server: MSS, cookie, kind, see eager.Known
    swallowed: bool = False  # news, too


@state
class Conn(State):
    sock: int
    local: bytes
    lport: int
    remote: bytes
    rport: int
    key: bytes  # as the peer's segments carry it: remote, local, rport, lport
    dev: int  # 0: wherever the route leads
    state: str
    snd: Snd
    rcv: Rcv
    tally: Tally  # what only TCP_INFO asks for
    passive: bool = False
    parent: int = 0  # the listener, until accepted
    half: Half | None = None  # while the peer has not acknowledged our SYN,ACK
    fast: Fast | None = None
    owed: int = 0  # the listener among whose guests it counts, until its handshake is over (Fast Open)
    syn_data: bool = False  # data came with the peer's SYN and was taken, or went with ours and was acknowledged
    held: bool = True  # an application holds the socket
    reuse: bool = False  # others may have its port, too (SO_REUSEADDR)
    memory: int = 0  # bytes of its buffers, as last counted for the host
    error: int = 0  # errno: why the connection died
    soft: int = 0  # errno: the last trouble that was no reason to die (MUST-47)
    version: int = -1  # of the network layer, when path was found, and mss, mtu and gso fitted to it
    path: Path | None = None  # on which its packets leave, if there is one
    header: int = 40  # bytes of an IP and a TCP header without options
    mtu: int = 0  # of the path, bytes of an IP packet
    initcwnd: int = 0  # segments of the initial window, if the route says so
    gso: int = 0  # greatest super-segment on this path, bytes of payload; 0: one segment per frame
    pseudo: int = 0  # sum over the pseudo-header without the length
    approved: tuple[int, int, bytes] = (-1, 0, b"")  # Net.version, interface, link header: with those IP took a segment
    scaling: bool = False  # we offer (later: both agreed on) window scaling (RFC 7323 §2.2)
    sack: bool = False  # the same for selective acknowledgments (RFC 2018 §2)
    search: Search = Search()
    ecn: int = 0  # see `ecn`
    earlier: tuple[tuple[int, bool], ...] = ()  # ACKs that DCTCP's receiver owes: RCV.NXT then, whether they echo
    acc: Accurate | None = None  # both sides use accurate ECN
    keys: Keys = ()  # who must sign, and with what (RFC 2385)
    tstamp: Timestamps | None = None  # the same for timestamps (RFC 7323 §3.2)
    challenged: int = NEVER  # when the last rate-limited ACK went out
    ttl: int = 0  # 0: the default
    tos: int = 0
    discover: int = 1  # IP_MTU_DISCOVER: see `mtu`
    fq: bool = False  # its interface paces every flow
    df: bool = True  # packets must not be fragmented on the way (IPv4)
    user: User = User()
    reset: bool = False  # a RST is to be sent
    doubt: bool = False  # R1: the neighbour may have gone
    progress: bool = False  # the peer acknowledged something since our last segment: its neighbour is reachable

    def check(self) -> None:
        """Raise AssertionError with a sentence if the connection is in an impossible condition."""
        if self.state == "CLOSED":
            return
        broken = self.snd.broken(self.sack) + self.rcv.broken()
        if broken:
            raise AssertionError(f"connection {self.sock} in {self.state}: not true: {'; '.join(broken)}")
