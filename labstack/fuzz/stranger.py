# SPDX-License-Identifier: GPL-2.0-or-later
"""A stranger who knows addresses and ports, and forges segments and ICMP errors: blind, so he guesses numbers, and
lucky guesses are left out (RFC 5961 §1.2, RFC 5927 §4). What he does must neither end a connection nor get a byte into
it.

Some of his ICMP errors are not forged, as if a router had sent them: about a segment that is in flight. They may make
segments smaller, and say why a connection that gives up does so.

A mole sees everything, and sends whatever he likes. Against him there is no help; the stack must only stay in order.
"""

from collections.abc import Callable
from typing import NamedTuple

from labstack.core.config import SECOND
from labstack.core.frame import Frame
from labstack.core.rng import Rng
from labstack.ip.family import text
from labstack.stack.host import Host
from labstack.tcp.conn import Conn
from labstack.tcp.seq import MASK
from labstack.tcp.states import CLOSED, SYN_RECEIVED, SYN_SENT, TIME_WAIT
from layers.ether import Ether
from layers.icmp import ICMP
from layers.icmp6 import ICMPv6DestUnreach, ICMPv6PacketTooBig, ICMPv6ParamProblem, ICMPv6TimeExceeded
from layers.ip import IP
from layers.ip6 import IPv6
from layers.packet import Header
from layers.tcp import TCP

FAR = 1 << 30
MOLE = "mole"
FLOOD = 40  # SYNs
SIZES = (0, 68, 296, 551, 552, 576, 1000, 1279, 1280, 1300, 1499, 1500, 9000, 65_535)  # MTUs that routers claim
CLAIMS = ((3, 0), (3, 1), (3, 2), (3, 3), (3, 13), (11, 0), (12, 0), (4, 0))  # ICMP: type and code
OPENING = frozenset({SYN_SENT, SYN_RECEIVED})


class Attack(NamedTuple):
    """Something is sent to a host at a time (ns after the start). kind: of KINDS, or FLOODS; seed: of its numbers."""

    at: int
    host: str
    kind: str
    seed: int


def draw(rng: Rng, calm: int) -> tuple[Attack, ...]:
    last = calm or 3 * SECOND
    if rng.chance(0.05):
        return tuple(sorted(_at(rng, last, MOLE) for _ in range(1 + rng.below(100))))
    if not rng.chance(0.3):
        return ()
    kinds = *KINDS, *FLOODS
    chosen = [kinds[rng.below(len(kinds))] for _ in range(1 + rng.below(4))]  # a few at a time: more often each
    return tuple(sorted(_at(rng, last, chosen[rng.below(len(chosen))]) for _ in range(1 + rng.below(30))))


def _at(rng: Rng, last: int, kind: str) -> Attack:
    """The earlier the likelier: connections do not live long."""
    return Attack(rng.below(last >> rng.below(10)), ("h1", "h2")[rng.below(2)], kind, rng.bits64())


def frames(attack: Attack, host: Host, dev: int, addresses: tuple[str, str], mac: str) -> list[Frame]:
    """What arrives at the host now; [] if there is nothing to aim at. mac: who the frames are said to be from."""
    rng = Rng(attack.seed)
    if attack.kind in FLOODS:
        packets = FLOODS[attack.kind](rng, host, addresses)
    else:
        forged = [(KINDS | MOLES)[attack.kind](rng, conn) for conn in host.conns.values() if conn.state != CLOSED]
        aims = [packet for packet in forged if packet is not None]
        packets = [aims[rng.below(len(aims))]] if aims else []
    to = host.net.ifaces[dev]
    return [Frame(bytes(Ether(dst=to.mac, src=mac) / it if to.mac else it), net=to.hlen) for it in packets]


# segments of a connection


def _segment(rng: Rng, conn: Conn, flags: str, seq: int, ack: int, data: bytes = b"") -> Header:
    """As if it came from the peer; with a timestamp, if he has thought of that."""
    stamps, options = conn.tstamp, []
    if stamps is not None and rng.chance(0.5):
        value = stamps.recent + (rng.below(1000) if rng.chance(0.5) else rng.below(1 << 32))
        options = [("Timestamp", (value & MASK, rng.below(1 << 32)))]
    urgent = rng.below(200) if "U" in flags else 0
    segment = TCP(
        sport=conn.rport, dport=conn.lport, flags=flags, seq=seq & MASK, ack=ack & MASK,
        window=rng.below(1 << rng.below(17)), urgptr=urgent, options=options,
    )  # fmt: skip
    return _from_peer(conn, segment / data)


