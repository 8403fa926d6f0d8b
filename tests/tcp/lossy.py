# SPDX-License-Identifier: GPL-2.0-or-later
"""Losses, told in whole segments: a connection with SACK over a path of 100 ms, with Reno.

s = start(tcp, size=10)                 ten segments of a thousand bytes are written, and go as cwnd lets them
ack(s, 2, (3, 5), (7, 8))               the first two have arrived, and 3, 4 and 7
assert sent(s) == [0, 1]                the segments that left since the last look
"""

from collections.abc import Callable

from tcp_script import ALWAYS, RENO, Script

from labstack.core.config import MS

Tcp = Callable[..., Script]
MSS = 1000
RTT = 100  # ms
NO_PROBES = {"net.ipv4.tcp_early_retrans": 0}


def start(
    tcp: Tcp,
    size: int = 10,
    cwnd: int | None = None,
    stamps: bool = False,
    sysctl: dict[str, int] | None = None,
    gso: int = 0,
    agreed: bool = True,
) -> Script:
    """An established connection that has sent so many segments, a round trip ago. agreed: on SACK. The clock began at
    1 s, and the peer's timestamps are ms, as ours."""
    s = tcp(sack=True, stamps=stamps, gso=gso, sysctl={**RENO, **(sysctl or {})})
    s.now = 1000 * MS
    s.listen()
    options: list[tuple[str, object]] = [("SAckOK", b"")] if agreed else []
    options += [("Timestamp", (1, 0))] if stamps else []
    s.rx("S", win=60_000, mss=MSS + 12 * stamps, ws=4, options=options)
    s.tx("SA")
    s.wait(RTT)
    ack(s, 0, echo=1000)
    s.accept()
    assert s.conn.snd.mss == MSS
    if cwnd is not None:
        s.conn.snd.cc.cwnd = cwnd
    if size:
        write(s, size)
        s.wait(RTT)
    return s


def write(s: Script, size: int) -> None:
    s.call("send", s.sock, bytes(size * MSS))


def sent(s: Script) -> list[int]:
    """The segments that have left, by number; each must be whole."""
    segs = s.burst()
    assert all(seg.size == MSS and seg.seq % MSS == 1 for seg in segs), segs
    return [seg.seq // MSS for seg in segs]


def ack(s: Script, una: float, *blocks: tuple[float, float], echo: float | None = None, win: int = 60_000) -> None:
    """An ACK of everything before a segment, with SACK blocks of others, [first, last). echo: ms since the beginning of
    what it echoes, if there are timestamps; without that, of now."""
    options: list[tuple[str, object]] = []
    if s.stack.env.config["net.ipv4.tcp_timestamps"]:
        at = s.now if echo is None else int(echo * MS)
        conn = s.conn if s.sock else next(c for c in s.stack.conns.values() if c.state == "SYN_RECEIVED")
        assert conn.tstamp is not None
        options += [("NOP", None), ("NOP", None), ("Timestamp", (s.now // MS, conn.tstamp.now(at)))]
    if blocks:
        edges = [(s.iss or 0) + 1 + int(edge * MSS) & 0xFFFFFFFF for block in blocks for edge in block]
        options += [("NOP", None), ("NOP", None), ("SAck", tuple(edges))]
    s.rx("A", ack=1 + int(una * MSS), win=win, options=options)


def marks(s: Script) -> str:
    """The retransmission queue, a letter a segment: . under way, S SACKed, L lost, R lost and sent again."""
    letters = {0: ".", 1: "S", 2: "L", 6: "R", 4: "r"}
    return "".join(letters[it.marks & 7] * it.segs for it in s.conn.snd.flight.queue)


def counted(s: Script) -> dict[str, int]:
    """TcpExt counters that are not zero, and retransmissions."""
    count = s.stack.env.count
    kept = {k: v for k, v in count.items() if v and k not in ALWAYS and k.startswith(("TcpExt", "TcpRetrans"))}
    return {k.removeprefix("TcpExtTCP"): v for k, v in kept.items()}
