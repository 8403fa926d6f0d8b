# SPDX-License-Identifier: GPL-2.0-or-later
"""Mutants: what moves do to a script, that they find planted bugs, and that what is found is small and runs again."""

from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labstack.core.env import Env
from labstack.packetdrill.parser import parse
from labstack.packetdrill.script import Packet, Syscall, Tcp
from labstack.scenario import collect
from labstack.scenario.mutate import mutate
from labstack.scenario.mutate.moves import MOVES, Steps, halves, inbound, moved, mutant
from labstack.scenario.mutate.mutate import Done, Task, base_of, hunt, trial
from labstack.scenario.settings import Settings
from labstack.scenario.verdict import ERROR, PASS
from labstack.tcp import islands, receive

SCRIPT = """
// A server takes a request in two pieces and answers it.
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+.1 < S 0:0(0) win 65535 <mss 1460,nop,wscale 7>
+0 > S. 0:0(0) ack 1 <mss 1460,nop,wscale 8>
+.1 < . 1:1(0) ack 1 win 257
+0 accept(3, ..., ...) = 4
+.1 < P. 1:1001(1000) ack 1 win 257
+0 > . 1:1(0) ack 1001
+.1 < P. 1001:2001(1000) ack 1 win 257
+0 > . 1:1(0) ack 2001
+0 read(4, ..., 4000) = 2000
+0 write(4, ..., 500) = 500
+0 > P. 1:501(500) ack 2001
+.1 < F. 2001:2001(0) ack 501 win 257
+.1 close(4) = 0
"""
SETTINGS = Settings(events=mutate.EVENTS)


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "serve.pkt"
    path.write_text(SCRIPT)
    return str(path)


def base() -> mutate.Base:
    return base_of(parse(SCRIPT), SETTINGS)


def sizes(steps: Steps) -> list[int]:
    return [step.action.body.size for step in steps if isinstance(step.action, Packet)]  # type: ignore[union-attr]


# moves


def test_a_script_becomes_the_steps_that_were_taken_in_their_times() -> None:
    it = base()
    assert [step.at // 10**6 for step in it.steps] == [0, 0, 0, 100, 200, 200, 300, 400, 400, 400, 500, 600, 600]
    assert sizes(it.steps) == [0, 0, 1000, 1000, 0]


def test_a_mutant_follows_from_its_seed_alone() -> None:
    it = base()
    first = [mutant(it.steps, 4, "serve.pkt", seed) for seed in range(40)]
    assert first == [mutant(it.steps, 4, "serve.pkt", seed) for seed in range(40)]
    assert len({steps for steps, _ in first}) > 30
    assert {move for _, moves in first for move in moves} == set(MOVES)


@pytest.mark.parametrize(
    ("move", "more"), [("drop", -1), ("duplicate", 1), ("reorder", 0), ("delay", 0), ("split", 1), ("flip", 0)]
)
@given(seed=st.integers(0, 1 << 30))
@settings(max_examples=25, deadline=None)
def test_a_move_leaves_everything_else_as_it_was(move: str, more: int, seed: int) -> None:
    steps = STEPS
    changed = moved(Random(seed), steps, 4, move)
    assert changed is not None
    assert len(changed) == len(steps) + more
    assert [step.at for step in changed] == sorted(step.at for step in changed)
    calls = [[step for step in it if not isinstance(step.action, Packet)] for it in (steps, changed)]
    assert calls[0] == calls[1]
    if move == "split":
        assert sum(sizes(changed)) == sum(sizes(steps))


STEPS = base().steps


@given(st.integers(1, 999))
@settings(max_examples=25, deadline=None)
def test_two_halves_are_the_segment_they_were(at: int) -> None:
    """RFC 9293 §3.4: sequence space is as before; a FIN and a PSH stand at the end."""
    step = STEPS[inbound(STEPS)[2]]
    one, two = (half.action.body for half in halves(step, at))  # type: ignore[union-attr]
    assert isinstance(one, Tcp)
    assert isinstance(two, Tcp)
    assert (one.seq, one.size, one.flags) == (1, at, ".")
    assert (two.seq, two.size, two.flags) == (1 + at, 1000 - at, "P.")


def test_steps_that_are_not_changed_break_nothing() -> None:
    it = base()
    assert trial(it, SETTINGS, it.steps) == ""


# planted bugs


def found(file: str, seeds: int = 60) -> Done:
    done = hunt(Task(file, "ipv4", 1, seeds), Settings())
    assert (done.trouble, done.tried) == ("", seeds)
    return done


def test_a_sound_stack_stands_all_of_it(file: str) -> None:
    assert not found(file).found


def test_an_exception_beyond_a_gap_is_found_and_shrunk_to_a_handshake_and_one_segment(
    file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(receive, "_keep", fails)
    it = found(file).found[0]
    assert "ZeroDivisionError: planted" in it.reason
    assert it.lines <= 5
    assert it.times > 1
    assert [it.action.name for it in parse(it.text).events if isinstance(it.action, Syscall)] == ["socket", "listen"]


def test_bytes_that_are_joined_wrongly_are_found_by_what_is_read(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    insert = islands.insert

    def shifted(held: Any, start: int, end: int, pieces: Any) -> int:
        return insert(held, start, end, tuple([bytes(piece)[::-1] for piece in pieces]))

    monkeypatch.setattr(islands, "insert", shifted)
    it = next(it for it in found(file).found if "never came like this" in it.reason)
    assert it.lines <= 9


def test_a_segment_that_is_lost_without_a_word_is_found(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drop = Env.drop

    def forgets(env: Env, reason: str, *values: Any) -> None:
        if reason != "drop.tcp.csum":
            drop(env, reason, *values)

    monkeypatch.setattr(Env, "drop", forgets)
    it = next(it for it in found(file, 200).found if "neither delivered nor dropped" in it.reason)
    assert it.lines == 1


# what is saved


def test_what_is_found_runs_again_and_passes_when_it_is_mended(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> None:
        raise ZeroDivisionError("planted")

    saved = Path(file).with_name("found.pkt")
    with monkeypatch.context() as patch:
        patch.setattr(receive, "_keep", fails)
        saved.write_text(found(file).found[0].text)
        again = collect.run(str(saved))
        assert again.verdict == ERROR
        assert "planted" in again.reason
        assert again.line > 10
    assert collect.run(str(saved)).verdict == PASS


def test_a_found_script_says_where_it_comes_from(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receive, "_keep", lambda *_: 1 / 0)
    it = found(file).found[0]
    script = parse(it.text)
    assert f"Mutant {it.seed} of serve.pkt (ipv4): {', '.join(it.moves)}" in script.about
    assert "division by zero" in script.about
    assert {"judge": "invariants", "target": "lab"}.items() <= {note.key: note.value for note in script.notes}.items()


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.pkt"
    path.write_text("0 < nonsense")
    done = hunt(Task(str(path), "ipv4", 1, 5), Settings())
    assert (done.tried, done.found) == (0, ())
    assert "x.pkt:1" in done.trouble
