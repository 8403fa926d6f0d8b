# SPDX-License-Identifier: GPL-2.0-or-later
"""show: what it writes says what the Script says, is aligned, and fits the page."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labstack.packetdrill import expressions, icmp, symbols
from labstack.packetdrill.parser import parse
from labstack.packetdrill.printer import expression, packet, seconds, show, syscall
from labstack.packetdrill.script import (
    ANY,
    Apply,
    Array,
    Braces,
    Code,
    Command,
    Event,
    Expr,
    Field,
    Icmp,
    Ip,
    Note,
    Number,
    Option,
    Packet,
    Place,
    Quote,
    Script,
    Symbol,
    Syscall,
    Tcp,
    Text,
    Udp,
    Union,
    When,
)  # fmt: skip
from labstack.packetdrill.tcpoptions import ROWS

NOWHERE = Place("", 0, 0)
ZERO = st.just(0)
U8, U16, U24, U32 = (st.integers(0, (1 << bits) - 1) for bits in (8, 16, 24, 32))

FULL = """\
// What the script shows,
// in two lines.

// covers: MUST-10 SEC-1
// xfail lab: not yet

--ip_version=ipv4
--non_fatal=packet,syscall
--define="A=b c"

`sysctl -q net.ipv4.tcp_sack=0`

       0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
      +0 fcntl(3, F_GETFL) = 0x2 (flags O_RDWR)
      +0 setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0
+0...0.3 connect(3, ..., ...) = -1 ECONNREFUSED (nobody listens)
      +0 < S. 0:0(0) ack 1 win 1000 <mss 1000,nop,nop,TS val 1 ecr 2,FO 00ff,sack 1:2,nop,nop>
