# SPDX-License-Identifier: GPL-2.0-or-later
"""A timestamp that comes back must be one that was sent (RFC 7323 §3.2, §5.3); whoever guesses is found out."""

from labstack.scenario import scenario
from layers import TCP

WRONG = 0x7000_0000


@scenario(profile="linux")
def a_syn_ack_that_echoes_what_was_never_sent_is_refused(t):
    "In SYN-SENT the echo is the only proof beside the ACK number: the segment is dropped, or answered by a reset."
    connecting = t.blocking("connect", t.socket(), t.address(80))
    syn = t.expect(TCP(flags="S"), within=0)[TCP]
    answer = TCP(sport=80, dport=syn.sport, seq=1, ack=syn.seq + 1, flags="SA", window=1000)
    answer.options = [("MSS", 1460), ("Timestamp", (1, WRONG))]
    t.send(t.IP() / answer)
    told = t.expect(TCP(dport=80), within="3s")[TCP]
    t.check(told.flags in (2, 4), "a reset, or the SYN once more")
    connecting.blocks()


@scenario(profile="linux")
def a_handshake_must_echo_what_was_sent(t):
    "The ACK that opens a connection echoes the timestamp of our SYN,ACK, or somebody guesses: it is dropped."
    t.listen(80)
    c = t.peer_tcp(80)
    c.send(flags="S", options=[("MSS", 1460), ("NOP", None), ("NOP", None), ("Timestamp", (1, 0))])
    told = c.expect(flags="SA", ack=1)[TCP]
    (stamp,) = [value for name, value in told.options if name == "Timestamp"]
    with t.counts(TcpExtTSEcrRejected=1):
        c.send(options=[("NOP", None), ("NOP", None), ("Timestamp", (2, WRONG))])
        c.expect(flags="A", size=0)
    c.send(options=[("NOP", None), ("NOP", None), ("Timestamp", (2, stamp[0]))])
    t.listeners[80].accept()
