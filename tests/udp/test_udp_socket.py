# SPDX-License-Identifier: GPL-2.0-or-later
"""UDP both ways, ping sockets, and the ICMP errors that datagrams cause (RFC 768, RFC 1122 §4.1, RFC 8200 §8.1)."""

import errno
from collections.abc import Iterator

import pytest
from tcp_script import ADDRS, Script

from labstack.core.counters import drops, unbalanced
from labstack.core.event import FAILED, READABLE, Rx, Wake
from labstack.core.frame import Frame
from labstack.ip.family import parse_addr
from layers import ICMP, IP, UDP, IPv6
from layers.checksum import ones_sum

BOTH = pytest.mark.parametrize("family", [4, 6])


class Peer(Script):
    """A script whose peer speaks UDP."""

    def datagram(self, data: bytes, sport: int = 5000, dport: int = 7, **more: object) -> bytes:
        return bytes(self.ip() / UDP(sport=sport, dport=dport, **more) / data)

    def said(self) -> tuple[int, int, bytes]:
        """(source port, destination port, data) of the datagram that left; its checksum is verified."""
        raw = self.others.pop(0)
        hlen = 20 if self.family == 4 else 40
        pseudo = raw[12:20] if self.family == 4 else raw[8:40]
        assert ones_sum(pseudo + b"\0\x11" + (len(raw) - hlen).to_bytes(2, "big") + raw[hlen:]) == 0xFFFF
        udp = UDP.parse(raw, hlen, len(raw))
        assert isinstance(udp, UDP)
        assert udp.len == len(raw) - hlen
        assert udp.chksum, "never without a checksum"
        return udp.sport, udp.dport, raw[hlen + 8 :]


@pytest.fixture
def made() -> Iterator[list[Peer]]:
    made: list[Peer] = []
    yield made
    for it in made:
        assert it.faults == []
        assert unbalanced(it.stack.env.count) == []


def peer(made: list[Peer], **settings: object) -> Peer:
    made.append(Peer(**settings))  # type: ignore[arg-type]
    return made[-1]


@BOTH
@pytest.mark.parametrize("data", [b"", b"x", b"odd", bytes(range(256)) * 5])
def test_a_datagram_there_and_back(made: list[Peer], family: int, data: bytes) -> None:
    """RFC 768; whole or not at all, also the empty one."""
    s = peer(made, family=family)
    sock = s.call("udp", 7)
    s.frame(s.datagram(data))
    assert s.wakes == [Wake(sock, READABLE)]
    assert s.call("readable", sock) == 1
    assert s.call("recvfrom", sock) == (data, (s.peer, 5000))
    s.fails(errno.EAGAIN, "recvfrom", sock)
    assert s.call("sendto", sock, data, s.peer, 5000) == len(data)
    assert s.said() == (7, 5000, data)


@BOTH
def test_a_connected_socket_hears_its_peer_alone(made: list[Peer], family: int) -> None:
    """RFC 1122 §4.1.3.5 and the BSD API."""
    s = peer(made, family=family)
    sock = s.call("udp", 7)
    s.fails(errno.EDESTADDRREQ, "sendto", sock, b"x")
    s.call("udp_connect", sock, s.peer, 5000)
    s.call("sendto", sock, b"x")
    assert s.said() == (7, 5000, b"x")
    s.frame(s.datagram(b"stranger", sport=5001))
    s.fails(errno.EAGAIN, "recvfrom", sock)
    s.frame(s.datagram(b"friend"))
    assert s.call("recvfrom", sock)[0] == b"friend"
    assert len(s.others) == 1, "the stranger is told that nobody is there"


@BOTH
def test_a_closed_port_is_answered_by_icmp(made: list[Peer], family: int) -> None:
    """RFC 1122 §4.1.3.1; RFC 4443 §3.1."""
    s = peer(made, family=family)
    raw = s.datagram(b"anybody?", dport=9)
    s.frame(raw)
    (answer,) = s.others
    hlen = 20 if family == 4 else 40
    assert answer[hlen : hlen + 2] == (b"\3\3" if family == 4 else b"\1\4")
    assert answer[hlen + 8 :] == raw
    prefix = "Udp" if family == 4 else "Udp6"
    count = s.stack.env.count
    assert (count[prefix + "NoPorts"], drops(count)) == (1, {"drop.udp.closed": 1})


