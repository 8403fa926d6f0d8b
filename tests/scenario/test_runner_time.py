# SPDX-License-Identifier: GPL-2.0-or-later
"""The time rules of scripts: when events are done, when packets may come, how far off they may be."""

import pytest
from toy_target import MS, Toy, from_host, play

from labstack.packetdrill.script import ScriptError
from labstack.scenario.target import Result

SECOND = 1000 * MS
UDP = from_host("udp (10)")
IN = "< udp (5)"
OUT = "> udp (10)"


def test_absolute_times_count_from_the_start_of_the_script() -> None:
    toy = Toy(start=5 * SECOND)
    assert play(f"0 {IN}\n1.5 {IN}\n1.5 {IN}\n2 {IN}", toy) is None
    assert toy.times(bytes) == [5 * SECOND, 6500 * MS, 6500 * MS, 7 * SECOND]


def test_relative_times_count_from_when_the_runner_gets_there() -> None:
    """The packet comes at 0.3, so what follows by 0.1 is at 0.4."""
    toy = Toy((300 * MS, UDP))
    assert play(f"0 {IN}\n* {OUT}\n+.1 {IN}\n+.1 listen(3, 1) = 0", toy) is None
    assert toy.times(bytes) == [0, 400 * MS]
    assert toy.times("listen") == [500 * MS]


def test_between_two_inbound_packets_the_scripted_time_counts() -> None:
    """The second packet is due at 1.2 although the first one could only go at 1.1."""
    toy = Toy((1100 * MS, UDP))
    assert play(f"0 listen(3, 1) = 0\n+1~+1.2 {OUT}\n1.0 {IN}\n+.2 {IN}", toy, tolerance_us=200_000) is None
    assert toy.times(bytes) == [1100 * MS, 1200 * MS]


def test_between_other_events_the_actual_time_counts() -> None:
    toy = Toy((1100 * MS, UDP))
    text = f"0 listen(3, 1) = 0\n+1~+1.2 {OUT}\n1.0 {IN}\n+.2 listen(3, 1) = 0"
    assert play(text, toy, tolerance_us=200_000) is None
    assert toy.times("listen") == [0, 1300 * MS]


@pytest.mark.parametrize(
    ("when", "at", "kind"),
    [
        ("1", 1000, ""), ("1", 999, "early"), ("1", 1001, "late"), ("+1", 1000, ""), ("+1", 1001, "late"),
        ("*", 7, ""), ("*", 50_000, ""), ("1~2", 1000, ""), ("1~2", 2000, ""), ("1~2", 999, "early"),
        ("1~2", 2001, "late"), ("+1~+2", 1500, ""), ("+1~+2", 2001, "late"), ("1", 2999, "late"),
        ("1", 3001, "missing"), ("1~2", 4001, "missing"),
    ],
)  # fmt: skip
def test_a_packet_comes_at_its_time_exactly(when: str, at: int, kind: str) -> None:
    """Without a packet at the script's time and 2 s more there is none."""
    failure = play(f"0 {IN}\n{when} {OUT}", Toy((at * MS, UDP)))
    assert (failure.kind if failure else "") == kind


@pytest.mark.parametrize(("at", "kind"), [(875, ""), (1125, ""), (874, "early"), (1126, "late")])
def test_the_scripts_own_tolerance_is_a_share_of_the_gap(at: int, kind: str) -> None:
    failure = play(f"0 {IN}\n+1 {OUT}", Toy((at * MS, UDP)), tolerance_us=None)
    assert (failure.kind if failure else "") == kind


@pytest.mark.parametrize(("at", "kind"), [(14, ""), (6, ""), (15, "late"), (5, "early")])
def test_or_so_many_us_if_that_is_more(at: int, kind: str) -> None:
    failure = play(f"0 {IN}\n+.01 {OUT}", Toy((at * MS, UDP)), tolerance_us=None)
    assert (failure.kind if failure else "") == kind


