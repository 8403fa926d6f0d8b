# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernel, the system calls: each one of the contract's table is made as asked, and hands back what it should."""

import errno
import fcntl
import select
import socket
import struct
from collections.abc import Iterator

import pytest
from kernel_peer import (
    LOCAL,
    LOCAL6,
    PORT,
    REMOTE,
    REMOTE6,
    SECOND,
    THEIRS,
    Peer,
    accepted,
    data_of,
    done,
    later,
    letters,
    linux,
    listening,
)

from labstack.core.errors import StackError
from labstack.scenario.kernel.target import Kernel
from labstack.scenario.target import Message, Result, Ticket
from layers import ICMP, IP, UDP, IPv6

pytestmark = pytest.mark.live

INET, INET6, STREAM, DGRAM = socket.AF_INET, socket.AF_INET6, socket.SOCK_STREAM, socket.SOCK_DGRAM
NONBLOCK = socket.SOCK_NONBLOCK
AGAIN = Result(-1, errno.EAGAIN)


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    with linux() as it:
        yield it


def udp(kernel: Kernel, family: int = INET, flags: int = 0) -> int:
    """A bound UDP socket."""
    fd: int = done(kernel.socket(family, DGRAM | flags))
    done(kernel.bind(fd, (LOCAL if family == INET else LOCAL6, PORT)))
    return fd


def datagram(data: bytes) -> bytes:
    return bytes(IP(src=REMOTE, dst=LOCAL) / UDP(sport=THEIRS, dport=PORT) / data)


# descriptors


def test_descriptors_count_from_3_and_the_lowest_free_one_is_taken(kernel: Kernel) -> None:
    """open(2): the lowest-numbered descriptor that is not open."""
    assert [done(kernel.socket(INET, STREAM)) for _ in range(3)] == [3, 4, 5]
    done(kernel.close(4))
    assert done(kernel.socket(INET6, DGRAM)) == 4
    assert done(kernel.epoll_create1()) == 6


def test_a_service_in_between_takes_no_descriptor_from_a_call_that_blocks(kernel: Kernel) -> None:
    """The worker reads counters and sysctls on a table of descriptors of its own."""
    fd, peer = listening(kernel), Peer(kernel)
    ticket = kernel.accept(fd)
    for _ in range(20):
        kernel.counters()
        kernel.sysctl("net.ipv4.tcp_sack")
    peer.handshake()
    assert later(kernel, ticket)[1].result == 4


def test_a_call_that_is_none_is_enosys(kernel: Kernel) -> None:
    assert kernel.call("splice", 3, 4) == Result(-1, errno.ENOSYS)


def test_a_descriptor_that_is_not_open_is_ebadf(kernel: Kernel) -> None:
    bad = Result(-1, errno.EBADF)
    assert (kernel.read(9, 10), kernel.close(9), kernel.listen(9, 1), kernel.getsockname(9)) == (bad,) * 4


@pytest.mark.parametrize(("name", "args"), [("bind", (3, "x")), ("read", ()), ("listen", (3, b"")), ("poll", (3, 0))])
def test_arguments_that_no_call_can_have_are_the_callers_mistake(
    kernel: Kernel, name: str, args: tuple[object]
) -> None:
    listening(kernel)
    with pytest.raises(StackError, match=name):
        kernel.call(name, *args)
    assert kernel.getsockname(3) == Result(0, 0, (LOCAL, PORT))


def test_what_leads_out_of_the_namespace_is_not_made(kernel: Kernel) -> None:
    """Families that are not IP, owners of descriptors (whom signals go to), modules that are not loaded."""
    fd = done(kernel.socket(INET, STREAM))
    assert kernel.socket(socket.AF_UNIX, STREAM) == Result(-1, errno.EAFNOSUPPORT)
    assert kernel.socket(INET, STREAM, 132) == Result(-1, errno.EPROTONOSUPPORT)
    assert kernel.fcntl(fd, fcntl.F_SETOWN, 1) == Result(-1, errno.ENOSYS)
    assert kernel.ioctl(fd, 0x8901, 1) == Result(-1, errno.ENOSYS)
    assert kernel.setsockopt(fd, socket.IPPROTO_TCP, 13, b"nonsense") == Result(-1, errno.ENOENT)


