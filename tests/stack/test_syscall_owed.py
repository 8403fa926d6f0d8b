# SPDX-License-Identifier: GPL-2.0-or-later
"""What a socket hears of bytes that it wrote: times of transmission, and memory that is free again.

The wire's side of it, on our stack and on Linux, is in scenarios/api.
"""

import errno
import struct
from typing import Any

import pytest
from wire_peer import SOL_SOCKET, SYSCTLS, Peer, i32

from labstack.scenario.calls import Calls
from labstack.stack.syscall.owed import MSG_ZEROCOPY, OPT_ID, OPT_ID_TCP, OPT_TSONLY, SOFTWARE, TX_ACK, TX_SOFTWARE

SO_TIMESTAMPING, SO_ZEROCOPY, MSG_ERRQUEUE = 37, 60, 0x2000


def connected() -> tuple[Peer, int]:
    peer = Peer(Calls(sysctls=SYSCTLS))
    return peer, peer.passive()


def entries(peer: Peer, fd: int) -> list[Any]:
    """(data, level, struct sock_extended_err or times) of everything in the error queue."""
    found = []
    while (back := peer.target.recvmsg(fd, [100], MSG_ERRQUEUE)).result >= 0:
        data, _, _, control = back.data
        found.append((data, [(level, kind, raw) for level, kind, raw in control]))
    assert back.errno == errno.EAGAIN
    return found


def written(wanted: int, *texts: bytes) -> tuple[Peer, int]:
    """A connection that wants so much to be told of what it wrote; the peer has acknowledged it."""
    peer, fd = connected()
    peer.call("setsockopt", fd, SOL_SOCKET, SO_TIMESTAMPING, i32(wanted))
    for text in texts:
        peer.call("send", fd, text, 0)
    peer.quiet(10)
    peer.rx("A", seq=1, ack=1 + sum(map(len, texts)))
    return peer, fd


def numbers(found: list[Any]) -> list[tuple[int, ...]]:
    """(errno, origin, type, code, info, data) of each."""
    return [struct.unpack_from("<IBBBxII", control[-1][2]) for _, control in found]


def test_without_the_flag_that_it_is_wanted_there_is_no_time_but_the_entry() -> None:
    peer, fd = written(TX_ACK, b"hello")
    assert [len(control) for _, control in entries(peer, fd)] == [1]


def test_a_time_comes_with_the_text_unless_that_is_not_wanted() -> None:
    peer, fd = written(TX_ACK | SOFTWARE, b"hello")
    assert [data for data, _ in entries(peer, fd)] == [b"hello"]
    peer, fd = written(TX_ACK | SOFTWARE | OPT_TSONLY, b"hello")
    assert [data for data, _ in entries(peer, fd)] == [b""]


@pytest.mark.parametrize("extra", [0, OPT_ID_TCP])
def test_bytes_are_numbered_from_where_the_option_was_set(extra: int) -> None:
    peer, fd = written(TX_SOFTWARE | OPT_ID | extra, b"hello", b"world!")
    assert [number for *_, number in numbers(entries(peer, fd))] == [4, 10]


@pytest.mark.parametrize("value", [OPT_ID_TCP, 1 << 30, 1])
def test_what_we_do_not_tell_is_refused(value: int) -> None:
    peer, fd = connected()
    assert peer.target.setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, i32(value)).errno in (
        errno.EINVAL,
        errno.ENOPROTOOPT,
    )


def test_a_zero_copy_write_is_an_ordinary_one_unless_the_socket_asked() -> None:
    peer, fd = connected()
    peer.call("send", fd, b"hello", MSG_ZEROCOPY)
    peer.quiet(10)
    peer.rx("A", seq=1, ack=6)
    assert entries(peer, fd) == []


def test_disconnecting_frees_the_memory_of_zero_copy_writes() -> None:
    peer, fd = connected()
    peer.call("setsockopt", fd, SOL_SOCKET, SO_ZEROCOPY, i32(1))
    peer.call("send", fd, b"hello", MSG_ZEROCOPY)
    peer.call("connect", fd, 0)
    assert numbers(entries(peer, fd)) == [(0, 5, 0, 1, 0, 0)]
