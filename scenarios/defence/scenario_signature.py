# SPDX-License-Identifier: GPL-2.0-or-later
"""Signed segments (RFC 2385): who has a key for a peer hears nothing from him that is not signed with it."""

import struct

from labstack.scenario import scenario

AF_INET, TCP_MD5SIG, KEY = 2, 14, b"sesame"


def keyed(t):
    """A listener with a key for the peer."""
    fd = t.listen(80)
    address = bytes(map(int, t.peer.ip.split(".")))
    where = struct.pack("<H2x4s120x", AF_INET, address)
    t.call("setsockopt", fd, 6, TCP_MD5SIG, where + struct.pack("<BBHI80s", 0, 0, len(KEY), 0, KEY))
    return fd


@scenario(ip="ipv4")
def without_a_signature_nothing_is_heard(t):
    "The SYN is dropped, and counted; nobody learns that somebody listens."
    keyed(t)
    c = t.peer_tcp(80)
    with t.counts(TcpExtTCPMD5NotFound=1):
        c.send(flags="S")
        t.silence("2s")


@scenario(ip="ipv4")
def with_a_wrong_signature_nothing_is_heard(t):
    "Sixteen bytes that do not fit the segment and the key are as good as none."
    keyed(t)
    c = t.peer_tcp(80)
    with t.counts(TcpExtTCPMD5Failure=1):
        c.send(flags="S", options=[("MD5", bytes(16)), ("NOP", None), ("NOP", None)])
        t.silence("2s")
