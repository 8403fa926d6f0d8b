# SPDX-License-Identifier: GPL-2.0-or-later
"""Device: a file descriptor that frames come from and go to. TAP, TUN and packet sockets differ only in how it is made.

With offload each frame carries a virtio_net_hdr, so super-segments and unfinished checksums pass as they are;
without, `Frame.cuts()` makes the real frames here, at the edge. Payload is never copied on the way. Not for several
threads.
"""

import errno
import os
from collections import Counter
from collections.abc import Sequence

from labstack.core.frame import ETHER_HLEN, Frame, Piece
from labstack.live import vnet
from labstack.live.tun import TSO

READ_SIZE = 70_000  # vnet header + link header + the longest IP packet, with room
IOV_MAX = os.sysconf("SC_IOV_MAX")

# What a busy or offended device says about one frame; everything else is about the device itself.
_FRAME_ERRORS = frozenset({errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM, errno.EMSGSIZE, errno.EINVAL})


class Device:
    """name: as the kernel calls it; link: 'ether' or 'ip'; mac: ours, opposite the kernel's; offload: 0, TSO or USO.

    `count` holds every frame that was not passed on, by reason: 'drop.device.ENOBUFS', 'drop.device.short'.
    """

    __slots__ = ("count", "fd", "link", "mac", "mtu", "name", "net", "offload")

    def __init__(self, fd: int, name: str, link: str, mac: bytes, mtu: int, offload: int) -> None:
        self.fd = fd
        self.name = name
        self.link = link
        self.mac = mac
        self.mtu = mtu
        self.offload = offload
        self.net = ETHER_HLEN if link == "ether" else 0
        self.count: Counter[str] = Counter()

    def read(self) -> Frame | None:
        """The next frame, or None when there is none now. Raises OSError when the device is down or gone."""
        try:
            raw = os.read(self.fd, READ_SIZE)
        except BlockingIOError:
            return None
        if not self.offload:
            return Frame(raw, (), None, None, 0, self.net, False)
        return vnet.parse(raw, self.net)

    def write(self, frame: Frame) -> None:
        """Send a frame, or count why it was not sent. Raises OSError when the device is down or gone."""
        if not self.offload:
            for raw in frame.cuts():
                self._put((raw,))
        elif frame.gso and self.offload == TSO and frame.csum and frame.csum[1] == vnet.UDP_CSUM:
            for raw in frame.cuts():
                self._put((vnet.NONE, raw))
        else:
            head = memoryview(frame.head)[frame.start :] if frame.start else frame.head
            self._put((vnet.header(frame), head, *frame.body))

    def _put(self, pieces: Sequence[Piece]) -> None:
        if len(pieces) > IOV_MAX:
            pieces = (b"".join(pieces),)
        try:
            sent = os.writev(self.fd, pieces)
        except OSError as error:
            if error.errno not in _FRAME_ERRORS:
                raise
            self.count["drop.device." + errno.errorcode[error.errno]] += 1
            return
        if sent < sum(map(len, pieces)):
            self.count["drop.device.short"] += 1

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
