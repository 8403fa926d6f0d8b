# SPDX-License-Identifier: GPL-2.0-or-later
"""System calls in words, with Linux's names for its numbers."""

from typing import Any

import pytest

from labstack.core.event import Call
from labstack.lab.why import call_name, call_words


@pytest.mark.parametrize(
    ("args", "result", "words"),
    [
        (("socket", 2, 0x801, 6), (3, 0, None), "socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK) = 3"),
        (("bind", 3, ("192.168.0.1", 8080)), (0, 0, None), "bind(3, 192.168.0.1:8080) = 0"),
        (("connect", 3, ("fd00::1", 80)), (-1, 115, None), "connect(3, [fd00::1]:80) = -1 EINPROGRESS"),
        (("connect", 3, 0), (0, 0, None), "connect(3, 0) = 0"),
        (("setsockopt", 3, 6, 1, b"\1\0\0\0"), (0, 0, None), "setsockopt(3, TCP_NODELAY, 1) = 0"),
        (("setsockopt", 3, 1, 13, bytes(16)), (0, 0, None), "setsockopt(3, SO_LINGER, 16 B) = 0"),
        (("getsockopt", 3, 6, 11, 248), (0, 0, bytes(248)), "getsockopt(3, TCP_INFO, 248) = 0"),
        (("fcntl", 3, 4, 0x800), (0, 0, None), "fcntl(3, F_SETFL, O_NONBLOCK) = 0"),
        (("send", 4, bytes(100), 0x4040), (100, 0, None), "send(4, 100 B, MSG_DONTWAIT|MSG_NOSIGNAL) = 100"),
        (("send", 4, bytes(100), 0), (100, 0, None), "send(4, 100 B) = 100"),
        (("accept", 3), 7, "accept(3) …"),
        (("poll", [(4, 1)], 5), (1, 0, [1]), "poll([[4, 1]], 5) = 1"),
        (("frobnicate", 3), (-1, 38, None), "frobnicate(3) = -1 ENOSYS"),
    ],
)
def test_a_call_is_told_as_one_would_write_it(args: tuple[Any, ...], result: Any, words: str) -> None:
    assert call_words(Call("sys", args), result) == words


def test_a_call_that_blocked_is_told_again_when_it_returns() -> None:
    assert call_words(Call("sys_result", (7,)), (1000, (4, 0, None))) == "the call that waited = 4"


def test_the_name_of_a_system_call_is_its_own() -> None:
    assert [call_name(it) for it in (Call("sys", ("write", 3, b"")), Call("send", (1, b"")))] == ["write", "send"]
