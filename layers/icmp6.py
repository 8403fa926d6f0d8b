# SPDX-License-Identifier: GPL-2.0-or-later
"""ICMPv6 (RFC 4443): echo and errors, and the choice of the class by type for neighbour discovery and MLD, too.

`parse(buf, at, end)` reads any ICMPv6 message; checking code, hop limit and checksum is left to the stack.
"""

from layers.field import BYTES, bits, checksum, u8, u16, u32, var
from layers.ip6 import IPerror6, IPv6
from layers.packet import Header, Next, bind
from layers.upper import upper_sum

SHORT = "icmp6-short"
TYPES = {
    1: "Destination unreachable", 2: "Packet too big", 3: "Time exceeded", 4: "Parameter problem",
    128: "Echo Request", 129: "Echo Reply", 130: "MLD Query", 131: "MLD Report", 132: "MLD Done",
    133: "Router Solicitation", 134: "Router Advertisement", 135: "Neighbor Solicitation",
    136: "Neighbor Advertisement", 137: "Redirect Message", 143: "MLD Report Version 2",
}  # fmt: skip

#: type: class; `register` fills it
KINDS: dict[int, type[Header]] = {}


def pick(buf: bytes | memoryview, at: int, end: int) -> type[Header]:
    """Return the class for the ICMPv6 message at `at`: by type, and for queries by length (RFC 3810 §8.1)."""
    kind = KINDS.get(buf[at], ICMPv6Unknown)
    longer = getattr(kind, "longer", None)
    return kind if longer is None or end - at < longer.minimum else longer


def parse(buf: bytes | memoryview, at: int = 0, end: int | None = None) -> Header | str:
    """Read the ICMPv6 message in `buf[at:end]`, with its options; return it or a drop reason."""
    end = len(buf) if end is None else end
    return pick(buf, at, end).parse(buf, at, end) if at < end else SHORT


def register(cls: type[Header], **fields: int | str) -> None:
    """Make `cls` the class for the type that is its default, with what it asks of the IPv6 header below."""
    KINDS.setdefault(cls.table[0].default, cls)
    cls.pick = pick
    for lower in (IPv6, IPerror6):
        bind(lower, cls, nh=58, **fields)


class ICMPv6(Header):
    """What all messages begin with."""

    short = SHORT
    type: int = u8(1, names=TYPES)
    code: int = u8()
    cksum: int | None = checksum(upper_sum(58))


class ICMPv6Unknown(ICMPv6):
    """A message of any other type."""

    msgbody: bytes = var(BYTES)


class ICMPv6EchoRequest(ICMPv6):
    """Echo request (RFC 4443 §4.1); the data is a field."""

    type: int = u8(128, names=TYPES)
    id: int = u16(hex=True)
    seq: int = u16(hex=True)
    data: bytes = var(BYTES)


class ICMPv6EchoReply(ICMPv6EchoRequest):
    """Echo reply (RFC 4443 §4.2)."""

    type: int = u8(129, names=TYPES)


class _Quoting(ICMPv6):
    def _above(self, buf: bytes, at: int, end: int) -> Next:
        return IPerror6, end


class ICMPv6DestUnreach(_Quoting):
    """Destination unreachable (RFC 4443 §3.1, `length` of RFC 4884 §4)."""

    length: int = bits(8)
    unused: int = bits(24, hex=True)


class ICMPv6PacketTooBig(_Quoting):
    """Packet too big (RFC 4443 §3.2)."""

    type: int = u8(2, names=TYPES)
    mtu: int = u32(1280)


class ICMPv6TimeExceeded(_Quoting):
    """Time exceeded (RFC 4443 §3.3)."""

    type: int = u8(3, names=TYPES)
    length: int = bits(8)
    unused: int = bits(24, hex=True)


class ICMPv6ParamProblem(_Quoting):
    """Parameter problem at byte `ptr` (RFC 4443 §3.4)."""

    type: int = u8(4, names=TYPES)
    ptr: int = u32(6)


for message in (
    ICMPv6EchoRequest,
    ICMPv6EchoReply,
    ICMPv6DestUnreach,
    ICMPv6PacketTooBig,
    ICMPv6TimeExceeded,
    ICMPv6ParamProblem,
):
    register(message)
ICMPv6Unknown.pick = pick
bind(IPv6, ICMPv6Unknown, nh=58)
