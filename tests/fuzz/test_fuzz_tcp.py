# SPDX-License-Identifier: GPL-2.0-or-later
"""Hundreds of random worlds keep every promise, and a stack that breaks one is caught within a few of them."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from labstack import cli
from labstack.core.env import Env
from labstack.core.event import WRITABLE
from labstack.core.kinds import TCP_RETRANSMIT
from labstack.core.timers import Timers
from labstack.fuzz import at, routers, stranger
from labstack.fuzz.command import told
from labstack.fuzz.outcome import judged, play
from labstack.fuzz.plan import draw
from labstack.fuzz.stage import Remembered, Stage
from labstack.fuzz.trial import Trial
from labstack.lab.errors import LabError
from labstack.sim.history import digest
from labstack.stack.stack import Stack
from labstack.stack.syscall import errqueue, sockets
from labstack.tcp import arrive, icmp, islands, isn, md5, receive, timewait, urgent, window
from labstack.tcp.segment import SYN
from labstack.tcp.states import ESTABLISHED, SYN_RECEIVED
from labstack.tcp.stream import Outbox

EACH = 25  # seeds of a test
FEW = 120  # seeds within which a planted bug is found


@pytest.mark.parametrize("block", range(6))
def test_random_worlds_keep_every_promise(block: int) -> None:
    """RFC 9293 §3.8: what was written is what is read, and everything comes to its end, whatever the wire does."""
    found = [play(seed) for seed in range(1 + block * EACH, 1 + (block + 1) * EACH)]
    assert [(it.seed, it.n, it.broken) for it in found if it.broken] == []


def test_the_seeds_reach_every_state_and_every_fault() -> None:
    found = [play(seed) for seed in range(1, 91)]
    assert len(frozenset().union(*(it.states for it in found))) == 11
    seen = {name for it in found for name, n in it.seen.items() if n}
    assert seen >= {"loss", "burst", "mtu", "black", "duplicated", "overtaken", "queue", "drop.tcp.csum"}
    assert seen >= {f"attack: {kind}" for kind in (*stranger.KINDS, *stranger.MOLES, *stranger.FLOODS, *routers.KINDS)}
    assert seen >= {"turn: refused by a router", "turn: error queued", "turn: error told at once"}
    assert seen >= {"attack: old duplicate", "turn: TIME-WAIT made way, active", "turn: TIME-WAIT made way, passive"}


@pytest.mark.parametrize("series", [False, True])
def test_a_seed_is_one_run(series: bool) -> None:
    """Outcomes are equal, and so is everything that happened, with its history kept or not; also of connections of the
    same addresses, one after the other."""
    seed = next(it for it in range(7, FEW) if bool(draw(it).meetings[0].then) == series)
    assert [play(seed), play(seed)] == [play(seed)] * 2
    plan = draw(seed)
    remembered, plain = Remembered(plan), Stage(plan)
    assert [judged(Trial(plan, stage)) for stage in (remembered, plain)] == ["", ""]
    assert remembered.world.diff(plain.world) == []
    whole = digest(remembered.history.records)
    remembered.history.goto(20)
    remembered.history.goto(len(remembered.history.records))
    assert digest(remembered.history.records) == whole
    assert remembered.history.world.diff(plain.world) == []


def test_the_fast_path_equals_the_slow_one() -> None:
    assert [(it.seed, it.broken) for it in (play(seed, differential=True) for seed in range(1, 31)) if it.broken] == []


# --- planted bugs ----------------------------------------------------------------------------------------------------

real_slice, real_insert, real_take, real_set = Outbox.slice, islands.insert, receive.take, Timers.set
real_flags, real_ack, real_choose = urgent.flags, arrive.fifth_ack, isn.choose
real_wake, real_drop, real_advertise, real_before = Env.wake, Env.drop, window.advertise, Outbox.drop_before


def a_byte_is_lost(self: Outbox, seq: int, size: int) -> Any:
    pieces = real_slice(self, seq, size)
    return (memoryview(pieces[0])[1:], *pieces[1:], b"!") if seq % 97 == 5 else pieces


def an_island_is_moved(held: Any, start: int, end: int, pieces: Any) -> int:
    return real_insert(held, start, end, pieces[::-1])


def a_read_takes_too_much(env: Env, conn: Any, most: int) -> Any:
    pieces = real_take(env, conn, most)
    return pieces[:-1] if len(pieces) > 2 else pieces


def nothing_is_retransmitted(self: Timers, key: Any, deadline: int) -> None:
    real_set(self, key, deadline + (1 << 50 if key[0] == TCP_RETRANSMIT else 0))


def no_retransmission_timer(self: Timers, key: Any, deadline: int) -> None:
    if key[0] != TCP_RETRANSMIT:
        real_set(self, key, deadline)


def a_wake_is_forgotten(self: Env, sock: int, what: int) -> None:
    if what != WRITABLE:
        real_wake(self, sock, what)


def a_drop_is_not_counted(self: Env, reason: str, *values: Any) -> None:
    if reason != "drop.tcp.outside_window":
        real_drop(self, reason, *values)


def the_window_shrinks(env: Env, conn: Any, *args: Any) -> int:
    value = real_advertise(env, conn, *args)
    conn.rcv.edge = max(conn.rcv.nxt, conn.rcv.edge - 1)
    return value


def nothing_is_forgotten(self: Outbox, seq: int) -> None:
    return None


def a_reset_need_not_be_exact(conn: Any, seg: Any) -> bool:
    return True


def nobody_looks_at_signatures(env: Env, keys: Any, seg: Any) -> bool:
    return True


def the_pointer_is_one_too_far(conn: Any, seq: int) -> tuple[int, int]:
    flag, pointer = real_flags(conn, seq)
    return flag, pointer + (flag > 0)


def an_ack_may_say_anything(env: Env, net: Any, conn: Any, seg: Any) -> int:
    return 0 if seg.ack > conn.snd.nxt else real_ack(env, net, conn, seg)


def a_close_lingers_for_ever(conn: Any) -> bool:
    return conn is not None


def any_syn_is_new(env: Env, conn: Any, seg: Any) -> bool:
    return bool(seg.flags & SYN)


def numbers_begin_anywhere(env: Env, key: bytes, used: int | None = None) -> int:
    return real_choose(env, key)


def the_clock_is_forgotten(env: Env, old: Any, new: Any) -> None:
    return None


def any_number_is_in_flight(seq: int, near: int) -> int:
    return near - 1


PLANTED: list[tuple[Any, str, Callable[..., Any]]] = [
    (Outbox, "slice", a_byte_is_lost),
    (islands, "insert", an_island_is_moved),
    (receive, "take", a_read_takes_too_much),
    (Timers, "set", nothing_is_retransmitted),
    (Timers, "set", no_retransmission_timer),
    (Env, "wake", a_wake_is_forgotten),
    (Env, "drop", a_drop_is_not_counted),
    (window, "advertise", the_window_shrinks),
    (Outbox, "drop_before", nothing_is_forgotten),
    (arrive, "_behind_all", a_reset_need_not_be_exact),
    (md5, "admits", nobody_looks_at_signatures),
    (urgent, "flags", the_pointer_is_one_too_far),
    (arrive, "fifth_ack", an_ack_may_say_anything),
    (sockets, "_leaves", a_close_lingers_for_ever),
    (icmp, "unwrap", any_number_is_in_flight),
    (timewait, "makes_way", any_syn_is_new),
    (timewait, "replace", the_clock_is_forgotten),
    (isn, "choose", numbers_begin_anywhere),
]


@pytest.mark.parametrize(("where", "name", "bug"), PLANTED, ids=[bug.__name__ for _, _, bug in PLANTED])
def test_a_planted_bug_is_found(where: Any, name: str, bug: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if where is arrive:
        checks = tuple(bug if check is getattr(where, name) else check for check in arrive.CHECKS)
        monkeypatch.setattr(arrive, "CHECKS", checks)
    monkeypatch.setattr(where, name, bug)
    broken = next(it for it in (play(seed).broken for seed in range(1, FEW)) if it)
    assert "TypeError" not in broken  # it must be a bug, and not a misfit
    assert "AttributeError" not in broken


SLIPS = [  # a state that is taken for another
    (icmp, "SYN_SENT", SYN_RECEIVED),  # who should be refused
    (icmp, "SYN_SENT", ESTABLISHED),
    (errqueue, "SYN_SENT", SYN_RECEIVED),  # what an error queue has
]


@pytest.mark.parametrize(("where", "name", "state"), SLIPS)
def test_an_error_that_goes_astray_is_found(where: Any, name: str, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9293 §3.9.2.2, RFC 5927 §4, ip(7): who is refused, who only hears of it, and by which queue."""
    monkeypatch.setattr(where, name, state)
    assert any(play(seed).broken for seed in range(1, FEW))