# connections


def test_a_blocking_accept_returns_when_the_handshake_ends(kernel: Kernel) -> None:
    """accept(2): the ticket's time lies between the peer's ACK and now; data: the peer's address."""
    fd, peer = listening(kernel), Peer(kernel)
    ticket = kernel.accept(fd)
    assert isinstance(ticket, Ticket)
    peer.send("S")
    peer.take()
    assert kernel.finished(ticket) is None
    before = kernel.now
    peer.send("A")
    at, back = later(kernel, ticket)
    assert before < at <= kernel.now
    assert back == Result(4, 0, (REMOTE, THEIRS))
    assert kernel.finished(ticket) == (at, back)


def test_accept4_sets_the_flags_of_the_new_descriptor(kernel: Kernel) -> None:
    fd, peer = listening(kernel), Peer(kernel)
    peer.handshake()
    back = kernel.accept4(fd, NONBLOCK)
    new = later(kernel, back)[1].result if isinstance(back, Ticket) else back.result
    assert kernel.read(new, 10) == AGAIN
    assert kernel.fcntl(new, fcntl.F_GETFL).result & NONBLOCK  # type: ignore[union-attr]


def test_a_blocking_connect_returns_when_the_peer_answers(kernel: Kernel) -> None:
    """connect(2), and RFC 9293 §3.5: SYN, SYN-ACK, ACK."""
    fd = done(kernel.socket(INET, STREAM))
    done(kernel.bind(fd, (LOCAL, 0)))
    ticket = kernel.connect(fd, (REMOTE, PORT))
    Peer(kernel).answer()
    assert later(kernel, ticket)[1] == Result(0)
    assert done(kernel.getpeername(fd)) == (REMOTE, PORT)


def test_a_nonblocking_connect_is_in_progress_and_a_reset_refuses_it(kernel: Kernel) -> None:
    """connect(2): EINPROGRESS, then the error in SO_ERROR, once."""
    fd = done(kernel.socket(INET, STREAM | NONBLOCK))
    assert kernel.connect(fd, (REMOTE, PORT)) == Result(-1, errno.EINPROGRESS)
    assert kernel.connect(fd, (REMOTE, PORT)) == Result(-1, errno.EALREADY)
    peer = Peer(kernel)
    _, syn = peer.take()
    peer.ports = syn.dport, syn.sport
    peer.send("RA")
    assert done(kernel.getsockopt(fd, socket.SOL_SOCKET, socket.SO_ERROR)) == struct.pack("=i", errno.ECONNREFUSED)
    assert done(kernel.getsockopt(fd, socket.SOL_SOCKET, socket.SO_ERROR)) == bytes(4)


def test_connect_with_a_family_alone_disconnects(kernel: Kernel) -> None:
    """connect(2): AF_UNSPEC dissolves the association."""
    fd = udp(kernel)
    done(kernel.connect(fd, (REMOTE, THEIRS)))
    assert done(kernel.getpeername(fd)) == (REMOTE, THEIRS)
    done(kernel.connect(fd, socket.AF_UNSPEC))
    assert kernel.getpeername(fd) == Result(-1, errno.ENOTCONN)


def test_null_addresses_are_efault(kernel: Kernel) -> None:
    fd = done(kernel.socket(INET, STREAM))
    assert kernel.connect(fd, None) == Result(-1, errno.EFAULT)  # type: ignore[arg-type]
    assert kernel.bind(fd, None) == Result(-1, errno.EFAULT)  # type: ignore[arg-type]


def test_shutdown_sends_a_fin_and_further_writes_are_broken_pipes(kernel: Kernel) -> None:
    """RFC 9293 §3.10.4. No SIGPIPE: EPIPE is a result."""
    fd, peer = accepted(kernel)
    done(kernel.shutdown(fd, socket.SHUT_WR))
    assert letters(peer.take()[1]) == "FA"
    assert kernel.write(fd, b"x") == Result(-1, errno.EPIPE)
    peer.send("FA")
    assert letters(peer.take()[1]) == "A"
    assert kernel.read(fd, 10) == Result(0, 0, b"")


