# SPDX-License-Identifier: GPL-2.0-or-later
"""Random system calls return on a host of ours what they return on Linux.

`python tests/stack/test_syscall_random.py FIRST N` tries the seeds from FIRST on, shrinks what differs, and shows it.
"""

import difflib
import random
import sys
from collections.abc import Callable

import pytest
from linux_calls import Linux
from transcript import Ours, Transcript, play

V4 = ["127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.2", "0.0.0.0", "192.0.2.1"]
V6 = ["::1", "::1", "::1", "::", "2001:db8::1"]
PIECES = ["[]", '[b"ab", b"c"]']
SIZES = [0, 3, 10, 5000, None]
TEXTS = ['b""', 'b"abc"', 'b"0123456789"', 'b"xyz" * 1000', "None"]


class Maker:
    """One random sequence: sockets of one family and mostly one type, which may block."""

    def __init__(self, seed: int) -> None:
        self.r = r = random.Random(seed)
        self.v6, self.dgram, self.blocks = r.random() < 0.35, r.random() < 0.25, r.random() < 0.25
        self.waits = self.blocks  # one call may wait for data: of several, Linux serves whoever wakes first
        self.steps: list[Callable[[], str]] = [
            lambda: f"bind({self.fd()}, {self.addr()})",
            lambda: f"listen({self.fd()}, {r.choice([0, 1, 5])})",
            lambda: f"accept({self.fd()})",
            lambda: "accept(3)",
            lambda: f"accept4(3, {r.choice(['SOCK_NONBLOCK', '0', '5'])})",
            lambda: f"connect({self.fd()}, {self.addr()})",
            lambda: f"connect(4, {self.addr()})",
            lambda: f"connect({self.fd()}, {self.addr()})",
            lambda: f"shutdown({self.fd()}, {r.choice([0, 1, 1, 2, 3])})",
            lambda: f"close({self.fd()})",
            lambda: f"{r.choice(['getsockname', 'getpeername'])}({self.fd()})",
            lambda: f"recv({self.fd()}, {r.choice(SIZES)}, {self.flags('MSG_PEEK', 'MSG_TRUNC', 'MSG_WAITALL')})",
            lambda: f"recvfrom({self.fd()}, {r.choice([3, 10])}, {self.flags('MSG_PEEK', 'MSG_TRUNC')})",
            lambda: f"recvmsg({self.fd()}, {r.choice(['[]', '[3, 4]', '[5000]'])}, {self.flags('MSG_PEEK')})",
            lambda: f"recv({self.fd()}, 10, {self.flags()})",
            lambda: f"send({self.fd()}, {r.choice(TEXTS)}, {self.flags('MSG_OOB') if self.dgram else self.flags()})",
            lambda: f'send({self.fd()}, b"0123456789", MSG_DONTWAIT)',
            lambda: f'sendto({self.fd()}, b"xyz", {self.flags()}, {self.addr()})',
            lambda: f"sendmsg({self.fd()}, {r.choice(PIECES)}, {self.flags()})",
            lambda: f"writev({self.fd()}, {r.choice(['None', *PIECES])})",
            lambda: f"getsockopt({self.fd()}, SOL_SOCKET, SO_ERROR, 4)",
            lambda: f"setsockopt({self.fd()}, SOL_SOCKET, {r.choice(['SO_REUSEADDR', 'SO_REUSEPORT'])}, i32(1))",
            lambda: f"setsockopt({self.fd()}, SOL_SOCKET, SO_LINGER, i32(1, 0))",
            lambda: f"setsockopt({self.fd()}, SOL_SOCKET, SO_RCVLOWAT, i32(5))",
            lambda: f"setsockopt({self.fd()}, SOL_IPV6, IPV6_V6ONLY, i32(1))",
            lambda: f"fcntl({self.fd()}, F_DUPFD, 0)",
            self.socket,
            lambda: "sleep(0.07)",
        ]

    def socket(self) -> str:
        dgram = self.dgram if self.r.random() < 0.95 else not self.dgram
        wait = "" if self.blocks and self.r.random() < 0.5 else "|SOCK_NONBLOCK"
        return f"socket({'AF_INET6' if self.v6 else 'AF_INET'}, {'SOCK_DGRAM' if dgram else 'SOCK_STREAM'}{wait}, 0)"

    def fd(self) -> int:
        return self.r.choice([3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 7, 8])

    def addr(self) -> str:
        if self.r.random() < 0.08:
            return self.r.choice(["AF_UNSPEC", "None", "77"])
        return repr((self.r.choice(V6 if self.v6 else V4), self.r.choice([80, 80, 80, 81])))

    def flags(self, *more: str) -> str:
        some = [flag for flag in more if self.r.random() < 0.3]
        if not self.waits or self.r.random() < 0.5:
            some.append("MSG_DONTWAIT")
        else:
            self.waits = False
        return "|".join(some) or "0"

    def transcript(self) -> Transcript:
        lines = [self.socket(), self.socket()]
        home = '("::1", 80)' if self.v6 else '("127.0.0.1", 80)'
        if self.r.random() < 0.6:
            lines += [f"bind(3, {home})", "listen(3, 5)", f"connect(4, {home})", "accept(3)"]
        elif self.r.random() < 0.6:
            lines += [f"bind(3, {self.addr()})", "listen(3, 5)"]
        lines += [self.r.choice(self.steps)() for _ in range(self.r.randint(8, 25))]
        return Transcript("random", tuple(lines))


def both(transcript: Transcript) -> tuple[list[str], list[str]]:
    linux = Linux()
    try:
        return play(linux, transcript), play(Ours(), transcript)
    finally:
        linux.close()


@pytest.mark.live
@pytest.mark.parametrize("seed", range(40))
def test_random_calls_return_what_they_return_on_linux(seed: int) -> None:
    try:
        theirs, ours = both(Maker(seed).transcript())
    except OSError as why:
        pytest.skip(f"no kernel to ask: {why}")
    assert ours == theirs


def shrunk(transcript: Transcript) -> Transcript:
    """A shorter one that still differs."""
    lines = list(transcript.lines)
    for at in reversed(range(len(lines))):
        shorter = Transcript("random", tuple(lines[:at] + lines[at + 1 :]))
        theirs, ours = both(shorter)
        if theirs != ours:
            del lines[at]
    return Transcript("random", tuple(lines))


if __name__ == "__main__":
    first, n = map(int, sys.argv[1:])
    for seed in range(first, first + n):
        transcript = Maker(seed).transcript()
        theirs, ours = both(transcript)
        if theirs != ours:
            theirs, ours = both(shrunk(transcript))
            print(f"# {seed}", *difflib.ndiff(theirs, ours), sep="\n  ", flush=True)
