# SPDX-License-Identifier: GPL-2.0-or-later
"""The numbers of Linux's symbols, as this Python knows them, and the names for numbers."""

import errno
import fcntl
import platform
import select
import socket
import sys
import termios

import pytest

from labstack.packetdrill import symbols

MODULES = (errno, socket, select, fcntl, termios)
KNOWN = {name: int(value) for module in MODULES for name, value in vars(module).items() if isinstance(value, int)}
HERE = (sys.platform, platform.machine()) == ("linux", "x86_64")
SHARED = sorted(symbols.VALUES.keys() & KNOWN.keys())


@pytest.mark.skipif(not HERE, reason="the numbers are Linux's on x86-64")
@pytest.mark.parametrize("name", SHARED)
def test_the_numbers_are_those_of_linux(name: str) -> None:
    assert symbols.value(name) == KNOWN[name] & 0xFFFFFFFF


def test_python_knows_enough_of_them_to_compare() -> None:
    assert len(SHARED) > 150


def test_no_name_stands_in_two_groups() -> None:
    assert sum(map(len, symbols.GROUPS.values())) == len(symbols.VALUES)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("NULL", 0),
        ("EAGAIN", 11),
        ("EPOLLET", 1 << 31),
        ("TCP_CLOSE_WAIT", 8),
        ("TCP_CA_Loss", 4),
        ("TCPI_OPT_SYN_DATA", 32),
        ("SO_EE_ORIGIN_ZEROCOPY", 5),
        ("SOF_TIMESTAMPING_OPT_ID", 128),
        ("SIOCINQ", 0x541B),
        ("TCP_NLA_SND_SSTHRESH", 15),
        ("MSG_ZEROCOPY", 0x4000000),
    ],
)
def test_what_python_does_not_know_is_right_too(name: str, number: int) -> None:
    assert symbols.value(name) == number


def test_an_unknown_symbol_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        symbols.value("SO_NOTHING")


def test_numbers_get_their_names_back() -> None:
    assert symbols.name("errno", 11) == "EAGAIN"
    assert symbols.name("state", 1) == "TCP_ESTABLISHED"
    assert symbols.name("errno", 4000) == "4000"


@pytest.mark.parametrize(
    ("group", "bits", "text"),
    [
        ("MSG_", 0x4040, "MSG_DONTWAIT|MSG_NOSIGNAL"),
        ("EPOLL", 0x80000005, "EPOLLIN|EPOLLOUT|EPOLLET"),
        ("O_", 0x802, "O_RDWR|O_NONBLOCK"),
        ("POLL", 0, "0"),
        ("POLL", 0x100001, "POLLIN|0x100000"),
    ],
)
def test_bits_get_their_names_back(group: str, bits: int, text: str) -> None:
    assert symbols.flags(group, bits) == text
