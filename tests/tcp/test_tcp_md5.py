# SPDX-License-Identifier: GPL-2.0-or-later
"""Signatures (RFC 2385): who has a key signs everything and believes nothing that is not signed."""

import errno
import struct
from collections.abc import Callable
from typing import Any

import pytest
from tcp_script import ADDRS, Script, Seg, seal

from labstack.core.counters import drops
from labstack.core.event import Call
from labstack.ip.family import parse_addr
from labstack.stack.stack import Stack, make
from labstack.tcp import md5
from labstack.tcp.md5 import Key

Tcp = Callable[..., Script]
SECRET = b"between routers"
FAMILY = pytest.mark.parametrize("family", [4, 6])


def keys(s: Script, secret: bytes = SECRET, peer: str = "", prefix: int = -1) -> tuple[Key, ...]:
    address = parse_addr(peer or ADDRS[s.family][1])
    return (Key(address, prefix if prefix >= 0 else 8 * len(address), secret),)


def right(s: Script, seg: Seg, secret: bytes = SECRET) -> Seg:
    """A segment that left is signed, with this key."""
    assert seg.md5 == seal(seg.raw, s.family, secret), f"{seg}: its signature is wrong"
    return seg


def opened(tcp: Tcp, family: int = 4, **more: Any) -> Script:
    s = tcp(family=family, **more)
    s.call("sign", s.listen(), keys(s))
    s.rx("S", mss=1460, md5=SECRET)
    right(s, s.tx("SA"))
    s.rx("A", md5=SECRET)
    s.accept()
    s.state("ESTABLISHED")
    return s


def dropped(s: Script, reason: str, counter: str) -> None:
    """The last segment was not believed, and there was no answer; nothing else happened."""
    s.nothing()
    assert drops(s.stack.env.count) == {f"drop.tcp.md5_{reason}": 1}
    signs = {k: v for k, v in s.stack.env.count.items() if "MD5" in k and v}
    assert signs == {f"TcpExtTCPMD5{counter}": 1}


# ---- every segment is signed ----------------------------------------------------------------------------------------


@FAMILY
def test_both_ways_of_a_connection_are_signed(tcp: Tcp, family: int) -> None:
    """RFC 2385 §2: SYN,ACK, data, ACKs and FINs; the option takes twenty bytes of each segment."""
    s = opened(tcp, family)
    mss = s.conn.snd.mss
    assert mss == (1440 if family == 4 else 1420)
    s.call("send", s.sock, bytes(2 * mss + 5))
    assert [right(s, seg).size for seg in s.burst()] == [mss, mss, 5]
    s.rx("A", md5=SECRET)
    s.rx("PA", data=b"signed", md5=SECRET)
    right(s, s.tx("A", ack=7))
    assert s.call("recv", s.sock) == b"signed"
    s.call("shutdown", s.sock, 1)
    right(s, s.tx("FA"))
    s.rx("FA", md5=SECRET)
    right(s, s.tx("A"))
    assert not [name for name in s.stack.env.count if "MD5" in name]


@FAMILY
def test_our_syn_and_its_retransmissions_are_signed(tcp: Tcp, family: int) -> None:
    """RFC 2385 §2; without timestamps, for which there would be no room beside SACK blocks (Linux)."""
    s = tcp(family=family, sack=True, stamps=True)
    s.wait(1000)
    s.connect(keys=keys(s))
    seg = right(s, s.tx("S"))
    assert seg.options == ["NOP", "NOP", "MD5", "MSS", "NOP", "NOP", "SAckOK", "NOP", "WScale"]
    right(s, s.tx("S", after=1000))
    s.rx("SA", mss=1460, md5=SECRET)
    right(s, s.tx("A"))
    s.state("ESTABLISHED")


@pytest.mark.parametrize("sack", [True, False])
def test_a_syn_ack_with_a_signature_has_sack_or_timestamps(tcp: Tcp, sack: bool) -> None:
    """Linux's tcp_synack_options: there is no room for blocks beside both."""
    s = tcp(sack=True, stamps=True)
    s.wait(1000)
    s.call("sign", s.listen(), keys(s))
    s.rx("S", mss=1460, sack_ok=sack, ts=(5, 0), md5=SECRET)
    seg = right(s, s.tx("SA"))
    assert ("SAckOK" in seg.options, "Timestamp" in seg.options) == (sack, not sack)


