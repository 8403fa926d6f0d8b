# SPDX-License-Identifier: GPL-2.0-or-later
"""Writing more than there is room for. How much that is depends on how memory is counted, so nothing here names it."""

from labstack.scenario import scenario
from layers import TCP

OUT, EDGE, NOSIGNAL = 4, 1 << 31, 0x4000  # POLLOUT, EPOLLET, MSG_NOSIGNAL


def small(t):
    """A connection whose socket has little room, and whose peer says nothing by itself."""
    c = t.accepts(80, mss=1000)
    c.fd.setsockopt("SOL_SOCKET", "SO_SNDBUF", 4096)
    return c


def writable(t, c):
    return bool(t.call("poll", [(c.fd, OUT)], 0)[0] & OUT)


def filled(t, c):
    """Write until nothing fits any more; how much did."""
    c.fd.nonblocking()
    taken = 0
    while writable(t, c) and taken < 1_000_000:
        taken += c.fd.send(bytes(1000))
    return taken


@scenario(covers="MUST-60")
def a_write_that_may_not_wait_takes_what_fits(t):
    "It returns how much it took, and EAGAIN when there is no room at all; poll() says when there is (send(2))."
    c = small(t)
    c.fd.nonblocking()
    took = c.fd.send(b"x" * 200_000)
    t.check(0 < took < 200_000, f"some of it was taken: {took}")
    while writable(t, c):
        took += c.fd.send(b"x" * 1000)
    c.fd.send(b"x" * 200_000, fails="EAGAIN")
    assert c.collect(took) == b"x" * took
    t.check(writable(t, c), "what was acknowledged made room")
    c.fd.send(b"and on")
    c.collect(6)


@scenario
def a_write_that_waits_goes_on_when_there_is_room(t):
    "A blocking write returns when all of it is taken over, however long that takes (send(2), RFC 9293 §3.10.2)."
    c = small(t)
    writing = t.blocking("write", c.fd, b"y" * 100_000)
    for _ in range(20):
        c.expect(seq=c.rcv_nxt)
        c.send()
    t.check(not writing.done, "there is still more than fits")
    c.collect(100_000 - len(c.received))
    assert c.received == b"y" * 100_000
    writing.returns(100_000)


@scenario
def a_write_that_waited_in_vain_tells_what_it_took(t):
    "SO_SNDTIMEO: after that long the call returns with the part that was taken, or EAGAIN if none was (socket(7))."
    c = small(t)
    c.fd.setsockopt("SOL_SOCKET", "SO_SNDTIMEO", (0).to_bytes(8, "little") + (150_000).to_bytes(8, "little"))
    writing = t.blocking("write", c.fd, bytes(200_000))
    took = writing.returns(within="200ms")
    t.check(0 < took < 200_000, f"some of it was taken: {took}")
    c.collect(took)


@scenario(ignore=(TCP(flags="A"), TCP(flags="PA")))
def a_reset_ends_a_write_that_waits(t):
    "It tells how much it took; the next one fails, once, and then the pipe is broken (RFC 9293 §3.10.7.4)."
    c = small(t)
    writing = t.blocking("write", c.fd, bytes(200_000))
    t.sleep("50ms")
    t.check(not writing.done, "it waits for an acknowledgment")
    c.send(flags="R")
    took = writing.returns()
    t.check(0 < took < 200_000, f"some of it was taken: {took}")
    c.fd.send(b"x", NOSIGNAL, fails="ECONNRESET")
    c.fd.send(b"x", NOSIGNAL, fails="EPIPE")


@scenario
def there_is_room_only_when_a_third_of_the_buffer_is_free(t):
    "A writer is not woken for each byte: poll() waits until it is worth while (tcp(7), Linux's sk_stream_wspace)."
    c = small(t)
    took = filled(t, c)
    c.expect(seq=1, data=bytes(1000))
    t.check(not writable(t, c), "nothing is acknowledged yet")
    c.send(ack=101)
    t.check(not writable(t, c), "a hundred bytes are not worth it")
    c.collect(took - 1000)
    t.check(writable(t, c), "all is")


@scenario
def edge_triggered_epoll_tells_of_room_once_it_was_lacking(t):
    "EPOLLOUT comes when a full buffer drains, and not with every acknowledgment (epoll(7))."
    c = small(t)
    ep = t.call("epoll_create1", 0)
    took = filled(t, c)
    t.call("epoll_ctl", ep, 1, c.fd, OUT | EDGE, 7)
    t.call("epoll_wait", ep, 1, 0, returns=[])
    waiting = t.blocking("epoll_wait", ep, 1, -1)
    c.collect(took)
    waiting.returns([(OUT, 7)], within="50ms")
    t.call("epoll_wait", ep, 1, 0, returns=[])