def test_close_with_linger_blocks_until_the_fin_is_acknowledged(kernel: Kernel) -> None:
    """socket(7), SO_LINGER."""
    fd, peer = accepted(kernel)
    done(kernel.setsockopt(fd, socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("=ii", 1, 60)))
    ticket = kernel.close(fd)
    assert isinstance(ticket, Ticket)
    assert letters(peer.take()[1]) == "FA"
    peer.send("A")
    assert later(kernel, ticket)[1] == Result(0)


def test_close_without_linger_never_blocks(kernel: Kernel) -> None:
    fd, _ = accepted(kernel)
    assert kernel.write(fd, b"data that nobody acknowledges") == Result(29)
    assert kernel.close(fd) == Result(0)


# data


def test_a_blocking_read_returns_with_the_data(kernel: Kernel) -> None:
    fd, peer = accepted(kernel)
    ticket = kernel.read(fd, 100)
    before = kernel.now
    peer.send("PA", b"hello")
    at, back = later(kernel, ticket)
    assert back == Result(5, 0, b"hello")
    assert before < at <= kernel.now


def test_several_calls_block_at_once_and_each_returns_for_itself(kernel: Kernel) -> None:
    fd, peer = accepted(kernel)
    mine = udp(kernel)
    tickets = [
        kernel.read(fd, 10),
        kernel.accept(3),
        kernel.recvfrom(mine, 10),
        kernel.poll([(fd, select.POLLHUP)], -1),
    ]
    assert all(isinstance(ticket, Ticket) for ticket in tickets)
    kernel.inject(datagram(b"one"))
    assert later(kernel, tickets[2])[1] == Result(3, 0, (b"one", (REMOTE, THEIRS)))
    Peer(kernel, sport=THEIRS + 1).handshake()
    assert later(kernel, tickets[1])[1] == Result(6, 0, (REMOTE, THEIRS + 1))
    peer.send("R")
    assert later(kernel, tickets[0])[1] == Result(-1, errno.ECONNRESET)
    assert later(kernel, tickets[3])[1].data[0] & select.POLLHUP


def test_more_calls_than_there_are_idle_threads_may_block(kernel: Kernel) -> None:
    mine = udp(kernel)
    tickets = [kernel.recv(mine, 10) for _ in range(12)]
    assert all(isinstance(ticket, Ticket) for ticket in tickets)
    for number in range(12):
        kernel.inject(datagram(bytes([number])))
    got = [later(kernel, ticket)[1].data for ticket in tickets]
    assert sorted(got) == [bytes([number]) for number in range(12)]


def test_recv_flags(kernel: Kernel) -> None:
    """recv(2): MSG_PEEK leaves it, MSG_DONTWAIT does not wait, MSG_WAITALL waits for all, MSG_TRUNC throws away."""
    fd, peer = accepted(kernel)
    assert kernel.recv(fd, 10, socket.MSG_DONTWAIT) == AGAIN
    peer.send("PA", b"0123456789")
    assert kernel.recv(fd, 4, socket.MSG_PEEK) == Result(4, 0, b"0123")
    assert kernel.recv(fd, 4, socket.MSG_TRUNC) == Result(4, 0, b"")
    assert kernel.readv(fd, [2, 2]) == Result(4, 0, b"4567")
    ticket = kernel.recv(fd, 4, socket.MSG_WAITALL)
    peer.send("PA", b"ab")
    assert later(kernel, ticket)[1] == Result(4, 0, b"89ab")


def test_urgent_data_is_read_out_of_band(kernel: Kernel) -> None:
    """RFC 6093; tcp(7), MSG_OOB."""
    fd, peer = accepted(kernel)
    peer.send("PAU", b"abc", urgptr=3)
    assert kernel.recv(fd, 1, socket.MSG_OOB) == Result(1, 0, b"c")
    assert kernel.recv(fd, 10) == Result(2, 0, b"ab")


