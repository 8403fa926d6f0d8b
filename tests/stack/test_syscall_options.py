# SPDX-License-Identifier: GPL-2.0-or-later
"""Options of sockets: what they do on the wire, what is refused by name.

Values and errnos are in transcripts/options.txt, which the kernel has written.
"""

import errno
import random
from pathlib import Path
from typing import Any

import pytest
from wire_peer import SOL_SOCKET, SOL_TCP, THEM, US, Peer, i32, lab

from labstack.core.config import SYSCTLS, understood
from labstack.stack.syscall.notyet import NOT_YET
from labstack.stack.syscall.options import OPTIONS
from labstack.tcp.settings import SETTINGS

SOL_IP, SOL_IPV6, SOL_UDP = 0, 41, 17
SOCKETS = ((2, 1), (10, 1), (2, 2), (10, 2))


@pytest.fixture
def peer() -> Any:
    with lab() as it:
        yield it


def last(peer: Peer) -> bytes:
    """The last packet that the target sent."""
    peer.quiet(1)
    return peer.last


def option(peer: Peer, fd: int, level: int, name: int, value: int | bytes) -> None:
    peer.call("setsockopt", fd, level, name, i32(value) if isinstance(value, int) else value)


def test_an_option_is_offered_or_refused_with_a_reason_and_never_both() -> None:
    assert not OPTIONS.keys() & NOT_YET.keys()
    names = [it.name for it in OPTIONS.values()] + [name for name, _ in NOT_YET.values()]
    assert len(names) == len(set(names))
    assert all(len(why) > 10 for _, why in NOT_YET.values())
    assert all(it.get or it.set for it in OPTIONS.values())


def test_every_option_is_in_the_manual() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "options.md").read_text()
    assert [it.name for it in OPTIONS.values() if f"`{it.name}`" not in manual] == []
    refused = manual.split("| option | why |\n|---|---|\n")[1].splitlines()
    assert refused == [f"| `{name}` | {why} |" for name, why in NOT_YET.values()]


@pytest.mark.parametrize(("level", "name"), NOT_YET)
def test_what_we_cannot_do_is_enoprotoopt(peer: Peer, level: int, name: int) -> None:
    for family, kind in SOCKETS:
        fd = peer.call("socket", family, kind, 0)
        for value in (i32(1), i32(0), bytes(40)):
            assert peer.target.setsockopt(fd, level, name, value)[:2] == (-1, errno.ENOPROTOOPT)
        back = peer.target.getsockopt(fd, level, name, 4)
        assert back[:2] in ((-1, errno.ENOPROTOOPT), (-1, errno.EOPNOTSUPP))


def test_nothing_that_a_program_can_pass_breaks_an_option(peer: Peer) -> None:
    """Any bytes for any option, in any state: a result or an errno, never a fault inside."""
    rng = random.Random(1)
    fds = [peer.passive(), peer.connecting(), *(peer.call("socket", family, kind, 0) for family, kind in SOCKETS)]
    listener = peer.call("socket", 2, 1, 0)
    peer.call("bind", listener, (US, 7))
    peer.call("listen", listener, 1)
    for _ in range(3000):
        level, name = rng.choice(list(OPTIONS))
        raw = rng.choice((rng.randbytes(rng.randrange(40)), i32(rng.choice((0, 1, -1, 1 << 30, 88, 1500)))))
        fd = rng.choice([*fds, listener])
        for back in (
            peer.target.setsockopt(fd, level, name, raw),
            peer.target.getsockopt(fd, level, name, rng.randrange(-2, 300)),
        ):
            assert back.errno != errno.EIO
        assert peer.target.fault == ""


def test_ttl_and_tos_of_a_stream_are_on_its_packets(peer: Peer) -> None:
    fd = peer.passive()
    option(peer, fd, SOL_IP, 1, 0x12)
    option(peer, fd, SOL_IP, 2, 9)
    peer.send(fd, 10)
    assert (last(peer)[1], last(peer)[8]) == (0x10, 9)  # the ECN bits are not the application's
    option(peer, fd, SOL_IP, 2, -1)
    peer.send(fd, 10)
    assert last(peer)[8] == SYSCTLS["net.ipv4.ip_default_ttl"].default


def test_path_mtu_discovery_can_be_switched_off(peer: Peer) -> None:
    """RFC 1191: then packets have no DF, nor do those of a connection whose owner probes himself (ip_dont_fragment)."""
    fd = peer.passive()
    option(peer, fd, SOL_IP, 10, 0)
    peer.send(fd, 10)
    assert last(peer)[6] == 0
    option(peer, fd, SOL_IP, 10, 2)
    peer.send(fd, 10)
    assert last(peer)[6] == 0x40
    for value in (3, 4, 5):
        option(peer, fd, SOL_IP, 10, value)
        peer.send(fd, 10)
        assert last(peer)[6] == 0
    assert peer.target.setsockopt(fd, SOL_IP, 10, i32(6)).errno == errno.EINVAL


def test_the_segment_size_is_announced_and_kept(peer: Peer) -> None:
    """RFC 9293 §3.7.1, MUST-14."""
    fd = peer.call("socket", 2, 0o4001, 0)
    option(peer, fd, SOL_TCP, 2, 700)
    peer.target.connect(fd, (THEM, 8080))
    assert last(peer)[40:44] == b"\x02\x04\x02\xbc"
    peer.quiet(1)
    peer.rx("SA", ack=1, mss=1460)
    peer.send(fd, 1500)
    assert [size for _, _, size in peer.sent[-3:]] == [700, 700, 100]


