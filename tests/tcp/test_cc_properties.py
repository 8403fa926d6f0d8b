"""Whatever happens to a controller: cwnd stays within its bounds, everything is an int, and a clone does the same."""

from typing import Any

import pytest
from cc_path import MS, MSS, SECOND, Path
from hypothesis import given, settings
from hypothesis import strategies as st

from labstack.core.config import Config
from labstack.core.state import State
from labstack.tcp.cc import table
from labstack.tcp.cc.controller import CWR, INFINITE, LOSS, OPEN, RECOVERY, Controller, Sample

KINDS = [*table.BUILT_IN, "cubic++"]
count, ns = st.integers(0, 300), st.integers(0, 10 * SECOND)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ack", "ack", "ack", "lost", "marked", "timeout", "over", "undo", "idle", "write"]),
        st.fixed_dictionaries(
            {
                "pause": st.one_of(st.just(0), st.integers(0, 200 * MS), ns),
                "acked": count,
                "delivered": count,
                "losses": st.one_of(st.just(0), count),
                "flight": count,
                "ce": count,
                "rtt": st.one_of(st.just(-1), ns),
                "interval": st.one_of(st.just(-1), ns),
                "back": count,
                "app_limited": st.booleans(),
            }
        ),
    ),
    max_size=60,
)


def make(kind: str, clamp: int) -> Controller:
    config = Config(**{"net.ipv4.tcp_cubic_hystart": 2 if "++" in kind else 1, "net.ipv4.tcp_abe": 1})
    cc = table.make(kind.rstrip("+"), config, MSS, seed=1)
    cc.clamp = clamp
    cc.cwnd = min(cc.cwnd, clamp)
    return cc


class Driver:
    """Does to a controller what a sender does, in any order."""

    def __init__(self, cc: Controller) -> None:
        self.cc, self.now, self.total, self.lost, self.ce, self.state = cc, 0, 0, 0, 0, OPEN
        cc.start(self.sample())

    def sample(self, **more: Any) -> Sample:
        return Sample(
            self.now, total=self.total, lost=self.lost, total_ce=self.ce, una=self.total, nxt=self.total + self.cc.cwnd,
            srtt=40 * MS, min_rtt=40 * MS, state=self.state, delivered_at=self.now, pacing=10**6,
        )._replace(**more)  # fmt: skip

    def step(self, what: str, x: dict[str, Any]) -> None:
        self.now += x["pause"]
        getattr(self, what)(x)

    def ack(self, x: dict[str, Any]) -> None:
        self.total += x["delivered"]
        self.lost += x["losses"]
        self.ce += min(x["ce"], x["delivered"])
        named = ("acked", "delivered", "losses", "flight", "rtt", "interval", "app_limited")
        s = self.sample(prior=max(self.total - x["back"], -1), **{name: x[name] for name in named})
        self.cc.heard(s)
        if self.cc.own:
            self.cc.control(s)
        elif x["acked"] and self.state not in (CWR, RECOVERY):
            self.cc.grow(s)

    def become(self, state: int) -> None:
        before, self.state = self.state, state
        if before != state:
            self.cc.became(self.sample(), before)

    def lost_(self, ssthresh: int, state: int, cwnd: int) -> None:
        self.cc.ssthresh = ssthresh
        if not self.cc.own or state == LOSS:
            self.cc.cwnd = min(cwnd, self.cc.clamp)
        self.become(state)

    def lost_in(self, x: dict[str, Any]) -> None:
        threshold = self.cc.threshold(self.now)
        self.lost_(threshold, RECOVERY, threshold)

    def marked(self, x: dict[str, Any]) -> None:
        threshold = self.cc.threshold_ecn(self.now)
        self.lost_(threshold, CWR, threshold)

    def timeout(self, x: dict[str, Any]) -> None:
        self.lost_(self.cc.threshold(self.now), LOSS, 1)

    def over(self, x: dict[str, Any]) -> None:
        self.become(OPEN)

    def undo(self, x: dict[str, Any]) -> None:
        self.cc.cwnd = min(self.cc.after_undo(x["flight"]), self.cc.clamp)
        self.become(OPEN)

    def idle(self, x: dict[str, Any]) -> None:
        self.cc.restart(x["pause"], 200 * MS, 10)

    def write(self, x: dict[str, Any]) -> None:
        self.cc.transmit(self.sample(), x["pause"], x["app_limited"])


def only_ints(value: object) -> bool:
    if isinstance(value, State):
        return only_ints(list(value.as_dict().values()))
    if isinstance(value, dict):
        return only_ints(list(value.values()))
    if isinstance(value, list | tuple):
        return all(only_ints(it) for it in value)
    return isinstance(value, int | str)


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=60)
@given(steps=STEPS, clamp=st.sampled_from([1, 4, 50, INFINITE]), cut=st.integers(0, 60))
def test_any_sequence_keeps_the_bounds_and_a_clone_does_the_same(
    kind: str, steps: list[tuple[str, dict[str, Any]]], clamp: int, cut: int
) -> None:
    ours = Driver(make(kind, clamp))
    theirs: Driver | None = None
    for i, (what, x) in enumerate(steps):
        if i == cut:
            theirs = Driver(make(kind, clamp))
            theirs.__dict__.update(ours.__dict__)
            theirs.cc = ours.cc.clone()
            assert theirs.cc == ours.cc
        for driver in (ours, theirs):
            if driver is not None:
                driver.step("lost_in" if what == "lost" else what, x)
        cc = ours.cc
        assert 1 <= cc.cwnd <= clamp
        assert cc.ssthresh >= 2
        assert cc.credit >= 0
        assert cc.pacing >= 0
        assert only_ints(cc)
    if theirs is not None:
        assert theirs.cc == ours.cc
        assert theirs.cc.diff(ours.cc) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("queue", [25, 100, 400])
def test_every_controller_fills_a_path(kind: str, queue: int) -> None:
    """2,500 segments/s, 40 ms, a queue of a quarter, one and four bandwidth-delay products, 10 s."""
    if kind == "none":
        pytest.skip("it does not look at the path")
    path = Path(make(kind, INFINITE), 2500, 40 * MS, queue).run(10 * SECOND)
    assert path.total > (0.8 if queue < 100 else 0.94) * 2500 * 10
    assert path.lost < 0.05 * path.total


def test_cubic_fills_a_long_path_where_reno_does_not() -> None:
    """RFC 9438 §5.2: 5,000 segments/s, 200 ms, a loss in 10,000 segments."""
    got = {
        kind: Path(make(kind, INFINITE), 5000, 200 * MS, 100, drops=lambda n: n % 10_000 == 9999).run(20 * SECOND)
        for kind in ("reno", "cubic")
    }
    assert got["cubic"].total > 1.5 * got["reno"].total


def test_hystart_leaves_slow_start_before_it_loses_a_window() -> None:
    """RFC 9406 §3: on a path with a queue of five products, the round trip tells it in time."""
    lost = {
        kind: Path(make(kind, INFINITE), 2500, 40 * MS, 500).run(SECOND).lost for kind in ("reno", "cubic", "cubic++")
    }
    assert lost["reno"] > 500
    assert lost["cubic"] == 0
    assert lost["cubic++"] < 50
