# SPDX-License-Identifier: GPL-2.0-or-later
"""Wire: the packets of a kernel target, in and out, on our side.

The packet socket says when each packet left, so that it does not matter when it is read. Through a TUN packets go in
as they are; over veth behind a virtio_net_hdr, and an Ethernet header of ours or the scenario's own. A veth takes a
packet above its MTU only if it is a TCP super-segment, so such a one is called that, and its checksum is not looked at.
"""

import contextlib
import errno
import os
import socket
import struct
import time

from labstack.scenario.kernel.furnish import FAR_MAC, MAC, SO_TIMESTAMPNS
from labstack.scenario.station import tcp_size

ETH_HLEN = 14
IPV6 = b"\x86\xdd"
IPV4 = b"\x08\x00"
VNET = struct.Struct("=BBHHHH")  # struct virtio_net_hdr: flags, GSO type, header length, GSO size, ...
PLAIN = bytes(VNET.size)
GSO = {IPV4: 1, IPV6: 4}  # VIRTIO_NET_HDR_GSO_TCPV4, _TCPV6
MOST = 70_000  # bytes of a packet, with room
SOL_PACKET, PACKET_STATISTICS, PACKET_OUTGOING = 263, 6, 4
TOGETHER = 20_000  # ns
TIMESPEC = struct.Struct("@qq")
REFUSED = frozenset({errno.EINVAL, errno.EMSGSIZE, errno.ENOBUFS, errno.EIO, errno.EAGAIN})  # of one packet

MLD = (130, 131, 132, 143)  # types of ICMPv6 of which the kernel tells unasked what it listens to; nobody sees them


class Wire:
    """fd: to be polled; mss: of super-segments, see Kernel
    link: what packets are, "ip" or "ether"; fds: the packet socket, and the TUN if there is one; mtu: in bytes
    """

    def __init__(self, link: str, fds: list[int], mtu: int, mss: int = 0) -> None:
        self.sock = socket.socket(fileno=fds[0])
        self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # the interface was down when it was bound
        self.fd = fds[0]
        self.tun = fds[1] if len(fds) > 1 else -1
        self.before = b"" if link == "ether" else MAC + FAR_MAC  # in front of what goes over veth
        self.strip = 0 if self.tun >= 0 else len(PLAIN) + (ETH_HLEN if link == "ip" else 0)
        self.net = ETH_HLEN if link == "ether" else 0
        self.most = ETH_HLEN + mtu
        self.mss = mss

    def read(self) -> tuple[int, bytes] | None:
        """The next packet and when it left (CLOCK_MONOTONIC, ns); None if there is none now."""
        while True:
            try:
                raw, extra, _, address = self.sock.recvmsg(MOST, 64)
            except BlockingIOError:
                return None
            if self.tun >= 0:
                self._drain()
                if address[2] != PACKET_OUTGOING:  # one that we sent
                    continue
            data = raw[self.strip :]
            if _unasked(data, self.net) not in MLD:
                return _when(extra), data

    def _drain(self) -> None:
        """What the packet socket has shown is in the TUN's queue, too."""
        with contextlib.suppress(BlockingIOError):
            while True:
                os.read(self.tun, MOST)

    def write(self, packet: bytes) -> None:
        """A packet arrives at the kernel, unless that takes none such. Raises OSError when the wire is gone."""
        try:
            if self.tun >= 0:
                os.write(self.tun, packet)
            else:
                kind = IPV6 if packet[:1] and packet[0] >> 4 == 6 else IPV4
                frame = self.before + kind + packet if self.before else packet
                size = tcp_size(frame[ETH_HLEN:]) if self.mss else 0
                large = len(frame) > self.most or size > self.mss > 0
                self.sock.send((_large(frame, self.mss if size > self.mss else 0) if large else PLAIN) + frame)
        except OSError as error:
            if error.errno not in REFUSED:
                raise

    def lost(self) -> int:
        """How many packets came too fast to be kept, since this was last asked."""
        return int(struct.unpack("=II", self.sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1])

    def close(self) -> None:
        self.sock.close()
        if self.tun >= 0:
            os.close(self.tun)
            self.tun = -1


def _unasked(data: bytes, net: int) -> int:
    """The ICMPv6 type, behind a hop-by-hop header or not; -1 if it is something else."""
    if len(data) < net + 41 or data[net] >> 4 != 6 or (net and data[12:14] != IPV6):
        return -1
    at = net + 40
    kind = data[net + 6]
    if kind == 0 and len(data) > at + 1:
        kind, at = data[at], at + 8 + 8 * data[at + 1]
    return data[at] if kind == socket.IPPROTO_ICMPV6 and at < len(data) else -1


def _large(frame: bytes, mss: int) -> bytes:
    """The virtio_net_hdr of a TCP segment above the MTU, in pieces of `mss` bytes; 0: in two, the first has all but one
    byte."""
    kind = frame[12:14]
    six = kind == IPV6
    net = ETH_HLEN + (40 if six else 4 * (frame[14] & 15))
    head = net + (4 * (frame[net + 12] >> 4) if len(frame) > net + 12 else 0)
    is_tcp = frame[20 if six else 23] == socket.IPPROTO_TCP and len(frame) > head + 1
    return VNET.pack(0, GSO[kind], head, mss or len(frame) - head - 1, 0, 0) if is_tcp and kind in GSO else PLAIN


def _when(extra: list[tuple[int, int, bytes]]) -> int:
    """When a packet left, from its control messages (CLOCK_REALTIME), on the monotonic clock."""
    now, apart = clocks()
    for level, kind, data in extra:
        if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
            seconds, ns = map(int, TIMESPEC.unpack(data))
            return min(now, seconds * 1_000_000_000 + ns - apart)
    return now


def clocks() -> tuple[int, int]:
    """CLOCK_MONOTONIC, and how far CLOCK_REALTIME is ahead of it (ns); read together, not with a pause in between."""
    while True:
        now, wall, then = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        if then - now < TOGETHER:
            return then, wall - now
