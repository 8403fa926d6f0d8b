# SPDX-License-Identifier: GPL-2.0-or-later
"""The verdict of mutants: what came is the oracle for what goes out, and each invariant is seen to be broken."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labstack.core.env import Env
from labstack.core.event import Rx
from labstack.core.rng import Rng
from labstack.packetdrill.parser import parse
from labstack.packetdrill.script import ScriptError
from labstack.scenario.mutate import trial as mutate_trial
from labstack.scenario.mutate.came import Came
from labstack.scenario.mutate.judge import Judged, signature
from labstack.scenario.packets.wire import Wire, take_apart
from labstack.scenario.script import runner
from labstack.scenario.settings import Settings
from labstack.stack.stack import Stack
from labstack.tcp import ackgen, closing, islands, opening, receive, window
from layers import IP, TCP, Raw

SERVER = """
// judge: invariants
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+.1 < S 0:0(0) win 65535 <mss 1460>
+.1 < . 1:1(0) ack 1 win 65535
+0 accept(3, ..., ...) = 4
"""
KEY = (80, 1024)


def why(text: str) -> str:
    """The invariant that a script breaks, "" if it breaks none."""
    script, settings = parse(text), Settings(events=5000)
    assert mutate_trial.by_invariants(script)
    failure = mutate_trial.play(script, runner.lab(script, settings, Judged), settings)
    return failure.why if failure else ""


def segment(seq: int, data: bytes = b"", flags: str = "A") -> Wire:
    packet = IP(src="192.0.2.1", dst="192.0.2.2") / TCP(sport=1024, dport=80, seq=seq, flags=flags) / Raw(load=data)
    wire = take_apart(bytes(packet))
    assert not isinstance(wire, str)
    return wire


# what came


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 30)), max_size=6), st.integers(0, 60), st.integers(1, 20))
def test_bytes_came_if_every_one_of_them_did(pieces: list[tuple[int, int]], at: int, size: int) -> None:
    stream, base, came = bytes(range(200)), (1 << 32) - 20, Came()
    for start, length in pieces:
        came.take(segment((base + start) % (1 << 32), stream[start : start + length]))
    there = {n for start, length in pieces for n in range(start, start + length)}
    wanted = stream[at : at + size]
    assert came.has(KEY, base + at, wanted) == (set(range(at, at + size)) <= there)
    assert not came.has(KEY, base + at, bytes([wanted[0] ^ 1]) + wanted[1:])
    assert not came.has((81, 1024), base + at, wanted)


def test_what_did_not_come_cannot_be_acknowledged() -> None:
    came = Came()
    came.take(segment(0, flags="S"))
    came.take(segment(1, b"abc", "FA"))
    assert [ack for ack in range(9) if came.acknowledges(KEY, ack)] == [0, 1, 2, 3, 4, 5]


# what is broken


@contextmanager
def broken(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, by: Any) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, by)
        yield


def test_a_sound_stack_breaks_nothing() -> None:
    assert not why(SERVER + "+.1 < P. 1:101(100) ack 1 win 100\n+0 read(4, ..., 1000) = 100\n+0 close(4) = 0")


def test_a_failure_inside_is_told_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> None:
        raise ZeroDivisionError("planted")

    with broken(monkeypatch, receive, "_keep", fails):
        told = why(SERVER + "+.1 < P. 101:201(100) ack 1 win 100")
    assert told.startswith("Traceback")
    assert signature(told).startswith("ZeroDivisionError: planted File")


def test_a_drop_that_is_not_counted_is_lost_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    with broken(monkeypatch, Env, "drop", lambda *_: None):
        told = why(SERVER + "// flip: 7 36:0x01\n+.1 < P. 1:101(100) ack 1 win 100")
    assert told == "tcp: 1 arrivals are neither delivered nor dropped"


def test_bytes_at_the_wrong_place_are_seen_when_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    insert = islands.insert

    def shifted(held: Any, start: int, end: int, pieces: Any) -> int:
        return insert(held, start, end, tuple([bytes(piece)[1:] + b"?" for piece in pieces]))

    with broken(monkeypatch, islands, "insert", shifted):
        told = why(
            SERVER
            + """
            +.1 < P. 101:201(100) ack 1 win 100
            +.1 < P. 1:101(100) ack 1 win 100
            +0 read(4, ..., 1000) = 200
        """
        )
    assert told == "read() gave bytes 0:200 of the stream, which never came like this"


def test_an_acknowledgment_of_what_never_came_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    advance = receive.advance

    def lies(env: Any, conn: Any, *more: Any) -> None:
        advance(env, conn, *more)
        conn.rcv.nxt += 1

    with broken(monkeypatch, receive, "advance", lies):
        assert why(SERVER + "+.1 < P. 1:101(100) ack 1 win 100") == "it acknowledged what never came"


@pytest.mark.parametrize(
    ("line", "told"),
    [("R. 9:9(0) ack 1", "ended by a reset that is not where the next byte"), ("S 1:1(0)", "ended by a SYN")],
)
def test_a_reset_or_a_syn_that_ends_what_it_must_not_is_seen(
    line: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 5961 §3.2, §4.2: blind resets and SYNs."""
    text = SERVER + f"+.1 < {line} win 100"
    assert not why(text)
    with broken(monkeypatch, ackgen, "challenge", closing.was_reset):
        assert told in why(text)