def _from_peer(conn: Conn, what: Header) -> Header:
    found: Header = _ip(text(conn.remote), text(conn.local)) / what
    return found


def _ip(src: str, dst: str) -> Header:
    return IPv6(src=src, dst=dst) if ":" in src else IP(src=src, dst=dst)


def _in_window(rng: Rng, conn: Conn) -> int:
    """A number in the window that is none of those that a RST may have; outside if the window has no other."""
    rcv = conn.rcv
    seq = rcv.nxt + 1 + rng.below(max(rcv.edge - rcv.nxt - 1, 1))
    exact = {it[1] for it in rcv.islands}
    return seq if seq < rcv.edge and seq not in exact else _beyond(rng, conn)


def _beyond(rng: Rng, conn: Conn) -> int:
    """Anywhere outside the window."""
    return conn.rcv.edge + 1 + rng.below(FAR) if rng.chance(0.5) else conn.rcv.nxt - 2000 - rng.below(FAR)


def _never_sent(rng: Rng, conn: Conn) -> int:
    """An ACK of what was not sent, or of what is long gone."""
    snd = conn.snd
    if rng.chance(0.5):
        return snd.nxt + 1 + rng.below(1 << rng.below(31))
    return min(snd.una - snd.max_wnd, snd.iss) - 1 - rng.below(FAR)


def _where(rng: Rng, conn: Conn) -> int:
    return _in_window(rng, conn) if rng.chance(0.6) else _beyond(rng, conn)


def _reset(rng: Rng, conn: Conn) -> Header:
    return _segment(rng, conn, ("R", "RA")[rng.below(2)], _where(rng, conn), _never_sent(rng, conn))


def _syn(rng: Rng, conn: Conn) -> Header | None:
    """None where one SYN is as good as another (RFC 9293 §3.10.7.3, §3.10.7.4)."""
    if conn.state in OPENING or conn.state == TIME_WAIT:
        return None
    return _segment(rng, conn, ("S", "SA", "SF")[rng.below(3)], _where(rng, conn), _never_sent(rng, conn))


def _data(rng: Rng, conn: Conn) -> Header:
    """The right place and no right to be there, or the other way round."""
    data, flags = rng.bits64().to_bytes(8, "big") * (1 + rng.below(50)), ("A", "PA", "FA", "UA")[rng.below(4)]
    if rng.chance(0.5) or conn.state in OPENING:
        seq = conn.rcv.nxt if rng.chance(0.5) else _where(rng, conn)
        return _segment(rng, conn, flags, seq, _never_sent(rng, conn), data)
    return _segment(rng, conn, flags, _beyond(rng, conn), conn.snd.una, data)


def _no_ack(rng: Rng, conn: Conn) -> Header | None:
    if conn.state == SYN_SENT:
        return None
    return _segment(rng, conn, ("", "P", "F", "U", "FPU")[rng.below(5)], conn.rcv.nxt, 0, bytes(rng.below(100)))


def _ack(rng: Rng, conn: Conn) -> Header:
    seq = conn.rcv.nxt if rng.chance(0.5) else _where(rng, conn)
    return _segment(rng, conn, "A", seq, _never_sent(rng, conn))


# the mole


def _near(rng: Rng) -> int:
    """No number, or one of any size, up or down."""
    return 0 if rng.chance(0.4) else rng.below(1 << rng.below(24)) - rng.below(1 << rng.below(24))


def _mole(rng: Rng, conn: Conn) -> Header:
    snd, rcv = conn.snd, conn.rcv
    stamps = conn.tstamp.recent if conn.tstamp is not None else 0
    edges = [(snd.una, snd.nxt)[n % 2] + _near(rng) & MASK for n in range(2 + 2 * rng.below(3))]
    options = [
        ("Timestamp", (stamps + _near(rng) & MASK, rng.below(1 << 32))),
        ("SAck", tuple(edges)),
        ("MSS", rng.below(1 << 16)),
        ("WScale", rng.below(256)),
        ("SAckOK", b""),
        ("NOP", None),
        (254, rng.bits64().to_bytes(8, "big")),
        (34, bytes(rng.below(8))),
    ]
    segment = TCP(
        sport=conn.rport,
        dport=conn.lport,
        flags="".join(flag for flag in "FSRPUEC" if rng.chance(0.12)) + ("A" if rng.chance(0.9) else ""),
        seq=rcv.nxt + _near(rng) & MASK,
        ack=(snd.una, snd.nxt)[rng.below(2)] + _near(rng) & MASK,
        window=rng.below(1 << rng.below(17)),
        urgptr=rng.below(1 << rng.below(17)),
        options=[option for option in options if rng.chance(0.2)][:2],
    )
    return _from_peer(conn, segment / bytes(rng.below(1 << rng.below(12))))


