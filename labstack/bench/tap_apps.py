# SPDX-License-Identifier: GPL-2.0-or-later
"""Our end of `bench tap`: the same answers as tap_peer.serve, as callbacks on the in-process API of a live host."""

import errno
import hashlib
import struct
from collections.abc import Callable
from functools import partial
from typing import Any

from labstack.bench.tap_peer import BLOCK, DATA, ECHO, SINK, SOURCE, UDP_ECHO
from labstack.core.errors import StackError
from labstack.core.event import READABLE
from labstack.live.host import LiveHost


class Server:
    """Answers on every port of a host. digest: of what the sink got, while `check` is set."""

    def __init__(self, host: LiveHost) -> None:
        self.call = host.call
        self.on = host.on
        self.check = False
        self.digest = hashlib.sha256()
        self.left: dict[int, int] = {}
        for port, answer in ((SINK, self.sink), (SOURCE, self.source), (ECHO, self.echo)):
            host.open(partial(self.accept, answer), "listen", port)
        host.open(self.udp_echo, "udp", UDP_ECHO)

    def accept(self, answer: Callable[[int, int], None], listener: int, what: int) -> None:
        while (got := self.attempt("accept", listener)) is not None:
            sock = got[0]
            self.on(sock, answer)
            answer(sock, READABLE)

    def attempt(self, op: str, *args: Any) -> Any:
        """A call, or None for "not yet"."""
        try:
            return self.call(op, *args)
        except StackError as error:
            if error.errno != errno.EAGAIN:
                raise
            return None

    def sink(self, sock: int, what: int) -> None:
        while (pieces := self.attempt("take", sock)) is not None:
            if not pieces:
                return self.end(sock)
            if self.check:
                for piece in pieces:
                    self.digest.update(piece)
        return None

    def source(self, sock: int, what: int) -> None:
        if sock not in self.left:
            request = self.attempt("recv", sock, 8)
            if request is None:
                return
            (self.left[sock],) = struct.unpack("!Q", request)
        while left := self.left[sock]:
            sent = self.attempt("send", sock, memoryview(DATA)[BLOCK - (left % BLOCK or BLOCK) :])
            if sent is None:
                return
            self.left[sock] -= sent
        del self.left[sock]
        self.end(sock)

    def echo(self, sock: int, what: int) -> None:
        while (data := self.attempt("recv", sock)) is not None:
            if not data:
                return self.end(sock)
            self.call("send", sock, data)
        return None

    def udp_echo(self, sock: int, what: int) -> None:
        while (got := self.attempt("recvfrom", sock)) is not None:
            self.call("sendto", sock, got[0], *got[1])

    def end(self, sock: int) -> None:
        self.on(sock, None)
        self.call("close", sock)
