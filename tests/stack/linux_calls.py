# SPDX-License-Identifier: GPL-2.0-or-later
"""The same system calls on the Linux kernel: a child in a network namespace of its own makes them, on loopback alone.

    run(steps) -> outcomes      a step is (name, args) or ("sleep", (seconds,)); args may hold Port(n), see `transcript`

Each sequence has a process and a namespace of its own, so descriptors count from 3 and no port was ever used.
A call that does not return within GRACE is reported as blocked, and its result when it comes.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from typing import Any

GRACE = 0.06  # s that a call may take before it counts as blocked
CLONE_NEWNET, CLONE_NEWUSER = 0x40000000, 0x10000000
SIOCGIFFLAGS, SIOCSIFFLAGS = 0x8913, 0x8914

libc = ctypes.CDLL(None, use_errno=True)
for _name in ("read", "write", "recv", "send", "recvfrom", "sendto", "readv", "writev", "recvmsg", "sendmsg"):
    getattr(libc, _name).restype = ctypes.c_ssize_t


class Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("len", ctypes.c_size_t))


class Msghdr(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p), ("namelen", ctypes.c_uint32), ("iov", ctypes.c_void_p), ("iovlen", ctypes.c_size_t),
        ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t), ("flags", ctypes.c_int),
    )  # fmt: skip


def sockaddr(addr: Any) -> tuple[bytes | None, int]:
    """What C passes for an address of the table of calls."""
    if addr is None:
        return None, 16
    if isinstance(addr, int):
        return struct.pack("<H14x", addr), 16
    host, port = addr
    if ":" in host:
        host, _, _scope = host.partition("%")
        return struct.pack("<HHI16sI", 10, socket.htons(port), 0, socket.inet_pton(socket.AF_INET6, host), 0), 28
    return struct.pack("<HH4s8x", 2, socket.htons(port), socket.inet_aton(host)), 16


def address(raw: bytes) -> Any:
    if len(raw) < 2:
        return None
    family = struct.unpack_from("<H", raw)[0]
    if family == 2:
        return [socket.inet_ntoa(raw[4:8]), socket.ntohs(struct.unpack_from("<H", raw, 2)[0])]
    if family == 10:
        return [socket.inet_ntop(socket.AF_INET6, raw[8:24]), socket.ntohs(struct.unpack_from("<H", raw, 2)[0])]
    return family


def named(function: Any, *args: Any) -> tuple[int, int, Any]:
    """A call that hands back an address."""
    space, size = ctypes.create_string_buffer(128), ctypes.c_uint32(128)
    result, code = done(function, *args[:1], space, ctypes.byref(size), *args[1:])
    return result, code, address(space.raw[: size.value]) if result >= 0 else None


def done(function: Any, *args: Any) -> tuple[int, int]:
    ctypes.set_errno(0)
    result = function(*args)
    return result, ctypes.get_errno() if result == -1 else 0


def size_t(n: int) -> Any:
    return ctypes.c_size_t(n)


def iovecs(buffers: list[Any]) -> Any:
    return (Iovec * max(len(buffers), 1))(*[Iovec(ctypes.addressof(b), len(b)) for b in buffers])


def buffers(sizes: list[int]) -> list[Any]:
    return [(ctypes.c_char * n).from_buffer_copy(UNTOUCHED * n) for n in sizes]


def gathered(spaces: list[Any], n: int) -> bytes:
    return touched(b"".join(s.raw for s in spaces)[: max(n, 0)])


UNTOUCHED = b"\xaa"
NOTHING = 1000  # bytes that a null pointer claims to have


def receive(function: Any, fd: int, n: int | None, *more: Any) -> tuple[int, int, Any]:
    if n is None:
        result, code = done(function, fd, None, size_t(NOTHING), *more)
        return result, code, b"" if result >= 0 else None
    space = (ctypes.c_char * max(n, 1)).from_buffer_copy(UNTOUCHED * max(n, 1))
    result, code = done(function, fd, space, size_t(n), *more)
    return result, code, touched(space.raw[:result][:n]) if result >= 0 else None


def touched(data: bytes) -> bytes:
    """What the kernel wrote; MSG_TRUNC of a stream leaves the buffer as it was."""
    return b"" if data == UNTOUCHED * len(data) else data


def recvfrom(fd: int, n: int | None, flags: int) -> tuple[int, int, Any]:
    space, size = ctypes.create_string_buffer(128), ctypes.c_uint32(128)
    result, code, data = receive(libc.recvfrom, fd, n, flags, space, ctypes.byref(size))
    return result, code, [data, address(space.raw[: size.value])] if data is not None else None


def recvmsg(fd: int, sizes: list[int], flags: int, control_size: int = 4096) -> tuple[int, int, Any]:
    spaces = buffers(sizes)
    vector, name = iovecs(spaces), ctypes.create_string_buffer(128)
    control = ctypes.create_string_buffer(max(control_size, 1))
    head = Msghdr(
        ctypes.addressof(name), 128, ctypes.addressof(vector), len(sizes), ctypes.addressof(control), control_size, 0
    )
    result, code = done(libc.recvmsg, fd, ctypes.byref(head), flags)
    if result < 0:
        return result, code, None
    told = messages(control.raw[: head.controllen])
    return (
        result,
        code,
        [gathered(spaces, result), address(name.raw[: head.namelen]), head.flags, *([told] if told else [])],
    )


def messages(raw: bytes) -> list[Any]:
    """The control messages in a buffer."""
    found, at = [], 0
    while at + 16 <= len(raw):
        size, level, kind = struct.unpack_from("<QII", raw, at)
        found.append([level, kind, raw[at + 16 : at + size]])
        at += -(-size // 8) * 8
    return found


def packed(control: Any) -> bytes:
    return b"".join(
        (struct.pack("<QII", 16 + len(data), level, kind) + data).ljust(16 + -(-len(data) // 8) * 8, b"\0")
        for level, kind, data in control
    )


def send(function: Any, fd: int, data: bytes | None, *more: Any) -> tuple[int, int, Any]:
    return *done(function, fd, data, size_t(NOTHING if data is None else len(data)), *more), None


def sendmsg(fd: int, pieces: list[bytes], flags: int, addr: Any = None, control: Any = ()) -> tuple[int, int, Any]:
    spaces = [(ctypes.c_char * len(p)).from_buffer_copy(p) for p in pieces]
    vector = iovecs(spaces)
    raw, size = sockaddr(addr) if addr is not None else (None, 0)
    name = ctypes.create_string_buffer(raw or b"", 128)
    beside = ctypes.create_string_buffer(packed(control), max(len(packed(control)), 1))
    head = Msghdr(
        ctypes.addressof(name) if raw else None, size, ctypes.addressof(vector), len(pieces),
        ctypes.addressof(beside) if control else None, len(packed(control)), 0,
    )  # fmt: skip
    return *done(libc.sendmsg, fd, ctypes.byref(head), flags), None


def vector(function: Any, fd: int, sizes: list[int] | None) -> tuple[int, int, Any]:
    if sizes is None:
        return *done(function, fd, None, 1), None
    spaces = buffers(sizes)
    result, code = done(function, fd, iovecs(spaces), len(sizes))
    return result, code, gathered(spaces, result) if result >= 0 else None


def writev(fd: int, pieces: list[bytes] | None) -> tuple[int, int, Any]:
    if pieces is None:
        return *done(libc.writev, fd, None, 1), None
    spaces = [(ctypes.c_char * len(p)).from_buffer_copy(p) for p in pieces]
    return *done(libc.writev, fd, iovecs(spaces), len(pieces)), None


def sendto(fd: int, data: bytes | None, flags: int, addr: Any) -> tuple[int, int, Any]:
    raw, size = sockaddr(addr) if addr is not None else (None, 0)
    return send(libc.sendto, fd, data, flags, raw, size)


def getsockopt(fd: int, level: int, name: int, size: int) -> tuple[int, int, Any]:
    space, length = (ctypes.c_char * max(size, 1))(), ctypes.c_uint32(size)
    result, code = done(libc.getsockopt, fd, level, name, space, ctypes.byref(length))
    return result, code, space.raw[: length.value] if result >= 0 else None


def setsockopt(fd: int, level: int, name: int, value: bytes | None) -> tuple[int, int, Any]:
    return *done(libc.setsockopt, fd, level, name, value, 4 if value is None else len(value)), None


def poll(fds: list[tuple[int, int]], timeout: int) -> tuple[int, int, Any]:
    space = ctypes.create_string_buffer(b"".join(struct.pack("<ihh", fd, e, 0) for fd, e in fds), 8 * len(fds))
    result, code = done(libc.poll, space, len(fds), timeout)
    return (
        result,
        code,
        [struct.unpack_from("<H", space, 8 * i + 6)[0] for i in range(len(fds))] if result >= 0 else None,
    )


def epoll_ctl(ep: int, op: int, fd: int, events: int, data: int) -> tuple[int, int, Any]:
    return *done(libc.epoll_ctl, ep, op, fd, struct.pack("<IQ", events, data)), None


def epoll_wait(ep: int, most: int, timeout: int) -> tuple[int, int, Any]:
    space = ctypes.create_string_buffer(12 * max(most, 1))
    result, code = done(libc.epoll_wait, ep, space, most, timeout)
    return result, code, [struct.unpack_from("<IQ", space, 12 * i) for i in range(result)] if result >= 0 else None


def ioctl(fd: int, request: int, argument: int) -> tuple[int, int, Any]:
    value = ctypes.c_int(argument)
    result, code = done(libc.ioctl, fd, ctypes.c_ulong(request), ctypes.byref(value))
    return result, code, value.value if result >= 0 else None


CALLS: dict[str, Any] = {
    "socket": lambda *a: (*done(libc.socket, *a), None),
    "bind": lambda fd, addr: (*done(libc.bind, fd, *sockaddr(addr)), None),
    "connect": lambda fd, addr: (*done(libc.connect, fd, *sockaddr(addr)), None),
    "listen": lambda *a: (*done(libc.listen, *a), None),
    "shutdown": lambda *a: (*done(libc.shutdown, *a), None),
    "close": lambda *a: (*done(libc.close, *a), None),
    "accept": lambda fd: named(libc.accept, fd),
    "accept4": lambda fd, flags: named(libc.accept4, fd, flags),
    "getsockname": lambda fd: named(libc.getsockname, fd),
    "getpeername": lambda fd: named(libc.getpeername, fd),
    "read": lambda fd, n: receive(libc.read, fd, n),
    "recv": lambda fd, n, flags: receive(libc.recv, fd, n, flags),
    "readv": lambda fd, sizes: vector(libc.readv, fd, sizes),
    "recvfrom": recvfrom,
    "recvmsg": recvmsg,
    "write": lambda fd, data: send(libc.write, fd, data),
    "send": lambda fd, data, flags: send(libc.send, fd, data, flags),
    "writev": writev,
    "sendto": sendto,
    "sendmsg": sendmsg,
    "fcntl": lambda fd, cmd, arg: (*done(libc.fcntl, fd, cmd, ctypes.c_long(arg)), None),
    "ioctl": ioctl,
    "getsockopt": getsockopt,
    "setsockopt": setsockopt,
    "poll": poll,
    "epoll_create": lambda size: (*done(libc.epoll_create, size), None),
    "epoll_create1": lambda flags: (*done(libc.epoll_create1, flags), None),
    "epoll_ctl": epoll_ctl,
    "epoll_wait": epoll_wait,
}


# ---- the worker ---------------------------------------------------------------------------------------------------


class Thread(threading.Thread):
    """One call; `back` when it has returned."""

    def __init__(self, name: str, args: list[Any]) -> None:
        super().__init__(daemon=True)
        self.call = CALLS[name], args
        self.back: Any = None

    def run(self) -> None:
        function, args = self.call
        self.back = function(*args)


def encoded(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    return [encoded(it) for it in value] if isinstance(value, list | tuple) else value


def decoded(value: Any) -> Any:
    if isinstance(value, dict):
        return bytes.fromhex(value["hex"])
    return [decoded(it) for it in value] if isinstance(value, list) else value


def loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack_from("H", fcntl.ioctl(s, SIOCGIFFLAGS, request), 16)[0]
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | 1))


def work() -> None:
    """Steps come as lines of JSON, outcomes go back: {"back": ...} or {"blocked": n}, and what returned since."""
    if libc.unshare(CLONE_NEWNET) and libc.unshare(CLONE_NEWUSER | CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "no network namespace to be had")
    loopback_up()
    print("ready", flush=True)
    pending: dict[int, Thread] = {}
    for n, line in enumerate(sys.stdin):
        name, args = json.loads(line)
        outcome: dict[str, Any] = {}
        if name == "sleep":
            time.sleep(args[0])
        else:
            thread = Thread(name, decoded(args))
            thread.start()
            thread.join(GRACE)
            if thread.is_alive():
                pending[n] = thread
                outcome["blocked"] = n
            else:
                outcome["back"] = encoded(thread.back)
        if pending:
            time.sleep(GRACE)
        outcome["late"] = [(k, encoded(t.back)) for k, t in pending.items() if not t.is_alive()]
        pending = {k: t for k, t in pending.items() if t.is_alive()}
        print(json.dumps(outcome), flush=True)
    os._exit(0)


class Linux:
    """A worker, to be asked step by step. Raises OSError where there can be no namespace for it."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        if not self.process.stdout.readline():
            self.close()
            raise OSError("no network namespace to be had")

    def step(self, name: str, args: tuple[Any, ...]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps([name, encoded(args)]) + "\n")
            self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise OSError("the worker is gone")
        outcome = json.loads(line)
        return {
            "back": decoded(outcome.get("back")),
            "blocked": outcome.get("blocked"),
            "late": [(k, decoded(back)) for k, back in outcome["late"]],
        }

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


if __name__ == "__main__":
    work()
