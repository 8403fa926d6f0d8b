# SPDX-License-Identifier: GPL-2.0-or-later
"""Our end of `bench idle` and `bench churn`: an echo on two ports, of which one waits for the other side's close."""

import errno
import os
import subprocess
import sys
from typing import Any

from labstack.bench import crowd_peer
from labstack.bench.crowd_peer import KERNEL_CLOSES, OURS_CLOSES
from labstack.core.errors import StackError
from labstack.core.event import READABLE
from labstack.live.host import LiveHost

PAGE = os.sysconf("SC_PAGE_SIZE")


class Echo:
    """Answers what comes, as callbacks; on OURS_CLOSES it then closes, on KERNEL_CLOSES it waits for that."""

    def __init__(self, host: LiveHost) -> None:
        self.call, self.on = host.call, host.on
        host.open(self.accept, "listen", KERNEL_CLOSES, b"", 1024)
        host.open(self.accept_and_close, "listen", OURS_CLOSES, b"", 1024)

    def accept(self, listener: int, what: int) -> None:
        while (sock := self._accepted(listener)) is not None:
            self.on(sock, self.echo)
            self.echo(sock, READABLE)

    def accept_and_close(self, listener: int, what: int) -> None:
        while (sock := self._accepted(listener)) is not None:
            self.on(sock, self.echo_once)
            self.echo_once(sock, READABLE)

    def echo(self, sock: int, what: int) -> None:
        while (data := self._got("recv", sock)) is not None:
            if not data:
                self.end(sock)
                return
            self.call("send", sock, data)

    def echo_once(self, sock: int, what: int) -> None:
        data = self._got("recv", sock)
        if data is not None:
            if data:
                self.call("send", sock, data)
            self.end(sock)

    def end(self, sock: int) -> None:
        self.on(sock, None)
        self.call("close", sock)

    def _accepted(self, listener: int) -> int | None:
        got = self._got("accept", listener)
        return None if got is None else int(got[0])

    def _got(self, op: str, *args: Any) -> Any:
        """A call, or None for "not yet"."""
        try:
            return self.call(op, *args)
        except StackError as error:
            if error.errno != errno.EAGAIN:
                raise
            return None


def peer(host: LiveHost, *words: object) -> "subprocess.Popen[str]":
    """The kernel's end, playing a role."""
    pipe = subprocess.PIPE
    argv = [sys.executable, crowd_peer.__file__, *map(str, words)]
    return host.wire.popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def said(process: "subprocess.Popen[str]") -> str:
    """The next line that a peer says. Raises RuntimeError with its last words if there is none."""
    assert process.stdout
    assert process.stderr
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"the kernel's end failed: {process.stderr.read().strip().rpartition(chr(10))[2]}")
    return str(line)


def resident() -> int:
    """Bytes of memory that this process has now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * PAGE
