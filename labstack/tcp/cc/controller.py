# SPDX-License-Identifier: GPL-2.0-or-later
"""What every congestion controller is: numbers in, cwnd out. It never sees the connection, a clock or a packet.

A `Sample` is all that it is told; `Controller` has the arithmetic that controllers share, which is Linux's: slow start
by segments acknowledged (RFC 5681 §3.1 with RFC 3465's counting), additive increase with credit, what idleness and undo
do. cwnd, ssthresh and everything else that counts is segments; times are ns, rates bytes/s. When a method is called is
said at the method. docs/congestion.md shows how to write one.
"""

from typing import ClassVar, NamedTuple

from labstack.core.state import State, state

INFINITE = 0x7FFFFFFF  # segments; an ssthresh that nothing has set yet (Linux's TCP_INFINITE_SSTHRESH)
INITIAL = 10  # segments (RFC 6928)
LEAST = 2  # segments, of an ssthresh (RFC 5681 §3.1 (4))
UNIT = 1024  # what a factor of 1 is
MOST_NEWS = 16  # kept, if nobody looks
OPEN, DISORDER, CWR, RECOVERY, LOSS = range(5)  # Linux's congestion states (ca_state)


class Sample(NamedTuple):
    """What the sender tells a controller, after it has worked on an ACK or where something else happened.

    prior and interval are the rate sample (`rate`): total - prior segments were delivered in interval.
    """

    now: int
    acked: int = 0  # what growth counts: acknowledged by this ACK, or SACKed, as in Linux
    delivered: int = 0  # delivered by this ACK, cumulatively or by SACK
    rtt: int = -1  # of the newest segment that it acknowledges; -1: none
    srtt: int = 0  # 0: not known yet
    min_rtt: int = -1  # in Linux's window of `tcp_min_rtt_wlen`; -1: not known yet
    in_flight: int = 0  # before this ACK
    flight: int = 0  # now
    losses: int = 0  # marked lost by this ACK
    total: int = 0  # delivered in the connection's life
    prior: int = -1  # total when the newest acknowledged segment was sent; -1: no rate sample
    interval: int = -1  # ns; -1: no valid rate sample
    app_limited: bool = False  # of the rate sample: there was not always something to send
    total_ce: int = 0  # delivered with a CE mark
    ce: int = 0  # of those, by this ACK
    ece: bool = False  # this ACK echoes congestion
    una: int = 0  # sequence numbers, for counting rounds
    nxt: int = 0
    state: int = OPEN  # ca_state, after this ACK
    lost: int = 0  # marked lost in the connection's life
    delivered_at: int = 0  # when something was last delivered, or first sent after nothing was in flight
    pacing: int = 0  # bytes/s at which the connection paces, or would; 0: not known
    paced: bool = False  # does it?
    departs: int = 0  # when pacing lets the next segment go
    delayed: bool = False  # the receiver may have delayed this ACK


class News(NamedTuple):
    """Something that a controller decided: a rule's id, and a number for its sentence; see `news`."""

    rule: str
    value: int = 0
    counter: str = ""