def test_the_share_is_that_of_the_gap_to_the_event_before() -> None:
    """Event 2 is 1 s after event 1: 125 ms; event 3 follows at once: 4 ms."""
    text = f"0 {IN}\n1 {IN}\n1 {OUT}"
    assert play(text, Toy((1004 * MS, UDP)), tolerance_us=None) is None
    late = play(text, Toy((1005 * MS, UDP)), tolerance_us=None)
    assert late is not None
    assert late.kind == "late"


def test_the_kernel_always_gets_the_scripts_own_tolerance() -> None:
    toy = Toy((4 * MS, UDP))
    toy.name = "kernel"
    assert play(f"0 {IN}\n0 {OUT}", toy) is None


def test_a_packet_that_came_before_its_line_is_early() -> None:
    failure = play(f"0 {IN}\n1 {IN}\n1 {OUT}", Toy((500 * MS, UDP)))
    assert failure is not None
    assert (failure.kind, failure.place.line, failure.event, failure.at) == ("early", 3, 2, 500 * MS)
    assert "came at .5, expected at 1" in failure.why


def test_a_late_packet_says_when_it_came() -> None:
    failure = play(f"0 {IN}\n.1 {OUT}", Toy((250 * MS, UDP)))
    assert failure is not None
    assert failure.fields[-1][:3] == ("time", ".1", ".25")


def test_a_packet_that_differs_and_is_late_says_both() -> None:
    failure = play(f"0 {IN}\n.1 > udp (11)", Toy((250 * MS, UDP)))
    assert failure is not None
    assert failure.kind == "packet"
    assert "(11)" in failure.why
    assert "came at .25" in failure.why


def test_missing_says_until_when_was_waited_and_for_what() -> None:
    failure = play(f"0 {IN}\n.1 {OUT}", Toy())
    assert failure is not None
    assert failure.kind == "missing"
    assert failure.why.startswith("nothing came by 2.1 where the script expects")


def test_an_event_whose_time_is_over_fails() -> None:
    failure = play(f"0 {IN}\n* {OUT}\n.1 {IN}", Toy((300 * MS, UDP)))
    assert failure is not None
    assert (failure.kind, failure.place.line) == ("late", 3)


def test_events_of_one_time_are_done_in_their_order() -> None:
    toy = Toy()
    assert play(f"0 listen(3, 1) = 0\n0 {IN}\n0 shutdown(3, SHUT_WR) = 0", toy) is None
    assert [it[0] if isinstance(it, tuple) else "packet" for _, it in toy.done[:3]] == ["listen", "packet", "shutdown"]


@pytest.mark.parametrize("text", ["0 < udp (5)\n* < udp (5)", "0 < udp (5)\n1~2 listen(3, 1) = 0"])
def test_any_time_and_ranges_are_for_outbound_packets_only(text: str) -> None:
    with pytest.raises(ScriptError):
        play(text, Toy())


# blocking calls


@pytest.mark.parametrize(
    ("when", "blocks", "kind"),
    [
        ("+0...0.3", 300, ""), ("+0...0.3", 299, "early"), ("+0...0.3", 301, "late"), ("+.1...0.3", 200, ""),
        (".1...0.3", 200, ""), (".1...0.3", 201, "late"), ("+0...0", 0, ""),
    ],
)  # fmt: skip
def test_a_blocking_call_returns_at_its_time(when: str, blocks: int, kind: str) -> None:
    """A relative start: the end counts from the same base."""
    toy = Toy(read=(blocks * MS, Result(10)))
    failure = play(f"0 {IN}\n{when} read(3, ..., 10) = 10", toy)
    assert (failure.kind if failure else "") == kind


@pytest.mark.parametrize(("blocks", "kind"), [(1125, ""), (875, ""), (1126, "late"), (874, "early")])
def test_its_tolerance_is_a_share_of_its_own_duration(blocks: int, kind: str) -> None:
    toy = Toy(read=(blocks * MS, Result(10)))
    failure = play(f"0 {IN}\n+0...1 read(3, ..., 10) = 10", toy, tolerance_us=None)
    assert (failure.kind if failure else "") == kind


def test_the_script_goes_on_while_a_call_blocks() -> None:
    toy = Toy((100 * MS, UDP), read=(300 * MS, Result(10)))
    assert play(f"0...0.3 read(3, ..., 10) = 10\n.1 {OUT}\n.2 {IN}\n.4 {IN}", toy) is None
    assert toy.times(bytes) == [200 * MS, 400 * MS]


