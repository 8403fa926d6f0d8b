# SPDX-License-Identifier: GPL-2.0-or-later
"""No bytes on the wire raise, every one is accounted for, and a clone lives the same life."""

from collections.abc import Callable

from hypothesis import example, given, settings
from hypothesis import strategies as st
from ip_tools import ME, MY4, MY6, MYLL, PEER, SECOND, YOU4, YOU6, YOULL, Host, ip

from labstack.core.frame import Frame
from labstack.ip import icmp
from labstack.ip.arrive import arrive
from layers import (
    ARP,
    ICMP,
    IP,
    TCP,
    UDP,
    Ether,
    ICMPv6DestUnreach,
    ICMPv6EchoRequest,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    Raw,
    RouterAlert,
)
from layers.checksum import checksum, pseudo6


def ether(packet: object) -> bytes:
    raw = bytes(packet)  # type: ignore[call-overload]
    return ME + PEER + (b"\x08\0" if raw[0] >> 4 == 4 else b"\x86\xdd") + raw


def v4(payload: object, **fields: object) -> bytes:
    return ether(IP(**{"src": YOU4, "dst": MY4, **fields}) / payload)


def v6(payload: object, **fields: object) -> bytes:
    return ether(IPv6(**{"src": YOU6, "dst": MY6, **fields}) / payload)


SEEDS = [
    bytes(Ether(dst=b"\xff" * 6, src=PEER) / ARP(op=1, hwsrc=PEER, psrc=YOU4, pdst=MY4)),
    bytes(Ether(dst=ME, src=PEER) / ARP(op=2, hwsrc=PEER, psrc="10.0.0.9", hwdst=ME, pdst=MY4)),
    v4(TCP(sport=1, dport=2, flags="S") / b"data"),
    v4(UDP(sport=1, dport=2) / b"data"),
    v4(UDP(sport=1, dport=2) / b"data", options=b"\x07\x07\4\0\0\0\0\0"),
    v4(UDP(sport=1, dport=2) / b"data", flags="MF"),
    v4(ICMP(type=8, id=1, seq=2) / b"ping"),
    v4(ICMP(type=3, code=3) / IP(src=MY4, dst=YOU4) / UDP(sport=5, dport=6) / b"quote"),
    v4(Raw(b"12345678"), proto=132),
    v6(TCP(sport=1, dport=2, flags="S") / b"data"),
    v6(ICMPv6EchoRequest(id=1, seq=2, data=b"ping")),
    v6(ICMPv6DestUnreach(code=4) / IPv6(src=MY6, dst=YOU6) / UDP(sport=5, dport=6) / b"quote"),
    v6(ICMPv6ND_NS(tgt=MY6) / Raw(b"\1\1" + PEER), hlim=255),
    v6(ICMPv6ND_NS(tgt=MYLL) / Raw(b"\1\1" + PEER), hlim=255, src=YOULL, dst=MYLL),
    v6(ICMPv6ND_NA(tgt="fd00::9", S=1, O=1) / Raw(b"\2\1" + PEER), hlim=255),
    v6(IPv6ExtHdrHopByHop(options=[RouterAlert()]) / IPv6ExtHdrDestOpt() / IPv6ExtHdrRouting() / UDP() / b"x"),
    v6(IPv6ExtHdrDestOpt() / IPv6ExtHdrFragment(m=1) / UDP() / b"x"),
]


def mended(raw: bytes) -> bytes:
    """A mutated frame with its IPv4 header, ICMP and ICMPv6 checksums made right, where there are such headers."""
    out = bytearray(raw)
    if len(out) >= 34 and out[12:14] == b"\x08\0":
        end = 14 + (out[14] & 15) * 4
        out[24:26] = b"\0\0"
        out[24:26] = checksum(out[14:end]).to_bytes(2, "big")
        total = 14 + int.from_bytes(out[16:18], "big")
        if out[23] == 1 and end + 4 <= min(total, len(out)):
            out[end + 2 : end + 4] = b"\0\0"
            out[end + 2 : end + 4] = checksum(out[end:total]).to_bytes(2, "big")
    if len(out) >= 58 and out[12:14] == b"\x86\xdd" and out[20] == 58:
        total = 54 + int.from_bytes(out[18:20], "big")
        out[56:58] = b"\0\0"
        start = pseudo6(bytes(out[22:38]), bytes(out[38:54]), 58, total - 54)
        out[56:58] = checksum(out[54:total], start).to_bytes(2, "big")
    return bytes(out)


@st.composite
def mutants(draw: Callable[..., object]) -> bytes:
    """A good frame with a few bytes changed, cut, grown or doubled; nine times in ten with right checksums."""
    raw = bytearray(draw(st.sampled_from(SEEDS)))  # type: ignore[call-overload]
    for _ in range(draw(st.integers(0, 4))):  # type: ignore[call-overload]
        at = draw(st.integers(12, max(12, len(raw) - 1)))
        raw[at : at + 1] = bytes((draw(st.one_of(st.sampled_from((0, 1, 2, 255, 127, 128)), st.integers(0, 255))),))  # type: ignore[misc, index, operator]
    tail = draw(st.sampled_from(("", "cut", "grow")))
    if tail == "cut":
        del raw[draw(st.integers(0, len(raw))) :]  # type: ignore[misc]
    elif tail == "grow":
        raw += draw(st.binary(min_size=1, max_size=9))  # type: ignore[arg-type]
    return mended(bytes(raw)) if draw(st.integers(0, 9)) else bytes(raw)