def test_writes_leave_as_they_were_written(kernel: Kernel) -> None:
    fd, peer = accepted(kernel)
    done(kernel.setsockopt(fd, socket.IPPROTO_TCP, socket.TCP_NODELAY, struct.pack("=i", 1)))
    sent = [
        kernel.write(fd, b"write"),
        kernel.send(fd, b"send", socket.MSG_NOSIGNAL),
        kernel.sendto(fd, b"sendto"),
        kernel.writev(fd, [b"wri", b"tev"]),
        kernel.sendmsg(fd, [b"send", b"msg"]),
    ]
    assert [done(back) for back in sent] == [5, 4, 6, 6, 7]
    assert [data_of(peer.take()[1]) for _ in sent] == [b"write", b"send", b"sendto", b"writev", b"sendmsg"]


def test_pieces_of_any_size_leave_as_they_were_written(kernel: Kernel) -> None:
    fd, peer = accepted(kernel)
    pieces = [bytes([n]) * size for n, size in enumerate((500, 0, 300, 1, 600))]
    assert done(kernel.writev(fd, pieces)) == 1401
    assert data_of(peer.take()[1]) == b"".join(pieces)


def test_a_blocking_write_goes_on_until_all_is_taken(kernel: Kernel) -> None:
    """send(2): it blocks while the buffer is full; what is acknowledged makes room."""
    fd, peer = accepted(kernel)
    done(kernel.setsockopt(fd, socket.SOL_SOCKET, socket.SO_SNDBUF, struct.pack("=i", 10_000)))
    ticket = kernel.write(fd, bytes(200_000))
    assert isinstance(ticket, Ticket)
    while kernel.finished(ticket) is None:
        peer.take()
        peer.send("A")
    assert later(kernel, ticket)[1] == Result(200_000)


def test_much_data_in_one_call(kernel: Kernel) -> None:
    """More than any socket between us and the worker holds at once, both ways."""
    mine = done(kernel.socket(INET, STREAM | NONBLOCK))
    assert kernel.write(mine, bytes(3_000_000)) == Result(-1, errno.EPIPE)
    assert kernel.recv(mine, 3_000_000) == Result(-1, errno.ENOTCONN)
    assert kernel.finished(Ticket(1)) is None


def test_null_pointers_are_efault(kernel: Kernel) -> None:
    fd, peer = accepted(kernel)
    fault = Result(-1, errno.EFAULT)
    assert (kernel.write(fd, None), kernel.send(fd, None), kernel.writev(fd, None)) == (fault,) * 3
    peer.send("PA", b"data")
    assert (kernel.read(fd, None), kernel.recv(fd, None), kernel.readv(fd, None)) == (fault,) * 3
    assert kernel.setsockopt(fd, socket.SOL_SOCKET, socket.SO_KEEPALIVE, None) == fault
    assert kernel.read(fd, 4) == Result(4, 0, b"data")


def test_recvmsg_hands_back_flags_address_and_control_messages(kernel: Kernel) -> None:
    """recvmsg(2), ip(7): MSG_TRUNC for the rest of a datagram, IP_TTL as a control message, MSG_CTRUNC without room."""
    fd = udp(kernel)
    done(kernel.setsockopt(fd, socket.IPPROTO_IP, 12, struct.pack("=i", 1)))  # IP_RECVTTL
    packet = IP(src=REMOTE, dst=LOCAL, ttl=77) / UDP(sport=THEIRS, dport=PORT) / b"0123456789"
    for _ in range(2):
        kernel.inject(bytes(packet))
    message = done(kernel.recvmsg(fd, [3, 4]))
    ttl = (socket.IPPROTO_IP, socket.IP_TTL, struct.pack("=i", 77))
    assert message == Message(b"0123456", (REMOTE, THEIRS), socket.MSG_TRUNC, (ttl,))
    message = done(kernel.recvmsg(fd, [100], 0, 0))
    assert message == Message(b"0123456789", (REMOTE, THEIRS), socket.MSG_CTRUNC, ())


def test_sendmsg_passes_control_messages(kernel: Kernel) -> None:
    """ip(7): IP_TTL for this datagram."""
    fd = udp(kernel)
    ttl = (socket.IPPROTO_IP, socket.IP_TTL, struct.pack("=i", 9))
    assert kernel.sendmsg(fd, [b"ab", b"c"], 0, (REMOTE, THEIRS), [ttl]) == Result(3)
    [packet] = kernel.packets()
    assert (IP(packet.data).ttl, bytes(IP(packet.data)[UDP].payload)) == (9, b"abc")


