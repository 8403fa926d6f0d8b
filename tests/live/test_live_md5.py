# SPDX-License-Identifier: GPL-2.0-or-later
"""Signatures opposite the Linux kernel (RFC 2385): each side believes the other's."""

import struct
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from test_live_host import PEER, SIZE, Stream, finish, start

from labstack.ip.family import parse_addr
from labstack.live.host import LiveHost
from labstack.tcp.md5 import Key

pytestmark = pytest.mark.live

SECRET = b"between routers"
SIGN = "sock.setsockopt(6, 14, bytes.fromhex(sys.argv[4]))"

# the kernel's side, with a key for us
SIGNED = PEER.replace(
    "listener = socket.create_server", "listener = sock = socket.create_server"
).replace('    print("ready"', f'    {SIGN}; print("ready"').replace(
    "sock = socket.create_connection((address, 7000), timeout=20)",
    f"sock = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET); sock.settimeout(20); {SIGN}; "
    "sock.connect((address, 7000))",
)  # fmt: skip


def kernel(host: LiveHost, role: str, address: str, us: str, secret: bytes) -> "subprocess.Popen[str]":
    it = parse_addr(us)
    head = struct.pack("<HH", 2, 0) + it if len(it) == 4 else struct.pack("<HHI", 10, 0, 0) + it
    key = head.ljust(128, b"\0") + struct.pack("<BBHi", 0, 0, len(secret), 0) + secret.ljust(80, b"\0")
    argv = [sys.executable, "-c", SIGNED, role, address, str(SIZE), key.hex()]
    return host.wire.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def opened(host: LiveHost, fn: Callable[[int, int], None], peer: str, op: str, *args: Any) -> int:
    """A socket that signs for this peer, before anything of it leaves."""
    address = parse_addr(peer)

    def act() -> int:
        sock = host.open(fn, op, *args)
        host.call("sign", sock, (Key(address, 8 * len(address), SECRET),))
        return sock

    return int(host.loop.ask(act))


@pytest.mark.parametrize("net", ["10.0.0.", "fd00::"])
@pytest.mark.parametrize("role", ["client", "server"])
def test_the_kernel_believes_our_signatures_and_we_believe_its(role: str, net: str) -> None:
    """RFC 2385 §2: megabytes each way at once, whoever opens."""
    us, them = net + "1", net + "254"
    with start() as host:
        stream = Stream(host)
        if role == "client":
            opened(host, stream.accept, them, "listen", 7000, b"", 5)
            process = kernel(host, role, us, us, SECRET)
        else:
            process = kernel(host, role, them, us, SECRET)
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            opened(host, stream.go, them, "connect", them, 7000)
        finish(process, stream)
        assert host.stack.env.count["TcpInSegs"] > 1000
        assert not [name for name in host.stack.env.count if "MD5" in name]


def test_a_kernel_with_another_key_gets_no_answer() -> None:
    """RFC 2385 §2."""
    with start() as host:
        stream = Stream(host)
        opened(host, stream.accept, "10.0.0.254", "listen", 7000, b"", 5)
        process = kernel(host, "client", "10.0.0.1", "10.0.0.1", SECRET[::-1])
        with pytest.raises(subprocess.TimeoutExpired):
            process.communicate(timeout=2)
        process.kill()
        process.communicate()
        assert host.stack.env.count["TcpExtTCPMD5Failure"] > 1
        assert host.stack.env.count["TcpOutSegs"] == 0