@state
class Controller(State):
    """A window that does not change, except that loss takes away 1 - beta of it: subclasses say how it grows."""

    name: ClassVar[str] = ""
    beta: ClassVar[int] = UNIT // 2  # 1024ths of cwnd that are left after loss
    beta_ecn: ClassVar[int] = UNIT * 4 // 5  # the same after an ECN mark, if `abe` (RFC 8511 §3.1)
    paced: ClassVar[bool] = False  # works with pacing only
    ecn: ClassVar[bool] = False  # works with ECN only
    own: ClassVar[bool] = False  # `control` decides alone: no `grow`, and no PRR in recovery
    buffers: ClassVar[int] = 2  # windows that a send buffer should hold (tcp_sndbuf_expand)
    settings: ClassVar[dict[str, str]] = {"abe": "net.ipv4.tcp_abe"}  # field: sysctl

    mss: int  # bytes, kept up to date by the sender
    cwnd: int = INITIAL
    ssthresh: int = INFINITE
    clamp: int = INFINITE  # cwnd never exceeds it
    credit: int = 0  # segments acknowledged towards the next step (snd_cwnd_cnt)
    limited: bool = False  # cwnd is what limits the sender; the sender keeps it
    pacing: int = 0  # bytes/s that the controller asks for; 0: what is usual (`pace.rate`)
    dipping: bool = False  # the window is small on purpose: rate samples are application-limited
    abe: int = 0
    seed: int = 0  # for choices by lot
    news: tuple[News, ...] = ()  # what was decided since the last look; `news.tell` takes it

    def start(self, s: Sample) -> None:
        """The connection is established, or has just been given this controller."""

    def heard(self, s: Sample) -> None:
        """An ACK came; before `grow`, and in whatever state."""

    def grow(self, s: Sample) -> None:
        """An ACK of new data outside recovery, and cwnd was what limited the sender."""

    def control(self, s: Sample) -> None:
        """An ACK came: set cwnd and pacing (if `own`)."""

    def became(self, s: Sample, before: int) -> None:
        """The congestion state is s.state now, and was another. Called after ssthresh and cwnd were reduced."""

    def transmit(self, s: Sample, idle: int, app_limited: bool) -> None:
        """Data goes out while nothing is in flight, idle ns after data last did (Linux's CA_EVENT_TX_START)."""

    def threshold(self, now: int) -> int:
        """The new ssthresh: something was lost."""
        return max(self.cwnd * self.beta // UNIT, LEAST)

    def threshold_ecn(self, now: int) -> int:
        """The new ssthresh: congestion was marked, and nothing lost."""
        threshold = self.threshold(now)
        if self.abe and self.cwnd >= self.ssthresh:
            threshold = max(self.cwnd * self.beta_ecn // UNIT, LEAST)
            self.say("8511/3/backoff", threshold)
        return threshold

    def after_undo(self, prior: int) -> int:
        """The new cwnd: it was reduced from prior, and that was a mistake."""
        return max(self.cwnd, prior)

    def restart(self, idle: int, rto: int, initial: int) -> None:
        """Nothing was sent for idle ns, more than an RTO: halve cwnd for each RTO, but not below the initial window.

        DEVIATES: RFC 5681 §4.1 starts again from the restart window at once; Linux, and RFC 2861, decay to it, and keep
        three quarters of the window as ssthresh.
        """
        if self.own:
            return
        self.ssthresh = self.worth(OPEN)
        least = min(initial, self.cwnd)
        while (idle := idle - rto) > 0 and self.cwnd > least:
            self.cwnd >>= 1
        self.cwnd = max(self.cwnd, least)

    def worth(self, ca_state: int) -> int:
        """The ssthresh that stands for what is known now (tcp_current_ssthresh)."""
        if ca_state in (CWR, RECOVERY):
            return self.ssthresh
        return max(self.ssthresh, (self.cwnd >> 1) + (self.cwnd >> 2))

    def segments(self) -> int:
        """Segments that a burst has at least; 0: as `tcp_min_tso_segs` says."""
        return 0

    def info(self) -> dict[str, int]:
        """TCP_CC_INFO, by Linux's names."""
        return {}

    # shared arithmetic

    def slow_start(self, acked: int) -> int:
        """Add what was acknowledged, up to ssthresh (RFC 5681 §3.1 (2)); returns the segments that are left over.

        DEVIATES: RFC 3465 §2.3 limits L to two segments for each ACK; here, as in Linux, it is what was acknowledged,
        because one ACK answers a whole super-segment.
        """
        before, cwnd = self.cwnd, self.cwnd + acked
        if cwnd > self.ssthresh:
            cwnd = self.ssthresh
        self.cwnd = cwnd if cwnd < self.clamp else self.clamp
        return acked + before - cwnd

    def increase(self, every: int, acked: int) -> None:
        """One segment more for every so many acknowledged (RFC 5681 §3.1 (3), RFC 3465 §2.1)."""
        if self.credit >= every:
            self.credit = 0  # collected when steps were longer: use it gently
            self.cwnd += 1
        self.credit += acked
        if self.credit >= every:
            steps = self.credit // every
            self.credit -= steps * every
            self.cwnd += steps
        if self.cwnd > self.clamp:
            self.cwnd = self.clamp

    def say(self, rule: str, value: int = 0, counter: str = "") -> None:
        """A branch that an RFC decides was taken."""
        self.news = (*self.news[1 - MOST_NEWS :], News(rule, value, counter))
