# SPDX-License-Identifier: GPL-2.0-or-later
"""The system calls of Calls as another referee makes them: results at once, or tickets that return in virtual time."""

import errno
from typing import Any

import pytest

from labstack.core.errors import StackError
from labstack.scenario import Calls, Message, Result, Ticket
from layers import IP, TCP

AF_INET, SOCK_STREAM, SOCK_NONBLOCK = 2, 1, 0x800
SOL_SOCKET, SO_ERROR, SO_RCVTIMEO = 1, 4, 20
LOCAL, REMOTE, PORT, THEIRS = "192.168.0.1", "192.0.2.1", 8080, 1024
SECOND = 1_000_000_000
FIN, SYN, RST, ACK, SYN_ACK = 1, 2, 4, 16, 18


def segment(**fields: Any) -> bytes:
    data = fields.pop("data", b"")
    tcp = TCP(**{"sport": THEIRS, "dport": PORT, "window": 50_000, **fields})
    return bytes(IP(src=REMOTE, dst=LOCAL) / tcp / data)


def seen(calls: Calls) -> list[tuple[int, int, int, int]]:
    """(flags, seq, ack, bytes) of all packets that came out."""
    found = [IP(it.data) for it in calls.packets()]
    return [(it[TCP].flags, it[TCP].seq, it[TCP].ack, len(bytes(it[TCP].payload))) for it in found]


def listening(nonblock: int = 0) -> tuple[Calls, int]:
    calls = Calls()
    fd = calls.socket(AF_INET, SOCK_STREAM | nonblock).result
    assert calls.bind(fd, (LOCAL, PORT)) == Result(0)
    assert calls.listen(fd, 5) == Result(0)
    return calls, fd


def connected(nonblock: int = 0) -> tuple[Calls, int, int]:
    """A connection that was accepted: calls, its descriptor, the host's next sequence number."""
    calls, fd = listening()
    calls.inject(segment(flags="S", seq=99))
    [(_, isn, _, _)] = seen(calls)
    calls.inject(segment(flags="A", seq=100, ack=isn + 1))
    back = calls.accept4(fd, nonblock)
    assert back == Result(4, 0, (REMOTE, THEIRS))
    return calls, 4, isn + 1


def test_descriptors_count_from_three_and_the_lowest_is_taken() -> None:
    calls = Calls()
    assert [calls.socket(AF_INET, SOCK_STREAM).result for _ in range(3)] == [3, 4, 5]
    calls.close(4)
    assert calls.socket(AF_INET, SOCK_STREAM).result == 4


def test_a_call_that_blocks_gives_a_ticket_and_returns_in_virtual_time() -> None:
    calls, fd = listening()
    ticket = calls.accept(fd)
    assert isinstance(ticket, Ticket)
    assert calls.finished(ticket) is None
    calls.advance(2 * SECOND)
    calls.inject(segment(flags="S", seq=99))
    [(_, isn, _, _)] = seen(calls)
    calls.advance(3 * SECOND)
    calls.inject(segment(flags="A", seq=100, ack=isn + 1))
    assert calls.finished(ticket) == (3 * SECOND, Result(4, 0, (REMOTE, THEIRS)))
    assert calls.finished(ticket) == (3 * SECOND, Result(4, 0, (REMOTE, THEIRS)))


def test_waiting_ends_when_the_ticket_returns() -> None:
    calls, fd, nxt = connected()
    ticket = calls.read(fd, 100)
    assert isinstance(ticket, Ticket)
    calls.inject(segment(flags="PA", seq=100, ack=nxt, data=b"hello"), at=SECOND)
    calls.packets()
    packets = []
    while (packet := calls.wait(9 * SECOND, ticket)) is not None:
        packets.append(packet)
    assert calls.now == SECOND
    assert calls.finished(ticket) == (SECOND, Result(5, 0, b"hello"))


def test_without_blocking_there_is_an_errno() -> None:
    calls, fd = listening(SOCK_NONBLOCK)
    assert calls.accept(fd) == Result(-1, errno.EAGAIN, None)


def test_connecting_and_sending_and_closing() -> None:
    """RFC 9293 §3.5, §3.6"""
    calls = Calls()
    fd = calls.socket(AF_INET, SOCK_STREAM).result
    ticket = calls.connect(fd, (REMOTE, 80))
    assert isinstance(ticket, Ticket)
    [packet] = calls.packets()
    syn = IP(packet.data)[TCP]
    assert (syn.flags, syn.dport) == (SYN, 80)
    calls.inject(segment(sport=80, dport=syn.sport, flags="SA", seq=0, ack=syn.seq + 1))
    assert calls.finished(ticket) == (0, Result(0))
    assert calls.write(fd, b"hi") == Result(2)
    assert calls.shutdown(fd, 1) == Result(0)
    assert [(flags & FIN, size) for flags, _, _, size in seen(calls)] == [(0, 0), (0, 2), (FIN, 0)]
    assert calls.close(fd) == Result(0)
    assert calls.read(fd, 1) == Result(-1, errno.EBADF, None)


