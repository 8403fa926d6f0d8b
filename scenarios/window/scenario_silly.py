# SPDX-License-Identifier: GPL-2.0-or-later
"""Silly windows on the receiver's side, and a window that is closed (RFC 9293 §3.8.6.2.2, §3.10.7.4)."""

from labstack.scenario import scenario
from layers import TCP

SMALL = {"net.ipv4.tcp_rmem": "4096 8192 8192"}


def fill(t, c):
    """The peer sends until the host offers no window any more; returns how much it took."""
    taken, window = 0, 1000
    while window:
        size = min(window, 1000)
        c.send(bytes(size))
        taken += size
        window = c.expect(flags="A", ack=1 + taken, within="1s")[TCP].window
    return taken


@scenario(covers="MUST-39", sysctls=SMALL)
def a_little_room_is_not_offered(t):
    "An application that reads byte by byte moves no window; a segment's worth, or half the buffer, does."
    c = t.accepts(80, mss=1000)
    taken = fill(t, c)
    for _ in range(10):
        c.fd.recv(1)
    t.silence("50ms")
    c.fd.recv(taken - 10)
    offered = c.expect(flags="A", ack=1 + taken, within=0)[TCP].window
    t.check(offered >= 1000, f"a window of {offered} bytes is worth a segment")


@scenario(
    covers="MUST-66", sysctls=SMALL, xfail={"kernel": "Linux 6.18 drops all of a segment that goes beyond the window"}
)
def a_closed_window_takes_no_text_but_hears_the_rest(t):
    "Text beyond a closed window is dropped and answered; what it acknowledges counts, and a reset is heard."
    c = t.accepts(80, mss=1000)
    taken = fill(t, c)
    c.fd.send(b"answer")
    c.expect(flags="PA", seq=1, size=6)
    c.send(b"more", seq=1 + taken, ack=7)
    c.expect(flags="A", ack=1 + taken, size=0, within=0)
    t.silence("2s")  # what was acknowledged is not sent again
    c.send(flags="R", seq=1 + taken)
    c.fd.recv(taken)
    c.fd.recv(1, fails="ECONNRESET")
