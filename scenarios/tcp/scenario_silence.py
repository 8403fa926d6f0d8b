# SPDX-License-Identifier: GPL-2.0-or-later
"""Proofs of silence: what is not sent is part of a protocol, too. In virtual time an hour of it costs nothing."""

from labstack.scenario import has, scenario, size
from layers import TCP


@scenario(covers="MUST-25")
def an_acknowledgment_is_not_acknowledged(t):
    "Two hosts that answered each other's ACKs would never stop (RFC 9293 §3.10.7.4)."
    c = t.accepts(80)
    for _ in range(5):
        c.send()
        t.silence("1s")


@scenario(target="lab")
def an_idle_connection_is_silent_for_an_hour(t):
    "Without keep-alives there is nothing to say (RFC 9293 §3.8.4)."
    c = t.accepts(80)
    t.silence("60min")
    c.send(b"still there?")
    c.expect(flags="A", ack=13)


@scenario(covers="MUST-36")
def a_closed_window_lets_nothing_through_but_probes(t):
    "The window says 0: no data leave until it opens, but the question whether it has (RFC 9293 §3.8.6.1)."
    c = t.accepts(80)
    c.send(window=0)
    c.fd.send(b"x" * 100)
    probe = c.expect(flags=has("A"), within="400ms", after="150ms")
    assert probe.seq in (0, 1)
    c.send(window=0, ack=1)
    t.silence("200ms")
    c.send(window=65535, ack=1)
    c.expect(seq=1, data=b"x" * 100, within=0)
    c.send()


@scenario()
def a_reset_is_never_answered(t):
    "To a port where nobody listens comes a reset, and nothing: a reset is no question (RFC 9293 §3.5.2)."
    stranger = t.peer_tcp(81)
    for flags in ("R", "RA", "RF", "RSA"):
        stranger.send(flags=flags, seq=5)
        t.silence("1s")
    stranger.send(b"hello", flags="A", seq=5, ack=77)
    t.expect(TCP(flags="R", seq=77) / size(0), within=0)


@scenario()
def a_small_segment_waits_for_its_acknowledgment(t):
    "Nagle: a second small write waits until the first is acknowledged, and not a moment longer (RFC 9293 §3.7.4)."
    c = t.accepts(80)
    c.fd.send(b"first")
    c.expect(data=b"first", within=0)
    c.fd.send(b"second")
    t.silence("100ms")
    c.send(ack=6)
    c.expect(data=b"second", within=0)
    c.send()
