"""A path in virtual time for controllers alone: a sender that always has data, a bottleneck with a queue, a receiver.

No TCP: segments are counted, those that find the queue full are lost, and each that arrives is acknowledged, as if with
SACK.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from labstack.tcp import delivery
from labstack.tcp.cc.controller import OPEN, RECOVERY, Controller, Sample
from labstack.tcp.delivery import Delivery, Note

MS, SECOND = 1_000_000, 1_000_000_000  # ns
MSS = 1000
REORDERING = 3


@dataclass
class Path:
    cc: Controller
    rate: int  # segments/s of the bottleneck
    delay: int  # ns there and back, without queue
    queue: int  # segments that may wait
    marks: int = 1 << 30  # ... and get a CE mark from here on
    drops: Callable[[int], bool] = lambda _: False  # by number of transmission, whatever the queue
    now: int = 0
    una: int = 0
    nxt: int = 0
    total: int = 0
    total_ce: int = 0
    lost: int = 0
    state: int = OPEN
    recover: int = 0
    cut: int = 0  # marks are answered once a round, until this is acknowledged
    free_at: int = 0  # the bottleneck's
    departs: int = 0
    srtt: int = 0
    least: int = -1
    count: int = 0  # transmissions
    delivery: Delivery = field(default_factory=Delivery)
    missing: dict[int, tuple[int, int, Note]] = field(default_factory=dict)  # seq: transmission, when, note
    resend: deque[int] = field(default_factory=deque)
    acks: deque[tuple[int, int, int, bool]] = field(default_factory=deque)  # when, seq, transmission, marked
    seen: Callable[["Path", Sample], None] = lambda path, s: None

    def run(self, until: int) -> Self:
        """Until this time (ns). The first time it starts the controller, after a handshake."""
        if not self.count:
            self.srtt = self.least = self.delay
            self.cc.start(self._sample())
        while self.now < until:
            self._send()
            wake = self.acks[0][0] if self.acks else self.now + SECOND
            if self.cc.paced and self.departs > self.now and len(self.missing) - len(self.resend) < self.cc.cwnd:
                wake = min(wake, self.departs)
            self.now = wake
            while self.acks and self.acks[0][0] <= self.now:
                self._ack(*self.acks.popleft()[1:])
        return self

    @property
    def flight(self) -> int:
        return len(self.missing) - len(self.resend)

    def _send(self) -> None:
        while self.flight < self.cc.cwnd and (not self.cc.paced or self.departs <= self.now):
            if self.resend:
                seq = self.resend.popleft()
            else:
                seq, self.nxt = self.nxt, self.nxt + 1
            note = delivery.sent(self.delivery, self.now, self.total, len(self.missing))
            self.missing.pop(seq, None)
            self.missing[seq] = (self.count, self.now, note)
            self._through(seq)
            self.count += 1
            if self.cc.paced:
                self.departs = max(self.departs, self.now) + MSS * SECOND // max(self.cc.pacing, 1)

    def _through(self, seq: int) -> None:
        waiting = max(self.free_at - self.now, 0) * self.rate // SECOND
        if waiting >= self.queue or self.drops(self.count):
            return
        self.free_at = max(self.free_at, self.now) + SECOND // self.rate
        self.acks.append((self.free_at + self.delay, seq, self.count, waiting >= self.marks))

    def _sample(self, **more: Any) -> Sample:
        return Sample(
            self.now, total=self.total, total_ce=self.total_ce, lost=self.lost, una=self.una, nxt=self.nxt,
            srtt=self.srtt, min_rtt=self.least, flight=self.flight, state=self.state, paced=self.cc.paced,
            departs=self.departs, delivered_at=self.delivery.at,
        )._replace(**more)  # fmt: skip

    def _ack(self, seq: int, transmission: int, marked: bool) -> None:
        if seq not in self.missing:
            return
        before, una = self.flight, self.una
        number, at, note = self.missing.pop(seq)
        if seq in self.resend:
            self.resend.remove(seq)
        self.total, self.total_ce = self.total + 1, self.total_ce + marked
        rtt = self.now - at if number == transmission else -1
        if rtt >= 0:
            self.srtt += (rtt - self.srtt) // 8
            self.least = min(self.least, rtt)
        losses = self._losses(transmission)
        while self.una < self.nxt and self.una not in self.missing:
            self.una += 1
        found = delivery.newest(None, note, at, seq)
        prior, interval, app_limited = delivery.sample(self.delivery, self.now, found, self.total, 1, self.least)
        limited = self.cc.dipping
        s = self._sample(
            acked=self.una - una, delivered=1, rtt=rtt, in_flight=before, losses=losses, prior=prior, ce=marked,
            interval=interval, app_limited=app_limited or limited,
        )  # fmt: skip
        self._state(s, losses)
        self._control(s._replace(state=self.state), marked)
        self.seen(self, s)

    def _losses(self, transmission: int) -> int:
        lost = []
        for seq, (number, _, _) in self.missing.items():  # in the order of transmission
            if number + REORDERING > transmission:
                break
            if seq not in self.resend:
                lost.append(seq)
        self.resend.extend(sorted(lost))
        self.lost += len(lost)
        return len(lost)

    def _state(self, s: Sample, losses: int) -> None:
        if losses and self.state == OPEN:
            self.recover, self.state = self.nxt, RECOVERY
            self.cc.ssthresh = self.cc.threshold(self.now)
            if not self.cc.own:
                self.cc.cwnd = self.cc.ssthresh
            self.cc.became(s._replace(state=RECOVERY), OPEN)
        elif self.state == RECOVERY and self.una >= self.recover:
            self.state = OPEN
            self.cc.became(s._replace(state=OPEN), RECOVERY)

    def _control(self, s: Sample, marked: bool) -> None:
        self.cc.heard(s)
        if self.cc.own:
            self.cc.control(s)
        elif marked and s.una >= self.cut and self.state == OPEN:
            self.cut = self.nxt
            self.cc.cwnd = self.cc.ssthresh = self.cc.threshold_ecn(self.now)
        elif s.acked and self.state == OPEN:
            self.cc.grow(s)
