# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP_CONGESTION, TCP_CC_INFO and SO_MAX_PACING_RATE: which controller a socket has, what it says, how fast it may."""

import errno
import struct
from collections.abc import Iterator

import pytest
from wire_peer import SOL_SOCKET, SOL_TCP, US, Peer, lab

from labstack.stack.syscall import info
from labstack.tcp.cc.bbr import Bbr

TCP_CONGESTION, TCP_CC_INFO, SO_MAX_PACING_RATE = 13, 26, 47
NO_LIMIT = (1 << 64) - 1
AF_INET, SOCK_STREAM = 2, 1


@pytest.fixture
def peer() -> Iterator[Peer]:
    with lab() as it:
        yield it


def name(peer: Peer, fd: int) -> bytes:
    raw: bytes = peer.target.getsockopt(fd, SOL_TCP, TCP_CONGESTION, 16).data
    return raw.rstrip(b"\0")


def choose(peer: Peer, fd: int, wanted: bytes) -> None:
    peer.call("setsockopt", fd, SOL_TCP, TCP_CONGESTION, wanted)


def pace(peer: Peer, fd: int, size: int) -> bytes:
    raw: bytes = peer.target.getsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, size).data
    return raw


def test_a_new_socket_has_what_the_sysctl_says(peer: Peer) -> None:
    peer.target.sysctl("net.ipv4.tcp_congestion_control", "cubic")
    assert name(peer, peer.call("socket", AF_INET, SOCK_STREAM, 0)) == b"cubic"


def test_a_name_that_nobody_has_is_enoent(peer: Peer) -> None:
    fd = peer.call("socket", AF_INET, SOCK_STREAM, 0)
    for wanted in (b"vegas2", b"", b"renox"):
        back = peer.target.setsockopt(fd, SOL_TCP, TCP_CONGESTION, wanted)
        assert (back.result, back.errno) == (-1, errno.ENOENT if wanted else errno.EINVAL)


def test_an_accepted_socket_has_what_its_listener_chose(peer: Peer) -> None:
    listener = peer.call("socket", AF_INET, SOCK_STREAM, 0)
    peer.call("bind", listener, (US, 8080))
    peer.call("listen", listener, 5)
    choose(peer, listener, b"bbr\0")
    peer.rx("S", mss=1460)
    peer.rx("A", seq=1, ack=1)
    assert name(peer, peer.call("accept4", listener, 0)) == b"bbr"


def test_a_connection_under_way_takes_another_one_with_the_window_it_has(peer: Peer) -> None:
    fd = peer.passive()
    before = peer.target.info(fd)
    choose(peer, fd, b"cubic")
    after = peer.target.info(fd)
    assert name(peer, fd) == b"cubic"
    assert (after["snd_cwnd"], after["snd_ssthresh"]) == (before["snd_cwnd"], before["snd_ssthresh"])


def test_what_follows_bbr_does_not_inherit_its_pace(peer: Peer) -> None:
    """Linux computes sk_pacing_rate again with every ACK, unless the controller does."""
    fd = peer.passive()
    generic = peer.target.info(fd)["pacing_rate"]
    choose(peer, fd, b"bbr")
    assert peer.target.info(fd)["pacing_rate"] != generic
    choose(peer, fd, b"reno")
    assert peer.target.info(fd)["pacing_rate"] == generic


def test_dctcp_without_ecn_is_called_dctcp_reno(peer: Peer) -> None:
    fd = peer.passive()
    choose(peer, fd, b"dctcp")
    assert name(peer, fd) == b"dctcp-reno"
    raw = peer.target.getsockopt(fd, SOL_TCP, TCP_CC_INFO, 100).data
    assert info.unpack(info.CC_INFO["dctcp"], raw)["dctcp_enabled"] == 0


def test_bbr_tells_its_gains(peer: Peer) -> None:
    fd = peer.passive()
    choose(peer, fd, b"bbr")
    raw = peer.target.getsockopt(fd, SOL_TCP, TCP_CC_INFO, 100).data
    assert len(raw) == 20
    assert info.unpack(info.CC_INFO["bbr"], raw)["bbr_pacing_gain"] == Bbr(mss=1460).gain


def test_a_pacing_rate_is_read_in_64_or_in_32_bits(peer: Peer) -> None:
    fd = peer.call("socket", AF_INET, SOCK_STREAM, 0)
    assert pace(peer, fd, 8) == struct.pack("<Q", NO_LIMIT)
    assert pace(peer, fd, 4) == struct.pack("<I", 0xFFFFFFFF)
    peer.call("setsockopt", fd, SOL_SOCKET, SO_MAX_PACING_RATE, struct.pack("<Q", 1 << 40))
    assert pace(peer, fd, 8) == struct.pack("<Q", 1 << 40)
    assert pace(peer, fd, 4) == struct.pack("<I", 0xFFFFFFFF)


def test_the_greatest_rate_of_32_bits_is_no_limit(peer: Peer) -> None:
    fd = peer.passive()
    peer.call("setsockopt", fd, SOL_SOCKET, SO_MAX_PACING_RATE, struct.pack("<I", 100_000))
    assert peer.target.info(fd)["max_pacing_rate"] == 100_000
    peer.call("setsockopt", fd, SOL_SOCKET, SO_MAX_PACING_RATE, struct.pack("<I", 0xFFFFFFFF))
    assert peer.target.info(fd)["max_pacing_rate"] == NO_LIMIT


@pytest.mark.parametrize("control", [b"reno", b"bbr"])
def test_no_controller_paces_faster_than_the_application_wants(peer: Peer, control: bytes) -> None:
    fd = peer.passive()
    choose(peer, fd, control)
    peer.call("setsockopt", fd, SOL_SOCKET, SO_MAX_PACING_RATE, struct.pack("<I", 100_000))
    assert peer.target.info(fd)["pacing_rate"] == 100_000


def test_the_names_are_sysctls_to_be_read(peer: Peer) -> None:
    for which in ("available", "allowed"):
        assert peer.target.sysctl(f"net.ipv4.tcp_{which}_congestion_control").split()[:2] == ["reno", "cubic"]
