# SPDX-License-Identifier: GPL-2.0-or-later
"""The handful of rtnetlink messages, the ethtool switches and the sysctl writes that a lab needs.

Everything acts on the network namespace of the calling process; holder.py makes sure that it is not the host's own.
Message layouts: linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h, linux/ethtool.h. Imports only what starts fast.
"""

import array
import errno
import fcntl
import os
import socket
import struct

RTM_NEWLINK, RTM_DELLINK, RTM_NEWADDR, RTM_NEWROUTE = 16, 17, 20, 24
REQUEST_ACK, EXCL_CREATE, CREATE = 0x5, 0x600, 0x400
IFF_UP = 1
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_TXQLEN, IFLA_LINKINFO, IFLA_NET_NS_PID = 1, 3, 4, 13, 18, 19
IFA_F_NODAD, IFA_F_PERMANENT = 0x02, 0x80
SIOCETHTOOL = 0x8946
SWITCHES = {"tx": 0x17, "tso": 0x1F, "gso": 0x24, "gro": 0x2C}  # as ethtool -K calls them: ETHTOOL_STXCSUM, ...


class Netlink:
    """One rtnetlink socket; every method is one request and raises the kernel's OSError."""

    def __init__(self) -> None:
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self.sock.bind((0, 0))
        self.serial = 0

    def close(self) -> None:
        self.sock.close()

    def call(self, kind: int, flags: int, body: bytes) -> None:
        self.serial += 1
        self.sock.send(struct.pack("=IHHII", 16 + len(body), kind, flags | REQUEST_ACK, self.serial, 0) + body)
        code: int = struct.unpack_from("=i", self.sock.recv(65536), 16)[0]
        if code:
            raise OSError(-code, os.strerror(-code))

    def veth(self, name: str, peer: str) -> None:
        """Create a pair of virtual Ethernet interfaces."""
        other = attr(1, _link() + attr(IFLA_IFNAME, _text(peer)))
        info = attr(IFLA_LINKINFO, attr(1, _text("veth")) + attr(2, other))
        self.call(RTM_NEWLINK, EXCL_CREATE, _link() + attr(IFLA_IFNAME, _text(name)) + info)

    def delete(self, name: str) -> None:
        self.call(RTM_DELLINK, 0, _link(index(name)))

    def up(self, name: str, up: bool = True) -> None:
        self.call(RTM_NEWLINK, 0, _link(index(name), IFF_UP if up else 0, IFF_UP))

    def move(self, name: str, pid: int) -> None:
        """Move an interface into the network namespace of process pid."""
        self.call(RTM_NEWLINK, 0, _link(index(name)) + attr(IFLA_NET_NS_PID, struct.pack("=I", pid)))

    def shape(self, name: str, mac: bytes = b"", mtu: int = 0, txqueuelen: int = 0) -> None:
        """Set the hardware address, MTU (bytes) and transmit queue length (packets) that are given."""
        given = attr(IFLA_ADDRESS, mac) if mac else b""
        given += attr(IFLA_MTU, struct.pack("=I", mtu)) if mtu else b""
        given += attr(IFLA_TXQLEN, struct.pack("=I", txqueuelen)) if txqueuelen else b""
        self.call(RTM_NEWLINK, 0, _link(index(name)) + given)

    def address(self, name: str, prefix: str) -> None:
        """Add an address: '10.0.0.254/24' or 'fd00::254/64', usable at once (no duplicate address detection)."""
        family, raw, bits = parse_prefix(prefix)
        flags = IFA_F_NODAD if family == socket.AF_INET6 else IFA_F_PERMANENT
        head = struct.pack("=BBBBI", family, bits, flags, 0, index(name))
        self.call(RTM_NEWADDR, EXCL_CREATE, head + attr(1, raw) + attr(2, raw))

    def route(self, name: str, prefix: str, gateway: str = "") -> None:
        """Add a route to prefix ('0.0.0.0/0' is the default route) out of the interface, through gateway if given."""
        family, raw, bits = parse_prefix(prefix)
        scope = 0 if gateway or family == socket.AF_INET6 else 253
        body = struct.pack("=BBBBBBBBI", family, bits, 0, 0, 254, 3, scope, 1, 0)
        body += attr(1, raw) if bits else b""
        body += attr(5, socket.inet_pton(family, gateway)) if gateway else b""
        self.call(RTM_NEWROUTE, CREATE, body + attr(4, struct.pack("=I", index(name))))


def index(name: str) -> int:
    """The kernel's number of an interface. Raises OSError ENODEV."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        raise OSError(errno.ENODEV, f"no interface {name}") from None


def attr(kind: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def _link(number: int = 0, flags: int = 0, mask: int = 0) -> bytes:
    return struct.pack("=BxHiII", 0, 0, number, flags, mask)


def _text(name: str) -> bytes:
    return name.encode() + b"\0"


def parse_prefix(prefix: str) -> tuple[int, bytes, int]:
    """(family, packed address, prefix length) of '10.0.0.1/24'. Raises ValueError for anything else."""
    text, _, bits = prefix.partition("/")
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    try:
        raw = socket.inet_pton(family, text)
    except OSError:
        raise ValueError(f"{prefix!r}: expected an address and its prefix length, as in 10.0.0.1/24") from None
    if not bits.isdecimal() or int(bits) > 8 * len(raw):
        raise ValueError(f"{prefix!r}: expected a prefix length of 0..{8 * len(raw)} behind the address")
    return family, raw, int(bits)


def switch(name: str, feature: str, on: bool) -> None:
    """ethtool -K name feature on|off, for the features in SWITCHES."""
    value = array.array("I", [SWITCHES[feature], int(on)])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCETHTOOL, struct.pack("16sP16x", name.encode(), value.buffer_info()[0]))


def sysctl(name: str, value: str) -> None:
    """Write a sysctl of this namespace: sysctl('net.ipv4.tcp_congestion_control', 'cubic')."""
    with open("/proc/sys/" + name.replace(".", "/"), "w") as file:
        file.write(value)
