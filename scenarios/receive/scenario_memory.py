# SPDX-License-Identifier: GPL-2.0-or-later
"""A receiver's buffer counts memory, not bytes: small segments cost as much as large ones (Linux's truesize)."""

from labstack.scenario import scenario
from layers import TCP

SMALL = {"net.ipv4.tcp_rmem": "4096 16384 16384"}


@scenario(sysctls=SMALL, ignore=TCP(flags="A"))
def pieces_beyond_a_gap_cannot_take_all_memory(t):
    "When memory is short the piece farthest beyond the gap is forgotten; the peer still has it (RFC 2018 §8)."
    c = t.accepts(80, window=65535)
    for n in range(60):
        c.send(b"x", seq=1000 - 10 * n)
    t.sleep("10ms")
    t.check(t.counters()["TcpExtOfoPruned"] > 0, "something had to go")
    c.send(bytes(500), seq=1)
    assert len(c.fd.recv(5000)) == 500  # what lies nearest is still there, and nothing else came


@scenario(sysctls=SMALL, ignore=TCP(flags="A"))
def crumbs_in_order_fill_memory_before_the_window(t):
    "Segments of one byte cost far more memory than they hold: what does not fit is lost, although the window was open."
    c = t.accepts(80, window=65535)
    for _ in range(400):
        c.send(b"x")
    t.sleep("50ms")
    arrived = len(c.fd.recv(1000))
    t.check(0 < arrived <= 400, f"{arrived} of 400 bytes arrived")
    t.check(arrived == 400 or t.counters()["TcpExtTCPRcvQDrop"] > 0, "what did not arrive was dropped for this reason")
