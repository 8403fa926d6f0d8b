# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets of scripts, drawn by Hypothesis, with every field filled in; and flows for them."""

from hypothesis import strategies as st

from labstack.packetdrill.script import Icmp, Ip, Option, Packet, Quote, Tcp, Udp
from labstack.scenario.packets import icmpnames
from labstack.scenario.packets.flow import Flow
from labstack.scenario.packets.view import seen
from labstack.scenario.packets.wire import take_apart

HOST4, PEER4 = bytes([192, 168, 0, 1]), bytes([192, 0, 2, 1])
HOST6 = bytes.fromhex("fd3d0a0b17d600000000000000000001")
PEER6 = bytes.fromhex("fd3dfa7b17d600000000000000000001")
U8, U16, U24, U32 = (st.integers(0, (1 << n) - 1) for n in (8, 16, 24, 32))
LETTERS = "FSRP.EWAU"


def flow(version: int = 4, **more: object) -> Flow:
    """The flow of a test: 8080 of the host, 40000 of the other end."""
    host, peer = (HOST4, PEER4) if version == 4 else (HOST6, PEER6)
    return Flow(host, 8080, peer, 40000, **more)  # type: ignore[arg-type]


def view(data: bytes, where: Flow, inbound: bool = False) -> Packet | str:
    """What a script would call a packet."""
    wire = take_apart(data)
    return wire if isinstance(wire, str) else seen(wire, where, inbound)


def known(version: int) -> st.SearchStrategy[Flow]:
    """A flow in the middle of its life."""
    return st.builds(
        flow, st.just(version), local_isn=U32, script_isn=st.just(0), remote_isn=U32, ecr_scaled=st.just(True),
        first=st.tuples(U32, U32),
    )  # fmt: skip


def cookie(longest: int) -> st.SearchStrategy[tuple[bytes, ...]]:
    return st.binary(max_size=longest).map(lambda data: (data,) if data else ())


def counters(order: tuple[str, ...]) -> st.SearchStrategy[tuple[object, ...]]:
    counts = st.lists(U24, min_size=1, max_size=3)
    return counts.map(lambda found: tuple(x for pair in zip(order, found, strict=False) for x in pair))


OPTIONS = st.one_of(
    st.builds(Option, st.just("mss"), st.tuples(U16)),
    st.builds(Option, st.just("wscale"), st.tuples(U8)),
    st.just(Option("sackOK")),
    st.builds(Option, st.just("sack"), st.lists(st.tuples(U32, U32), min_size=1, max_size=4).map(lambda b: sum(b, ()))),
    st.builds(Option, st.just("TS"), st.tuples(U32, U32)),
    st.builds(Option, st.just("md5"), cookie(16)),
    st.builds(Option, st.just("FO"), cookie(16)),
    st.builds(Option, st.just("FOEXP"), cookie(16)),
    st.builds(Option, st.just("ECN"), counters(("e0b", "ceb", "e1b"))),
    st.builds(Option, st.just("ECN"), counters(("e1b", "ceb", "e0b"))),
)


def size(option: Option) -> int:
    """Bytes that an option takes, counted without the code that is tested."""
    fixed = {"nop": 1, "eol": 1, "mss": 4, "wscale": 3, "sackOK": 2, "TS": 10, "sack": 2 + 4 * len(option.values)}
    fixed["ECN"] = 2 + 3 * (len(option.values) // 2)
    data = sum(len(value) for value in option.values if isinstance(value, bytes))
    return fixed.get(option.name) or data + (4 if option.name == "FOEXP" else 2)


@st.composite
def option_lists(draw: st.DrawFn) -> tuple[Option, ...]:
    found: list[Option] = []
    for option in draw(st.lists(OPTIONS, max_size=4)):
        if sum(map(size, found)) + size(option) <= 40:
            found.append(option)
    pad = -sum(map(size, found)) % 4
    nops = draw(st.integers(0, pad))
    return (*found, *[Option("nop")] * nops, *[Option("eol")] * (pad - nops))


@st.composite
def tcps(draw: st.DrawFn) -> Tcp:
    flags = "".join([letter for letter in LETTERS if draw(st.booleans())])
    body = Tcp(flags, draw(U32), draw(st.integers(0, 1500)), draw(U32), draw(U16), draw(U16))
    return body._replace(options=draw(option_lists()))


@st.composite
def icmps(draw: st.DrawFn, version: int) -> Icmp:
    kind = draw(st.sampled_from([*icmpnames.TYPES[version].values(), 99]))
    codes = len(icmpnames.CODES.get((version, kind), ())) or 3
    body = Icmp(*icmpnames.names(version, kind, code := draw(st.integers(0, codes - 1))))
    if kind in icmpnames.QUOTING[version]:
        sort = draw(st.sampled_from(["tcp", "udp"]))
        body = body._replace(quote=Quote(sort, draw(U32) if sort == "tcp" else 0, draw(st.integers(0, 1400))))
    elif draw(st.booleans()):
        body = body._replace(quote=Quote("raw", 0, draw(st.integers(21, 500))))
    if (version, kind, code) in icmpnames.TOO_BIG:
        body = body._replace(mtu=draw(U16))
    return body._replace(ident=draw(U16)) if kind in icmpnames.ECHOES[version] else body


@st.composite
def packets(draw: st.DrawFn, version: int, inbound: bool = True) -> Packet:
    """Any packet of a script, ICMP among them if it is inbound."""
    ip = Ip(None, draw(U8), draw(U8), draw(st.integers(0, (1 << 20) - 1)) if version == 6 else None)
    body = draw(st.one_of(tcps(), st.builds(Udp, st.integers(0, 1400)), icmps(version)))
    return Packet(inbound, body, ip, None if isinstance(body, Icmp) else (draw(U16), draw(U16)))
