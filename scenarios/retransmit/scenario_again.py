# SPDX-License-Identifier: GPL-2.0-or-later
"""What a retransmission is to IP, and when trouble is told."""

from labstack.scenario import scenario
from layers import IP


@scenario(covers="MAY-4", ip="ipv4")
def a_segment_sent_again_may_have_any_identification(t):
    "Only fragments need one, and a segment must not be fragmented (RFC 9293 §3.8.1, RFC 6864 §4.1)."
    c = t.accepts(80)
    c.fd.send(b"hello")
    for _ in range(2):
        sent = c.expect(flags="PA", seq=1, size=5, within="1s")
        t.check(sent[IP].flags & 2, "the packet must not be fragmented")


@scenario(covers="SHLD-10")
def the_first_threshold_is_three_timeouts(t):
    "R1 is at least three retransmissions: Linux's tcp_retries1 (RFC 9293 §3.8.3)."
    assert int(t.sysctl("net.ipv4.tcp_retries1")) >= 3
