# SPDX-License-Identifier: GPL-2.0-or-later
"""Urgent data (RFC 9293 §3.8.5, RFC 6093), as Linux has it. The scenarios in scenarios/urgent have the calls."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tcp_script import Script, pattern

from labstack.tcp import recovery, urgent
from labstack.tcp.conn import FETCHED, HERE, SOON

Tcp = Callable[..., Script]


def test_the_pointer_stands_behind_the_urgent_byte(tcp: Tcp) -> None:
    """RFC 6093 §2.1: as everybody reads it."""
    s = tcp().passive()
    s.rx("UA", data=b"abcd", urg=2)
    assert s.conn.rcv.urgent == (HERE, s.irs + 2, b"b")
    assert s.call("recv", s.sock) == b"a"  # a read ends at the mark
    assert urgent.at_mark(s.conn.rcv)
    assert s.call("recv", s.sock) == b"cd"  # the urgent byte is out of line
    assert s.conn.rcv.urgent is None
    s.burst()


def test_rfc_1122_had_it_at_the_byte(tcp: Tcp) -> None:
    """tcp_stdurg = 1."""
    s = tcp(sysctl={"net.ipv4.tcp_stdurg": 1}).passive()
    s.rx("UA", data=b"abcd", urg=2)
    assert s.conn.rcv.urgent == (HERE, s.irs + 3, b"c")
    s.burst()


def test_in_line_the_byte_is_read_in_its_place(tcp: Tcp) -> None:
    """RFC 6093 §3.1, SO_OOBINLINE."""
    s = tcp().passive(oobinline=1)
    s.rx("UA", data=b"abcd", urg=2)
    assert [s.call("recv", s.sock), s.call("recv", s.sock)] == [b"a", b"bcd"]
    s.burst()


@pytest.mark.parametrize("inline", [0, 1])
def test_a_mark_of_data_that_waits_beyond_a_gap_is_missed(tcp: Tcp, inline: int) -> None:
    """Linux's tcp_check_urg: it looks into the segment that comes, not into those that have come."""
    s = tcp().passive(oobinline=inline)
    s.rx("A", seq=3, data=b"cd")
    s.rx("UA", seq=1, data=b"ab", urg=3)
    assert s.conn.rcv.urgent == (SOON, s.irs + 3, b"")
    assert s.call("recv", s.sock) == b"ab"
    assert s.call("recv", s.sock) == (b"cd" if inline else b"d")
    s.burst()


