# SPDX-License-Identifier: GPL-2.0-or-later
"""What each rule of UDP says."""

from labstack.core.rules import Rule

RULES: dict[str, Rule] = {
    "768/-/deliver": Rule("{0} bytes for the socket on that port"),
    "1122/4.1.3.3/unconnected": Rule("ICMP {0} about a datagram of a socket that is not connected: nobody is told"),
    "1122/4.1.3.3/error": Rule("ICMP {0} about a datagram of this socket: its owner is told"),
    "drop.udp.short": Rule("too short for a UDP header"),
    "drop.udp.length": Rule("the UDP length does not fit the packet"),
    "drop.udp.csum": Rule("the UDP checksum is wrong"),
    "drop.udp.zero_csum": Rule("IPv6 needs a UDP checksum (RFC 8200 §8.1)"),
    "drop.udp.rcvbuf": Rule("the reader is too slow: the socket's buffer is full"),
}
