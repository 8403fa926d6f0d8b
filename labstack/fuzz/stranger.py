# SPDX-License-Identifier: GPL-2.0-or-later
"""A stranger who knows addresses and ports, and forges segments: blind, so he guesses numbers, and lucky guesses are
left out (RFC 5961 §1.2). What he does must neither end a connection nor get a byte into it. When he sends ICMP errors,
or routers do, is drawn here as well; what they say is in routers.py.

A mole sees everything, and sends whatever he likes. Against him there is no help; the stack must only stay in order.
"""

from collections.abc import Callable
from typing import NamedTuple

from labstack.core.config import SECOND
from labstack.core.frame import Frame
from labstack.core.rng import Rng
from labstack.fuzz import routers
from labstack.fuzz.routers import OPENING, from_peer, ip
from labstack.stack.host import Host
from labstack.tcp.conn import Conn
from labstack.tcp.seq import MASK
from labstack.tcp.states import CLOSED, SYN_SENT, TIME_WAIT
from layers.ether import Ether
from layers.packet import Header
from layers.tcp import TCP

MOLE = "mole"
FAR = 1 << 30
FLOOD = 40  # SYNs


class Attack(NamedTuple):
    """Something is sent to a host at a time (ns after the start). kind: of KINDS, MOLES, FLOODS, or routers.KINDS;
    seed: of its numbers."""

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
    kinds = *KINDS, *FLOODS, *routers.KINDS
    chosen = [kinds[rng.below(len(kinds))] for _ in range(1 + rng.below(4))]  # a few at a time: more often each
    return tuple(sorted(_at(rng, last, chosen[rng.below(len(chosen))]) for _ in range(1 + rng.below(30))))


def doubts(rng: Rng) -> tuple[Attack, ...]:
    """Errors about a connection that opens, or is young; the times are counted from its SYN."""
    if not rng.chance(0.35):
        return ()
    drawn = [(rng.below(1 << 8 + rng.below(22)), ("h1", "h2")[rng.below(2)]) for _ in range(1 + rng.below(8))]
    kinds = routers.TRUE_EARLY, *routers.KINDS
    return tuple(Attack(at, host, kinds[rng.below(5)], rng.bits64()) for at, host in sorted(drawn))


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
    return [framed(packet, host, dev, mac) for packet in packets]


def framed(packet: Header, host: Host, dev: int, mac: str) -> Frame:
    """As it arrives at the host, from `mac`."""
    to = host.net.ifaces[dev]
    return Frame(bytes(Ether(dst=to.mac, src=mac) / packet if to.mac else packet), net=to.hlen)


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
    return from_peer(conn, segment / data)


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
    return from_peer(conn, segment / bytes(rng.below(1 << rng.below(12))))


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
    return [ip(_elsewhere(rng, mine), mine) / segment / bytes(rng.below(50))]


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
}
MOLES: dict[str, Callable[[Rng, Conn], Header | None]] = {MOLE: _mole}
FLOODS: dict[str, Callable[[Rng, Host, tuple[str, str]], list[Header]]] = {"flood": _flood, "strays": _strays}
