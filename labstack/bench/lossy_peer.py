# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's end of `bench lossy`: `lossy_peer.py serve|exchange ADDRESS BYTES` sends and receives at the same time.

Both say by one line of JSON what they got, as SHA-256, and how long it took. Uses the standard library only.
"""

import hashlib
import json
import socket
import sys
import time
from threading import Thread

PORT = 9005
BLOCK = 1 << 20
PATTERN = bytes(range(251))  # a prime length, so that no shift by a segment looks right
DATA = (PATTERN * (BLOCK // 251 + 1))[:BLOCK]
PATIENCE = 600  # s


def stream(size: int) -> str:
    """SHA-256 of what either side sends."""
    digest = hashlib.sha256()
    for left in range(size, 0, -BLOCK):
        digest.update(memoryview(DATA)[: min(left, BLOCK)])
    return digest.hexdigest()


def cubic(sock: socket.socket) -> socket.socket:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
    sock.settimeout(PATIENCE)
    return sock


def both_ways(sock: socket.socket, size: int) -> str:
    """Send so much, read to the end of file: SHA-256 of what came."""
    digest, buffer = hashlib.sha256(), bytearray(BLOCK)

    def send() -> None:
        for left in range(size, 0, -BLOCK):
            sock.sendall(memoryview(DATA)[: min(left, BLOCK)])
        sock.shutdown(socket.SHUT_WR)

    sender = Thread(target=send, daemon=True)
    sender.start()
    while count := sock.recv_into(buffer):
        digest.update(memoryview(buffer)[:count])
    sender.join()
    return digest.hexdigest()


def serve(address: str, size: int) -> str:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with cubic(socket.create_server((address, PORT), family=family)) as listener:
        print("ready", flush=True)
        sock, _ = listener.accept()
        with cubic(sock):
            return both_ways(sock, size)


def exchange(address: str, size: int) -> str:
    with cubic(socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)) as sock:
        sock.connect((address, PORT))
        return both_ways(sock, size)


def main(role: str, address: str, size: str) -> None:
    """Play a role."""
    began = time.perf_counter()
    got = {"serve": serve, "exchange": exchange}[role](address, int(size))
    print(json.dumps({"sha256": got, "seconds": time.perf_counter() - began}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
