# SPDX-License-Identifier: GPL-2.0-or-later
"""Scripts as a whole: times, options, commands, code, comments, and how errors look."""

import pickle

import pytest

from labstack.packetdrill import options
from labstack.packetdrill.parser import parse
from labstack.packetdrill.script import (
    Code,
    Command,
    Event,
    Note,
    Place,
    RefusedError,
    Script,
    ScriptError,
    Syscall,
    When,
)  # fmt: skip

MS = 1_000_000
ZERO = "0 close(3) = 0\n"


def error(text: str) -> ScriptError:
    with pytest.raises(ScriptError) as caught:
        parse(text, "a.pkt")
    return caught.value


def second(text: str) -> Event:
    """The event that `text` says, behind one at time 0."""
    return parse(ZERO + text).events[1]


def test_a_script_has_options_commands_and_events() -> None:
    script = parse("--mtu=1400\n`before`\n0 `now`\n+.1 %{ print(1) }%\n`after`\n", "a.pkt")
    assert script == Script(
        "a.pkt",
        (
            Event(Place("a.pkt", 3, 1), When("absolute", 0), Command("now")),
            Event(Place("a.pkt", 4, 1), When("relative", 100 * MS), Code("print(1)", 4)),
        ),
        (("mtu", "1400"),),
        Command("before", 2),
        Command("after", 5),
    )


# times


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("1.5 > . 1:1(0)", When("absolute", 1500 * MS)),
        ("2 > . 1:1(0)", When("absolute", 2000 * MS)),
        ("+0 > . 1:1(0)", When("relative", 0)),
        ("+.01 > . 1:1(0)", When("relative", 10 * MS)),
        ("+ 0.000000001 > . 1:1(0)", When("relative", 1)),
        ("+0.0000000015 > . 1:1(0)", When("relative", 2)),
        ("* > . 1:1(0)", When("any")),
        ("1~1.2 > . 1:1(0)", When("range", 1000 * MS, 1200 * MS)),
        ("+.1~+.2 > . 1:1(0)", When("relative range", 100 * MS, 200 * MS)),
        ("1~1 > . 1:1(0)", When("range", 1000 * MS, 1000 * MS)),
    ],
)
def test_times_have_five_forms(text: str, when: When) -> None:
    assert second(text).when == when


@pytest.mark.parametrize("text", ["1...1.3 close(3) = 0", "1 ... 1.3 close(3) = 0"])
def test_a_blocking_call_says_when_it_returns(text: str) -> None:
    event = second(text)
    assert event.when == When("absolute", 1000 * MS)
    assert isinstance(event.action, Syscall)
    assert event.action.end == 1300 * MS


def test_the_end_of_a_relative_blocking_call_counts_from_the_same_base_as_its_start() -> None:
    action = second("+.1...0.3 close(3) = 0").action
    assert isinstance(action, Syscall)
    assert action.end == 300 * MS


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "found the end of the script, expected a time"),
        ("1 close(3) = 0", "found the time '1' of the first event, expected 0 or +0"),
        ("* > . 1:1(0)", "found the time '*' of the first event, expected 0 or +0"),
        ("0~1 > . 1:1(0)", "found the time '0~1' of the first event, expected 0 or +0"),
        ("close(3) = 0", "found 'close', expected a time"),
        ("-1 close(3) = 0", "found number -1, expected a time"),
        ("0", "found the end of the script, expected '<' or '>' and a packet, a system call"),
        ("0 5 close(3) = 0", "found number 5, expected '<' or '>' and a packet"),
        (ZERO + "2 close(3) = 0\n1.9 close(3) = 0", "found the time '1.9', which is before the event of line 2"),
        (ZERO + "1~.5 > . 1:1(0)", "found the range '1~.5', which ends before it begins"),
        (ZERO + "+1~+.5 > . 1:1(0)", "found the range '+1~+.5', which ends before it begins"),
        (ZERO + "+1~2 > . 1:1(0)", "found number 2, expected '+'"),
        (ZERO + "1~+2 > . 1:1(0)", "found '+', expected the end of the range"),
        (ZERO + "* close(3) = 0", "found any time (*), which only packets that are expected"),
        (ZERO + "1~2 < . 1:1(0) win 1", "found a range of times, which only packets that are expected"),
        (ZERO + "1~2 `x`", "found a range of times, which only packets that are expected"),
        (ZERO + "2...1 close(3) = 0", "found the times '2...1' of a call that returns before it begins"),
        (ZERO + "1...2 > . 1:1(0)", "found '>', expected a system call (only calls have an end time)"),
        (ZERO + "1...+2 close(3) = 0", "found '+', expected the time at which the call returns"),
        (ZERO + "9223372037 close(3) = 0", "found number 9223372037, expected a time before 9223372036 seconds"),
        (ZERO + "`a` `b`", "found command '`b`', expected the end of the script, behind the last command"),
        (ZERO + "`a`\n+0 close(3) = 0", "found '+', expected the end of the script, behind the last command"),
        ("`a` `b`" + ZERO, "found command '`b`', expected a time"),
        (ZERO + "--mtu=1500", "found option '--mtu=1500', expected a time"),
    ],
)
def test_times_and_the_order_of_things_are_judged(text: str, why: str) -> None:
    assert error(text).why.startswith(why)


