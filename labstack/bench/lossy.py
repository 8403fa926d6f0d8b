# SPDX-License-Identifier: GPL-2.0-or-later
"""A long transfer both ways at once through a wire that loses 2 % and takes 5 ms, ours against the kernel's own stack.

Reference: two kernels, each in a namespace with a TAP, and between the TAPs the same wire of ours (live/impaired.py).
Then the kernel, always with cubic, against our stack with each of its controllers, IPv4 and IPv6. Both sides check
the other's stream by SHA-256. A ratio is the kernel's time to ours; no round is more exact than the chances of loss.
"""

import errno
import hashlib
import json
import subprocess
import sys
from contextlib import ExitStack
from statistics import median
from threading import Event
from typing import Any

from labstack.bench import lossy_peer
from labstack.bench.lossy_peer import BLOCK, DATA, PORT
from labstack.bench.table import Row
from labstack.core.config import MS, SYSCTLS, Config
from labstack.core.errors import StackError
from labstack.core.event import FAILED
from labstack.live.host import LiveHost, up
from labstack.live.impaired import Impaired, Repeater
from labstack.live.loop import Loop
from labstack.live.wire import Plan, open_wire
from labstack.sim.wire import Delay, Loss, Wire

SIZE = 50_000_000  # bytes, each way
LOSS, DELAY = 0.02, 5 * MS  # each way
BUFFER = 4 << 20  # bytes
NEAR, FAR = ("10.0.0.254", "fd00::254"), ("10.0.0.1", "fd00::1")
FAR_MAC = bytes.fromhex("0200000000fd")
CONTROL = "net.ipv4.tcp_congestion_control"


def way() -> Wire:
    return Loss(Delay(DELAY), LOSS)


def controllers() -> tuple[str, ...]:
    return SYSCTLS[CONTROL].words


class Exchange:
    """Our end, as callbacks: sends `size` bytes, reads to the end, says when both are done. error: what ended it."""

    def __init__(self, host: LiveHost, size: int) -> None:
        self.host, self.size, self.sent = host, size, 0
        self.digest = hashlib.sha256()
        self.shut = self.ended = False
        self.done = Event()
        self.error = 0
        self.listener = host.open(self.accept, "listen", PORT)

    def accept(self, listener: int, what: int) -> None:
        sock, _ = self.host.call("accept", listener)
        self.host.on(sock, self.go)
        self.go(sock, what)

    def go(self, sock: int, what: int) -> None:
        try:
            self.send(sock)
            self.read(sock)
        except StackError as error:
            self.error = error.errno or errno.EIO
        if self.error or what & FAILED or (self.ended and self.shut):
            self.host.on(sock, None)
            self.host.call("close", sock)
            self.done.set()

    def send(self, sock: int) -> None:
        while self.sent < self.size:
            at = self.sent % BLOCK
            sent = self.attempt("send", sock, memoryview(DATA)[at : at + self.size - self.sent])
            if sent is None:
                return
            self.sent += sent
        if not self.shut:
            self.host.call("shutdown", sock, 1)
            self.shut = True

    def read(self, sock: int) -> None:
        while not self.ended and (pieces := self.attempt("take", sock)) is not None:
            self.ended = not pieces
            for piece in pieces:
                self.digest.update(piece)

    def attempt(self, op: str, *args: Any) -> Any:
        """A call, or None for "not yet"."""
        try:
            return self.host.call(op, *args)
        except StackError as error:
            if error.errno != errno.EAGAIN:
                raise
            return None


def ours(controller: str, v6: bool, size: int) -> float:
    """Seconds for our stack against the kernel. Raises RuntimeError if a stream was not what had been sent."""
    buffers = dict.fromkeys(("net.ipv4.tcp_rmem.default", "net.ipv4.tcp_wmem.default"), BUFFER)
    config = Config().replace({**buffers, CONTROL: controllers().index(controller)})
    plan = Plan(offload=False)
    with up("tap", plan=plan, config=config, there=way(), back=way()) as host:
        exchange = Exchange(host, size)
        seconds = exchanged(host.wire.popen, FAR[v6], size)
        if not exchange.done.wait(60) or exchange.error or exchange.digest.hexdigest() != lossy_peer.stream(size):
            raise RuntimeError(f"{controller}: what we received is not what was sent (error {exchange.error})")
        return seconds


def kernels(v6: bool, size: int) -> float:
    """Seconds for the kernel against another kernel through the same wire."""
    with ExitStack() as stack:
        near = stack.enter_context(open_wire("tap", plan=Plan(NEAR_NET, FAR_NET, offload=False)))
        far = stack.enter_context(open_wire("tap", plan=Plan(FAR_NET, NEAR_NET, offload=False, mac=FAR_MAC)))
        loop = Loop(Impaired(Repeater({1: 2, 2: 1}), {1: way(), 2: way()}, {}))
        loop.attach(1, near.device)
        loop.attach(2, far.device)
        stack.callback(loop.close)
        loop.start()
        argv = [sys.executable, lossy_peer.__file__, "serve", FAR[v6], str(size)]
        server = stack.enter_context(far.popen(argv, stdout=subprocess.PIPE, text=True))
        stack.callback(server.kill)
        assert server.stdout
        server.stdout.readline()
        seconds = exchanged(near.popen, FAR[v6], size)
        if json.loads(server.stdout.readline())["sha256"] != lossy_peer.stream(size):
            raise RuntimeError("what the other kernel received is not what was sent")
        return seconds


NEAR_NET = (f"{NEAR[0]}/24", f"{NEAR[1]}/64")
FAR_NET = (f"{FAR[0]}/24", f"{FAR[1]}/64")


def exchanged(popen: Any, address: str, size: int) -> float:
    """Have a kernel call `address`, and send and receive so much: the seconds that took."""
    pipe = subprocess.PIPE
    argv = [sys.executable, lossy_peer.__file__, "exchange", address, str(size)]
    with popen(argv, stdout=pipe, stderr=pipe, text=True) as process:
        out, err = process.communicate(timeout=lossy_peer.PATIENCE)
    if process.returncode:
        raise RuntimeError(f"the exchange with {address} failed: {err.strip().rpartition(chr(10))[2]}")
    result = json.loads(out)
    if result["sha256"] != lossy_peer.stream(size):
        raise RuntimeError(f"what the kernel received from {address} is not what was sent")
    return float(result["seconds"])


def run(rounds: int = 1) -> list[Row]:
    """Seconds for each controller and family: medians of the rounds. Raises NoWireError, RuntimeError."""
    rows = []
    for v6 in (False, True):
        theirs = median(kernels(v6, SIZE) for _ in range(rounds))
        for controller in controllers():
            mine = median(ours(controller, v6, SIZE) for _ in range(rounds))
            name = f"{SIZE // 10**6} MB each way, IPv{6 if v6 else 4}, {controller}"
            rows.append(Row("lossy", name, mine, "s", theirs, theirs / mine))
    return rows
