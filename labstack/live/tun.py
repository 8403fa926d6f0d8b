# SPDX-License-Identifier: GPL-2.0-or-later
"""Open a TAP or TUN queue with virtio_net_hdr and segmentation offload (linux/if_tun.h, tuntap.rst).

The descriptor is made in the holder, or here for a TAP that the user owns. Imports only what starts fast.
"""

import contextlib
import fcntl
import os
import struct

TUNSETIFF, TUNSETOFFLOAD, TUNSETVNETHDRSZ = 0x400454CA, 0x400454D0, 0x400454D8
IFF_TUN, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x1, 0x2, 0x1000, 0x4000
TSO, USO = 0x07, 0x67  # TUN_F_CSUM|TSO4|TSO6, and USO4|USO6 besides since Linux 6.2


def open_queue(name: str, tun: bool = False, offload: bool = True) -> tuple[int, int]:
    """Attach to the TAP or TUN called name, making it if need be: (descriptor, offload mask). Raises OSError."""
    flags = (IFF_TUN if tun else IFF_TAP) | IFF_NO_PI | (IFF_VNET_HDR if offload else 0)
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
        return fd, _offload(fd) if offload else 0
    except OSError:
        os.close(fd)
        raise


def _offload(fd: int) -> int:
    fcntl.ioctl(fd, TUNSETVNETHDRSZ, struct.pack("=i", 10))
    with contextlib.suppress(OSError):
        fcntl.ioctl(fd, TUNSETOFFLOAD, USO)
        return USO
    fcntl.ioctl(fd, TUNSETOFFLOAD, TSO)
    return TSO
