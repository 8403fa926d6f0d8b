# SPDX-License-Identifier: GPL-2.0-or-later
"""The variables of a connection in words: its transmission control block (RFC 9293 §3.3.1), and what loss and
congestion have made of it."""

from collections.abc import Iterable, Sequence
from typing import Any

from labstack.lab.view import Line, Lines, Span
from labstack.tcp import castate
from labstack.tcp.cc.controller import INFINITE
from labstack.tcp.conn import Conn


def variables(hosts: Sequence[Any], sock: int = 0) -> Lines:
    """Those of every connection of these hosts (lab.host.Host), or of the one with this number."""
    lines: list[Line] = []
    for host in hosts:
        for conn in host.stack.conns.values():
            if sock in (0, conn.sock):
                title = Span(f"variables of {host.name}'s socket {conn.sock}", "head")
                lines += [[title, Span(f" {conn.state}", "state")], *([Span(f"  {words}")] for words in _block(conn))]
    return Lines(lines, "no connection")


def _block(conn: Conn) -> Iterable[str]:
    snd, rcv = conn.snd, conn.rcv
    yield f"ISS {snd.iss}  IRS {rcv.irs}, from which the numbers below are counted"
    ssthresh = snd.cc.ssthresh if snd.cc.ssthresh < INFINITE else "-"
    una = snd.una if conn.half is None else snd.iss  # our SYN waits for its ACK (RFC 9293 §3.10.7.2): see tcp/half.py
    yield (
        f"SND.UNA {una - snd.iss}  SND.NXT {snd.nxt - snd.iss}  SND.WND {snd.wnd}  "
        f"queued {snd.out.end - snd.out.start}  mss {snd.mss}"
    )
    yield (
        f"cwnd {snd.cc.cwnd}  ssthresh {ssthresh}  rto {snd.rtt.rto / 1e6:g} ms  "
        f"timeouts {snd.retries}  {castate.NAMES[snd.loss.state]}"
    )
    it = snd.flight
    yield f"in flight: {it.out} segments, {it.sacked} arrived, {it.lost} lost, {it.retrans} sent again"
    islands = " ".join(f"{start - rcv.irs}:{end - rcv.irs}" for start, end, _ in rcv.islands)
    yield (
        f"RCV.NXT {rcv.nxt - rcv.irs}  RCV.WND {rcv.edge - rcv.nxt}  to read {rcv.queued}"
        + (f"  beyond a gap {islands}" if islands else "")
        + (f"  FIN at {rcv.fin - rcv.irs}" if rcv.fin is not None else "")
    )