def test_a_window_that_shrinks_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """SHLD-14"""

    advertise = window.advertise

    def shrinks(env: Any, conn: Any, syn: bool = False) -> int:
        conn.rcv.edge -= 0 if syn else 1000
        return advertise(env, conn, syn)

    with broken(monkeypatch, window, "advertise", shrinks):
        told = why(SERVER + "+.1 < P. 1:101(100) ack 1 win 100")
    assert told == "connection 2 took back the window's right edge"


def test_a_segment_larger_than_the_peer_takes_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9293 §3.7.1, MUST-14"""
    text = SERVER.replace("mss 1460", "mss 600") + "+0 write(4, ..., 3000) = 3000"
    assert not why(text)
    take = opening.take_syn

    def deaf(env: Any, conn: Any, seg: Any) -> None:
        seg.mss = 1460
        take(env, conn, seg)

    with broken(monkeypatch, opening, "take_syn", deaf):
        assert why(text) == "it sent a segment that is larger than its peer takes"


def test_a_run_that_is_not_repeated_exactly_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens must follow from the state: here it follows from something beside it."""
    ticks = iter(range(10**6))
    secret = Rng.secret
    connect = "// judge: invariants\n0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0...1 connect(3, ..., ...) = 0"
    assert not why(connect)
    with broken(monkeypatch, Rng, "secret", lambda rng, *parts: secret(rng, *parts) + next(ticks)):
        told = why(connect)
    assert "when it was repeated" in told or "another state" in told


def test_a_host_that_cannot_come_to_rest_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    deadline = Stack.deadline
    with broken(monkeypatch, Stack, "deadline", lambda host: deadline(host) or host.env.now + 1):
        assert "does not come to rest" in why(SERVER) or "no end" in why(SERVER)


# scripts that are judged like this


@pytest.mark.parametrize("note", ["flip: 99 3:1", "flip: 0 3:1", "flip: 1 3", "flip: x"])
def test_a_flip_that_cannot_be_is_told_with_its_place(note: str) -> None:
    with pytest.raises(ScriptError) as error:
        why(f"// {note}\n{SERVER}")
    assert error.value.place.line == 1


def test_flips_reach_the_packet_of_their_event() -> None:
    script = parse(f"// flip: 5 33:0x18\n{SERVER}")
    host = runner.lab(script, Settings(), Judged)
    assert mutate_trial.play(script, host, Settings()) is None
    frames = [it.event.frame for it in host.history.records if it.host == "h1" and isinstance(it.event, Rx)]
    wires = [take_apart(frame.cuts()[0]) for frame in frames]
    assert [wire.head.flags for wire in wires if not isinstance(wire, str)] == [2, 8]
