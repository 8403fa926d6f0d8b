# SPDX-License-Identifier: GPL-2.0-or-later
"""What an application says beyond bytes: urgent ones, data with its SYN, signatures; how it waits, hears of errors, and
lets go."""

from typing import NamedTuple

from labstack.core.rng import Rng

AT_LAST, OPENS_EARLY, WAITS_FOR_DATA = range(3)  # data with the SYN: none, MSG_FASTOPEN, TCP_FASTOPEN_CONNECT
SECRETS = (b"between routers", b"something else", b"x" * 80)


class Speech(NamedTuple):
    """calls: by system calls, which the rest needs; early: data with its SYN (Fast Open); shouts: which bytes are
    urgent, ascending; fetches: it looks out of band for the peer's; peeks: it looks ahead before it reads; more: every
    so-manieth write says that more follows, 0: none; linger: seconds that close() may take, -1: it does not;
    secret: key of its signatures, or b""; heeds: it hears of ICMP errors at once, and reads the error queue."""

    calls: bool = False
    early: int = AT_LAST
    shouts: tuple[int, ...] = ()
    fetches: bool = False
    peeks: bool = False
    more: int = 0
    linger: int = -1
    secret: bytes = b""
    heeds: bool = False


PLAIN = Speech()


def draw(rng: Rng, size: int, fast: bool) -> Speech:
    """Of an application that writes so many bytes. fast: Fast Open is a theme of this seed."""
    if not rng.chance(0.4) and not fast:
        return PLAIN
    shouts = {rng.below(size) for _ in range(1 + rng.below(5))} if size and rng.chance(0.25) else set[int]()
    return Speech(
        calls=True,
        early=1 + rng.below(2) if fast and size else AT_LAST,
        shouts=tuple(sorted(shouts)),
        fetches=rng.chance(0.25),
        peeks=rng.chance(0.1),
        more=1 + rng.below(3) if rng.chance(0.2) else 0,
        linger=(0, 1, 3, 30)[rng.below(4)] if rng.chance(0.15) else -1,
        heeds=rng.chance(0.6),
    )


def signed(rng: Rng, ours: Speech, theirs: Speech) -> tuple[Speech, Speech]:
    """Both with a key, most often the same."""
    key = SECRETS[rng.below(3)]
    other = key if rng.chance(0.75) else SECRETS[(SECRETS.index(key) + 1) % 3]
    return ours._replace(calls=True, secret=key), theirs._replace(calls=True, secret=other)