def test_the_error_queue_says_what_an_icmp_said(kernel: Kernel) -> None:
    """RFC 1122 §4.1.3.3; ip(7), IP_RECVERR: the datagram comes back with who refused it and why."""
    fd = udp(kernel, flags=NONBLOCK)
    done(kernel.setsockopt(fd, socket.IPPROTO_IP, 11, struct.pack("=i", 1)))  # IP_RECVERR
    assert kernel.recvmsg(fd, [100], socket.MSG_ERRQUEUE) == AGAIN
    done(kernel.sendto(fd, b"lost", 0, (REMOTE, THEIRS)))
    [packet] = kernel.packets()
    kernel.inject(bytes(IP(src="192.0.2.9", dst=LOCAL) / ICMP(type=3, code=3) / packet.data))
    assert kernel.sendto(fd, b"more", 0, (REMOTE, THEIRS)) == Result(-1, errno.ECONNREFUSED)
    message = done(kernel.recvmsg(fd, [100], socket.MSG_ERRQUEUE))
    assert (message.data, message.address, message.flags) == (b"lost", (REMOTE, THEIRS), socket.MSG_ERRQUEUE)
    [(level, kind, data)] = message.control
    assert (level, kind) == (socket.IPPROTO_IP, 11)
    assert struct.unpack_from("=IBBBBII", data) == (errno.ECONNREFUSED, 2, 3, 3, 0, 0, 0)
    assert socket.inet_ntop(INET, data[20:24]) == "192.0.2.9"


# settings


def test_fcntl_gets_and_sets_flags_and_duplicates(kernel: Kernel) -> None:
    fd = listening(kernel)
    assert done(kernel.fcntl(fd, fcntl.F_GETFL)) == 2  # O_RDWR
    done(kernel.fcntl(fd, fcntl.F_SETFL, NONBLOCK))
    assert kernel.accept(fd) == AGAIN
    assert done(kernel.fcntl(fd, fcntl.F_DUPFD, 10)) == 10
    assert done(kernel.getsockname(10)) == (LOCAL, PORT)
    assert done(kernel.fcntl(fd, fcntl.F_SETFD, 1)) == 0
    assert done(kernel.fcntl(fd, fcntl.F_GETFD)) == 1


def test_ioctl_writes_a_number(kernel: Kernel) -> None:
    """tcp(7): SIOCINQ, SIOCOUTQ; FIONBIO; a null pointer."""
    fd, peer = accepted(kernel)
    peer.send("PA", b"12345")
    assert kernel.ioctl(fd, 0x541B) == Result(0, 0, 5)
    done(kernel.write(fd, b"123"))
    assert kernel.ioctl(fd, 0x5411) == Result(0, 0, 3)
    assert kernel.ioctl(fd, 0x541B, None) == Result(-1, errno.EFAULT)
    done(kernel.ioctl(fd, 0x5421, 1))
    done(kernel.read(fd, 5))
    assert kernel.read(fd, 5) == AGAIN


def test_options_are_bytes_both_ways(kernel: Kernel) -> None:
    fd = done(kernel.socket(INET, STREAM))
    done(kernel.setsockopt(fd, socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, struct.pack("=i", 77)))
    assert done(kernel.getsockopt(fd, socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)) == struct.pack("=i", 77)
    assert len(done(kernel.getsockopt(fd, socket.IPPROTO_TCP, socket.TCP_INFO, 100))) == 100
    assert len(done(kernel.getsockopt(fd, socket.IPPROTO_TCP, socket.TCP_INFO, 1000))) >= 232
    assert kernel.getsockopt(fd, socket.IPPROTO_TCP, 999) == Result(-1, errno.ENOPROTOOPT)
    assert kernel.setsockopt(fd, socket.SOL_SOCKET, socket.SO_LINGER, b"x") == Result(-1, errno.EINVAL)


# waiting