def test_the_receive_buffer_bounds_the_window_and_its_scale(peer: Peer) -> None:
    fd = peer.call("socket", 2, 1, 0)
    option(peer, fd, SOL_SOCKET, 8, 30_000)
    peer.call("bind", fd, (US, 8080))
    peer.call("listen", fd, 1)
    peer.rx("S", mss=1460, ws=7)
    assert int.from_bytes(last(peer)[34:36], "big") == 30_000 // 1460 * 1460
    assert last(peer)[45:48] == b"\x03\x03\x00"


def test_options_of_a_listener_reach_the_syn_ack_and_those_set_later_too(peer: Peer) -> None:
    fd = peer.call("socket", 2, 1, 0)
    option(peer, fd, SOL_IP, 2, 77)
    peer.call("bind", fd, (US, 8080))
    peer.call("listen", fd, 1)
    option(peer, fd, SOL_IP, 1, 0x20)
    peer.rx("S", mss=1460)
    assert (last(peer)[1], last(peer)[8]) == (0x20, 77)


def test_an_ipv6_socket_has_options_of_both_families(peer: Peer) -> None:
    """IP_TOS for what is IPv4 on the wire, IPV6_TCLASS for the rest."""
    fd = peer.call("socket", 10, 0o4001, 0)
    option(peer, fd, SOL_IP, 1, 0x20)
    option(peer, fd, SOL_IPV6, 67, 0x40)
    option(peer, fd, SOL_IPV6, 16, 33)
    peer.target.connect(fd, ("::ffff:" + THEM, 80))
    assert (last(peer)[1], last(peer)[8]) == (0x20, 64)
    fd = peer.call("socket", 10, 0o4001, 0)
    option(peer, fd, SOL_IP, 1, 0x20)
    option(peer, fd, SOL_IPV6, 67, 0x40)
    option(peer, fd, SOL_IPV6, 16, 33)
    peer.target.connect(fd, ("fd3d:a0b:17d6::9", 80))
    assert (last(peer)[:2], last(peer)[7]) == (b"\x64\x00", 33)


def test_a_device_is_bound_by_name(peer: Peer) -> None:
    fd = peer.call("socket", 2, 1, 0)
    option(peer, fd, SOL_SOCKET, 25, b"tun0\0")
    assert peer.target.getsockopt(fd, SOL_SOCKET, 25, 16).data == b"tun0\0"
    assert peer.target.getsockopt(fd, SOL_SOCKET, 25, 15).errno == errno.EINVAL
    assert peer.target.host.files.sockets[peer.target.host.files.fds[fd]].dev == 1
    assert peer.target.setsockopt(fd, SOL_SOCKET, 25, b"lo").errno == errno.ENOPROTOOPT
    option(peer, fd, SOL_SOCKET, 25, b"")
    assert peer.target.getsockopt(fd, SOL_SOCKET, 25, 16).data == b""


def test_the_mtu_of_the_path_is_told_while_connected(peer: Peer) -> None:
    fd = peer.passive()
    assert peer.target.getsockopt(fd, SOL_IP, 14, 4).data == i32(1500)
    peer.rx("RA", 1, 1)
    assert peer.target.getsockopt(fd, SOL_IP, 14, 4).errno == errno.ENOTCONN
    fd = peer.call("socket", 2, 2, 0)
    assert peer.target.getsockopt(fd, SOL_IP, 14, 4).errno == errno.ENOTCONN
    peer.target.connect(fd, (THEM, 80))
    assert peer.target.getsockopt(fd, SOL_IP, 14, 4).data == i32(1500)


def test_the_unsent_low_water_mark_bounds_what_is_written(peer: Peer) -> None:
    """TCP_NOTSENT_LOWAT: told below half of it, refused at the whole of it."""
    fd = peer.passive(win=2000, ws=None)
    option(peer, fd, SOL_TCP, 25, 1000)
    assert peer.send(fd, 1460, 1040, 500) == 1460 + 1000  # a whole segment of it, which is half the peer's window
    assert peer.target.poll([(fd, 4)], 0).data == [0]
    peer.rx("A", 1, 1461, win=800)
    assert peer.target.poll([(fd, 4)], 0).data == [0]
    peer.quiet(300)  # the override of silly-window avoidance
    peer.rx("A", 1, 2261, win=800)
    assert peer.target.poll([(fd, 4)], 0).data == [4]


def test_every_wish_is_a_setting_of_tcp() -> None:
    """What options give to connections has a place in tcp.settings."""
    with lab() as peer:
        fd = peer.call("socket", 10, 1, 0)
        for level, name in OPTIONS:
            if level in (SOL_SOCKET, SOL_TCP, SOL_IP, SOL_IPV6):
                peer.target.setsockopt(fd, level, name, i32(100))
                peer.target.setsockopt(fd, level, name, i32(1))
        host = peer.target.host
        wishes = host.files.sockets[host.files.fds[fd]].wishes
    assert wishes.keys() <= SETTINGS.keys()
    assert len(wishes) > 15


def test_rmem_max_bounds_so_rcvbuf() -> None:
    with lab() as peer:
        peer.target.sysctl("net.core.rmem_max", "10000")
        fd = peer.call("socket", 2, 1, 0)
        option(peer, fd, SOL_SOCKET, 8, 50_000)
        assert peer.target.getsockopt(fd, SOL_SOCKET, 8, 4).data == i32(20_000)
    assert understood("net.core.rmem_max", "10000") == {"net.core.rmem_max": 10_000}