"""


def bare(script: Script) -> Script:
    """A script without its places."""

    def event(value: Event) -> Event:
        action = value.action._replace(line=0) if isinstance(value.action, Code) else value.action
        return Event(NOWHERE, value.when, action)

    notes = tuple(note._replace(place=NOWHERE) for note in script.notes)
    init, cleanup = (it and it._replace(line=0) for it in (script.init, script.cleanup))
    return script._replace(file="", events=tuple(map(event, script.events)), notes=notes, init=init, cleanup=cleanup)


def again(script: Script) -> Script:
    return bare(parse(show(script)))


# what a script can say, as strategies


def some(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def hexed() -> st.SearchStrategy[bytes]:
    return st.binary(min_size=1, max_size=16)


@st.composite
def tcp_options(draw: st.DrawFn) -> tuple[Option, ...]:
    one = st.one_of(
        st.sampled_from([Option("nop"), Option("eol"), Option("sackOK"), Option("FO"), Option("FOEXP"), Option("md5")]),
        st.builds(lambda n: Option("mss", (n,)), U16),
        st.builds(lambda n: Option("wscale", (n,)), U8),
        st.builds(lambda a, b: Option("TS", (a, b)), U32, U32),
        st.builds(lambda a: Option("sack", tuple(a)), st.lists(U32, max_size=8).filter(lambda a: len(a) % 2 == 0)),
        st.builds(lambda name, data: Option(name, (data,)), st.sampled_from(["FO", "FOEXP", "md5"]), hexed()),
        st.builds(lambda a, b: Option("ECN", ("e1b", a, "ceb", b)), U24, U24),
    )
    found, room = [], 40
    for option in draw(st.lists(one, max_size=4)):
        size = ROWS[option.name].size(option.values)
        if size <= room:
            found.append(option)
            room -= size
    return (*found, *[Option("nop")] * (room % 4))


@st.composite
def segments(draw: st.DrawFn, inbound: bool) -> Tcp:
    ace = draw(some(st.integers(0, 7)))
    letters = draw(st.sets(st.sampled_from("FSRP.U" if ace is not None else "FSRP.EWAU")))
    options = draw(tcp_options() if inbound else some(tcp_options()))
    return Tcp(
        "".join(c for c in "FSRP.EWAU" if c in letters), draw(U32), draw(U16), draw(some(U32)),
        draw(U16 if inbound else some(U16)), draw(some(U16)), options, ace,
    )  # fmt: skip


@st.composite
def messages(draw: st.DrawFn) -> Icmp:
    kind = draw(st.sampled_from(icmp.NAMES) | U8)
    names = icmp.codes(kind) if isinstance(kind, str) else ()
    code = draw(some(st.sampled_from(names) | U8 if names else U8))
    quote = st.builds(Quote, st.just("tcp"), U32, U16) | st.builds(Quote, st.sampled_from(("udp", "raw")), ZERO, U16)
    queries = not isinstance(kind, str) or kind in icmp.QUERIES
    return Icmp(
        kind, code, draw(some(U32)) if icmp.has_mtu(kind, code) else None, draw(some(U16)) if queries else None,
        draw(some(quote)),
    )  # fmt: skip


@st.composite
def packets(draw: st.DrawFn, inbound: bool) -> Packet:
    ecn = ["noecn", "ect0", "ect1", "ce"] + ([] if inbound else ["ect01"])
    marks = draw(st.sampled_from([(mark, None) for mark in [None, *ecn]]) | st.tuples(st.none(), U8))
    ip = Ip(*marks, draw(some(U8)), draw(some(st.integers(0, 0xFFFFF))))
    body = draw(segments(inbound) | st.builds(Udp, U16) | messages())
    return Packet(inbound, body, ip, draw(some(st.tuples(U16, U16))))


numbers = st.builds(Number, st.integers(-(1 << 63), (1 << 64) - 1), st.just(10)) | st.builds(
    Number, st.integers(0, (1 << 64) - 1), st.just(16)
)
names = st.builds(Symbol, st.sampled_from(sorted(symbols.VALUES)) | st.just("NULL"))
leaves: st.SearchStrategy[Expr] = st.one_of(
    st.just(ANY),
    numbers,
    names,
    st.builds(Text, st.binary(max_size=20)),
    st.builds(lambda parts: Union(tuple(parts)), st.lists(names | numbers, min_size=2, max_size=9)),
    st.builds(lambda n: Apply("htons", (n,)), numbers),
    st.builds(lambda text: Apply("inet_addr", (Text(text),)), st.binary(max_size=9)),
)


def containers(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    fields = st.builds(Field, st.sampled_from(sorted(expressions.KEYS)), inner, st.lists(inner, max_size=2).map(tuple))
    return st.builds(lambda items: Array(tuple(items)), st.lists(inner, max_size=4)) | st.builds(
        lambda items: Braces(tuple(items)), st.lists(inner | fields, max_size=4)
    )


arguments = st.recursive(leaves, containers, max_leaves=12)


@st.composite
def calls(draw: st.DrawFn) -> Syscall:
    name = draw(st.sampled_from(sorted(expressions.CALLS)))
    args = tuple(draw(arguments) for _ in expressions.CALLS[name].split(", "))
    errno = draw(some(st.sampled_from(sorted(symbols.GROUPS["errno"]))))
    note = draw(st.sampled_from(["", "some words", "one) (two", "it's"]))
    return Syscall(name, args, draw(numbers), errno, note, None)


def plain(without: str) -> st.SearchStrategy[str]:
    return st.text(st.characters(codec="utf-8", exclude_characters=without), max_size=20)


@st.composite
def events(draw: st.DrawFn) -> Event:
    at, more = draw(st.integers(0, 10**12)), draw(st.integers(0, 10**10))
    when = draw(st.sampled_from([When("relative", at), When("any"), When("relative range", at, at + more)]))
    if when.kind != "relative":
        return Event(NOWHERE, when, draw(packets(inbound=False)))
    call = calls().map(lambda call: call._replace(end=at + more)) | calls()
    code = plain("}").map(str.strip).map(Code)
    action = draw(call | packets(inbound=True) | packets(inbound=False) | plain("`").map(Command) | code)
    return Event(NOWHERE, when, action)


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    first = Event(NOWHERE, When("absolute"), draw(calls() | packets(inbound=True)))
    keys, values = st.sampled_from(["covers", "wait", "profile"]), st.sampled_from(["a", "b: c"])
    notes = st.builds(Note, keys, values, st.just(NOWHERE))
    options = st.sampled_from([("mtu", "1500"), ("strict_segments", ""), ("define", "X1=a b"), ("local_ip", "fd::1")])
    command = some(plain("`").map(Command))
    about = st.lists(st.sampled_from(["One.", "  Two.", "Three"]), max_size=3).map("\n".join)
    return Script(
        "", (first, *draw(st.lists(events(), max_size=4))), tuple(draw(st.lists(options, max_size=3))), draw(command),
        draw(command), tuple(draw(st.lists(notes, max_size=2))), draw(about),
    )  # fmt: skip


@given(scripts())
def test_what_is_shown_says_the_same(script: Script) -> None:
    assert again(script) == script


@given(arguments)
def test_a_call_says_the_same_however_it_is_broken(value: Expr) -> None:
    text = syscall(Syscall("close", (value,), Number(0)), 60)
    (event,) = parse(f"0 {text}").events
    assert isinstance(event.action, Syscall)
    assert event.action.args == (value,)


def test_a_whole_script_is_shown_as_a_person_would_write_it() -> None:
    assert show(parse(FULL)) == FULL


def test_times_stand_in_a_column() -> None:
    script = parse("0 close(3) = 0\n+.5~+.6 > . 1:1(0)\n* > . 1:1(0)\n1 close(3) = 0")
    assert show(script) == (
        "      0 close(3) = 0\n"
        "+.5~+.6 > . 1:1(0)\n"
        "      * > . 1:1(0)\n"
        "      1 close(3) = 0\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ns", "text"),
    [(0, "0"), (10**9, "1"), (10**10, "10"), (10**7, ".01"), (1, ".000000001"), (1_500_000_000, "1.5")],
)
def test_times_have_no_needless_zeros(ns: int, text: str) -> None:
    assert seconds(ns) == text


def test_control_data_stand_below_each_other() -> None:
    text = """\
   +0 recvmsg(3,
              {msg_name(...)=...,
               msg_iov(1)=[{..., 0}],
               msg_flags=MSG_ERRQUEUE,
               msg_control=[{cmsg_level=SOL_SOCKET,
                             cmsg_type=SCM_TIMESTAMPING,
                             cmsg_data={scm_sec=0, scm_nsec=20000000}},
                            {cmsg_level=SOL_IP,
                             cmsg_type=IP_RECVERR,
                             cmsg_data={ee_errno=ENOMSG, ee_origin=4, ee_info=1}}]},
              0) = 0
"""
    assert show(parse(text)) == text


def test_code_of_several_lines_stands_between_its_marks() -> None:
    assert show(parse("0 close(3) = 0 +0 %{a = 1\nb = 2}%")).endswith("+0 %{\na = 1\nb = 2\n}%\n")


def test_parts_can_be_shown_alone() -> None:
    syn = Packet(True, Tcp("S", 0, 0, win=9), Ip("ect0", flowlabel=1), (1, 2))
    assert packet(syn) == "< [ect0, flowlabel 0x00001] 1>2 S 0:0(0) win 9"
    assert expression(Union((Symbol("O_RDWR"), Number(8, 16)))) == "O_RDWR|0x8"


@pytest.mark.parametrize(
    "action",
    [
        Command("a`b"),
        Code("a}%b"),
        Packet(False, Tcp("", 0, 0, options=(Option("kind 77", (b"",)),))),
    ],
)
def test_what_the_language_cannot_say_is_an_error(action: Any) -> None:
    with pytest.raises(ValueError, match="has"):
        show(Script("", (Event(NOWHERE, When("absolute"), action),)))