def test_a_fast_path_that_differs_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Stack.handle

    def handle(self: Stack, event: Any, now: int) -> Any:
        self.next_sock += not self.env.tracing and now % 7 == 0
        return real(self, event, now)

    monkeypatch.setattr(Stack, "handle", handle)
    found = [play(seed, differential=True).broken for seed in range(1, 5)]
    assert any("with a trace it goes another way: next_sock" in broken for broken in found)


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_lab_of_a_failure_can_be_stepped_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    """--at: the lab is right behind the event after which something did not hold."""
    monkeypatch.setattr(window, "advertise", the_window_shrinks)
    seed = next(seed for seed in range(1, FEW) if play(seed).broken)
    lab, broken = at.land(seed)
    assert "rcv.edge) went from" in broken
    assert len(lab.records) == play(seed).n
    last = lab.records[-1]
    lab.back(5)
    lab.step(5)
    assert lab.records[-1] == last
    assert str(lab.why())
    lab, _ = at.land(seed, 10)
    assert len(lab.records) == 10
    with pytest.raises(LabError, match="its events are 0"):
        at.land(seed, 100_000)


def test_a_failure_is_told_with_its_seed_and_its_plan(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(window, "advertise", the_window_shrinks)
    assert cli.main(["fuzz", "tcp", "--seeds", "12"]) == 1
    said = capsys.readouterr().out
    seed = said.split()[1]
    assert f"labstack fuzz tcp --seed {seed} --at" in said
    assert all(line in said for line in told(draw(int(seed))))


def test_programs_get_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fuzz", "tcp", "--seed", "3", "--seeds", "25", "-j", "2", "--json"]) == 0
    it = json.loads(capsys.readouterr().out)
    assert (it["seeds"], it["found"]) == (25, [])
    assert it["events"] == sum(play(seed).n for seed in range(3, 28))


def test_an_event_is_of_one_seed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fuzz", "tcp", "--at", "3"]) == 2
    assert "--at leads into one seed" in capsys.readouterr().err