def test_absolute_times_may_go_backwards_when_something_relative_is_between() -> None:
    assert len(parse(ZERO + "2 close(3) = 0 +0 close(3) = 0 1 close(3) = 0").events) == 4


def test_newlines_mean_nothing() -> None:
    assert len(parse("0 close\n(3) =\n0 +0 close(3) = 0 +0\n> . 1:1(0)").events) == 3


def test_an_events_place_is_that_of_its_time() -> None:
    assert parse(ZERO + "  +0\n close(3) = 0").events[1].place == ("<script>", 2, 3)


def test_code_knows_the_line_of_its_first_character() -> None:
    assert second("+0 %{\n\n  a = 1\nb = 2\n }%").action == Code("a = 1\nb = 2", 4)


# options


def test_options_are_kept_as_written() -> None:
    text = '--ip_version=ipv6 --local_ip=fd::1\n--strict_segments --remote_ip="192.0.2.1/24" --tolerance_percent=.5\n'
    assert parse(text + ZERO).options == (
        ("ip_version", "ipv6"), ("local_ip", "fd::1"), ("strict_segments", ""), ("remote_ip", "192.0.2.1/24"),
        ("tolerance_percent", ".5"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("--mtv=1500", "found the unknown option '--mtv', expected ip_version, local_ip,"),
        ("--mtu=15OO", "found '--mtu=15OO', expected a number from 68 to 65535"),
        ("--mtu", "found '--mtu=', expected a number from 68 to 65535"),
        ("--mtu=\u00b2", "found '--mtu=\u00b2', expected a number from 68 to 65535"),
        ("--strict_segments=1", "found '--strict_segments=1', expected no value"),
        ("--ip_version=ipv5", "found '--ip_version=ipv5', expected ipv4 or ipv6 or ipv4-mapped-ipv6"),
        ("--local_ip=192.0.2", "found '--local_ip=192.0.2', expected an address, perhaps with a prefix length"),
        ("--local_ip=::/129", "found '--local_ip=::/129', expected an address, perhaps with a prefix length"),
        ("--local_ip=" + "1:" * 30, "found '--local_ip=1:1:1:1:1:1:1:1:1:1:1:1:1:1:1...', expected an address"),
        ("--netmask_ip=255.0.255.0", "found '--netmask_ip=255.0.255.0', expected a netmask such as 255.255.0.0"),
        ("--tolerance_percent=1.2.3", "found '--tolerance_percent=1.2.3', expected a number from 0 to 100"),
        ("--non_fatal=all", "found '--non_fatal=all', expected packet or syscall"),
        ("--define=A", "found '--define=A', expected SYMBOL=value"),
        ("--code_command=perl", "found '--code_command=perl', expected python, which is what code blocks are"),
    ],
)
def test_an_unknown_option_or_a_wrong_value_is_an_error_at_its_place(text: str, why: str) -> None:
    caught = error("\n " + text + "\n" + ZERO)
    assert caught.place == ("a.pkt", 2, 2)
    assert caught.why.startswith(why)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("psp_udp_port", "PSP"),
        ("wire_server", "running over a wire"),
        ("so_filename", "a stack in a shared object"),
        ("speed", "a link speed"),
        ("init_scripts", "running other scripts first"),
        ("is_anyip", "an address that is not configured"),
    ],
)
def test_unsupported_options_are_refused_by_name(name: str, what: str) -> None:
    caught = error(f"--{name}=1\n{ZERO}")
    assert isinstance(caught, RefusedError)
    assert str(caught) == f"a.pkt:1:1: {what} (option --{name}) is not supported"


