# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's end of `bench tap`: plain socket programs, run inside a namespace as `tap_peer.py CPU ROLE ADDRESS [N]`.

Each role but `serve` measures one thing against whoever answers at ADDRESS (our stack, or `serve` in another
namespace) and prints one line of JSON: its figures, and what the kernel's own counters say happened meanwhile. Uses the
standard library only.
"""

import hashlib
import json
import os
import socket
import struct
import sys
import time
from collections.abc import Callable
from threading import Thread

SINK, SOURCE, ECHO, UDP_ECHO = 9001, 9002, 9003, 9004  # TCP discards; sends as much as is asked for; echoes; UDP echo
BLOCK = 1 << 20  # bytes of one send or receive
OUTSTANDING = 32  # datagrams
PATTERN = bytes(range(251))  # a prime length, so that no shift by a segment looks right
DATA = (PATTERN * (BLOCK // 251 + 1))[:BLOCK]
WATCHED = {"RetransSegs", "PAWSEstab", "TCPRcvQDrop", "TCPTimeouts", "InCsumErrors", "RcvbufErrors", "TCPBacklogDrop"}


def stream(size: int) -> str:
    """SHA-256 of the first size bytes that every sender sends."""
    digest = hashlib.sha256()
    for left in range(size, 0, -BLOCK):
        digest.update(memoryview(DATA)[: min(left, BLOCK)])
    return digest.hexdigest()


def counters() -> dict[str, int]:
    """The kernel's counters of this namespace that would betray a wrong run."""
    found: dict[str, int] = {}
    for name in ("snmp", "netstat"):
        with open(f"/proc/net/{name}") as file:
            lines = file.read().splitlines()
        for keys, values in zip(lines[::2], lines[1::2], strict=True):
            for key, value in zip(keys.split()[1:], values.split()[1:], strict=True):
                if key in WATCHED:
                    found[key] = found.get(key, 0) + int(value)
    return found


def tcp(address: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    cubic(sock)
    sock.connect((address, port))
    return sock


def cubic(sock: socket.socket) -> None:
    """Some systems default to bbr, which paces itself: use cubic, and make sure of it."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
    used = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0")
    if used != b"cubic":
        raise OSError(f"congestion control is {used!r}, not cubic")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


# --- what is measured ------------------------------------------------------------------------------------------------


def send(address: str, size: int) -> dict[str, float]:
    """Gbit/s from the first byte written to the end of file that says all was read."""
    with tcp(address, SINK) as sock:
        begin = time.perf_counter()
        for left in range(size, 0, -BLOCK):
            sock.sendall(memoryview(DATA)[: min(left, BLOCK)])
        sock.shutdown(socket.SHUT_WR)
        if sock.recv(1):
            raise OSError("the sink answered")
        return {"value": size * 8 / (time.perf_counter() - begin) / 1e9}


def fetch(address: str, size: int, digest: "hashlib._Hash | None" = None) -> dict[str, float]:
    """Gbit/s from the request to the last byte read."""
    buffer, got = bytearray(BLOCK), 0
    with tcp(address, SOURCE) as sock:
        begin = time.perf_counter()
        sock.sendall(struct.pack("!Q", size))
        while count := sock.recv_into(buffer):
            got += count
            if digest:
                digest.update(memoryview(buffer)[:count])
        seconds = time.perf_counter() - begin
    if got != size:
        raise OSError(f"{got} bytes came of {size}")
    return {"value": size * 8 / seconds / 1e9}


def check(address: str, size: int) -> dict[str, float]:
    """1.0 if what is fetched is what should have been sent."""
    digest = hashlib.sha256()
    fetch(address, size, digest)
    return {"value": float(digest.hexdigest() == stream(size))}


def pingpong(address: str, rounds: int) -> dict[str, float]:
    """Thousands of round trips of one byte a second, on one TCP connection."""
    with tcp(address, ECHO) as sock:
        begin = time.perf_counter()
        for _ in range(rounds):
            sock.send(b"x")
            sock.recv(1)
        return {"value": rounds / (time.perf_counter() - begin) / 1e3}


def connect(address: str, rounds: int) -> dict[str, float]:
    """Thousands of connections a second: connect, one byte each way, close."""
    begin = time.perf_counter()
    for _ in range(rounds):
        with tcp(address, ECHO) as sock:
            sock.send(b"x")
            sock.recv(1)
    return {"value": rounds / (time.perf_counter() - begin) / 1e3}


def icmp(address: str, rounds: int) -> dict[str, float]:
    """The median round trip of an echo request, in us."""
    took = []
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        sock.connect((address, 0))
        for number in range(rounds):
            message = struct.pack("!BBHHH", 8, 0, 0, os.getpid() & 0xFFFF, number & 0xFFFF) + b"labstack" * 7
            message = message[:2] + struct.pack("!H", _checksum(message)) + message[4:]
            begin = time.perf_counter_ns()
            sock.send(message)
            while sock.recv(200)[20] != 0:
                pass
            took.append(time.perf_counter_ns() - begin)
    return {"value": sorted(took)[rounds // 2] / 1e3}


def udp(address: str, rounds: int) -> dict[str, float]:
    """Thousands of datagrams echoed a second, with 32 outstanding."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((address, UDP_ECHO))
        sock.settimeout(1)
        begin = time.perf_counter()
        for number in range(rounds):
            sock.send(b"labstack")
            if number >= OUTSTANDING:
                sock.recv(100)
        for _ in range(OUTSTANDING):
            sock.recv(100)
        return {"value": rounds / (time.perf_counter() - begin) / 1e3}


def _checksum(message: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(message) // 2}H", message))
    total = (total >> 16) + (total & 0xFFFF)
    return 0xFFFF ^ (total + (total >> 16)) & 0xFFFF


# --- the reference: the same answers from the kernel's own stack -----------------------------------------------------


def serve(address: str, _: int = 0) -> None:
    """Answer on every port until killed; says 'ready'."""
    for port, answer in ((SINK, _sink), (SOURCE, _source), (ECHO, _echo)):
        listener = socket.create_server((address, port), backlog=1024)
        cubic(listener)
        Thread(target=_accept, args=(listener, answer), daemon=True).start()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, UDP_ECHO))
    print("ready", flush=True)
    while True:
        sock.sendto(*sock.recvfrom(2000))


def _accept(listener: socket.socket, answer: Callable[[socket.socket], None]) -> None:
    while True:
        sock, _ = listener.accept()
        with sock:
            answer(sock)


def _sink(sock: socket.socket) -> None:
    buffer = bytearray(BLOCK)
    while sock.recv_into(buffer):
        pass


def _source(sock: socket.socket) -> None:
    (size,) = struct.unpack("!Q", sock.recv(8))
    for left in range(size, 0, -BLOCK):
        sock.sendall(memoryview(DATA)[: min(left, BLOCK)])


def _echo(sock: socket.socket) -> None:
    while data := sock.recv(BLOCK):
        sock.sendall(data)


ROLES = {
    "send": send,
    "fetch": fetch,
    "check": check,
    "pingpong": pingpong,
    "connect": connect,
    "icmp": icmp,
    "udp": udp,
}


def main(cpu: str, role: str, address: str, amount: str = "0") -> None:
    """Pin to a CPU and play a role."""
    os.sched_setaffinity(0, {int(cpu)})
    if role == "serve":
        return serve(address)
    before = counters()
    result = ROLES[role](address, int(amount))
    after = counters()
    print(json.dumps({**result, "kernel": {k: after[k] - before[k] for k in after if after[k] != before[k]}}))
    return None


if __name__ == "__main__":
    main(*sys.argv[1:])
