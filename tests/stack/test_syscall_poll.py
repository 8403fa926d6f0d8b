# SPDX-License-Identifier: GPL-2.0-or-later
"""poll, epoll, fcntl and ioctl in the middle of random system calls: a host of ours says what Linux says.

What each of them says in its turn is in transcripts/poll.txt, epoll.txt and control.txt.
`python tests/stack/test_syscall_poll.py FIRST N` tries the seeds from FIRST on, shrinks what differs, and shows it.
"""

import difflib
import errno
import random
import sys
from typing import Any

import pytest
from test_syscall_random import Maker, both, shrunk
from transcript import Ours, Transcript
from wire_peer import SOL_SOCKET, Peer, i32, lab

POLLIN, POLLOUT, POLLRDHUP = 1, 4, 0x2000
ADD, DEL, MOD = 1, 2, 3
SO_RCVLOWAT = 18

EVENTS = [
    "EPOLLIN", "EPOLLOUT", "EPOLLIN | EPOLLOUT", "EPOLLIN | EPOLLOUT | EPOLLRDHUP", "EPOLLIN | EPOLLRDHUP | EPOLLET",
    "EPOLLOUT | EPOLLET", "EPOLLIN | EPOLLONESHOT", "0", "EPOLLRDHUP", "EPOLLIN | EPOLLOUT | EPOLLET | EPOLLONESHOT",
]  # fmt: skip
LEVEL = [it for it in EVENTS if "EPOLLET" not in it]


