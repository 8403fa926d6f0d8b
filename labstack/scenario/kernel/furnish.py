# SPDX-License-Identifier: GPL-2.0-or-later
"""Furnish: give an empty network namespace the one interface of a target, its addresses, routes and sysctls.

The interface is tun0, or eth0 where the link is Ethernet. It is a TUN, or one end of a veth pair with a packet socket
at the other, without offload of what the kernel sends, so that what is seen are packets as they would be on a wire. On
bare IP over veth the interface has no ARP and no ND: it takes any hardware address. A packet socket sees what the
kernel sends and says when, to the microsecond, however late it is read. Imports only what starts fast.
"""

import contextlib
import socket
import struct
import time
from collections.abc import Sequence
from typing import NamedTuple

from labstack.live import netlink, packet, tun

NAMES = {"ip": "tun0", "ether": "eth0"}
FAR = "lab0"  # our end of a veth pair
MAC, FAR_MAC = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
QUEUE = 10_000  # packets
LARGEST = 65_521  # bytes of an IP packet on our end of a veth pair
IFF_NOARP = 0x80
RTM_NEWQDISC = 36
TC_H_ROOT = 0xFFFFFFFF
PACKET_QDISC_BYPASS, PACKET_IGNORE_OUTGOING, SO_TIMESTAMPNS = 20, 23, 35
OWN_TRIES, OWN_PAUSE = 1000, 0.001  # s
LEAST_MTU6 = 1280  # RFC 8200 §5: without it there is no IPv6

# What a new namespace takes over from the host, as Linux has it by itself; and no word of the host unasked.
SYSCTLS = {
    "net.ipv4.tcp_rmem": "4096 131072 6291456",
    "net.ipv4.tcp_wmem": "4096 16384 4194304",
    "net.ipv4.ip_forward": "0",
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "0",
    "net.ipv6.conf.default.accept_dad": "0",
    "net.ipv6.conf.default.dad_transmits": "0",
    "net.ipv6.conf.default.accept_ra": "0",
    "net.ipv6.conf.default.router_solicitations": "0",
    "net.ipv6.conf.default.addr_gen_mode": "1",
}


class Plan(NamedTuple):
    """What a target's network is like; way: "tun" or "veth"; routes: of their own, beside the default ones."""

    link: str
    way: str
    mtu: int
    local: tuple[str, ...]
    routes: tuple[str, ...] = ()


def planned(link: str, device: str, mtu: int, local: Sequence[str], remote: Sequence[str]) -> Plan:
    """What was asked for, if it can be. Raises ValueError."""
    ways = {"ip": ("auto", "tun", "veth"), "ether": ("auto", "veth")}
    if link not in ways:
        raise ValueError(f"link={link!r}: expected 'ip' (bare IP packets) or 'ether' (Ethernet frames)")
    if device not in ways[link]:
        raise ValueError(f"device={device!r}: expected one of {', '.join(ways[link])} for link={link!r}")
    routes = tuple([f"{address}/{128 if ':' in address else 32}" for address in remote])
    for prefix in (*local, *routes):
        netlink.parse_prefix(prefix)
    return Plan(link, device, mtu, tuple(local), routes)


class Furnisher:
    """step: what is being done, for who is told that it failed."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.name = NAMES[plan.link]
        self.step = "netlink"
        self.net = netlink.Netlink()

    def furnish(self) -> list[int]:
        """Do it, in the namespace that we are in: descriptors of the packet socket, and of the TUN if there is one.

        Raises OSError.
        """
        plan, name, net = self.plan, self.name, self.net
        self.step = "sysctl"
        for key, value in SYSCTLS.items():
            with contextlib.suppress(FileNotFoundError):  # a kernel without IPv6
                netlink.sysctl(key, value)
        net.up("lo")
        fds = self._tun() if plan.way == "tun" else self._veth()
        self.step = "shape"
        net.shape(name, MAC if plan.link == "ether" else b"", plan.mtu, QUEUE)
        local = [it for it in plan.local if ":" not in it or plan.mtu >= LEAST_MTU6]
        self.step = "address"
        for prefix in local:
            net.address(name, prefix)
        net.up(name)
        self.step = "route"
        for prefix in (*sorted({"::/0" if ":" in it else "0.0.0.0/0" for it in local}), *plan.routes):
            net.route(name, prefix, "")
        _own([it.partition("/")[0] for it in local if ":" in it])
        net.close()
        return fds

    def _tun(self) -> list[int]:
        self.step = "queue"
        fd, _ = tun.open_queue(self.name, True, False)
        with contextlib.suppress(OSError):  # a kernel without traffic control
            head = struct.pack("=BxxxiIII", 0, netlink.index(self.name), 0, TC_H_ROOT, 0)
            self.net.call(RTM_NEWQDISC, netlink.EXCL_CREATE, head + netlink.attr(1, b"pfifo\0"))
        return [_stamping(packet.open_socket(self.name, False), outgoing=True), fd]

    def _veth(self) -> list[int]:
        self.step = "veth"
        net, name = self.net, self.name
        net.veth(name, FAR)
        with contextlib.suppress(FileNotFoundError):
            netlink.sysctl(f"net.ipv6.conf.{FAR}.disable_ipv6", "1")
        netlink.switch(name, "tx", False)
        net.shape(name, MAC)
        net.shape(FAR, FAR_MAC, LARGEST, QUEUE)
        if self.plan.link == "ip":
            net.call(netlink.RTM_NEWLINK, 0, struct.pack("=BxHiII", 0, 0, netlink.index(name), IFF_NOARP, IFF_NOARP))
        net.up(FAR)
        return [_stamping(packet.open_socket(FAR), outgoing=False)]


def _own(addresses: list[str]) -> None:
    """Wait until IPv6 addresses are the kernel's own: it takes them in a thread of its own, and drops until then."""
    wanted = [f"{socket.inet_pton(socket.AF_INET6, it).hex()} 80 " for it in addresses]
    for _ in range(OWN_TRIES if wanted else 0):
        with open("/proc/thread-self/net/ipv6_route") as file:
            text = file.read()
        if all(it in text for it in wanted):
            return
        time.sleep(OWN_PAUSE)


def _stamping(fd: int, outgoing: bool) -> int:
    """A packet socket that says when; outgoing: it is on the kernel's own interface."""
    sock = socket.socket(fileno=fd)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sock.setsockopt(packet.SOL_PACKET, PACKET_QDISC_BYPASS, 1)  # a new device drops until its queue is found out
    if outgoing:
        sock.setsockopt(packet.SOL_PACKET, PACKET_IGNORE_OUTGOING, 0)
    return sock.detach()
