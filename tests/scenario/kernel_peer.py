# SPDX-License-Identifier: GPL-2.0-or-later
"""A peer made by hand for the tests of the kernel target: segments of one connection, as bytes, both ways."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from labstack.live.namespace import StepError
from labstack.scenario.kernel import available
from labstack.scenario.kernel.target import Kernel
from labstack.scenario.target import Packet, Result, Ticket
from layers import IP, TCP, IPv6

LOCAL, REMOTE = "192.168.0.1", "192.0.2.1"
LOCAL6, REMOTE6 = "fd3d:a0b:17d6::1", "fd3d:fa7b:d17d::1"
PORT, THEIRS = 8080, 1024
SECOND = 1_000_000_000
QUIET = {"net.ipv4.tcp_congestion_control": "reno", "net.ipv4.tcp_timestamps": 0, "net.ipv4.tcp_early_retrans": 0}


@contextmanager
def linux(**named: Any) -> Iterator[Kernel]:
    """A kernel target, or a skip with the reason; nothing must be wrong with it at the end."""
    if why := available():
        pytest.skip(why)
    try:
        made = Kernel(**{"sysctls": QUIET, **named})
    except StepError as error:
        if error.step == "queue":  # a TUN was asked for
            pytest.skip(str(error))
        raise
    with made as kernel:
        yield kernel
        assert kernel.fault == ""


def done(back: Result | Ticket) -> Any:
    """What a call that must succeed at once handed back, or else its result."""
    assert isinstance(back, Result), back
    assert back.errno == 0, back
    return back.result if back.data is None else back.data


def later(kernel: Kernel, back: Result | Ticket) -> tuple[int, Result]:
    """When and with what a call returned that must have blocked; packets on the way are thrown away."""
    assert isinstance(back, Ticket), back
    until = kernel.now + 10 * SECOND
    while kernel.wait(until, back) is not None:
        pass
    found = kernel.finished(back)
    assert found is not None
    return found


def letters(tcp: Any) -> str:
    """Its flags, as "SA"."""
    return "".join(letter for bit, letter in enumerate("FSRPAUEC") if tcp.flags >> bit & 1)


def data_of(tcp: Any) -> bytes:
    return bytes(tcp.payload)


class Peer:
    """The other end of one TCP connection; seq and ack: what it sends next, and has received."""

    def __init__(self, kernel: Kernel, six: bool = False, sport: int = THEIRS, dport: int = PORT) -> None:
        self.kernel = kernel
        self.ip: Any = IPv6(src=REMOTE6, dst=LOCAL6) if six else IP(src=REMOTE, dst=LOCAL)
        self.ports = sport, dport
        self.seq, self.ack = 0, 0

    def send(self, flags: str, data: bytes = b"", **fields: Any) -> None:
        fields = {"seq": self.seq, "ack": self.ack, "window": 65535, **fields}
        sport, dport = self.ports
        segment = self.ip.copy() / TCP(sport=sport, dport=dport, flags=flags, **fields)
        self.kernel.inject(bytes(segment) if not data else bytes(segment / data))
        self.seq += len(data) + ("S" in flags) + ("F" in flags)

    def take(self) -> tuple[Packet, Any]:
        """The next packet, and its TCP header; what it brought has been received."""
        packet = self.kernel.wait(self.kernel.now + 10 * SECOND)
        assert packet is not None
        tcp = type(self.ip)(packet.data)[TCP]
        self.ack = (tcp.seq + len(data_of(tcp)) + ("S" in letters(tcp)) + ("F" in letters(tcp))) % (1 << 32)
        return packet, tcp

    def handshake(self) -> None:
        """Open a connection to the kernel's listener."""
        self.send("S", options=[("MSS", 1460)])
        assert letters(self.take()[1]) == "SA"
        self.send("A")

    def answer(self) -> None:
        """Take the kernel's SYN, and let the connection be established."""
        _, syn = self.take()
        assert letters(syn) == "S"
        self.ports = syn.dport, syn.sport
        self.send("SA", options=[("MSS", 1460)])
        assert letters(self.take()[1]) == "A"


def listening(kernel: Kernel, family: int = 2, host: str = LOCAL) -> int:
    """A listener's descriptor."""
    fd: int = done(kernel.socket(family, 1))
    done(kernel.bind(fd, (host, PORT)))
    done(kernel.listen(fd, 5))
    return fd


def accepted(kernel: Kernel) -> tuple[int, Peer]:
    """A connection that was opened by the peer: its descriptor, and the peer."""
    fd, peer = listening(kernel), Peer(kernel)
    peer.handshake()
    back = kernel.accept(fd)
    if isinstance(back, Ticket):
        back = later(kernel, back)[1]
    return back.result, peer
