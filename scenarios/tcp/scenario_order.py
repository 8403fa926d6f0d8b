# SPDX-License-Identifier: GPL-2.0-or-later
"""Segments come late, twice, overlapping or damaged; what the application reads is what was sent, in order.

Each scenario loops over more cases than a script of lines would bear: that is what Python is for here.
"""

from itertools import permutations

from labstack.scenario import scenario

PIECES = [(1, b"one-"), (5, b"two-"), (9, b"three"), (14, b"!")]  # sequence number, bytes


@scenario(covers="SHLD-31 MUST-59")
def any_order_of_four_segments_reads_the_same(t):
    "All 24 orders: each is acknowledged up to the first gap, and the application sees none (RFC 9293 §3.10.7.4)."
    for order in permutations(PIECES):
        c = t.accepts(80)
        there: set[int] = set()
        for seq, data in order:
            c.send(data, seq=seq)
            there.update(range(seq, seq + len(data)))
            first_gap = next(n for n in range(1, 20) if n not in there)
            t.sleep("50ms")  # a delayed acknowledgment is due by now
            c.expect(flags="A", seq=1, ack=first_gap, size=0)
        c.fd.recv(100, returns=b"one-two-three!")
        c.send(flags="RA")


@scenario(covers="MUST-59")
def overlapping_segments_are_read_once(t):
    "Old bytes before new ones, a segment inside another, one that fills a gap and more (RFC 9293 §3.10.7.4)."
    c = t.accepts(80)
    for seq, data, ack in (
        (1, b"abcdef", 7),
        (4, b"defghi", 10),  # half of it is old
        (2, b"bcd", 10),  # all of it is old
        (13, b"mno", 10),  # a gap before it
        (9, b"ijklmnop", 17),  # from old to beyond what waited
    ):
        c.send(data, seq=seq)
        t.sleep("50ms")
        c.expect(flags="A", ack=ack, size=0)
    c.fd.recv(100, returns=b"abcdefghijklmnop")


@scenario(covers="MUST-3")
def a_damaged_segment_was_never_there(t):
    "A wrong checksum is dropped without a word, counted, and sent again by who sent it (RFC 9293 §3.1)."
    c = t.accepts(80)
    with t.counts(TcpInCsumErrors=1):
        c.send(b"x", chksum=0xDEAD)
        t.silence("1s")
    c.send(b"x", seq=1)
    c.expect(flags="A", ack=2)
    c.fd.recv(returns=b"x")


@scenario(covers="MUST-1")
def numbers_go_round_at_the_end_of_32_bits(t):
    "A connection whose numbers pass 2**32 in the middle of the data (RFC 9293 §3.4)."
    c = t.accepts(80, iss=2**32 - 3)
    for n in range(10):
        c.send(b"%d" % n)
        t.sleep("50ms")
        c.expect(flags="A", ack=2 + n)
    c.fd.recv(returns=b"0123456789")