# ICMP errors


def _about(rng: Rng, conn: Conn, seq: int) -> bytes:
    """The segment of ours that an error quotes, as far as it does."""
    packet = _ip(text(conn.local), text(conn.remote)) / TCP(
        sport=conn.lport, dport=conn.rport, seq=seq & MASK, ack=conn.rcv.nxt & MASK, flags="A"
    )
    least = len(packet) - 12
    return bytes(packet)[: least + rng.below(13)]


def _error(rng: Rng, conn: Conn, seq: int) -> Header:
    six = len(conn.local) == 16
    what: Header
    if rng.chance(0.5):
        size = SIZES[rng.below(len(SIZES))]
        what = ICMPv6PacketTooBig(mtu=size) if six else ICMP(type=3, code=4, nexthopmtu=size)
    elif six:
        kind = (ICMPv6DestUnreach, ICMPv6TimeExceeded, ICMPv6ParamProblem)[rng.below(3)]
        what = kind(code=rng.below(7))
    else:
        number, code = CLAIMS[rng.below(len(CLAIMS))]
        what = ICMP(type=number, code=code)
    return _from_peer(conn, what / _about(rng, conn, seq))


def _forged_error(rng: Rng, conn: Conn) -> Header:
    snd = conn.snd
    beyond = snd.nxt + rng.below(FAR) if rng.chance(0.5) else min(snd.una, snd.iss) - 1 - rng.below(FAR)
    return _error(rng, conn, beyond)


def _true_error(rng: Rng, conn: Conn) -> Header | None:
    """None while a connection opens: it may rightly be refused then (RFC 9293 §3.9.2.2)."""
    snd = conn.snd
    if conn.state in OPENING or conn.half is not None or snd.una == snd.nxt:
        return None
    return _error(rng, conn, snd.una + rng.below(snd.nxt - snd.una))


# what a listener gets


def _elsewhere(rng: Rng, mine: str) -> str:
    return f"fd00::{1 + rng.below(0xFFFE):x}" if ":" in mine else f"10.0.0.{3 + rng.below(250)}"


def _stray(rng: Rng, host: Host, addresses: tuple[str, str], flags: str) -> list[Header]:
    ports = sorted({it.lport for it in host.listeners.values()})
    if not ports:
        return []
    mine = addresses[rng.below(2)]
    segment = TCP(sport=1024 + rng.below(60_000), dport=ports[rng.below(len(ports))], flags=flags,
                  seq=rng.below(1 << 32), ack=rng.below(1 << 32), window=rng.below(1 << 16))  # fmt: skip
    return [_ip(_elsewhere(rng, mine), mine) / segment / bytes(rng.below(50))]


def _flood(rng: Rng, host: Host, addresses: tuple[str, str]) -> list[Header]:
    return [packet for _ in range(1 + rng.below(FLOOD)) for packet in _stray(rng, host, addresses, "S")]


def _strays(rng: Rng, host: Host, addresses: tuple[str, str]) -> list[Header]:
    return _stray(rng, host, addresses, ("A", "R", "F", "SA", "SF", "", "FPU", "PA")[rng.below(8)])


KINDS: dict[str, Callable[[Rng, Conn], Header | None]] = {
    "reset": _reset,
    "syn": _syn,
    "data": _data,
    "no ack": _no_ack,
    "ack": _ack,
    "forged error": _forged_error,
    "true error": _true_error,
}
MOLES: dict[str, Callable[[Rng, Conn], Header | None]] = {MOLE: _mole}
FLOODS: dict[str, Callable[[Rng, Host, tuple[str, str]], list[Header]]] = {"flood": _flood, "strays": _strays}
