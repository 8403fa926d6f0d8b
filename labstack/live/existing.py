# SPDX-License-Identifier: GPL-2.0-or-later
"""What an interface that already exists is like: asked of the kernel with ioctls, nothing is changed (netdevice(7)).

Not from /sys/class/net, which shows the namespace that it was mounted in and not the one that we are in.
"""

import array
import contextlib
import errno
import fcntl
import os
import socket
import struct

SIOCGIFADDR, SIOCGIFNETMASK, SIOCGIFMTU, SIOCGIFHWADDR, SIOCETHTOOL = 0x8915, 0x891B, 0x8921, 0x8927, 0x8946
ETHTOOL_GDRVINFO = 3
_DRVINFO = 196  # bytes of struct ethtool_drvinfo: command, driver, version, firmware and bus as text of 32 bytes, ...


def link(name: str) -> str:
    """'ether' for a TAP, 'ip' for a TUN. Raises OSError ENOENT for any other interface, and for none."""
    info = array.array("B", struct.pack(f"=I{_DRVINFO - 4}x", ETHTOOL_GDRVINFO))
    with contextlib.suppress(OSError):
        _ask(SIOCETHTOOL, struct.pack("16sP16x", name.encode(), info.buffer_info()[0]))
    driver, bus = (bytes(info[at : at + 32]).rstrip(b"\0") for at in (4, 100))
    if driver != b"tun":
        raise OSError(errno.ENOENT, f"{name} is no TAP or TUN")
    return "ether" if bus == b"tap" else "ip"


def mtu(name: str) -> int:
    return int(struct.unpack_from("=i", _ask(SIOCGIFMTU, struct.pack("40s", name.encode())), 16)[0])


def mac(name: str) -> bytes:
    return _ask(SIOCGIFHWADDR, struct.pack("40s", name.encode()))[18:24]


def addresses(name: str) -> list[str]:
    """What the kernel has configured on it: the first IPv4 address and the global IPv6 addresses."""
    found = []
    with contextlib.suppress(OSError):  # it has none
        address, mask = (_ask(code, struct.pack("40s", name.encode()))[20:24] for code in (SIOCGIFADDR, SIOCGIFNETMASK))
        found.append(f"{socket.inet_ntoa(address)}/{int.from_bytes(mask, 'big').bit_count()}")
    if os.path.exists("/proc/net/if_inet6"):
        with open("/proc/net/if_inet6") as file:
            for line in file:
                packed, _, bits, scope, _, owner = line.split()
                if owner == name and scope == "00":
                    found.append(f"{socket.inet_ntop(socket.AF_INET6, bytes.fromhex(packed))}/{int(bits, 16)}")
    return found


def _ask(code: int, request: bytes) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        return fcntl.ioctl(sock, code, request)
