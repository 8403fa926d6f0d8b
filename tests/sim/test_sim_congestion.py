# SPDX-License-Identifier: GPL-2.0-or-later
"""Congestion control from end to end: what arrives through a bottleneck, what is lost there, how long its queue gets.

The path is 5 Mbit/s and 20 ms there and back, unless a test says otherwise; virtual time, so every figure is exact.
"""

from typing import Any, NamedTuple

import pytest

from labstack.core.config import MS, SECOND, SYSCTLS, Config
from labstack.core.errors import StackError
from labstack.core.event import ACCEPTABLE, READABLE, WRITABLE
from labstack.core.record import Record
from labstack.sim.lan import lan
from labstack.sim.wire import Bursts, Delay, Loss, Mark, Police, Rate, Reorder, Wire
from labstack.sim.world import World
from labstack.tcp.cc.bbr import PROBE_BW, PROBE_RTT

BITS, QUEUE, ONE_WAY = 5_000_000, 50, 10 * MS
ALL = ("reno", "cubic", "bbr")
PAYLOAD = 1448 / 1514  # of a frame
CHUNK = bytes(1 << 16)
CONTROL = "net.ipv4.tcp_congestion_control"


class Flow:
    """A connection from h1 to h2 that is asked for `bits` a second from `begins` on, or for as much as it can."""

    def __init__(self, control: str, begins: int = 0) -> None:
        self.control, self.begins = control, begins
        self.sock = self.got = 0


class Outcome(NamedTuple):
    world: World
    rates: tuple[float, ...]  # of what the bottleneck carries at most, by flow
    losses: int  # frames that did not arrive, since the connections began
    queue: int  # frames in the bottleneck at most, since `calm`

    def conn(self, flow: Flow) -> Any:
        return self.world.hosts["h1"].conns[flow.sock]

    def count(self, name: str) -> int:
        return self.world.hosts["h1"].env.count[name]


class Path:
    """Two hosts, a wire from h1 to h2, and flows through it. calm: the queue is measured from then on (ns)."""

    def __init__(self, wire: Wire, *flows: Flow, calm: int = 0, bits: int = BITS, **sysctls: int) -> None:
        config = Config().replace({f"net.ipv4.{name}": value for name, value in sysctls.items()})
        self.world, self.flows, self.calm, self.bits = lan(2, 1, wire, config), flows, calm, bits
        self.world.rewire(("h2", 1), Delay(ONE_WAY))
        self.queue = self.losses = 0
        self.answers: list[int] = []  # ns, when a segment said that its sender has slowed down (CWR)
        self.served: dict[int, Flow] = {}
        self.listeners: dict[int, Flow] = {}
        self.full = True  # write whatever there is room for

    def run(self, until: int) -> Outcome:
        for flow in sorted(self.flows, key=lambda it: it.begins):
            self.go(flow.begins)
            self._connect(flow)
        self.go(until)
        rates = tuple(it.got * 8 * SECOND / (until - it.begins) / (self.bits * PAYLOAD) for it in self.flows)
        return Outcome(self.world, rates, self.losses, self.queue)

    def write(self, flow: Flow, size: int) -> int:
        try:
            sent: int = self.world.now_call("h1", "send", flow.sock, bytes(size) if size < len(CHUNK) else CHUNK)
        except StackError:
            return 0
        return sent

    def control(self, flow: Flow) -> Any:
        """The flow's controller, as it is now."""
        return self.world.hosts["h1"].conns[flow.sock].snd.cc

    def _connect(self, flow: Flow) -> None:
        number = self.flows.index(flow)
        self.listeners[self.world.now_call("h2", "listen", 80 + number)] = flow
        wished = {"congestion": flow.control}
        flow.sock = self.world.now_call("h1", "connect", "10.0.0.2", 80 + number, 0, b"", 0, 0, wished)

    def go(self, until: int) -> None:
        while (record := self.world.step(until)) is not None:
            self._look(record)
        self.world.advance(until)

    def _look(self, record: Record) -> None:
        self.losses += sum(bool(it.fate) for it in record.sent)
        if record.host == "h1":
            heads = [it.frame.cuts()[0] for it in record.sent]
            self.answers += [
                record.at for head in heads if head[23] == 6 and head[46] & 0xF0 == 0x80 and head[47] & 0x80
            ]
        wire = self.world.net.wires["h1", 1]
        if isinstance(wire, Rate) and self.world.now > self.calm:
            self.queue = max(self.queue, sum(it > self.world.now for it in wire.leaves))
        for sock, what in record.wakes:
            if record.host == "h1":
                flow = next(it for it in self.flows if it.sock == sock)
                while self.full and what & WRITABLE and self.write(flow, len(CHUNK)) == len(CHUNK):
                    pass
            elif what & ACCEPTABLE:
                self.served[self.world.now_call("h2", "accept", sock)[0]] = self.listeners[sock]
            elif what & READABLE:
                self.served[sock].got += sum(map(len, self.world.now_call("h2", "take", sock)))


