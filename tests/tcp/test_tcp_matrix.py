# SPDX-License-Identifier: GPL-2.0-or-later
"""State x segment: what every state does with every kind of segment, before, at, inside and beyond the window.

RFC 9293 §3.10.7.1 to §3.10.7.4 as a table, with RFC 5961's challenges. LISTEN, CLOSED and SYN-SENT have tests of their
own in test_tcp_opening.py; here they are only part of "every flag combination in every state".
"""

from collections.abc import Callable

import pytest
from tcp_script import Script

from labstack.core.counters import drops

Tcp = Callable[..., Script]


def reach(s: Script, state: str, written: int = 0) -> None:
    """Bring a fresh script into a state; nothing is in flight but what the state says. written: bytes that the peer has
    got from us."""
    if state == "SYN_RECEIVED":  # from an active OPEN, so that a RST is told
        s.connect()
        s.tx("S")
        s.rx("S")
        s.tx("SA")
        return
    s.active(win=10_000)
    if written:
        s.call("send", s.sock, bytes(written))
        s.burst()
        s.rx("A", win=10_000)
    if state in ("CLOSE_WAIT", "LAST_ACK"):
        s.rx("FA")
        s.tx("A")
    if state not in ("ESTABLISHED", "CLOSE_WAIT"):
        s.call("shutdown", s.sock, 1)
        s.tx("FA")
    if state in ("FIN_WAIT_2", "TIME_WAIT"):
        s.rx("A")
    if state == "CLOSING":
        s.rx("FA", ack=1)
        s.tx("A")
    if state == "TIME_WAIT":
        s.rx("FA")
        s.tx("A")
    s.state(state)


STATES = [
    "SYN_RECEIVED", "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "CLOSE_WAIT", "CLOSING", "LAST_ACK", "TIME_WAIT",
]  # fmt: skip
SYNCHRONIZED = STATES[1:]
EVERY = pytest.mark.parametrize("state", STATES)
WHERE = {"left": -1, "exact": 0, "inside": 100, "last": 64_239, "right": 70_000, "far": 1 << 31}


def arrives(s: Script, flags: str, where: str, size: int = 0, ack: int | None = None, back: int = 1) -> None:
    """The segment, at a place relative to RCV.NXT; ack: relative to what the peer acknowledged so far; back: how far
    left is left."""
    conn = s.conn
    seq = conn.rcv.nxt - conn.rcv.irs + (-back if where == "left" else WHERE[where])
    una = conn.snd.una - conn.snd.iss
    s.rx(flags, seq=seq, ack=una if ack is None else ack, data=size, win=10_000)


@pytest.mark.parametrize("where", ["left", "right", "far"])
@EVERY
def test_a_rst_outside_the_window_is_dropped(tcp: Tcp, state: str, where: str) -> None:
    """RFC 9293 §3.10.7.4, second; RFC 5961 §3.2 (1)."""
    s = tcp()
    reach(s, state)
    arrives(s, "R", where, back=2)
    s.state(state)
    s.nothing()
    assert drops(s.stack.env.count) == {"drop.tcp.rst_outside": 1}


@pytest.mark.parametrize("flags", ["R", "RA", "RP", "RF", "RS", "RSFPU"])
@EVERY
def test_a_rst_at_exactly_the_next_number_resets(tcp: Tcp, state: str, flags: str) -> None:
    """RFC 9293 §3.10.7.4, second; RFC 5961 §3.2 (2)."""
    s = tcp()
    reach(s, state)
    arrives(s, flags, "exact")
    s.nothing()
    assert s.conn.state == "CLOSED"
    error = s.conn.error
    assert error == {"SYN_RECEIVED": 111, "CLOSING": 0, "LAST_ACK": 0, "TIME_WAIT": 0}.get(state, 104)
    s.call("close", s.sock)
    s.gone()


@pytest.mark.parametrize("state", SYNCHRONIZED)
def test_a_rst_with_the_number_of_the_fin_resets_once_the_fin_has_come(tcp: Tcp, state: str) -> None:
    """tcp_reset_check: some peers count their FIN no more once they have closed. Only where the peer's FIN has come."""
    s = tcp()
    reach(s, state)
    arrives(s, "R", "left")
    assert s.conn.state == ("CLOSED" if state in ("CLOSE_WAIT", "CLOSING", "LAST_ACK") else state)


def test_a_rst_may_carry_text(tcp: Tcp) -> None:
    """RFC 9293 §3.5.3, SHLD-2."""
    s = tcp().passive()
    s.rx("R", data=b"the reason, in words")
    s.state("CLOSED")


