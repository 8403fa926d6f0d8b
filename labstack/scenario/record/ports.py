# SPDX-License-Identifier: GPL-2.0-or-later
"""Would the runner know which connection a packet without ports belongs to? A small image of `undertest.Sockets`.

There one connection is current: that of the latest socket(), or the latest that a listener got.
"""

from dataclasses import dataclass
from errno import EINPROGRESS

from labstack.scenario.record.story import Called

STREAM, TYPES = 1, 15
Key = tuple[int, int]  # local, remote port


@dataclass(slots=True)
class _Socket:
    """takes: what comes to it first is its own, as to a datagram socket with a port."""

    stream: bool
    key: Key | None = None
    listening: bool = False
    takes: bool = False


def _begins(it: Called) -> bool:
    """Does a connect() begin a connection, and not just tell how far one is?"""
    return it.back is None or it.until is not None or it.back.errno == EINPROGRESS


class Current:
    """named: some packet would be taken for another connection's, so that all must name their ports."""

    def __init__(self) -> None:
        self.named = False
        self._now: _Socket | None = None
        self._open: dict[int, _Socket] = {}
        self._seen: set[Key] = set()

    def called(self, it: Called) -> None:
        """A system call was made."""
        if it.name == "connect" and it.args[0] in self._open and _begins(it):
            self._open[it.args[0]].key = None  # from another port, perhaps
        if it.back is None or it.back.result < 0:
            return
        if it.name == "socket":
            self._now = self._open[it.back.result] = _Socket(it.args[1] & TYPES == STREAM)
        elif it.name == "bind" and it.args[0] in self._open:
            self._open[it.args[0]].takes = not self._open[it.args[0]].stream
        elif it.name == "listen" and it.args[0] in self._open:
            self._open[it.args[0]].listening = True

    def crossed(self, inbound: bool, key: Key | None, begins: bool = False) -> None:
        """A packet of a connection came or went; None: one of no connection, such as an echo request.

        begins: it is our first SYN of a connection, perhaps at the ports of an older one.
        """
        now = self._now
        first = key not in self._seen and not (inbound and now is not None and not now.takes)
        if now is None or (now.listening and inbound):
            self.named = self.named or key in self._seen
            self._now = _Socket(True, key)
        elif now.key is None and not now.listening and (begins or first):
            now.key = key
        elif key is not None and now.key != key:
            self.named = True
        if key is not None:
            self._seen.add(key)