def test_the_defaults_are_those_of_packetdrill() -> None:
    assert options.defaults() == {
        "ip_version": "ipv4", "bind_port": 8080, "connect_port": 8080, "mtu": 1500, "mss": 0, "tolerance_usecs": 4000,
        "tolerance_percent": 12.5, "tcp_ts_tick_usecs": 0, "non_fatal": frozenset(), "code_command": "python",
        "code_format": "python", "code_sockopt": "",
    }  # fmt: skip


def test_values_of_options_are_read_by_their_kind() -> None:
    place = Place("command line", 1, 1)
    assert options.read("strict_segments", "", place) is True
    assert options.read("non_fatal", "packet,syscall", place) == {"packet", "syscall"}
    assert options.read("define", "A=b=c", place) == ("A", "b=c")
    assert options.read("tolerance_percent", "0.5", place) == 0.5


# comments


def test_notes_are_comments_of_their_own_line() -> None:
    text = (
        "// covers: MUST-10 SEC-1\n//wait:SACK\n" + ZERO.strip() + " // ip: ipv4\n"
        "  // xfail lab: not yet: see there\n// profile : plain  \n// target: lab\n// note: nothing\n"
    )
    assert parse(text, "a.pkt").notes == (
        Note("covers", "MUST-10 SEC-1", Place("a.pkt", 1, 1)),
        Note("wait", "SACK", Place("a.pkt", 2, 1)),
        Note("xfail", "lab: not yet: see there", Place("a.pkt", 4, 3)),
        Note("profile", "plain", Place("a.pkt", 5, 1)),
        Note("target", "lab", Place("a.pkt", 6, 1)),
    )


@pytest.mark.parametrize(
    ("note", "why"),
    [
        ("target: moon", "found 'moon', expected target: lab or kernel"),
        ("ip: ipv4, ipv5", "found 'ipv5', expected ip: ipv4, ipv6 or ipv4-mapped-ipv6"),
        ("judge: me", "found 'me', expected judge: invariants"),
    ],
)
def test_a_note_that_says_what_there_is_not_is_an_error(note: str, why: str) -> None:
    assert str(error(f"\n// {note}\n{ZERO}")) == f"a.pkt:2:1: {why}"


@pytest.mark.parametrize("text", ["// xfail: why", "// xfail lab:", "// xfail windows: why"])
def test_an_xfail_without_its_target_or_reason_is_an_error(text: str) -> None:
    why = "found an xfail without target or reason, expected // xfail lab: why"
    assert error(text + "\n" + ZERO).why.startswith(why)


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("// One.\n//\n//   Two.\n\n// Three.\n", "One.\n\n  Two."),
        ("// covers: MUST-1\n// One.\n// wait: SACK\n// Two.\n", "One.\nTwo."),
        ("// covers: MUST-1\n\n// One.\n", "One."),
        ("// SPDX-License-Identifier: X\n// One.\n", "One."),
        ("// SPDX-License-Identifier: X\n\n// One.\n", "One."),
        ("--mtu=1500\n`x` // One.\n", "One."),
        ("/* One.\n * Two. */\n// Three.\n", "One.\nTwo."),
        ("//\n\n// One.\n", "One."),
        ("", ""),
        ("0 close(3) = 0\n// One.\n+", ""),
    ],
)
def test_the_first_comment_before_the_events_says_what_the_script_is_about(text: str, about: str) -> None:
    assert parse(text + ZERO).about == about


# errors


def test_an_error_says_where_it_is_and_what_was_found() -> None:
    caught = error(ZERO + "\t+0 > . 1:1(0) ack 1 wim 5\n+0 close(3) = 0")
    assert str(caught) == "a.pkt:2:22: found 'wim', expected a time such as 1.5, +0.1 or *"


def test_what_cannot_be_printed_is_shown_in_escapes() -> None:
    caught = error("0 \x00\x1b")
    assert caught.why.startswith(r"found '\x00', expected")
    assert str(caught).isascii()
    assert str(caught).isprintable()


def test_long_tokens_are_cut_in_messages() -> None:
    assert len(error("0 " + "x" * 10000).why) < 500


@pytest.mark.parametrize("text", ["0 x", "0 < mpls"])
def test_errors_go_through_pickle_for_whoever_parses_in_another_process(text: str) -> None:
    caught = error(text)
    again = pickle.loads(pickle.dumps(caught))
    assert (type(again), str(again), again.place) == (type(caught), str(caught), caught.place)