def test_poll_says_what_is_ready(kernel: Kernel) -> None:
    fd, peer = accepted(kernel)
    both = select.POLLIN | select.POLLOUT
    assert kernel.poll([(fd, both), (99, both), (3, both)], 0) == Result(2, 0, [select.POLLOUT, select.POLLNVAL, 0])
    ticket = kernel.poll([(fd, select.POLLIN)], -1)
    peer.send("PA", b"x")
    assert later(kernel, ticket)[1] == Result(1, 0, [select.POLLIN])


def test_a_poll_that_waits_in_vain_returns_when_its_time_is_up(kernel: Kernel) -> None:
    """poll(2): not before the timeout."""
    before = kernel.now
    at, back = later(kernel, kernel.poll([(listening(kernel), select.POLLIN)], 50))
    assert back == Result(0, 0, [0])
    assert at >= before + SECOND // 20


def test_epoll_hands_back_events_with_their_data(kernel: Kernel) -> None:
    """epoll(7), level and edge."""
    fd, peer = accepted(kernel)
    ep = done(kernel.epoll_create(1))
    watched = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
    done(kernel.epoll_ctl(ep, 1, fd, watched, 0xDEADBEEF01234567))
    assert kernel.epoll_ctl(ep, 1, fd, watched) == Result(-1, errno.EEXIST)
    ticket = kernel.epoll_wait(ep, 5, -1)
    peer.send("PA", b"x")
    assert later(kernel, ticket)[1] == Result(1, 0, [(select.EPOLLIN, 0xDEADBEEF01234567)])
    assert kernel.epoll_wait(ep, 5, 0) == Result(0, 0, [])
    done(kernel.epoll_ctl(ep, 3, fd, select.EPOLLIN, 7))
    assert kernel.epoll_wait(ep, 5, 0) == Result(1, 0, [(select.EPOLLIN, 7)])
    done(kernel.epoll_ctl(ep, 2, fd, 0))
    assert kernel.epoll_wait(ep, 5, 0) == Result(0, 0, [])
    assert kernel.epoll_wait(ep, 0, 0) == Result(-1, errno.EINVAL)


def test_rcvtimeo_ends_a_blocking_call(kernel: Kernel) -> None:
    """socket(7): EAGAIN, and not before its time."""
    fd = udp(kernel)
    done(kernel.setsockopt(fd, socket.SOL_SOCKET, 20, struct.pack("@ll", 0, 50_000)))
    before = kernel.now
    at, back = later(kernel, kernel.recv(fd, 10))
    assert back == AGAIN
    assert at >= before + SECOND // 20


# IPv6


def test_ipv6_addresses_are_text(kernel: Kernel) -> None:
    fd = udp(kernel, INET6)
    kernel.inject(bytes(IPv6(src=REMOTE6, dst=LOCAL6) / UDP(sport=THEIRS, dport=PORT) / b"six"))
    assert kernel.recvfrom(fd, 10) == Result(3, 0, (b"six", (REMOTE6, THEIRS)))
    done(kernel.sendto(fd, b"back", 0, (REMOTE6, THEIRS)))
    [packet] = kernel.packets()
    assert (IPv6(packet.data).dst, bytes(IPv6(packet.data)[UDP].payload)) == (REMOTE6, b"back")


def test_mapped_addresses_on_an_ipv6_socket_are_ipv4_on_the_wire(kernel: Kernel) -> None:
    """RFC 3493 §3.7."""
    fd, peer = listening(kernel, INET6, "::"), Peer(kernel)
    ticket = kernel.accept(fd)
    peer.handshake()
    assert later(kernel, ticket)[1] == Result(4, 0, (f"::ffff:{REMOTE}", THEIRS))
    assert done(kernel.getsockname(4)) == (f"::ffff:{LOCAL}", PORT)


def test_a_connection_over_ipv6(kernel: Kernel) -> None:
    fd, peer = listening(kernel, INET6, LOCAL6), Peer(kernel, six=True)
    ticket = kernel.accept(fd)
    peer.handshake()
    assert later(kernel, ticket)[1] == Result(4, 0, (REMOTE6, THEIRS))
    done(kernel.write(4, b"hello"))
    assert data_of(peer.take()[1]) == b"hello"
