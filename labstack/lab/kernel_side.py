# SPDX-License-Identifier: GPL-2.0-or-later
"""What the demo runs on the Linux kernel's side of the wire, as a program of its own: `python kernel_side.py WORD ...`.

    ping ADDRESS COUNT            echo requests through a raw socket; prints how many were answered, and the best time
    send ADDRESS PORT SIZE        connects, sends SIZE random bytes, prints their SHA-256 and what the peer says it got
    take ADDRESS PORT             listens (prints "ready"), takes a stream to its end, prints and returns its SHA-256

Imports nothing of labstack: it stands for any program on any Linux machine.
"""

import hashlib
import os
import socket
import struct
import sys
import time
from typing import Any

CHUNK = 1 << 18


def family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def ping(address: str, count: str) -> str:
    """Send echo requests and wait for each reply: 'answered best_ms'."""
    six = ":" in address
    proto, request = (socket.IPPROTO_ICMPV6, 128) if six else (socket.IPPROTO_ICMP, 8)
    answered, best = 0, 1e9
    with socket.socket(family(address), socket.SOCK_RAW, proto) as sock:
        sock.settimeout(1)
        for seq in range(int(count)):
            message = struct.pack("!BBHHH", request, 0, 0, os.getpid() & 0xFFFF, seq) + b"labstack"
            if not six:
                total = 0xFFFF - sum(struct.unpack("!8H", message)) % 0xFFFF
                message = message[:2] + total.to_bytes(2, "big") + message[4:]
            began = time.perf_counter()
            sock.sendto(message, (address, 0))
            if _reply(sock, six, message):
                answered += 1
                best = min(best, time.perf_counter() - began)
    return f"{answered} {best * 1e3:.3f}"


def _reply(sock: socket.socket, six: bool, message: bytes) -> bool:
    try:
        while True:
            got = sock.recv(2048)[0 if six else 20 :]
            if got[0] == (129 if six else 0) and got[4:] == message[4:]:
                return True
    except TimeoutError:
        return False


def send(address: str, port: str, size: str) -> str:
    """Connect and send random bytes: 'our_sha their_sha seconds'."""
    data = os.urandom(int(size))
    began = time.perf_counter()
    with socket.create_connection((address, int(port)), 10) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        theirs = sock.makefile("r").read()
    return f"{hashlib.sha256(data).hexdigest()} {theirs} {time.perf_counter() - began:.4f}"


def take(address: str, port: str) -> str:
    """Take one stream to its end and answer with its SHA-256, which is returned, too."""
    digest = hashlib.sha256()
    with socket.create_server((address, int(port)), family=family(address)) as server:
        print("ready", flush=True)
        sock, _ = server.accept()
        with sock:
            while piece := sock.recv(CHUNK):
                digest.update(piece)
            sock.sendall(digest.hexdigest().encode())
    return digest.hexdigest()


if __name__ == "__main__":
    program: Any = {"ping": ping, "send": send, "take": take}[sys.argv[1]]
    print(program(*sys.argv[2:]), flush=True)