@BOTH
def test_wrong_lengths_and_checksums_are_dropped_silently(made: list[Peer], family: int) -> None:
    """RFC 768; RFC 1122 §4.1.3.4: an invalid checksum is discarded without a word."""
    s = peer(made, family=family)
    s.call("udp", 7)
    s.frame(s.datagram(b"data", chksum=1))
    s.frame(s.datagram(b"data", len=7))
    s.frame(s.datagram(b"data", len=13))
    s.frame(bytes(s.ip() / b"short") if family == 6 else bytes(IP(src=s.peer, dst=s.us, proto=17) / b"short"))
    expected = {"drop.udp.csum": 1, "drop.udp.length": 2}
    if family == 4:
        expected["drop.udp.short"] = 1
    assert {k: v for k, v in drops(s.stack.env.count).items() if k.startswith("drop.udp")} == expected
    assert [raw for raw in s.others if raw[9 if family == 4 else 6] == 17] == []
    assert s.stack.env.count["UdpInErrors" if family == 4 else "Udp6InErrors"] == sum(expected.values())


def test_without_a_checksum_ipv4_trusts_and_ipv6_does_not(made: list[Peer]) -> None:
    """RFC 768; RFC 8200 §8.1."""
    for family in (4, 6):
        s = peer(made, family=family)
        sock = s.call("udp", 7)
        s.frame(s.datagram(b"data", chksum=0))
        if family == 4:
            assert s.call("recvfrom", sock)[0] == b"data"
        else:
            assert drops(s.stack.env.count) == {"drop.udp.zero_csum": 1}


@BOTH
def test_a_checksum_that_computes_to_zero_is_sent_as_ones(made: list[Peer], family: int) -> None:
    """RFC 768: all zeros means that there is none."""
    s = peer(made, family=family)
    sock = s.call("udp", 7)
    us, them = ADDRS[family]
    head = parse_addr(us) + parse_addr(them) + bytes((0, 17, 0, 10, 0, 7, 0x13, 0x88, 0, 10))
    data = (0xFFFF - ones_sum(head)).to_bytes(2, "big")
    s.call("sendto", sock, data, s.peer, 5000)
    raw = s.others[-1]
    assert raw[-4:-2] == b"\xff\xff"
    s.said()


def test_what_follows_the_udp_length_is_not_data(made: list[Peer]) -> None:
    """RFC 768: the length is the datagram's, whatever IP carries."""
    s = peer(made)
    sock = s.call("udp", 7)
    s.frame(bytes(IP(src=s.peer, dst=s.us, proto=17) / (bytes((19, 136, 0, 7, 0, 11, 0, 0)) + b"abcXYZ")))
    assert s.call("recvfrom", sock)[0] == b"abc"


@pytest.mark.parametrize("size", [0, 1, 1000])
def test_the_queue_of_a_slow_reader_is_bounded_whatever_the_size(made: list[Peer], size: int) -> None:
    """rmem_default; Linux counts the cost of a datagram, not its bytes alone: empty ones are not free."""
    s = peer(made, sysctl={"net.core.rmem_default": 20_000})
    sock = s.call("udp", 7)
    for _ in range(200):
        s.frame(s.datagram(bytes(size)))
    waiting = s.call("readable", sock)
    assert waiting * (size + 100) < 20_000 < waiting * (size + 400) + 2000
    assert drops(s.stack.env.count) == {"drop.udp.rcvbuf": 200 - waiting}
    assert s.stack.env.count["UdpRcvbufErrors"] == 200 - waiting
    for _ in range(waiting):
        s.call("recvfrom", sock)
    s.frame(s.datagram(bytes(size)))
    assert s.call("readable", sock) == 1


def test_a_datagram_that_does_not_fit_the_link_is_refused(made: list[Peer]) -> None:
    """EMSGSIZE, and nothing is sent."""
    s = peer(made)
    sock = s.call("udp", 7)
    assert s.call("sendto", sock, bytes(1472), s.peer, 5000) == 1472
    s.others.clear()
    s.fails(errno.EMSGSIZE, "sendto", sock, bytes(1473), s.peer, 5000)
    s.fails(errno.EMSGSIZE, "sendto", sock, bytes(70_000), s.peer, 5000)
    assert s.others == []
    assert s.stack.env.count["UdpOutDatagrams"] == 1


def test_an_icmp_error_reaches_the_connected_socket_that_it_is_about(made: list[Peer]) -> None:
    """RFC 1122 §4.1.3.3: once, at the next call."""
    s = peer(made)
    sock = s.call("udp", 7)
    s.call("udp_connect", sock, s.peer, 5000)
    s.call("sendto", sock, b"x")
    raw = s.others.pop()
    s.icmp(3, 3, raw[:28])
    assert s.wakes == [Wake(sock, FAILED)]
    s.fails(errno.ECONNREFUSED, "sendto", sock, b"y")
    assert s.call("sendto", sock, b"z") == 1
    s.icmp(3, 3, raw[:22] + (5001).to_bytes(2, "big") + raw[24:28])
    assert s.call("sendto", sock, b"z") == 1, "that one was about somebody else"