@pytest.mark.parametrize("where", ["inside", "last"])
@EVERY
def test_a_rst_elsewhere_in_the_window_is_challenged(tcp: Tcp, state: str, where: str) -> None:
    """RFC 9293 §3.10.7.4, second; RFC 5961 §3.2 (3)."""
    s = tcp()
    reach(s, state)
    nxt = s.conn.rcv.nxt - s.irs
    arrives(s, "R", where)
    s.state(state)
    s.tx("A", ack=nxt, size=0)
    assert s.count("TcpExtTCPChallengeACK") == 1


@pytest.mark.parametrize("flags", ["S", "SA", "SF", "SFA", "SPU"])
@pytest.mark.parametrize("where", ["exact", "inside", "right", "far"])
@pytest.mark.parametrize("state", SYNCHRONIZED)
def test_a_syn_in_a_synchronized_state_is_challenged(tcp: Tcp, state: str, where: str, flags: str) -> None:
    """RFC 9293 §3.10.7.4, first and fourth; RFC 5961 §4.2."""
    s = tcp()
    reach(s, state)
    nxt = s.conn.rcv.nxt - s.irs
    arrives(s, flags, where)
    s.state(state)
    seg = s.tx("A", ack=nxt, size=0)
    assert seg.seq == s.conn.snd.nxt - s.conn.snd.iss


@pytest.mark.parametrize("flags", ["", "F", "P", "U", "FPU"])
@EVERY
def test_a_segment_without_ack_is_dropped(tcp: Tcp, state: str, flags: str) -> None:
    """RFC 9293 §3.10.7.4, fifth: if the ACK bit is off, drop the segment and return."""
    s = tcp()
    reach(s, state)
    arrives(s, flags, "exact", size=5)
    s.state(state)
    s.nothing()
    assert drops(s.stack.env.count) == {"drop.tcp.no_ack": 1}


@pytest.mark.parametrize("ack", [1, 1000, 1 << 30])
@pytest.mark.parametrize("state", SYNCHRONIZED)
def test_an_ack_for_what_was_never_sent_is_answered_and_dropped(tcp: Tcp, state: str, ack: int) -> None:
    """RFC 9293 §3.10.7.4, fifth."""
    s = tcp()
    reach(s, state)
    nxt = s.conn.snd.nxt - s.conn.snd.iss
    arrives(s, "A", "exact", size=5, ack=nxt + ack)
    s.state(state)
    s.tx("A", seq=nxt, size=0)
    assert drops(s.stack.env.count) == {"drop.tcp.ack_outside": 1}
    assert s.conn.rcv.queued == 0


@pytest.mark.parametrize("state", SYNCHRONIZED)
def test_a_very_old_ack_is_answered_and_dropped(tcp: Tcp, state: str) -> None:
    """RFC 5961 §5.2: SEG.ACK < SND.UNA - MAX.SND.WND."""
    s = tcp()
    reach(s, state)
    nxt = s.conn.snd.nxt - s.conn.snd.iss
    una = s.conn.snd.una - s.conn.snd.iss
    arrives(s, "A", "exact", size=5, ack=una - s.conn.snd.max_wnd - 1)
    s.tx("A", seq=nxt, size=0)
    assert drops(s.stack.env.count) == {"drop.tcp.ack_outside": 1}


@pytest.mark.parametrize("state", SYNCHRONIZED)
def test_an_ack_from_before_the_connection_began_is_answered_and_dropped(tcp: Tcp, state: str) -> None:
    """Linux: MAX.SND.WND is no licence to acknowledge what we never sent."""
    s = tcp()
    reach(s, state, written=100)
    nxt = s.conn.snd.nxt - s.conn.snd.iss
    arrives(s, "A", "exact", size=5, ack=-1)
    s.tx("A", seq=nxt, size=0)
    assert drops(s.stack.env.count) == {"drop.tcp.ack_outside": 1}
    assert s.count("TcpExtTCPChallengeACK") == 1


@pytest.mark.parametrize("state", ["ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2"])
@pytest.mark.parametrize("back", [1, 4999])
def test_an_old_ack_is_no_reason_to_drop_the_text(tcp: Tcp, state: str, back: int) -> None:
    """RFC 9293 §3.10.7.4, fifth: a duplicate ACK is ignored, the segment goes on."""
    s = tcp()
    reach(s, state, written=5000)
    una = s.conn.snd.una - s.conn.snd.iss
    arrives(s, "A", "exact", size=5, ack=una - back)
    assert s.call("recv", s.sock) != b""
    s.tx("A")


