# SPDX-License-Identifier: GPL-2.0-or-later
"""Forward then back is the identity, and so is back then forward; forks share nothing; differences are found."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from echo_host import EVERYONE, H1, H2, Toy, pair
from hypothesis import given, settings
from hypothesis import strategies as st

from labstack.core.errors import StackError
from labstack.core.event import Action, Call, Rx, Tick
from labstack.sim import history as module
from labstack.sim.history import History, UnrepeatableError, digest
from labstack.sim.wire import Bursts, Corrupt, Delay, Duplicate, Exactly, Loss, Lost, Rate, Reorder, Rule
from labstack.sim.world import UnendingError


def busy(seed: int = 1) -> History:
    """Two hosts that talk, time out and lose over a wire with every kind of memory."""
    wire = Reorder(Duplicate(Bursts(Loss(Rate(Delay(1000, jitter=50), 10**9), 0.1), 0.1, 0.3), 0.2), 0.3)
    history = History(pair(wire, seed=seed))
    for i in range(10):
        history.call("h1", "say", H2, b"hello %d" % i)
        history.call("h2", "wait", 700 * (i + 1))
        history.call("h2", "sing")
    return history


def test_a_step_back_restores_everything_for_every_kind_of_event() -> None:
    history = busy()
    kinds = set()
    while True:
        before, state = history.world.clone(), history.world.as_dict()
        made = history.step()
        if not made:
            break
        kinds.add(type(made[0].event))
        after = history.world.as_dict()
        assert history.back() == history.n
        assert history.world == before
        assert history.world.as_dict() == state  # also what == leaves out: heaps of timers
        assert history.step() == made
        assert history.world.as_dict() == after
    assert kinds == {Call, Rx, Tick}


def test_any_moment_is_reached_from_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SPACING", 1)
    monkeypatch.setattr(module, "MOST", 5)
    history = busy()
    states = [history.world.as_dict()]
    while history.step():
        states.append(history.world.as_dict())
    total = digest(history.records)
    assert len(states) > 50
    assert len(history._snapshots) <= 5
    for n in (len(states) - 1, 0, 17, 3, 18, 5, len(states) - 1, 1, 40):
        assert history.goto(n) == n
        assert history.world.as_dict() == states[n]
    history.run()
    assert digest(history.records) == total


def test_inputs_between_steps_are_repeated_where_they_came() -> None:
    history = History(pair(Delay(10)))
    history.call("h1", "say", H2, b"one")
    history.step()
    history.inject(H2 + H1 + b"two", to="h2")
    history.step()
    assert history.now_call("h1", "say", H2, b"three") == 5
    history.run(until=500)
    history.rewire(("h1", 1), Exactly(Delay(3), (2,)))
    history.now_call("h1", "say", H2, b"four")
    with pytest.raises(StackError):
        history.now_call("h2", "sing")
    history.run()
    end, total, last = history.world.as_dict(), digest(history.records), history.n
    history.goto(0)
    assert history.world.n == 0
    assert history.goto(last) == last
    assert history.world.as_dict() == end
    assert digest(history.records) == total


def test_going_back_keeps_the_future_until_something_else_is_done() -> None:
    history = busy()
    history.run()
    total = len(history.records)
    assert history.back(10) == total - 10
    assert len(history.records) == total
    assert len(history.past) == total - 10
    history.step()
    assert len(history.records) == total
    history.back(5)
    history.inject(H1 + H2 + b"new", to="h1")
    assert len(history.records) == history.n == total - 14
    history.run()
    assert b"new" in history.world.hosts["h1"].heard  # type: ignore[attr-defined]


def test_back_stops_at_the_beginning_and_goto_at_rest() -> None:
    history = busy()
    history.step(3)
    assert history.back(99) == 0
    assert history.back() == 0
    assert history.goto(10**6) == len(history.records)
    with pytest.raises(ValueError, match="cannot go to step -1"):
        history.goto(-1)


def test_the_step_at_a_time_is_found() -> None:
    history = History(pair(Delay(10)))
    history.call("h1", "say", H2, b"hi")
    history.run()
    assert [history.when(t) for t in (0, 9, 10, 20, 99)] == [1, 1, 2, 3, 3]


def test_a_step_can_be_asked_for_only_if_it_is_due() -> None:
    history = History(pair(Delay(10)))
    history.call("h1", "say", H2, b"hi")
    assert [record.at if record else None for record in map(history.step_by, (0, 9, 10))] == [0, None, 10]
    assert (history.n, history.world.now) == (2, 10)


def test_a_fork_and_its_original_never_see_each_other() -> None:
    history = busy()
    history.step(20)
    fork = history.fork("noloss")
    assert fork.name == "noloss"
    assert fork.world == history.world
    frozen, records = history.world.as_dict(), list(history.records)
    fork.rewire(("h1", 1), Delay(1))
    fork.run()
    fork.goto(3)
    fork.call("h1", "say", EVERYONE, b"else")
    fork.run()
    assert history.world.as_dict() == frozen
    assert history.records == records
    twin = busy()
    twin.step(20)
    twin.back(15)
    history.back(15)
    assert history.world == twin.world
    assert digest(history.run()) == digest(twin.run())


def test_a_fork_can_go_back_beyond_its_birth() -> None:
    history = busy()
    start = history.world.as_dict()
    history.step(20)
    fork = history.fork("other")
    assert fork.goto(0) == 0
    assert fork.world.as_dict() == start


def test_diff_names_the_first_step_and_the_state_that_differ() -> None:
    history = busy()
    history.step(20)
    fork = history.fork("other")
    assert history.diff(fork) == (0, None, None, [])
    fork.now_call("h1", "wait", 99)
    found = history.diff(fork)
    assert (found.n, found.ours) == (21, None)
    assert found.theirs is not None
    assert found.theirs.event == Call("wait", (99,))
    assert ("n", 20, 21) in found.states
    history.step()
    found = history.diff(fork)
    assert found.ours is not None
    assert found.ours.n == found.theirs.n == found.n == 21  # type: ignore[union-attr]
    assert any(path.startswith("hosts[h1].env.timers.at") for path, _, _ in found.states)


def test_a_rule_that_depends_on_the_outside_is_found_out_when_a_step_is_repeated() -> None:
    history = History(pair(Delay(10)))
    moods = iter([False, True])
    history.rewire(("h1", 1), Rule(Delay(10), lambda raw: next(moods), Lost("mood")))
    history.call("h1", "say", H2, b"hi")
    history.run()
    history.goto(0)
    with pytest.raises(UnrepeatableError, match="step 1 came out otherwise"):
        history.step()
    assert history.n == len(history.records) == 1
    assert history.records[0].sent[0].fate == "mood"


def test_an_interrupted_step_was_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    history = busy()
    history.step(5)
    before = history.world.clone()
    drain = Toy.drain

    def interrupted(self: Toy, now: int) -> list[Action]:
        monkeypatch.setattr(Toy, "drain", drain)
        raise KeyboardInterrupt

    monkeypatch.setattr(Toy, "drain", interrupted)
    with pytest.raises(KeyboardInterrupt):
        history.step()
    assert history.world == before
    assert history.n == len(history.records) == 5
    assert history.run()


def test_a_bounded_run_leaves_a_history_that_can_go_on() -> None:
    history = busy()
    with pytest.raises(UnendingError):
        history.run(limit=7)
    assert history.n == len(history.records) == 7
    history.run()


actions = st.lists(
    st.one_of(
        st.tuples(st.just("step"), st.integers(1, 9)),
        st.tuples(st.just("back"), st.integers(1, 9)),
        st.tuples(st.just("goto"), st.integers(0, 60)),
        st.tuples(st.just("say"), st.integers(1, 2)),
        st.tuples(st.just("wait"), st.integers(0, 3000)),
        st.tuples(st.just("run"), st.integers(1, 3000)),
    ),
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(actions=actions, seed=st.integers(0, 2**32))
def test_whatever_was_done_the_past_can_be_repeated_from_its_inputs(actions: list[tuple[str, int]], seed: int) -> None:
    history = busy(seed)
    for what, number in actions:
        if what == "say":
            history.call(f"h{number}", "say", EVERYONE, b"hi %d" % number)
        elif what == "wait":
            history.now_call("h1", "wait", number)
        elif what == "run":
            history.run(until=history.world.now + number)
        else:
            getattr(history, what)(number)
    repeat = history.fork("repeat")
    repeat.goto(0)
    assert repeat.goto(history.n) == history.n
    assert repeat.world.as_dict() == history.world.as_dict()
    assert digest(repeat.records) == digest(history.past)


def test_a_seed_gives_the_same_run_in_another_process_with_another_hash_seed() -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_sim_history as t;"
        "h = t.busy(7); h.run(); print(t.digest(h.records))"
    )
    history = busy(7)
    history.run()
    digests = {digest(history.records)}
    for hash_seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", script, str(Path(__file__).parent)],
            env={**os.environ, "PYTHONHASHSEED": hash_seed}, capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        digests.add(run.stdout.strip())
    assert len(digests) == 1


def test_another_seed_gives_another_run() -> None:
    one, two = busy(1), busy(2)
    one.run(), two.run()
    assert digest(one.records) != digest(two.records)


def test_corrupted_frames_never_become_what_they_were() -> None:
    history = History(pair(Corrupt(Delay(10), 1)))
    history.call("h1", "say", H2, b"hello")
    called, heard = history.step(2)
    assert called.sent[0].frame != heard.event.frame  # type: ignore[union-attr]
