# SPDX-License-Identifier: GPL-2.0-or-later
"""IGMP versions 1 and 2 (RFC 1112, RFC 2236) in `IGMP`, version 3 (RFC 3376) in `IGMPv3mq`, `IGMPv3mr`, `IGMPv3gr`.

`parse` reads any message: a query's version shows in its length (RFC 3376 §7.1). Timing is the stack's.
Stacking one on `IP` asks below for TTL 1, precedence, the router alert option and the group, as senders must.
"""

from layers.field import AUTO, IP4S, AutoBytes, bits, checksum, ip4, u8, u16, var
from layers.icmp import message_sum
from layers.ip import IP
from layers.ipopt import IPOption_Router_Alert
from layers.listing import HEADERS, read_records
from layers.packet import Header, bind

SHORT = "igmp-short"
QUERY, REPORT1, REPORT2, LEAVE, REPORT3 = 0x11, 0x12, 0x16, 0x17, 0x22
TYPES = {
    QUERY: "Group Membership Query",
    REPORT1: "Version 1 - Membership Report",
    REPORT2: "Version 2 - Membership Report",
    LEAVE: "Leave Group",
    REPORT3: "Version 3 - Membership Report",
}
ALL_SYSTEMS, ALL_ROUTERS, ALL_IGMPV3 = bytes((224, 0, 0, 1)), bytes((224, 0, 0, 2)), bytes((224, 0, 0, 22))


def pick(buf: bytes | memoryview, at: int, end: int) -> type[Header]:
    """Return the class for the message at `at`, by type and length (RFC 3376 §7.1)."""
    if buf[at] == REPORT3:
        return IGMPv3mr
    return IGMPv3mq if buf[at] == QUERY and end - at >= 12 else IGMP


def parse(buf: bytes | memoryview, at: int = 0, end: int | None = None) -> Header | str:
    """Read the IGMP message in `buf[at:end]`; return it or a drop reason."""
    end = len(buf) if end is None else end
    return pick(buf, at, end).parse(buf, at, end) if at < end else SHORT


class _Message(Header):
    short = SHORT
    pick = staticmethod(pick)
    type: int = u8(QUERY, names=TYPES)

    def group(self) -> bytes:
        """Return the packed address that this message is sent to."""
        return ALL_IGMPV3

    def _seated(self, lower: Header) -> None:
        if isinstance(lower, IP):
            if isinstance(lower.dst_packed, AUTO):
                lower.dst_packed = AutoBytes(self.group())
            lower.options = lower.options or [IPOption_Router_Alert()]


class IGMP(_Message):
    """A message of version 1 or 2; `mrcode` is the maximum response time in 1/10 s."""

    mrcode: int | None = u8(None, fill="20 if self.type == 0x11 else 0")
    chksum: int | None = checksum(message_sum)
    gaddr = ip4()
    gaddr_packed: bytes

    def group(self) -> bytes:
        """Return the packed address that this message is sent to (RFC 2236 §9)."""
        if self.type == LEAVE:
            return ALL_ROUTERS
        return ALL_SYSTEMS if self.type == QUERY and not any(self.gaddr_packed) else self.gaddr_packed


class IGMPv3(_Message):
    """What messages of version 3 begin with."""

    aka: tuple[str, ...] = ("IGMP",)


class IGMPv3mq(IGMPv3):
    """Membership query (RFC 3376 §4.1); `mrcode` and `qqic` as on the wire (see `duration`)."""

    aka = ("IGMPv3", "IGMP", "IGMPv3_MQ")
    mrcode: int = u8(20)
    chksum: int | None = checksum(message_sum)
    gaddr = ip4()
    flags: int = bits(4)
    s: int = bits(1)
    qrv: int = bits(3)
    qqic: int = u8()
    numsrc: int | None = u16(None, fill="len(self.srcaddrs)")
    srcaddrs: list[str] = var(IP4S, "self.numsrc * 4")
    gaddr_packed: bytes

    def group(self) -> bytes:
        """Return the packed address that this message is sent to (RFC 3376 §4.1.12)."""
        return self.gaddr_packed if any(self.gaddr_packed) else ALL_SYSTEMS


class IGMPv3gr(Header):
    """What a host wants of one group (RFC 3376 §4.2.4)."""

    aka = ("IGMPv3_MR_Group",)
    rtype: int = u8(4)
    auxdlen: int = u8()
    numsrc: int | None = u16(None, fill="len(self.srcaddrs)")
    maddr = ip4()
    srcaddrs: list[str] = var(IP4S, "self.numsrc * 4")
    maddr_packed: bytes


class IGMPv3mr(IGMPv3):
    """Membership report (RFC 3376 §4.2), a record for each group."""

    aka = ("IGMPv3", "IGMP", "IGMPv3_MR")
    type: int = u8(REPORT3, names=TYPES)
    reserved: int = u8()
    chksum: int | None = checksum(message_sum)
    flags: int = u16()
    numgrp: int | None = u16(None, fill="len(self.records)")
    records: list[IGMPv3gr] = var(HEADERS)

    def _read(self, buf: bytes, at: int, end: int) -> int | str:
        got = read_records(IGMPv3gr, self.numgrp or 0, buf, at, end)
        if isinstance(got, str):
            return got
        self.records, at = got
        return at


def duration(code: int) -> int:
    """Return what a maximum response or querier's interval code means, in its unit (RFC 3376 §4.1.1)."""
    return code if code < 0x80 else (0x10 | code & 0xF) << ((code >> 4 & 7) + 3)


for message in (IGMP, IGMPv3mq, IGMPv3mr):
    bind(IP, message, proto=2, ttl=1, tos=0xC0)