def test_a_reset_ends_a_read_with_its_errno() -> None:
    calls, fd, _ = connected()
    ticket = calls.read(fd, 100)
    calls.inject(segment(flags="R", seq=100))
    assert calls.finished(ticket) == (0, Result(-1, errno.ECONNRESET, None))


def test_a_time_limit_ends_a_read() -> None:
    calls, fd, _ = connected()
    limit = (2).to_bytes(8, "little") + bytes(8)
    assert calls.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, limit) == Result(0)
    ticket = calls.read(fd, 100)
    calls.advance(5 * SECOND)
    assert calls.finished(ticket) == (2 * SECOND, Result(-1, errno.EAGAIN, None))


def test_several_calls_may_block_at_once() -> None:
    calls, fd, nxt = connected()
    first, second = calls.recv(fd, 3), calls.poll([(3, 1)], -1)
    calls.inject(segment(flags="A", seq=100, ack=nxt, data=b"abc"))
    assert calls.finished(first) == (0, Result(3, 0, b"abc"))
    assert calls.finished(second) is None
    calls.inject(segment(sport=2000, flags="S", seq=5))
    isn = IP(calls.packets()[-1].data)[TCP].seq
    calls.inject(segment(sport=2000, flags="A", seq=6, ack=isn + 1))
    assert calls.finished(second) == (0, Result(1, 0, [1]))


def test_poll_and_epoll_tell_what_is_ready() -> None:
    calls, fd, nxt = connected()
    assert calls.poll([(fd, 1 | 4), (99, 1)], 0) == Result(2, 0, [4, 0x20])
    ep = calls.epoll_create1(0).result
    assert calls.epoll_ctl(ep, 1, fd, 1, 77) == Result(0)
    assert calls.epoll_wait(ep, 8, 0) == Result(0, 0, [])
    calls.inject(segment(flags="A", seq=100, ack=nxt, data=b"abc"))
    assert calls.epoll_wait(ep, 8, 0) == Result(1, 0, [(1, 77)])


def test_messages_are_handed_back_as_messages() -> None:
    calls, fd, nxt = connected()
    calls.inject(segment(flags="A", seq=100, ack=nxt, data=b"abcdef"))
    assert calls.recvmsg(fd, [2, 3], 0) == Result(5, 0, Message(b"abcde", None, 0, ()))
    assert calls.sendmsg(fd, [b"x", b"yz"], 0) == Result(3)


def test_options_are_bytes_as_in_c() -> None:
    calls, fd, _ = connected()
    assert calls.getsockopt(fd, SOL_SOCKET, SO_ERROR, 4) == Result(0, 0, bytes(4))
    info = calls.getsockopt(fd, 6, 11, 8)
    assert (info.result, len(info.data), info.data[0]) == (0, 8, 1)


def test_info_has_the_names_of_tcp_info() -> None:
    calls, fd, _ = connected()
    assert calls.info(fd)["state"] == 1
    assert calls.info(fd)["snd_cwnd"] == 10
    assert calls.info(fd)["SK_MEMINFO_RCVBUF"] > 0
    with pytest.raises(OSError, match="no such socket"):
        calls.info(99)


def test_info_is_that_of_the_present_time() -> None:
    """last_data_recv is in ms."""
    calls, fd, nxt = connected()
    calls.inject(segment(flags="A", seq=100, ack=nxt, data=b"abc"))
    calls.advance(calls.now + 3 * SECOND)
    assert calls.info(fd)["last_data_recv"] == 3000


def test_looking_at_a_socket_is_no_event() -> None:
    calls, fd, _ = connected()
    n = calls.history.n
    calls.info(fd)
    calls.counters()
    calls.sysctl("net.ipv4.tcp_rmem")
    assert (calls.fault, calls.history.n) == ("", n)


def test_an_unknown_call_is_not_implemented() -> None:
    assert Calls().call("fork") == Result(-1, errno.ENOSYS, None)


@pytest.mark.parametrize("args", [("socket", "inet", 1, 0), ("socket",), ("read", 3, 1, 2, 3), ("write", 3, "text")])
def test_what_no_program_could_say_is_answered_with_a_sentence(args: tuple[Any, ...]) -> None:
    with pytest.raises(StackError, match=args[0]):
        Calls().call(*args)


def test_the_same_calls_give_the_same_bytes() -> None:
    def run() -> list[tuple[int, bytes]]:
        calls, fd, _ = connected()
        calls.write(fd, bytes(5000))
        calls.advance(10 * SECOND)
        return [tuple(it) for it in calls.packets()]

    assert run() == run()