def test_a_call_that_should_block_and_returns_at_once_is_early() -> None:
    failure = play("0...0.3 read(3, ..., 10) = 10", Toy(read=Result(10)))
    assert failure is not None
    assert failure.kind == "early"


def test_a_call_that_should_return_at_once_and_blocks_is_late() -> None:
    failure = play(f"0 read(3, ..., 10) = 10\n+1 {IN}", Toy(read=(5 * MS, Result(10))))
    assert failure is not None
    assert (failure.kind, failure.place.line, failure.at) == ("late", 1, 0)
    assert "at once" in failure.why


def test_a_call_may_return_within_its_tolerance_without_being_said_to_block() -> None:
    assert play("0 read(3, ..., 10) = 10", Toy(read=(3 * MS, Result(10))), tolerance_us=None) is None


def test_another_call_waits_up_to_a_second_for_the_one_that_blocks() -> None:
    toy = Toy(read=(1200 * MS, Result(10)))
    text = "0...1.2 read(3, ..., 10) = 10\n.2 listen(3, 1) = 0"
    assert play(text, toy, tolerance_us=1_000_000) is None
    assert toy.times("listen") == [1200 * MS]
    toy = Toy(read=(1201 * MS, Result(10)))
    failure = play(text, toy, tolerance_us=1_000_000)
    assert failure is not None
    assert (failure.kind, failure.place.line, failure.event) == ("late", 1, 0)
    assert "still blocks" in failure.why


def test_a_script_does_not_end_while_a_call_blocks() -> None:
    toy = Toy(read=(700 * MS, Result(10)))
    assert play("0...0.7 read(3, ..., 10) = 10", toy) is None
    assert toy.now == 700 * MS
    failure = play("0...0.7 read(3, ..., 10) = 10", Toy(read=(9000 * MS, Result(10))))
    assert failure is not None
    assert (failure.kind, failure.at) == ("late", 1000 * MS)


def test_what_a_blocking_call_returns_is_judged_at_its_line() -> None:
    failure = play(f"0...0.3 read(3, ..., 10) = 10\n1 {IN}", Toy(read=(300 * MS, Result(-1, 104))))
    assert failure is not None
    assert (failure.kind, failure.place.line, failure.at) == ("result", 1, 300 * MS)
    assert failure.why == "read(): expected 10, got -1 ECONNRESET"


def test_the_descriptor_of_a_blocking_accept_is_known_when_it_returned() -> None:
    toy = Toy(accept=(100 * MS, Result(7, 0, ("192.0.2.1", 40_001))))
    assert play("0...0.1 accept(3, ..., ...) = 4\n.2 write(4, ..., 5) = 0", toy) is None
    assert [it[1] for _, it in toy.done if it[0] == "write"] == [7]


# an end


def test_a_script_that_goes_on_for_ever_is_stopped_with_its_line() -> None:
    failure = play(f"0 {IN}\n1000000 {IN}", Toy())
    assert failure is not None
    assert (failure.kind, failure.place.line, failure.at) == ("endless", 2, 0)
    assert play(f"0 {IN}\n1000 {IN}", Toy()) is None


def test_behind_an_outbound_packet_times_count_from_when_it_came() -> None:
    """It came at 0.1, and the runner saw it when the call before it was done, at 0.15."""
    toy = Toy((100 * MS, UDP))
    toy.takes = 50 * MS
    text = f"0 {IN}\n.1 listen(3, 1) = 0\n.1 {OUT}\n+.2 {IN}\n.3 {IN}"
    assert play(text, toy, tolerance_us=60_000) is None
    assert toy.times(bytes) == [0, 300 * MS, 300 * MS]


def test_what_could_not_be_done_before_is_done_at_once() -> None:
    toy = Toy((100 * MS, UDP))
    toy.takes = 50 * MS
    text = f"0 {IN}\n.1 listen(3, 1) = 0\n.1 {OUT}\n+.01 {IN}"
    assert play(text, toy, tolerance_us=1) is None
    assert toy.times(bytes) == [0, 150 * MS]