def test_an_older_pointer_says_nothing(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.4, sixth: RCV.UP is the greater of both."""
    s = tcp().passive()
    s.rx("UA", data=b"ab", urg=8)
    s.rx("UA", data=b"cd", urg=2)
    assert s.conn.rcv.urgent == (SOON, s.irs + 8, b"")
    s.rx("UA", seq=1, data=b"ab", urg=2)  # again, and behind RCV.NXT
    assert s.conn.rcv.urgent == (SOON, s.irs + 8, b"")
    s.burst()


def test_a_newer_pointer_takes_the_place_of_one_that_was_not_read(tcp: Tcp) -> None:
    """RFC 9293 §3.8.5: there is one mark; what was urgent before is in the stream now."""
    s = tcp().passive()
    s.rx("UA", data=b"ab", urg=2)
    s.rx("UA", data=b"cd", urg=2)
    assert s.conn.rcv.urgent == (HERE, s.irs + 4, b"d")
    assert s.call("recv", s.sock) == b"abc"
    s.burst()


def test_two_marks_in_a_row_both_leave_the_stream(tcp: Tcp) -> None:
    """Linux's tcp_check_urg, when the reader stands at the first."""
    s = tcp().passive()
    s.rx("UA", data=b"a", urg=1)
    s.conn.rcv.urgent = s.conn.rcv.urgent and s.conn.rcv.urgent._replace(state=FETCHED)
    s.rx("UA", data=b"b", urg=1)
    assert s.conn.rcv.queued == 1
    s.rx("A", data=b"c")
    assert s.call("recv", s.sock) == b"c"
    s.burst()


def test_urgent_segments_leave_one_by_one_and_nagle_has_no_say(tcp: Tcp) -> None:
    """RFC 9293 §3.8.5, MUST-31; Linux's tcp_nagle_test."""
    s = tcp(mtu=1500).passive(mss=1000)
    s.call("send", s.sock, b"x")
    s.tx("PA")
    s.stack.call("send", s.sock, pattern(0, 1500), now=s.now)
    urgent.mark(s.stack.env, s.conn)
    s.settle()
    told = [(seg.flags, seg.size, int.from_bytes(seg.raw[38:40], "big")) for seg in s.burst()]
    assert told == [("AU", 1000, 1500), ("PAU", 500, 500)]
    s.rx("A", ack=1502)
    s.call("send", s.sock, b"y")
    s.tx("PA")


def test_the_pointer_of_a_syn_counts_the_syn(tcp: Tcp) -> None:
    """RFC 9293 §3.1: an offset from the sequence number in this segment; the text begins behind the SYN."""
    s = tcp()
    s.connect()
    s.tx("S")
    s.rx("SUA", mss=1460, urg=3)
    assert s.conn.rcv.urgent == (SOON, s.irs + 2, b"")
    s.burst()


def test_a_syn_ack_says_nothing_of_urgent_data(tcp: Tcp) -> None:
    """Linux's tcp_make_synack: not even if Fast Open has let the application write some."""
    s = tcp(sysctl={"net.ipv4.tcp_fastopen": 0x602})
    s.listen()
    s.any_window = True
    s.rx("S", data=b"hello", mss=1460)
    s.tx("SA")
    s.accept()
    s.stack.call("send", s.sock, b"x", now=s.now)
    urgent.mark(s.stack.env, s.conn)
    s.settle()
    s.tx("PAU")
    s.tx("SA", after=1000)


def test_each_segment_that_is_sent_again_has_a_pointer_of_its_own(tcp: Tcp) -> None:
    """RFC 9293 §3.8.5: no super-segments, whose cuts would all have that of the first."""
    s = tcp(gso=65_535).passive(mss=1000)
    s.stack.call("send", s.sock, pattern(0, 3000), now=s.now)
    urgent.mark(s.stack.env, s.conn)
    s.settle()
    assert [seg.size for seg in s.burst()] == [1000, 1000, 1000]
    s.conn.snd.fits = s.conn.snd.mss = s.conn.snd.clamp = 300
    recovery.simple_retransmit(s.stack.env, s.conn)
    s.stack.env.dirty[s.sock] = None
    s.settle()
    sent = [(seg.seq, int.from_bytes(seg.raw[38:40], "big")) for seg in s.burst()]
    assert len(sent) == 10
    assert {seq + pointer for seq, pointer in sent} == {3001}


@given(st.lists(st.tuples(st.integers(-3, 30), st.integers(0, 12), st.integers(0, 20), st.booleans()), max_size=12))
def test_whatever_the_pointers_say_the_stream_loses_urgent_bytes_only(steps: list[tuple[int, int, int, bool]]) -> None:
    """RFC 9293 §3.8.5: each byte is read once, in its order, or was one that a pointer named."""
    s = Script(tracing=False).passive()
    got = b""
    for at, size, pointer, reads in steps:
        s.rx("UA" if pointer else "A", seq=1 + max(at, 0), data=pattern(max(at, 0), size), urg=pointer)
        if reads and s.conn.rcv.queued:
            got += b"".join(s.call("take", s.sock, 5)) if s.conn.rcv.queued else b""
        s.burst()
    while s.conn.rcv.queued:
        got += b"".join(_read(s))
    whole = pattern(0, 64)
    at = 0
    for byte in got:
        at = whole.index(byte, at) + 1


def _read(s: Script) -> list[bytes]:
    try:
        return [bytes(piece) for piece in s.call("take", s.sock, 5)]
    except OSError:
        return []