def test_resets_are_signed_those_of_a_connection_and_those_for_strangers(tcp: Tcp) -> None:
    """RFC 2385 §4.1: an unsigned RST would not be believed."""
    s = opened(tcp)
    s.rx("A", sport=4999, md5=SECRET)
    right(s, s.tx("R"))
    s.call("abort", s.sock)
    right(s, s.tx("RA"))


def test_super_segments_are_cut_before_they_are_signed(tcp: Tcp) -> None:
    """A device that cuts could not sign what it makes."""
    s = opened(tcp, gso=65535)
    s.call("send", s.sock, bytes(5000))
    assert len([right(s, seg) for seg in s.burst()]) == 4


def test_a_stranger_with_a_signature_finds_a_closed_port_silent(tcp: Tcp) -> None:
    """Linux's tcp_v4_send_reset: no key, no answer."""
    s = tcp()
    s.rx("S", md5=SECRET)
    s.nothing()
    assert drops(s.stack.env.count) == {"drop.tcp.closed": 1}


# ---- nothing else is believed ---------------------------------------------------------------------------------------


@FAMILY
@pytest.mark.parametrize("flags", ["PA", "R", "FA", "S", "A"])
def test_what_is_not_signed_is_dropped(tcp: Tcp, family: int, flags: str) -> None:
    """RFC 2385 §2: no answer, or an attacker would learn something."""
    s = opened(tcp, family)
    s.rx(flags, seq=1, data=5 if "P" in flags else b"")
    dropped(s, "missing", "NotFound")
    s.state("ESTABLISHED")


@pytest.mark.parametrize("flags", ["R", "S", "FA"])
def test_time_wait_does_not_believe_what_is_not_signed(tcp: Tcp, flags: str) -> None:
    """RFC 2385 §2: until the connection is gone; nobody can end TIME-WAIT, or prolong it, without the key."""
    s = opened(tcp)
    s.call("close", s.sock)
    s.tx("FA")
    s.rx("FA", ack=2, md5=SECRET)
    s.tx("A")
    s.wait(1000)
    s.rx(flags, seq=5000 if flags == "S" else 2 if flags == "R" else 1)
    s.state("TIME_WAIT")
    dropped(s, "missing", "NotFound")
    s.wait(59_000)
    s.gone()


@FAMILY
@pytest.mark.parametrize("secret", [b"", b"between router", SECRET + b"s"])
def test_what_is_signed_with_another_key_is_dropped(tcp: Tcp, family: int, secret: bytes) -> None:
    """RFC 2385 §2."""
    s = opened(tcp, family)
    s.rx("PA", data=5, md5=secret)
    dropped(s, "failure", "Failure")


@FAMILY
@pytest.mark.parametrize("at", [7, 11, 13, 15, 40, 49])
def test_a_signature_covers_header_and_data(tcp: Tcp, family: int, at: int) -> None:
    """RFC 2385 §2: numbers, flags, window, text; whatever somebody changes, with a right checksum."""
    s = opened(tcp, family)
    raw = bytearray(s.packet("PA", data=b"0123456789", md5=SECRET))
    first = 20 if family == 4 else 40
    raw[first + at] ^= 8 if at == 13 else 1
    s.frame(s.sealed(bytes(raw), bytes(raw[first + 24 : first + 40])))
    dropped(s, "failure", "Failure")


def test_a_signature_without_a_key_is_dropped(tcp: Tcp) -> None:
    """RFC 2385 §2, Linux's TCPMD5Unexpected."""
    s = tcp().passive()
    s.rx("PA", data=5, md5=SECRET)
    dropped(s, "unexpected", "Unexpected")


def test_a_syn_for_a_listener_with_a_key_must_be_signed(tcp: Tcp) -> None:
    """RFC 2385 §2."""
    s = tcp()
    s.call("sign", s.listen(), keys(s))
    s.rx("S")
    dropped(s, "missing", "NotFound")


def test_peers_without_a_key_need_no_signature(tcp: Tcp) -> None:
    """A key is for its peer alone."""
    s = tcp()
    s.call("sign", s.listen(), keys(s, peer="192.0.2.77"))
    s.rx("S")
    assert s.tx("SA").md5 is None


@pytest.mark.parametrize(("prefix", "meant"), [(32, False), (25, False), (24, True), (0, True)])
def test_a_key_for_a_prefix(tcp: Tcp, prefix: int, meant: bool) -> None:
    """TCP_MD5SIG_FLAG_PREFIX: the peer is 192.0.2.2."""
    s = tcp()
    s.call("sign", s.listen(), keys(s, peer="192.0.2.200", prefix=prefix))
    s.rx("S", md5=SECRET if meant else None)
    assert (s.tx("SA").md5 is not None) == meant


