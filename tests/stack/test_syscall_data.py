# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading and writing, as far as it shows on the wire; what the calls return stands in the transcripts."""

import errno

import pytest
from syscall_host import DONTWAIT, INET6, MORE, OOB, PEEK, TRUNC, WAITALL, Host, connected

from labstack.core.config import MS


def sent(h: Host) -> int:
    """Segments so far, of both ends."""
    return h.stack.env.count["TcpOutSegs"]


def test_msg_more_holds_a_small_piece_back_until_the_rest_comes() -> None:
    """Linux's tcp_push with MSG_MORE: one segment for what was given in three."""
    h = connected()
    before = sent(h)
    for piece in (b"ab", b"cd"):
        assert h.send(4, piece, MORE) == (2, 0, None)
    assert sent(h) == before
    h.send(4, b"ef", 0)
    assert sent(h) - before in (1, 2)  # the data, and perhaps an acknowledgment of it
    assert h.read(5, 10) == (6, 0, b"abcdef")


def test_msg_more_never_holds_back_full_segments() -> None:
    h = connected()
    mss = h.stack.conns[2].snd.mss
    h.send(4, bytes(2 * mss + 10), MORE)
    # the window may not take both at once
    assert h.recv(5, 10 * mss, DONTWAIT)[0] + h.recv(5, 10 * mss, DONTWAIT)[0] >= 2 * mss


def test_what_msg_more_holds_back_leaves_at_the_latest_with_the_probe_timer() -> None:
    h = connected()
    h.send(4, b"ab", MORE)
    rto = h.stack.conns[2].snd.rtt.rto
    h.wait(rto / MS - 1)
    assert h.recv(5, 10, DONTWAIT) == (-1, errno.EAGAIN, None)
    h.wait(1)
    assert h.recv(5, 10, DONTWAIT) == (2, 0, b"ab")


def test_a_fin_takes_along_what_msg_more_holds_back() -> None:
    h = connected()
    h.send(4, b"ab", MORE)
    h.shutdown(4, 1)
    assert h.recv(5, 10, WAITALL) == (2, 0, b"ab")


def test_looking_leaves_the_window_as_it_is_and_reading_opens_it() -> None:
    h = connected()
    h.write(4, bytes(20_000_000))
    conn = h.stack.conns[h.stack.files.sockets[h.stack.files.fds[5]].sock]
    edge, queued = conn.rcv.edge, conn.rcv.queued
    assert queued > 0
    assert h.recv(5, 100_000, PEEK)[0] == min(queued, 100_000)
    assert (conn.rcv.edge, conn.rcv.queued) == (edge, queued)
    h.recv(5, queued, DONTWAIT)
    assert conn.rcv.edge > edge


def test_bytes_that_nobody_wants_to_see_are_counted_and_gone() -> None:
    h = connected()
    h.write(4, b"abcdef")
    assert h.recv(5, 4, TRUNC) == (4, 0, b"")
    assert h.recv(5, 4, PEEK | TRUNC) == (2, 0, b"")
    assert h.recv(5, 4, 0) == (2, 0, b"ef")


def test_a_waiting_call_that_wants_all_empties_the_buffer_as_it_fills() -> None:
    """MSG_WAITALL for more than the receive buffer holds."""
    h = connected()
    limit = h.stack.conns[2].rcv.limit
    ticket = h.recv(5, 10 * limit, WAITALL)
    h.write(4, bytes(10 * limit))
    assert h.back(ticket) == (10 * limit, 0, bytes(10 * limit))


def test_urgent_data_is_fetched_once_and_not_waited_for() -> None:
    """RFC 9293 §3.8.5; Linux's tcp_recv_urg."""
    h = connected()
    assert h.recv(5, 1, OOB) == (-1, errno.EINVAL, None)
    assert h.send(4, b"ab!", OOB) == (3, 0, None)
    assert h.recv(5, 1, OOB | PEEK) == h.recv(5, 9, OOB) == (1, 0, b"!")
    assert h.recv(5, 9, OOB) == (-1, errno.EINVAL, None)
    assert h.recv(5, 9, PEEK) == h.recv(5, 9, WAITALL) == (2, 0, b"ab")
    assert h.recv(5, 9, DONTWAIT) == (-1, errno.EAGAIN, None)


@pytest.mark.parametrize("n", [65_508, 65_535])
def test_a_datagram_that_fits_no_packet_is_refused(n: int) -> None:
    """DEVIATES: Linux would send this in two IPv6 fragments; we do not fragment what we send."""
    h = Host()
    h.socket(INET6, 2, 0)
    assert h.sendto(3, bytes(n), 0, ("::1", 80)) == (-1, errno.EMSGSIZE, None)


def test_data_is_kept_not_copied_and_a_bytearray_may_change_afterwards() -> None:
    h = connected()
    data = bytearray(b"before")
    h.write(4, data)
    data[:] = b"after!"
    assert h.read(5, 10) == (6, 0, b"before")
