# SPDX-License-Identifier: GPL-2.0-or-later
"""A capture file as a story: its IP packets, whose they are, and the calls that the host must have made (`infer`).

pcapng and pcap, of Ethernet, bare IP, Linux's "any" device, or the BSD loopback. Checksums that a network card was to
fill in are filled in; what was cut off a packet's end is zeros, since a script keeps no payload. Of other packets, and
of those between other hosts, nothing is told.
"""

from collections.abc import Iterator
from pathlib import Path
from struct import Struct

from labstack.core.errors import StackError
from labstack.ip.family import parse_addr, text
from labstack.lab.errors import LabError
from labstack.scenario.mutate.bits import mend, partial
from labstack.scenario.packets.wire import Wire, take_apart
from labstack.scenario.record.infer import Seen, inferred
from labstack.scenario.record.story import Crossed, Story
from layers import pcapng

LINKS = {1: 14, 101: 0, 12: 0, 14: 0, 228: 0, 229: 0, 0: 4, 113: 16, 276: 20}  # link type: bytes of its header
TAGS = (b"\x81\x00", b"\x88\xa8")
MAGICS = {b"\xd4\xc3\xb2\xa1": ("<", 1000), b"\xa1\xb2\xc3\xd4": (">", 1000),
          b"\x4d\x3c\xb2\xa1": ("<", 1), b"\xa1\xb2\x3c\x4d": (">", 1)}  # fmt: skip  # byte order, ns of a fraction


def read(path: str, host: str = "") -> Story:
    """The story of one host in a capture file; host: its address, default the one that others connect to.

    Raises LabError for a file that cannot be read, one without packets, and an address that is not in it.
    """
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise LabError(f"cannot read {path}: {error.strerror}") from None
    seen: list[Seen] = []
    for n, (at, data, wire) in enumerate(_packets(raw)):  # clocks are set back, and processors differ
        seen.append(Seen(n, max(at, seen[-1].at) if seen else at, False, data, wire))
    if not seen:
        raise LabError(f"{path}: there is no IP packet in it that could be read (is it a pcapng or pcap file?)")
    local = _address(host) if host else _server(seen)
    mine = [it for it in seen if local in (it.wire.src, it.wire.dst)]
    if not mine:
        there = ", ".join(sorted({text(end) for it in seen for end in (it.wire.src, it.wire.dst)}))
        raise LabError(f"{path}: no packet of {text(local)}; there are those of {there}")
    kept = [it for it in mine if not Crossed(it.at, True, it.data).housekeeping]
    return inferred([it._replace(inbound=it.wire.dst == local) for it in kept], local)


def _address(host: str) -> bytes:
    try:
        return parse_addr(host)
    except StackError as error:
        raise LabError(str(error.strerror)) from None


def _server(seen: list[Seen]) -> bytes:
    """The host that is connected to, or else that is sent the first packet."""
    opens = (it.wire.dst for it in seen if it.wire.proto == 6 and it.opens())
    return next(opens, seen[0].wire.dst)


# files


def _packets(raw: bytes) -> Iterator[tuple[int, bytes, Wire]]:
    frames = _pcap(raw) if raw[:4] in MAGICS else ((it.linktype, it.ns, it.data) for it in pcapng.read(raw))
    for link, at, frame in frames:
        data = _whole(_bare(link, frame))
        wire = take_apart(data)
        if not isinstance(wire, str) and (wire.head is not None or wire.proto in (1, 58)):
            yield at, data, wire


def _pcap(raw: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(link type, ns, bytes) of each frame of a classic pcap file, as far as it makes sense."""
    order, unit = MAGICS[raw[:4]]
    head = Struct(order + "IIII")
    if len(raw) < 24:
        return
    link, at = Struct(order + "I").unpack_from(raw, 20)[0] & 0xFFFF, 24
    while at + head.size <= len(raw):
        seconds, fraction, size, _ = head.unpack_from(raw, at)
        yield link, seconds * 10**9 + fraction * unit, raw[at + head.size : at + head.size + size]
        at += head.size + size


def _bare(link: int, frame: bytes) -> bytes:
    """The IP packet in a frame; b"" if there is none."""
    size = LINKS.get(link)
    if size is None:
        return b""
    kind = frame[12:14]
    while link == 1 and kind in TAGS:
        size, kind = size + 4, frame[size + 2 : size + 4]
    packet = frame[size:]
    is_ip = link != 1 or kind in (b"\x08\0", b"\x86\xdd")
    return packet if is_ip and packet[:1] and packet[0] >> 4 in (4, 6) else b""


def _whole(data: bytes) -> bytes:
    """The packet with what was cut off as zeros, without padding, and with sums that offload left open."""
    if len(data) < 40:
        return data
    four = data[0] >> 4 == 4
    length = int.from_bytes(data[2:4], "big") if four else 40 + int.from_bytes(data[4:6], "big")
    raw = bytearray(data[: length or len(data)].ljust(length, b"\0"))  # 0: too long to be said, as of a super-segment
    if length > len(data) or partial(raw):
        mend(raw)
    return bytes(raw)