def test_a_key_that_comes_later_counts_from_then_on(tcp: Tcp) -> None:
    """Linux lets a key be set at any time; segments get smaller."""
    s = tcp().passive()
    s.rx("PA", data=5)
    s.tx("A")
    s.call("sign", s.sock, keys(s))
    s.rx("PA", data=5)
    dropped(s, "missing", "NotFound")
    s.call("send", s.sock, bytes(2000))
    assert [right(s, seg).size for seg in s.burst()] == [1440, 560]
    s.rx("A", seq=6, md5=SECRET)
    s.call("sign", s.sock, ())
    s.rx("PA", seq=6, data=5)
    assert s.soon().md5 is None


# ---- keys -----------------------------------------------------------------------------------------------------------


def test_the_longest_prefix_counts() -> None:
    """Linux's __tcp_md5_do_lookup."""
    peer = bytes((10, 1, 2, 3))
    keys = tuple(Key(peer, n, b"%d" % n) for n in (8, 32, 16))
    assert md5.find(keys, peer) == b"32"
    assert md5.find(keys, bytes((10, 1, 9, 9))) == b"16"
    assert md5.find(keys, bytes((11, 1, 2, 3))) == b""
    assert md5.find(keys, bytes(16)) == b""


# ---- the socket option ----------------------------------------------------------------------------------------------


MD5SIG, MD5SIG_EXT, TCP = 14, 32, 6


def struct_of(secret: bytes, peer: str = "127.0.0.1", flags: int = 0, prefix: int = 0, length: int = -1) -> bytes:
    """struct tcp_md5sig."""
    address = parse_addr(peer)
    head = struct.pack("<HH", 2, 0) + address if len(address) == 4 else struct.pack("<HHI", 10, 0, 0) + address
    size = len(secret) if length < 0 else length
    return head.ljust(128, b"\0") + struct.pack("<BBHi", flags, prefix, size, 0) + secret.ljust(80, b"\0")


def call(stack: Stack, *args: object) -> tuple[int, int]:
    back = stack.handle(Call("sys", args), 0)
    for _ in range(4):
        stack.drain(0)
    assert isinstance(back, tuple), back
    return back[0], back[1]


def test_the_option_gives_changes_and_takes_keys() -> None:
    """Linux's tcp_v4_parse_md5_keys; nobody can read a key back."""
    stack = make("h")
    fd = call(stack, "socket", 2, 1, 0)[0]
    for value, name, code in [
        (struct_of(b"one"), MD5SIG, 0),
        (struct_of(b"two"), MD5SIG, 0),
        (struct_of(b""), MD5SIG, 0),
        (struct_of(b""), MD5SIG, errno.ENOENT),
        (struct_of(b"x")[:-1], MD5SIG, errno.EINVAL),
        (struct_of(b"x", length=81), MD5SIG, errno.EINVAL),
        (struct_of(b"x", "::1"), MD5SIG, errno.EINVAL),
        (struct_of(b"x", flags=1, prefix=33), MD5SIG_EXT, errno.EINVAL),
        (struct_of(b"x", flags=1, prefix=8), MD5SIG_EXT, 0),
        (struct_of(b"x", flags=1, prefix=33), MD5SIG, 0),
    ]:
        assert call(stack, "setsockopt", fd, TCP, name, value)[1] == code
    assert call(stack, "getsockopt", fd, TCP, MD5SIG, 216)[1] == errno.ENOPROTOOPT


def test_two_sockets_that_share_a_key_connect_and_others_do_not() -> None:
    """RFC 2385, through system calls on loopback."""
    stack = make("h")
    server, client, stranger = (call(stack, "socket", 2, 0o4001, 0)[0] for _ in range(3))
    for fd in (server, client):
        assert call(stack, "setsockopt", fd, TCP, MD5SIG, struct_of(b"secret"))[1] == 0
    call(stack, "bind", server, ("127.0.0.1", 179))
    call(stack, "listen", server, 5)
    assert call(stack, "connect", client, ("127.0.0.1", 179))[1] == errno.EINPROGRESS
    assert call(stack, "accept4", server, 0)[0] > 0
    assert call(stack, "connect", stranger, ("127.0.0.1", 179))[1] == errno.EINPROGRESS
    assert call(stack, "accept4", server, 0)[1] == errno.EAGAIN
    assert stack.env.count["TcpExtTCPMD5NotFound"] == 1