def bottleneck(inner: Wire | None = None, queue: int = QUEUE, bits: int = BITS) -> Rate:
    return Rate(inner or Delay(ONE_WAY), bits, queue)


@pytest.mark.parametrize("control", ALL)
def test_a_flow_alone_fills_the_path(control: str) -> None:
    """What cannot be used is slow start, and the time for one way."""
    it = Path(bottleneck(), Flow(control)).run(2 * SECOND)
    assert it.rates[0] > 0.9
    assert it.count("TcpExtTCPTimeouts") == 0


def test_bbr_leaves_the_queue_short() -> None:
    """Twice the bandwidth-delay product may be in flight: what it cruises with is one, and three bursts of two."""
    it = Path(bottleneck(), Flow("bbr"), calm=SECOND).run(3 * SECOND)
    assert it.losses == 0
    assert it.queue <= 15


def test_bbr_finds_the_bandwidth_and_the_round_trip() -> None:
    flow = Flow("bbr")
    it = Path(bottleneck(), flow).run(SECOND)
    cc = it.conn(flow).snd.cc
    assert cc.mode == PROBE_BW
    assert cc.bw * 1448 * 8 * 1e6 / (1 << 24) == pytest.approx(BITS * PAYLOAD, rel=0.02)
    assert 20_000 <= cc.least <= 25_000


@pytest.mark.parametrize("percent", [1, 3, 5])
def test_random_loss_does_not_slow_bbr_down(percent: int) -> None:
    it = Path(bottleneck(Loss(Delay(ONE_WAY), percent / 100)), Flow("bbr")).run(2 * SECOND)
    assert it.rates[0] > 0.85 - percent / 100
    assert it.count("TcpExtTCPTimeouts") == 0


def test_bbr_survives_losses_in_bursts() -> None:
    it = Path(bottleneck(Bursts(Delay(ONE_WAY), 0.005, 0.3)), Flow("bbr")).run(3 * SECOND)
    assert it.rates[0] > 0.8


@pytest.mark.parametrize("control", ["cubic", "bbr"])
def test_segments_that_overtake_each_other_cost_little(control: str) -> None:
    """RACK's reordering window grows (RFC 8985 §6.2): what is only late is not lost."""
    it = Path(bottleneck(Reorder(Delay(ONE_WAY), 0.02, 4 * MS)), Flow(control)).run(2 * SECOND)
    assert it.rates[0] > 0.8


def test_bbr_lets_the_queue_run_empty_once_in_ten_seconds() -> None:
    """PROBE_RTT: 200 ms with four segments, which is a fiftieth of the time."""
    flow = Flow("bbr")
    path = Path(bottleneck(bits=1_000_000), flow, bits=1_000_000)
    path.run(9 * SECOND)
    cc, seen = path.control(flow), set()
    while path.world.now < 11 * SECOND:
        path.go(path.world.now + 20 * MS)
        cc = path.control(flow)
        seen.add((cc.mode, cc.cwnd if cc.mode == PROBE_RTT else 0))
    assert (PROBE_RTT, 4) in seen
    assert cc.mode == PROBE_BW
    assert flow.got * 8 / 11 > 0.9 * 1_000_000 * PAYLOAD


def test_bbr_believes_a_policer() -> None:
    """A token bucket drops a fifth and more of what comes faster: after two rounds its rate is the bandwidth."""
    flow = Flow("bbr")
    it = Path(bottleneck(Police(Delay(ONE_WAY), 2_000_000, 30_000)), flow, bits=2_000_000).run(5 * SECOND)
    assert it.conn(flow).snd.cc.policer.using
    assert it.rates[0] > 0.8


