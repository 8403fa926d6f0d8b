# SPDX-License-Identifier: GPL-2.0-or-later
"""SO_BINDTODEVICE while a connection stands: what was found of its path before is forgotten (Linux's sk_dst_reset)."""

from syscall_host import INET, STREAM
from wire_peer import i32

from labstack.core.event import Call, Rx, Tx
from labstack.core.frame import Frame
from labstack.stack.stack import Stack, make
from layers import IP, TCP

SOL_SOCKET, BINDTODEVICE, SOL_TCP, NODELAY = 1, 25, 6, 1


def two_links() -> tuple[Stack, int]:
    """A host with two links to the same network, and a connection, which leaves on the first; its descriptor."""
    host = make("h")
    for name, address in (("tun0", "10.0.0.1/24"), ("tun1", "10.0.0.3/24")):
        host.call("link_add", name)
        host.call("addr_add", name, address, False)
    fd = sys(host, "socket", INET, STREAM, 0)
    assert sys(host, "connect", fd, ("10.0.0.2", 80)) > 0  # it waits
    (syn,) = sent(host)
    assert syn.dev == 1
    raw = syn.frame.cuts()[0]
    ours = TCP.parse(raw, 20)
    answer = IP(src="10.0.0.2", dst="10.0.0.1") / TCP(sport=80, dport=ours.sport, flags="SA", ack=ours.seq + 1)
    host.handle(Rx(1, Frame(bytes(answer), net=0)), 0)
    assert [it.dev for it in sent(host)] == [1]
    return host, fd


def sys(host: Stack, name: str, *args: object) -> int:
    back = host.handle(Call("sys", (name, *args)), 0)
    if isinstance(back, tuple):
        assert back[1] == 0, f"{name}{args}: {back}"
        return int(back[0])
    return int(back)


def sent(host: Stack) -> list[Tx]:
    return [it for it in host.drain(0) if isinstance(it, Tx)]


def test_a_connection_leaves_on_the_device_that_it_is_bound_to() -> None:
    host, fd = two_links()
    sys(host, "setsockopt", fd, SOL_SOCKET, BINDTODEVICE, b"tun1\0")
    sys(host, "sendto", fd, b"hello", 0)
    assert [it.dev for it in sent(host)] == [2]
    sys(host, "setsockopt", fd, SOL_TCP, NODELAY, i32(1))
    sys(host, "setsockopt", fd, SOL_SOCKET, BINDTODEVICE, b"")
    sys(host, "sendto", fd, b"hello", 0)
    assert [it.dev for it in sent(host)] == [1]