class Watcher(Maker):
    """A random sequence in which an epoll, descriptor 9 or later, watches, and poll looks."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.blocks = self.waits = False
        r = self.r
        self.data = [
            lambda: f'send({self.fd()}, b"0123456789", MSG_DONTWAIT)',
            lambda: f"recv({self.fd()}, {r.choice([1, 5, 100])}, MSG_DONTWAIT)",
            lambda: f"shutdown({self.fd()}, {r.choice([0, 1, 2])})",
            lambda: f"close({self.fd()})",
        ]
        self.events = EVENTS if r.random() < 0.5 else LEVEL
        self.steps += [
            lambda: f"poll([{', '.join(f'({self.fd()}, 0x3fff)' for _ in range(r.choice([1, 2, 3])))}], 0)",
            lambda: f"poll([({self.fd()}, {r.choice(['POLLIN', 'POLLOUT', 'POLLRDHUP', '0'])})], 0)",
            lambda: (
                f"epoll_ctl(20, {r.choice([1, 1, 1, 2, 3])}, {self.fd()}, {r.choice(self.events)}, {r.randint(0, 9)})"
            ),
            lambda: f"epoll_ctl(20, {r.choice([1, 1, 3])}, {self.fd()}, {r.choice(self.events)}, {r.randint(0, 9)})",
            lambda: f"epoll_ctl(20, 1, {self.fd()}, {r.choice(self.events)}, {r.randint(0, 9)})",
            lambda: f"epoll_wait(20, {r.choice([1, 2, 9])}, 0)",
            lambda: "epoll_wait(20, 9, 0)",
            lambda: "epoll_wait(20, 9, 0)",
            lambda: f"ioctl({self.fd()}, {r.choice(['FIONREAD', 'SIOCATMARK'])}, 77)",
            lambda: f"fcntl({self.fd()}, F_GETFL, 0)",
            lambda: f"setsockopt({self.fd()}, SOL_SOCKET, SO_RCVLOWAT, i32({r.choice([0, 1, 4, 100])}))",
        ]

    def transcript(self) -> Transcript:
        watched = [f"epoll_ctl(20, 1, {fd}, {self.r.choice(self.events)}, {fd})" for fd in (3, 4, 5)]
        lines = list(super().transcript().lines)
        at = 6 if lines[2].startswith("bind") and lines[4].startswith("connect") else 2
        lines += [self.r.choice(self.steps[-11:] + self.data)() for _ in range(20)]
        begin = ("epoll_create1(0)", "fcntl(3, F_DUPFD, 20)", "close(3)")
        return Transcript("random", (*begin, *lines[:at], *watched, *lines[at:]))


@pytest.mark.live
@pytest.mark.parametrize("seed", range(40))
def test_what_is_ready_is_ready_on_linux(seed: int) -> None:
    try:
        theirs, ours = both(Watcher(seed).transcript())
    except OSError as why:
        pytest.skip(f"no kernel to ask: {why}")
    assert ours == theirs


@pytest.fixture
def peer() -> Any:
    with lab() as it:
        yield it


def test_who_polls_is_woken_by_what_it_asked_for_alone(peer: Peer) -> None:
    fd = peer.passive()
    ticket = peer.target.poll([(fd, POLLIN)], -1)
    hangup = peer.target.poll([(fd, POLLRDHUP)], -1)
    peer.rx("A", 1, 1)
    assert peer.target.finished(ticket) is None
    peer.rx("PA", 1, 1, 10)
    assert peer.target.finished(ticket)[1] == (1, 0, [POLLIN])
    assert peer.target.finished(hangup) is None
    peer.rx("FA", 11, 1)
    assert peer.target.finished(hangup)[1] == (1, 0, [POLLRDHUP])


def test_the_time_of_a_poll_is_up_to_the_nanosecond(peer: Peer) -> None:
    fd = peer.passive()
    began = peer.target.now
    ticket = peer.target.poll([(fd, POLLIN)], 50)
    peer.quiet(49)
    assert peer.target.finished(ticket) is None
    peer.quiet(1)
    assert peer.target.finished(ticket) == (began + 50_000_000, (0, 0, [0]))


def test_below_the_low_water_mark_nobody_is_woken(peer: Peer) -> None:
    fd = peer.passive()
    peer.call("setsockopt", fd, SOL_SOCKET, SO_RCVLOWAT, i32(20))
    ticket = peer.target.poll([(fd, POLLIN)], -1)
    peer.rx("PA", 1, 1, 19)
    assert peer.target.finished(ticket) is None
    peer.rx("PA", 20, 1, 1)
    assert peer.target.finished(ticket)[1] == (1, 0, [POLLIN])


def test_room_to_write_is_told_when_a_third_is_free(peer: Peer) -> None:
    fd = peer.passive(win=1000, ws=None)
    peer.send(fd, *[1000] * 2000)
    ticket = peer.target.poll([(fd, POLLOUT)], -1)
    done = 0
    while peer.target.finished(ticket) is None:
        assert 3 * _memory(peer, fd, "WMEM_QUEUED") > 2 * _memory(peer, fd, "SNDBUF")
        done += 1000
        peer.rx("A", 1, 1 + done, win=60_000)
    assert done
    assert 3 * _memory(peer, fd, "WMEM_QUEUED") <= 2 * _memory(peer, fd, "SNDBUF")


def _memory(peer: Peer, fd: int, name: str) -> int:
    """A figure of SO_MEMINFO, bytes."""
    return int(peer.target.info(fd)["SK_MEMINFO_" + name])


def test_an_epoll_cannot_watch_an_epoll(peer: Peer) -> None:
    """Linux would allow four of them in a row, and then say ELOOP."""
    outer, inner = peer.call("epoll_create1", 0), peer.call("epoll_create1", 0)
    assert peer.target.epoll_ctl(outer, ADD, inner, POLLIN).errno == errno.ELOOP


def test_a_closed_epoll_watches_nobody_and_a_closed_socket_is_not_watched(peer: Peer) -> None:
    fd, ep = peer.passive(), peer.call("epoll_create1", 0)
    peer.call("epoll_ctl", ep, ADD, fd, POLLIN, 5)
    host = peer.target.host
    assert host.files.sockets[host.files.fds[fd]].watchers == [(host.files.fds[ep], fd)]
    peer.call("close", ep)
    host = peer.target.host
    assert host.files.sockets[host.files.fds[fd]].watchers == []
    ep = peer.call("epoll_create1", 0)
    peer.call("epoll_ctl", ep, ADD, fd, POLLIN, 5)
    peer.call("close", fd)
    host = peer.target.host
    assert not host.files.epolls[host.files.fds[ep]].interests


def test_an_epoll_wait_ends_with_what_happens_and_with_its_time(peer: Peer) -> None:
    fd, ep = peer.passive(), peer.call("epoll_create1", 0)
    peer.call("epoll_ctl", ep, ADD, fd, POLLIN, 1 << 63)
    late = peer.target.epoll_wait(ep, 1, 10)
    ticket = peer.target.epoll_wait(ep, 1, -1)
    peer.quiet(10)
    assert peer.target.finished(late)[1] == (0, 0, [])
    peer.rx("PA", 1, 1, 10)
    assert peer.target.finished(ticket)[1] == (1, 0, [(POLLIN, 1 << 63)])


def test_nothing_that_a_program_can_pass_breaks_these_calls() -> None:
    """Any numbers, in any state: a result or an errno, never a fault inside; the tables stay in order."""
    rng = random.Random(2)
    numbers = [-1, 0, 1, 2, 3, 4, 5, 6, 7, 20, 1 << 31, 1 << 40, 0x541B, 0x5421, 1030]
    for _ in range(60):
        ours = Ours()
        for line in ("socket", "epoll_create1", "socket"):
            ours.step(line, (2, rng.choice([1, 2]), 0) if line == "socket" else (0,))
        for _ in range(60):
            name, count = rng.choice(
                [("fcntl", 3), ("ioctl", 3), ("epoll_ctl", 5), ("epoll_wait", 3), ("close", 1), ("poll", 2)]
            )
            args: Any = [rng.choice(numbers) for _ in range(count)]
            if name == "epoll_wait" or name == "poll":
                args[-1] = rng.choice([0, 1])
            if name == "poll":
                args[0] = [rng.choice([(3, 7), (4, 1), (99, 0), (-1, 1), (5,), "x", None]) for _ in range(3)]
            back = ours.step(name, tuple(args))["back"]
            assert back is None or back[1] != errno.EIO


if __name__ == "__main__":
    first, n = map(int, sys.argv[1:])
    for seed in range(first, first + n):
        transcript = Watcher(seed).transcript()
        theirs, ours = both(transcript)
        if theirs != ours:
            theirs, ours = both(shrunk(transcript))
            print(f"# {seed}", *difflib.ndiff(theirs, ours), sep="\n  ", flush=True)