def test_dctcp_keeps_the_queue_at_the_mark() -> None:
    """RFC 8257 §3.3: it gives way by as much as was marked, so neither the queue nor the rate swings."""
    wire = Mark(Delay(ONE_WAY), BITS, QUEUE, above=8)
    it = Path(wire, Flow("dctcp"), calm=SECOND, tcp_ecn=1).run(3 * SECOND)
    assert it.losses == 0
    assert it.rates[0] > 0.9
    assert it.queue < 20


@pytest.mark.parametrize("control", ["reno", "cubic"])
def test_marks_slow_down_without_losses(control: str) -> None:
    """RFC 3168 §6.1.2."""
    flow = Flow(control)
    it = Path(Mark(Delay(ONE_WAY), BITS, QUEUE, above=20), flow, tcp_ecn=1).run(3 * SECOND)
    assert it.losses == 0
    assert it.rates[0] > 0.9
    assert it.conn(flow).snd.loss.marks > 0


@pytest.mark.parametrize("control", [*ALL, "dctcp"])
def test_marks_are_answered_once_in_a_round_trip(control: str) -> None:
    """RFC 3168 §6.1.2, whatever the controller makes of them: every packet is marked here."""
    path = Path(Mark(Delay(ONE_WAY), BITS, QUEUE, above=0), Flow(control), tcp_ecn=1)
    path.run(SECOND)
    assert len(path.answers) > 10
    assert all(later - sooner >= 2 * ONE_WAY for sooner, later in zip(path.answers, path.answers[1:], strict=False))


@pytest.mark.parametrize("control", ALL)
def test_two_flows_share_a_bottleneck(control: str) -> None:
    """The second one finds the queue of the first, and gets its part all the same."""
    it = Path(bottleneck(), Flow(control), Flow(control, begins=SECOND)).run(4 * SECOND)
    late = it.rates[1]
    assert late > 0.25
    assert it.rates[0] * 4 + late * 3 > 0.9 * 4


def test_an_application_that_writes_little_does_not_change_what_bbr_believes() -> None:
    """Rate samples from then on are application-limited, and may raise the bandwidth only."""
    flow = Flow("bbr")
    path = Path(bottleneck(), flow)
    path.run(SECOND)
    path.full = False
    for _ in range(40):
        path.go(path.world.now + 50 * MS)
        path.write(flow, 1448)
    assert path.control(flow).bw * 1448 * 8 * 1e6 / (1 << 24) > 0.95 * BITS * PAYLOAD


def test_a_connection_under_way_that_gets_bbr_no_longer_minds_losses() -> None:
    """TCP_CONGESTION on a live connection: the window goes on, what is made of losses does not."""
    flow = Flow("cubic")
    path = Path(bottleneck(Loss(Delay(ONE_WAY), 0.03)), flow)
    path.run(2 * SECOND)
    before, flow.got = flow.got, 0
    path.world.now_call("h1", "setopt", flow.sock, "congestion", "bbr")
    path.go(4 * SECOND)
    assert flow.got > 1.2 * before
    assert flow.got * 8 / 2 > 0.8 * BITS * PAYLOAD


@pytest.mark.parametrize("control", ["reno", "cubic"])
def test_after_a_pause_no_more_leaves_at_once_than_in_the_beginning(control: str) -> None:
    """RFC 5681 §4.1: for seconds cwnd was no measure of anything."""
    flow = Flow(control)
    path = Path(bottleneck(queue=1000), flow)
    path.full = False
    path.run(SECOND // 10)
    for _ in range(20):
        path.write(flow, 60_000)
        path.go(path.world.now + 100 * MS)
    assert path.control(flow).cwnd > 20
    path.go(path.world.now + 3 * SECOND)
    path.write(flow, 60_000)
    assert path.world.hosts["h1"].conns[flow.sock].snd.flight.out == 10


def test_bbr_paces_what_others_send_in_bursts() -> None:
    """Of a window that is there at once, BBR sends what its rate gives time for."""
    flow = Flow("bbr")
    path = Path(bottleneck(), flow)
    path.full = False
    path.run(SECOND // 10)
    for _ in range(10):
        path.write(flow, 60_000)
        path.go(path.world.now + 200 * MS)
    path.write(flow, 60_000)
    assert path.world.hosts["h1"].conns[flow.sock].snd.flight.out <= 4


def test_the_names_of_controllers_are_those_of_the_sysctl() -> None:
    assert {*ALL, "dctcp"} < set(SYSCTLS[CONTROL].words)