@pytest.mark.parametrize("state", SYNCHRONIZED)
def test_text_outside_the_window_is_answered_and_dropped(tcp: Tcp, state: str) -> None:
    """RFC 9293 §3.10.7.4, first."""
    for where, size in (("left", 1), ("right", 10), ("far", 10)):
        s = tcp()
        reach(s, state)
        nxt = s.conn.rcv.nxt - s.irs
        arrives(s, "A", where, size=size)
        s.state(state)
        s.tx("A", ack=nxt, size=0)
        assert drops(s.stack.env.count) == {"drop.tcp.outside_window": 1}


@pytest.mark.parametrize("state", ["CLOSE_WAIT", "CLOSING", "LAST_ACK", "TIME_WAIT"])
def test_text_after_the_fin_is_ignored(tcp: Tcp, state: str) -> None:
    """RFC 9293 §3.10.7.4, seventh."""
    s = tcp()
    reach(s, state)
    arrives(s, "A", "exact", size=10)
    s.state(state)
    s.nothing()
    assert s.conn.rcv.queued == 0


AFTER_FIN = {
    "SYN_RECEIVED": "CLOSE_WAIT", "ESTABLISHED": "CLOSE_WAIT", "FIN_WAIT_1": "CLOSING", "FIN_WAIT_2": "TIME_WAIT",
    "CLOSE_WAIT": "CLOSE_WAIT", "CLOSING": "CLOSING", "LAST_ACK": "LAST_ACK", "TIME_WAIT": "TIME_WAIT",
}  # fmt: skip


@EVERY
def test_a_fin_moves_the_state_as_in_the_figure(tcp: Tcp, state: str) -> None:
    """RFC 9293 §3.3.2 figure 5; §3.10.7.4, eighth."""
    s = tcp()
    reach(s, state)
    nxt = s.conn.rcv.nxt - s.irs
    arrives(s, "FA", "exact", ack=1 if state == "SYN_RECEIVED" else None)
    s.state(AFTER_FIN[state])
    if AFTER_FIN[state] != state:
        s.tx("A", ack=nxt + 1, size=0)
    elif state == "TIME_WAIT":
        s.tx("A", ack=nxt, size=0)
    s.nothing()


@pytest.mark.parametrize("state", ["CLOSE_WAIT", "CLOSING", "LAST_ACK", "TIME_WAIT"])
def test_the_fin_again_is_acknowledged_again_each_time(tcp: Tcp, state: str) -> None:
    """RFC 9293 §3.10.7.4, first: our ACK of it was lost; no throttle."""
    s = tcp()
    reach(s, state)
    nxt = s.conn.rcv.nxt - s.irs
    for _ in range(3):
        arrives(s, "FA", "left")
        s.tx("A", ack=nxt, size=0)
    s.state(state)


AFTER_ACK = {"FIN_WAIT_1": "FIN_WAIT_2", "CLOSING": "TIME_WAIT", "LAST_ACK": "CLOSED"}


@pytest.mark.parametrize("state", SYNCHRONIZED)
def test_an_ack_of_everything_moves_the_state_as_in_the_figure(tcp: Tcp, state: str) -> None:
    """RFC 9293 §3.10.7.4, fifth."""
    s = tcp()
    reach(s, state)
    arrives(s, "A", "exact", ack=s.conn.snd.nxt - s.conn.snd.iss)
    assert s.conn.state == AFTER_ACK.get(state, state)
    s.nothing()


def test_fin_with_ack_of_our_fin_goes_from_fin_wait_1_to_time_wait(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.4, eighth."""
    s = tcp()
    reach(s, "FIN_WAIT_1")
    s.rx("FA", ack=2)
    s.tx("A", ack=2)
    s.state("TIME_WAIT")


@pytest.mark.parametrize("bits", range(64))
@pytest.mark.parametrize("state", ["CLOSED", "LISTEN", "SYN_SENT", *STATES])
def test_every_flag_combination_in_every_state_is_survived_and_counted(tcp: Tcp, state: str, bits: int) -> None:
    """hostile-inputs rows 18, 19: nothing raises, every segment is delivered or dropped, at most one answer."""
    flags = "".join(c for i, c in enumerate("FSRPAU") if bits >> i & 1)
    for where in WHERE.values():
        s = Script(tracing=False)
        if state == "LISTEN":
            s.listen()
        elif state == "SYN_SENT":
            s.connect()
            s.tx("S")
        elif state != "CLOSED":
            reach(s, state)
        before = s.count("TcpInSegs")
        rcv = s.conn.rcv.nxt - s.irs if s.sock else 0
        una = s.conn.snd.una - s.conn.snd.iss if s.sock else 0
        s.rx(flags, seq=rcv + where, ack=una, data=3, win=10_000)
        assert s.count("TcpInSegs") == before + 1
        answers = s.burst()
        assert len(answers) <= 1
        assert not ("R" in flags and any("R" in a.flags for a in answers)), "a RST never answers a RST"
        s.end()
