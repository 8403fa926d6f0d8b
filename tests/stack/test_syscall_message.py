# SPDX-License-Identifier: GPL-2.0-or-later
"""Control messages and the error queue, where loopback has no say: streams, routers, interfaces.

What Linux says on loopback is in transcripts/message.txt.
"""

import errno
import struct
from typing import Any

import pytest
from wire_peer import SOL_SOCKET, THEM, US, Peer, i32, kernel, lab

from labstack.stack.syscall.message import MSG_CTRUNC, fit
from layers import IP, UDP
from layers.checksum import ones_sum

SOL_IP, IP_RECVERR, IP_PKTINFO, IP_RECVTTL = 0, 11, 8, 12
MSG_ERRQUEUE, SO_ERROR = 0x2000, 4
POLLIN, POLLOUT, POLLERR, POLLHUP, POLLRDHUP, POLLRDNORM, POLLWRNORM = 1, 4, 8, 0x10, 0x2000, 0x40, 0x100
ROUTER = "192.0.2.254"


def unreachable(peer: Peer, code: int, mtu: int = 0) -> None:
    """A router's ICMP error about the last packet of the target."""
    quoted = peer.last
    body = struct.pack("!BBHHH", 3, code, 0, 0, mtu) + quoted[:28]
    body = body[:2] + (0xFFFF - ones_sum(body)).to_bytes(2, "big") + body[4:]
    peer.target.inject(bytes(IP(src=ROUTER, dst=US, proto=1) / body))
    peer.quiet(5)


def extended(number: int, code: int, info: int = 0) -> bytes:
    """struct sock_extended_err with the router's address behind it."""
    return struct.pack("<IBBBBIIHH4s8x", number, 2, 3, code, 0, info, 0, 2, 0, bytes((192, 0, 2, 254)))


def looks(peer: Peer, fd: int) -> list[Any]:
    """Everything that tells of an error, once."""
    mask = peer.target.poll([(fd, 0x3FFF)], 0).data
    queued = peer.target.recvmsg(fd, [100], MSG_ERRQUEUE)
    said = (queued.errno, queued.data and queued.data[1:])
    return [mask, said, peer.target.recv(fd, 1, 0)[:2], peer.target.recv(fd, 1, 0)[:2], peer.target.info(fd)["state"]]


def open_stream(peer: Peer, asks: bool) -> list[Any]:
    fd = peer.passive()
    peer.call("setsockopt", fd, SOL_IP, IP_RECVERR, i32(asks))
    peer.send(fd, 1000)
    unreachable(peer, 1)
    return looks(peer, fd)


def connecting_stream(peer: Peer, asks: bool) -> list[Any]:
    fd = peer.connecting()
    peer.call("setsockopt", fd, SOL_IP, IP_RECVERR, i32(asks))
    unreachable(peer, 3)
    return looks(peer, fd)


STORIES = {
    "an open stream that asks": (open_stream, True),
    "an open stream": (open_stream, False),
    "a connecting stream that asks": (connecting_stream, True),
    "a connecting stream": (connecting_stream, False),
}
QUEUED = (0, ((THEM, 8080), MSG_ERRQUEUE, ((SOL_IP, IP_RECVERR, extended(errno.ECONNREFUSED, 3)),)))
DEAD = POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLERR | POLLHUP | POLLRDHUP
SAID: dict[str, list[Any]] = {
    "an open stream that asks": [[0x10C], (11, None), (-1, errno.EHOSTUNREACH), (-1, 11), 1],
    "an open stream": [[0x104], (11, None), (-1, 11), (-1, 11), 1],
    "a connecting stream that asks": [[DEAD], QUEUED, (0, 0), (0, 0), 7],
    "a connecting stream": [[DEAD], QUEUED, (0, 0), (0, 0), 7],
}


@pytest.mark.parametrize("story", STORIES)
def test_icmp_errors_reach_a_stream(story: str) -> None:
    """RFC 9293 §3.9.2.2; Linux's tcp_v4_err: an open stream hears of it at once if it asked, and lives on."""
    tell, asks = STORIES[story]
    with lab() as peer:
        assert tell(peer, asks) == SAID[story]


