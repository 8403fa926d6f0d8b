# SPDX-License-Identifier: GPL-2.0-or-later
"""What can happen at a host, as recordings have it. Times are ns of the run."""

from typing import Any, NamedTuple

from labstack.scenario.target import Result


class Called(NamedTuple):
    """A system call; back: what it returned, None while it blocks; until: when, if it blocked."""

    at: int
    name: str
    args: tuple[Any, ...]
    back: Result | None = None
    until: int | None = None


class Changed(NamedTuple):
    """A sysctl was set, or one part of it (tcp_rmem.max)."""

    at: int
    sysctl: str
    value: int


class Crossed(NamedTuple):
    """A frame crossed the host's interface; net: bytes of its link header."""

    at: int
    inbound: bool
    frame: bytes
    net: int = 0

    @property
    def packet(self) -> bytes:
        """The IP packet in it, and whatever pads it."""
        return self.frame[self.net :]


Happened = Called | Changed | Crossed