def test_an_icmp_error_does_not_disturb_an_unconnected_socket(made: list[Peer]) -> None:
    """Linux: without IP_RECVERR only connected sockets hear of it."""
    s = peer(made)
    sock = s.call("udp", 7)
    s.call("sendto", sock, b"x", s.peer, 5000)
    s.icmp(3, 3, s.others.pop()[:28])
    assert s.call("sendto", sock, b"y", s.peer, 5000) == 1


def test_a_super_datagram_is_many(made: list[Peer]) -> None:
    """UDP segmentation offload: gso bytes each, the last may be shorter."""
    s = peer(made)
    sock = s.call("udp", 7)
    raw = s.datagram(bytes(range(250)))
    s.event(Rx(1, Frame(raw[:28], (raw[28:100], raw[100:]), 100, None, 0, 0)))
    assert [len(s.call("recvfrom", sock)[0]) for _ in range(3)] == [100, 100, 50]
    assert s.stack.env.count["UdpInSegs"] == s.stack.env.count["UdpInDatagrams"] == 3


def test_a_free_port_is_chosen_when_none_is_named(made: list[Peer]) -> None:
    """RFC 6056."""
    s = peer(made)
    ports = {s.stack.udps[s.call("udp")].lport for _ in range(5)}
    assert len(ports) == 5
    assert min(ports) >= 32_768


def test_closing_frees_the_port(made: list[Peer]) -> None:
    s = peer(made)
    sock = s.call("udp", 7)
    s.call("close", sock)
    s.fails(errno.EBADF, "recvfrom", sock)
    s.call("udp", 7)


def test_the_more_specific_socket_wins(made: list[Peer]) -> None:
    """A port on one of two addresses, and on the other."""
    s = peer(made)
    s.call("addr_add", 1, "192.0.2.9/24")
    one = s.call("udp", 7, "192.0.2.9")
    other = s.call("udp", 7, "192.0.2.1")
    s.frame(s.datagram(b"to .1"))
    s.fails(errno.EAGAIN, "recvfrom", one)
    assert s.call("recvfrom", other)[0] == b"to .1"


@BOTH
def test_ping_and_its_reply(made: list[Peer], family: int) -> None:
    """RFC 792, RFC 4443 §4.2: identifier and sequence number come back."""
    s = peer(made, family=family)
    sock = s.call("ping", s.peer, b"payload")
    assert s.call("ping", s.peer, b"payload", sock) == sock
    for _ in range(2):
        request = s.others.pop(0)
        hlen = 20 if family == 4 else 40
        body = bytearray(request[hlen:])
        body[0], body[2:4] = (0 if family == 4 else 129), b"\0\0"
        pseudo = (
            b"" if family == 4 else parse_addr(s.peer) + parse_addr(s.us) + len(body).to_bytes(2, "big") + b"\0\x3a"
        )
        body[2:4] = (0xFFFF - ones_sum(pseudo + bytes(body))).to_bytes(2, "big")
        ip = IP(src=s.peer, dst=s.us, proto=1) if family == 4 else IPv6(src=s.peer, dst=s.us, nh=58)
        s.frame(bytes(ip / bytes(body)))
    assert [s.call("recvfrom", sock) for _ in range(2)] == [(b"payload", (s.peer, 1)), (b"payload", (s.peer, 2))]
    s.fails(errno.EAGAIN, "recvfrom", sock)
    s.call("close", sock)
    s.fails(errno.EBADF, "recvfrom", sock)


def test_replies_nobody_reads_are_bounded(made: list[Peer]) -> None:
    """64 wait, the rest is forgotten."""
    s = peer(made)
    sock = s.call("ping", s.peer)
    ident = s.stack.echoes[sock].ident
    for seq in range(200):
        s.frame(bytes(IP(src=s.peer, dst=s.us) / ICMP(type=0, id=ident, seq=seq)))
    assert s.call("readable", sock) == 64


def test_an_unreachable_host_fails_the_ping(made: list[Peer]) -> None:
    """RFC 1122 §3.2.2.1."""
    s = peer(made)
    sock = s.call("ping", s.peer)
    s.icmp(3, 1, s.others.pop()[:28])
    s.fails(errno.EHOSTUNREACH, "recvfrom", sock)