@given(st.lists(st.tuples(mutants(), st.integers(0, 3 * SECOND)), min_size=1, max_size=12))
@settings(max_examples=300, deadline=None)
def test_mutated_frames_never_raise_and_are_all_accounted_for(
    life: list[tuple[bytes, int]],
) -> None:
    host = Host(**{"net.ipv6.conf.all.dad_transmits": 1})
    for raw, pause in life:
        d = host.frame(Frame(raw))
        if d is not None and d.quoted is None and d.proto in (6, 17):
            icmp.unreachable(host.env, host.net, d, d.family.port)
        for action in host.env.actions:
            for out in action.frame.cuts():
                Ether(out)
        host.env.actions.clear()
        host.wait(pause)
        icmp.undelivered(host.env, host.net)
    host.hold()


@given(st.binary(max_size=200), st.sampled_from([b"", *(s[:14] for s in SEEDS), *(s[:20] for s in SEEDS)]))
@settings(max_examples=300, deadline=None)
@example(b"", b"")
def test_random_bytes_never_raise(tail: bytes, head: bytes) -> None:
    host = Host()
    host.frame(Frame(head + tail))
    tun = Host(mac=b"")
    tun.frame(Frame(tail, net=0))
    for it in (host, tun):
        icmp.undelivered(it.env, it.net)
        it.hold()


@given(st.sampled_from(SEEDS), st.lists(st.integers(14, 200), max_size=4), st.booleans())
@settings(max_examples=200, deadline=None)
def test_how_a_frame_is_cut_into_pieces_changes_nothing(raw: bytes, cuts: list[int], padded: bool) -> None:
    """Headers stay in `head`; a frame in pieces means what the same frame in one piece means."""
    raw += b"padding" * padded
    ends = sorted({min(c, len(raw)) for c in cuts if c >= 58} | {len(raw)})
    pieces = [raw[a:b] for a, b in zip([0, *ends], ends, strict=False)]
    one, other = Host(), Host()
    a = one.frame(Frame(raw))
    b = other.frame(Frame(pieces[0], tuple(pieces[1:])))
    assert (one.env.count, one.net, one.sent()) == (other.env.count, other.net, other.sent())
    assert (a is None) == (b is None)
    if a is not None and b is not None:
        whole = [b"".join((d.buf[d.at : d.end], *d.body)) for d in (a, b)]
        assert whole[0] == whole[1]
        assert [getattr(a, n) for n in ("src", "dst", "flow", "length", "quoted")] == [
            getattr(b, n) for n in ("src", "dst", "flow", "length", "quoted")
        ]


@given(st.lists(mutants(), max_size=8), st.lists(mutants(), min_size=1, max_size=8))
@settings(max_examples=100, deadline=None)
def test_a_clone_lives_the_same_life(before: list[bytes], after: list[bytes]) -> None:
    host = Host(**{"net.ipv6.conf.all.dad_transmits": 1})
    for raw in before:
        host.frame(Frame(raw))
    twin = Host()
    twin.env, twin.net = host.env.clone(), host.net.clone()
    assert (twin.env, twin.net) == (host.env, host.net)
    kept = host.env.clone(), host.net.clone()
    for raw in after:
        twin.frame(Frame(raw))
        twin.wait(SECOND)
    assert (host.env, host.net) == kept
    for raw in after:
        host.frame(Frame(raw))
        host.wait(SECOND)
    assert (twin.env, twin.net) == (host.env, host.net)


def test_a_neighbour_solicitation_with_one_trailing_byte_is_dropped_by_name() -> None:
    """RFC 4861 §7.1.1: this frame kills a well-known stack."""
    host = Host()
    good = bytes(ICMPv6ND_NS(tgt=MY6)) + b"\1\1" + PEER + b"\0"
    packet = IPv6(src=YOU6, dst="ff02::1:ff00:1", hlim=255, nh=58) / Raw(good)
    raw = mended(b"\x33\x33\xff\0\0\1" + PEER + b"\x86\xdd" + bytes(packet))
    assert host.frame(Frame(raw)) is None
    assert (host.drops(), host.sent()) == ({"drop.nd.option": 1}, [])


def test_a_flood_of_everything_leaves_every_table_within_its_bound() -> None:
    """Hostile-input rows 12, 37, 38, 45, section 4"""
    host = Host()
    for n in range(5000):
        source = (0x0A000100 + n).to_bytes(4, "big")
        mac = b"\2" + n.to_bytes(5, "big")
        arp = b"\0\1\x08\0\6\4\0\1" + mac + source[:3] + source[3:] + bytes(6) + ip(MY4)
        host.env.now += SECOND // 50_000
        for raw in (
            b"\xff" * 6 + mac + b"\x08\x06" + arp,
            v4(UDP(sport=n % 65536, dport=9), src=f"10.0.0.{n % 250 + 3}"),
        ):
            d = arrive(host.env, host.net, 1, Frame(raw))
            if d is not None:
                icmp.unreachable(host.env, host.net, d, d.family.port)
        host.env.actions.clear()
        host.env.trace.clear()
        icmp.undelivered(host.env, host.net)
    host.hold()
    assert len(host.eth0.neigh.table) <= 512
    assert host.env.count["IcmpOutMsgs"] <= 50 + 100 + 1
    assert {host.eth0.neigh.table[ip(a)].mac for a in (YOU4, YOU6)} == {PEER}