@pytest.mark.live
@pytest.mark.parametrize("story", STORIES)
def test_the_kernel_tells_streams_the_same(story: str) -> None:
    tell, asks = STORIES[story]
    with kernel() as peer:
        assert tell(peer, asks) == SAID[story]


def test_too_big_tells_the_mtu() -> None:
    """RFC 1191: an error queue entry for datagrams says what would fit."""
    with lab() as peer:
        fd = peer.call("socket", 2, 2 | 0o4000, 0)
        peer.call("setsockopt", fd, SOL_IP, IP_RECVERR, i32(1))
        peer.call("sendto", fd, bytes(1000), 0, (THEM, 99))
        peer.quiet(1)
        unreachable(peer, 4, 600)
        back = peer.target.recvmsg(fd, [100], MSG_ERRQUEUE)
    assert back.data.control == ((SOL_IP, IP_RECVERR, extended(errno.EMSGSIZE, 4, 600)),)
    assert (back.result, back.data.address) == (0, (THEM, 99))  # the router quoted no more than the header


def test_the_error_queue_is_bounded() -> None:
    with lab() as peer:
        fd = peer.call("socket", 2, 2 | 0o4000, 0)
        peer.call("setsockopt", fd, SOL_IP, IP_RECVERR, i32(1))
        peer.target.sendto(fd, b"x", 0, (THEM, 99))
        peer.quiet(1)
        for _ in range(100):
            unreachable(peer, 3)
        taken = 0
        while peer.target.recvmsg(fd, [1], MSG_ERRQUEUE).errno == 0:
            taken += 1
        assert taken == 64
        assert peer.target.getsockopt(fd, SOL_SOCKET, SO_ERROR, 4).data == i32(0)


def test_a_datagram_says_on_which_interface_it_came_and_to_whom() -> None:
    """IP_PKTINFO, IP_RECVTTL."""
    with lab() as peer:
        fd = peer.call("socket", 2, 2, 0)
        peer.call("bind", fd, ("0.0.0.0", 99))
        for option in (IP_PKTINFO, IP_RECVTTL):
            peer.call("setsockopt", fd, SOL_IP, option, i32(1))
        peer.target.inject(bytes(IP(src=THEM, dst=US, ttl=17) / UDP(sport=1, dport=99) / b"data"))
        message = peer.target.recvmsg(fd, [100], 0).data
    here = bytes((192, 168, 0, 1))
    assert message.control == ((SOL_IP, IP_PKTINFO, i32(1) + here + here), (SOL_IP, 2, i32(17)))
    assert (message.data, message.address) == (b"data", (THEM, 1))


@pytest.mark.parametrize(
    ("size", "fits", "flags"),
    [
        (48, [4, 5], 0), (45, [4, 5], 0), (44, [4, 4], MSG_CTRUNC), (40, [4, 0], MSG_CTRUNC), (39, [4], MSG_CTRUNC),
        (24, [4], MSG_CTRUNC), (20, [4], MSG_CTRUNC), (19, [3], MSG_CTRUNC), (16, [0], MSG_CTRUNC),
        (15, [], MSG_CTRUNC), (0, [], MSG_CTRUNC),
    ],
)  # fmt: skip
def test_what_fits_into_a_buffer_for_control_messages(size: int, fits: list[int], flags: int) -> None:
    """put_cmsg: headers of 16 bytes, everything padded to 8, the last one cut."""
    found, cut = fit(((0, 1, b"four"), (0, 2, b"fives")), size)
    assert ([len(data) for _, _, data in found], cut) == (fits, flags)


@pytest.mark.parametrize("control", [[(0, 2, b"\7\0\0\0")], ((1, 37, b"\1\0\0\0"),), [(0, 2)], [5], [("a", 1, b"")]])
def test_control_messages_that_make_no_sense_are_refused_or_passed_over(control: Any) -> None:
    """Linux lets a stream pass over those of IP; what a C program cannot say is EINVAL."""
    with lab() as peer:
        fd = peer.passive()
        back = peer.target.sendmsg(fd, [b"x"], 0, None, control)
        assert back[:2] == ((1, 0) if control == [(0, 2, b"\7\0\0\0")] else (-1, errno.EINVAL))
        assert peer.target.fault == ""
