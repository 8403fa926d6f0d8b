# SPDX-License-Identifier: GPL-2.0-or-later
"""Open a packet socket on our end of a veth pair: the way without /dev/net/tun (packet(7), linux/if_packet.h).

The socket speaks virtio_net_hdr as a TAP does, so offload works here too; without it the kernel's end must finish its
own checksums (see holder.veth). Our own frames are not handed back. Imports only what starts fast.
"""

import socket

ETH_P_ALL, SOL_PACKET = 0x0003, 263
PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 15, 23
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33
BUFFER = 16 << 20  # bytes, of kernel memory; an ordinary user gets what net.core.rmem_max allows


def open_socket(name: str, offload: bool = True) -> int:
    """A non-blocking descriptor that reads and writes whole frames on interface `name`. Raises OSError."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
    try:
        sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        if offload:
            sock.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        for force, plain in ((SO_RCVBUFFORCE, socket.SO_RCVBUF), (SO_SNDBUFFORCE, socket.SO_SNDBUF)):
            try:
                sock.setsockopt(socket.SOL_SOCKET, force, BUFFER)
            except PermissionError:
                sock.setsockopt(socket.SOL_SOCKET, plain, BUFFER)
        sock.bind((name, ETH_P_ALL))
    except OSError:
        sock.close()
        raise
    return sock.detach()
