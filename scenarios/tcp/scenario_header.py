# SPDX-License-Identifier: GPL-2.0-or-later
"""Segments that are none: what is too short to have a header, or says that its header is longer than itself."""

from labstack.scenario import scenario
from layers import TCP, Raw


@scenario(covers="MUST-7")
def a_segment_shorter_than_its_header_was_never_there(t):
    "20 bytes are the least (RFC 9293 §3.1); nothing is answered, not even to a closed port."
    c = t.peer_tcp(80)
    whole = bytes(c.segment(flags="S"))[40 if t.v6 else 20 :]
    for size in (1, 8, 19):
        t.send(t.IP(**({"nh": 6} if t.v6 else {"proto": 6})) / Raw(load=whole[:size]))
        t.silence("50ms")


@scenario(covers="MUST-7")
def a_data_offset_that_cannot_be_was_never_there(t):
    "Less than five words is no header, more than the segment has is none either (RFC 9293 §3.1)."
    for words in (0, 4, 6, 15):
        t.send(t.IP() / TCP(sport=4000, dport=80, flags="S", dataofs=words))
        t.silence("50ms")
