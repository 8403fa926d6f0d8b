# SPDX-License-Identifier: GPL-2.0-or-later
"""The holder: a small single-threaded child that owns the lab's network namespace, and everything in it, until it ends.

It serves one request after the other from its control socket: each is (operation, arguments), each answer ("ok",
value) with descriptors attached, or ("error", step, errno, text). It ends at end of file, which comes when the
process that started it is gone, however that went; then it kills what still runs in its namespace, and the kernel
removes the rest. It never touches an interface before `enter` has left the host's namespace behind. Imports only what
starts fast.
"""

import contextlib
import errno
import marshal
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

from labstack.live import namespaces, netlink, packet, tun

Answer = tuple[object, list[int]]  # a plain value, and descriptors to hand over
MOST = 65_536  # bytes of one request or answer


class Holder:
    """The operations; each step that fails is named in the answer."""

    net: netlink.Netlink  # once entered: a netlink socket belongs to the namespace in which it was made
    life: int  # once entered

    def __init__(self) -> None:
        self.step = "start"
        self.entered = False

    def enter(self, user: bool) -> Answer:
        """A network namespace of our own, within a user namespace of our own if asked.

        Descriptors: a pipe that ends when we do, and the namespaces to join. A program that joins and then finds the
        pipe still open was seen by empty_namespace(); one that finds it closed came too late, and must not stay.
        """
        uid, gid = os.getuid(), os.getgid()
        self.step = "unshare"
        namespaces.unshare(user)
        self.entered = True
        if user:
            self.step = "uid_map"
            namespaces.become_root_inside(uid, gid)
        namespaces.signal_on_parents_death(signal.SIGTERM)
        self.step = "netlink"
        self.net = netlink.Netlink()
        self.net.up("lo")
        kinds = ("user", "net") if user else ("net",)
        life, self.life = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        return None, [life, *(os.open(f"/proc/self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in kinds)]

    def queue(self, name: str, is_tun: bool, offload: bool) -> Answer:
        """A TAP or TUN: its offload mask and its descriptor."""
        fd, mask = tun.open_queue(name, is_tun, offload)
        return mask, [fd]

    def veth(self, name: str, ours: str, offload: bool) -> Answer:
        """A veth pair, the kernel's end and ours, and a packet socket on ours: offload mask and descriptor.

        Without offload the kernel must finish its checksums, which across a veth it leaves to a card that is not there.
        """
        self.net.veth(name, ours)
        with contextlib.suppress(FileNotFoundError):  # a kernel without IPv6
            netlink.sysctl(f"net.ipv6.conf.{ours}.disable_ipv6", "1")
        if not offload:
            netlink.switch(name, "tx", False)
        self.net.up(ours)
        return tun.USO if offload else 0, [packet.open_socket(ours, offload)]

    def pair(self, name: str, peer: str) -> Answer:
        """A veth pair for the kernel alone."""
        return self.net.veth(name, peer), []

    def move(self, name: str, pid: int) -> Answer:
        return self.net.move(name, pid), []

    def switch(self, name: str, feature: str, on: bool) -> Answer:
        return netlink.switch(name, feature, on), []

    def shape(self, name: str, mac: bytes, mtu: int, txqueuelen: int) -> Answer:
        return self.net.shape(name, mac, mtu, txqueuelen), []

    def up(self, name: str, up: bool) -> Answer:
        return self.net.up(name, up), []

    def delete(self, name: str) -> Answer:
        return self.net.delete(name), []

    def address(self, name: str, prefix: str) -> Answer:
        return self.net.address(name, prefix), []

    def route(self, name: str, prefix: str, gateway: str) -> Answer:
        return self.net.route(name, prefix, gateway), []

    def sysctl(self, name: str, value: str) -> Answer:
        return netlink.sysctl(name, value), []


OPERATIONS = frozenset(
    {"enter", "queue", "veth", "pair", "move", "switch", "shape", "up", "delete", "address", "route", "sysctl"}
)


def serve(control: socket.socket) -> None:
    """Answer requests until nobody is there to ask."""
    holder = Holder()
    with contextlib.suppress(ConnectionError):
        while message := control.recv(MOST):
            operation, args = marshal.loads(message)
            answer, fds = _answer(holder, operation, args)
            socket.send_fds(control, [marshal.dumps(answer)], fds)  # type: ignore[arg-type]
            for fd in fds:
                os.close(fd)
    if holder.entered:
        os.close(holder.life)
        empty_namespace()


def _answer(holder: Holder, operation: str, args: tuple[Any, ...]) -> tuple[tuple[object, ...], list[int]]:
    holder.step = operation
    try:
        if operation not in OPERATIONS or (operation != "enter" and not holder.entered):
            raise OSError(errno.EPERM, f"{operation} is not to be had outside a namespace of our own")
        value, fds = getattr(holder, operation)(*args)
    except OSError as error:
        return ("error", holder.step, error.errno or errno.EIO, error.strerror or str(error)), []
    except Exception as error:
        return ("error", holder.step, errno.EINVAL, str(error)), []
    return ("ok", value), fds


def empty_namespace() -> None:
    """Kill every other process that runs in our network namespace: all of them were started by the lab."""
    ours = os.readlink("/proc/self/ns/net")
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                if os.readlink(f"/proc/{entry}/ns/net") == ours:
                    os.kill(int(entry), signal.SIGKILL)
            except OSError:
                continue  # gone meanwhile, or not ours to see


def hang_up(control: socket.socket, parent: int) -> Callable[..., None]:
    """A signal handler that ends the service if `parent` is gone; the signal also comes when only its thread ended."""

    def gone(*_: object) -> None:
        if os.getppid() != parent:
            control.shutdown(socket.SHUT_RDWR)

    return gone


def main() -> None:
    """python -c ... FD: serve the control socket FD."""
    control = socket.socket(fileno=int(sys.argv[-1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the user's ^C is for the lab, not for its network
    signal.signal(signal.SIGTERM, hang_up(control, os.getppid()))
    serve(control)
