# SPDX-License-Identifier: GPL-2.0-or-later
"""System calls in Python scenarios: what they must give, which must block, and how a difference is told."""

from typing import Any

import pytest
from play_toy import parted, play, udp

from labstack.scenario import ANY
from labstack.scenario.target import Result
from labstack.scenario.verdict import PlayError
from layers import UDP

EAGAIN, ECONNREFUSED = 11, 111


def test_a_call_gives_what_it_hands_back_or_else_its_result() -> None:
    t = play(read=Result(2, 0, b"hi"), write=Result(5), recvfrom=Result(1, 0, (b"x", ("192.168.0.2", 9))))
    assert t.call("read", 3, 10) == b"hi"
    assert t.call("write", 3, b"hello") == 5
    assert t.call("recvfrom", 3, 10) == (b"x", ("192.168.0.2", 9))


def test_accept_gives_a_descriptor_and_not_the_address() -> None:
    t = play(accept=Result(4, 0, ("192.168.0.2", 9)))
    fd = t.call("accept", 3)
    assert fd == 4
    fd.send(b"x")
    assert t.target.made[-1] == ("send", 4, b"x", 0)


def test_a_call_that_fails_unasked_or_otherwise_is_a_failure() -> None:
    t = play(connect=Result(-1, ECONNREFUSED))
    t.call("connect", 3, ("192.168.0.2", 9), fails="ECONNREFUSED")
    with parted("errno", r"connect\(3, \('192.168.0.2', 9\)\) failed with ECONNREFUSED"):
        t.call("connect", 3, ("192.168.0.2", 9))
    with parted("errno", "should fail with EINPROGRESS: ECONNREFUSED") as caught:
        t.call("connect", 3, ("192.168.0.2", 9), fails="EINPROGRESS")
    assert caught.value.fields[1][:3] == ("errno", "EINPROGRESS", "ECONNREFUSED")
    with parted("errno", "should fail with EAGAIN: it returned 0"):
        t.call("listen", 3, 1, fails="EAGAIN")


def test_a_value_must_be_what_was_said() -> None:
    t = play(recv=Result(2, 0, b"hi"), send=Result(3))
    t.call("recv", 3, 10, returns=b"hi")
    t.call("recv", 3, 10, returns=ANY)
    with parted("data", r"recv\(3, 10\) gave b'hi'"):
        t.call("recv", 3, 10, returns=b"ho")
    with parted("result", "gave 3") as caught:
        t.call("send", 3, b"hello", returns=range(4, 6))
    assert caught.value.fields[0][:3] == ("result", "4..5", "3")


def test_nothing_at_all_can_be_what_must_be_returned() -> None:
    t = play(recv=Result(2, 0, b"hi"))
    with parted("data"):
        t.call("recv", 3, 10, returns=b"")


def test_an_errno_that_does_not_exist_is_told() -> None:
    with pytest.raises(PlayError, match="'EWHAT' is no word"):
        play().call("listen", 3, 1, fails="EWHAT")


def test_a_call_must_not_block_unless_it_is_said_and_then_it_must() -> None:
    t = play(recv=(5, Result(1, 0, b"x")))
    with parted("result", r"recv\(3, 10\) blocks; t.blocking\('recv', ...\) can wait for it"):
        t.call("recv", 3, 10)
    with parted("result", r"listen\(3, 1\) should block: it gave 0"):
        t.blocking("listen", 3, 1)


def test_what_blocks_returns_later_and_packets_meanwhile_are_kept() -> None:
    t = play((2, udp(b"x")), recv=(5, Result(1, 0, b"x")))
    recv = t.blocking("recv", 3, 10)
    recv.blocks()
    assert not recv.done
    assert recv.returns(b"x", within="1s") == b"x"
    assert (t.now, recv.done) == (0.005, True)
    t.expect(UDP, at=0.002)
    t.quiet()


def test_what_blocks_too_long_or_returns_something_else_is_a_failure() -> None:
    t = play(recv=(5, Result(-1, EAGAIN)))
    recv = t.blocking("recv", 3, 10)
    with parted("result", r"recv\(3, 10\) still blocks"):
        recv.returns(within="4ms")
    with parted("errno", "failed with EAGAIN"):
        recv.returns(within="1ms")
    recv.fails("EAGAIN")
    with parted("result", "has returned, and should block"):
        recv.blocks()


def test_what_blocks_must_be_asked_for_before_the_end() -> None:
    t = play(recv=(5, Result(0)))
    recv = t.blocking("recv", 3, 10)
    with parted("result", "was never asked for"):
        t.quiet()
    recv.returns()
    t.quiet()


def test_sockets_are_of_the_family_and_their_addresses_too() -> None:
    def made(ip: str) -> list[Any]:
        t = play(socket=Result(3), ip=ip)
        s = t.socket("dgram")
        s.bind(9)
        s.connect(7)
        s.connect(("198.51.100.1", 5))
        return list(t.target.made)

    assert made("ipv4") == [
        ("socket", 2, 2, 0),
        ("bind", 3, ("192.168.0.1", 9)),
        ("connect", 3, ("192.168.0.2", 7)),
        ("connect", 3, ("198.51.100.1", 5)),
    ]
    assert made("ipv6")[:2] == [("socket", 10, 2, 0), ("bind", 3, ("fd3d:a0b:17d6::1", 9))]
    assert made("ipv4-mapped-ipv6")[1:] == [
        ("bind", 3, ("::ffff:192.168.0.1", 9)),
        ("connect", 3, ("::ffff:192.168.0.2", 7)),
        ("connect", 3, ("::ffff:198.51.100.1", 5)),
    ]


def test_options_may_be_given_by_linuxs_words() -> None:
    t = play(socket=Result(3), getsockopt=Result(0, 0, (111).to_bytes(4, "little")))
    s = t.socket()
    s.setsockopt("IPPROTO_TCP", "TCP_NODELAY", 1)
    assert s.error() == "ECONNREFUSED"
    assert t.target.made[1:] == [("setsockopt", 3, 6, 1, b"\1\0\0\0"), ("getsockopt", 3, 1, 4, 4)]
    with pytest.raises(PlayError, match="'TCP_WHAT' is no word"):
        s.setsockopt("IPPROTO_TCP", "TCP_WHAT", 1)


def test_descriptors_in_lists_are_plain_numbers() -> None:
    t = play(socket=Result(3), poll=Result(0, 0, [0]))
    t.call("poll", [(t.socket(), 1)], 0)
    assert all(type(fd) is int for fd, _ in t.target.made[-1][1])


def test_counters_must_grow_by_so_many_inside() -> None:
    t = play()
    with t.counts(UdpNoPorts=7, Other=0):
        t.sleep("7ms")
    with parted("data", "UdpNoPorts: expected 8, got 1"), t.counts(UdpNoPorts=8):
        t.sleep("1ms")


def test_what_the_host_does_not_have_is_refused_by_name() -> None:
    with parted("refused", "no net.x here"):
        play().sysctl("net.x")


def test_a_check_says_its_sentence() -> None:
    t = play()
    t.check(1 < 2, "one is less than two")
    with parted("code", "this does not hold: two is less than one"):
        t.check(2 < 1, "two is less than one")


def test_info_is_by_name() -> None:
    assert play().info(7) == {"fd": 7}
