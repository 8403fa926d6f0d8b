# SPDX-License-Identifier: GPL-2.0-or-later
"""Options on the wire: what a segment's list says, and the blocks that we write, in Linux's order and with its padding.

Reading never fails: a malformed option ends the list and the segment lives on. What an option means is decided by who
negotiated it. Owns RFC 9293 §3.2 and the formats of RFC 2018, 2385, 7323, 7413 and 9768.
"""

import struct
from typing import NamedTuple

from labstack.core.env import Env

EOL, NOP, MSS, WSCALE, SACK_OK, SACK, TIMESTAMP, MD5, FAST_OPEN = 0, 1, 2, 3, 4, 5, 8, 19, 34
ACCECN0, ACCECN1, EXPERIMENT = 172, 174, 254
FAST_OPEN_MAGIC = b"\xf9\x89"  # RFC 7413 §4.1.1's experimental option
MAX_SHIFT = 14  # RFC 7323 §2.3
SPACE = 40  # bytes of options that a header can have
STAMP_SIZE, MD5_SIZE = 12, 20  # with the padding in front
BLOCK, BLOCKS_HEAD = 8, 4  # one SACK block, and what stands in front of the first
COOKIES = range(4, 17, 2)  # sizes of a Fast Open cookie

Blocks = tuple[tuple[int, int], ...]

STAMP_MAGIC = 0x0101080A  # NOP, NOP, timestamps: what nearly every segment has (RFC 7323 appendix A)
STAMP = struct.Struct("!III")
_SYN = struct.Struct("!HHHHIIBBBB")  # MSS, SACK permitted, timestamps, NOP, window scale
_SYN_MAGIC = (0x0204, 0x0402, 0x080A, NOP, WSCALE, 3)
_SACKS = {size: struct.Struct(f"!{2 * size}I") for size in range(1, 5)}
_AFTER_STAMP = {b"\x01\x01\x05" + bytes((2 + BLOCK * n,)): n for n in _SACKS}


class Options:
    """What the list of one segment says; what it does not have is None (or empty)."""

    mss: int | None = None
    shift: int | None = None
    sack_ok: bool = False
    sack: Blocks = ()  # (start, end), in the order of the wire
    ts: tuple[int, int] | None = None  # TSval, TSecr
    md5: bytes | None = None
    fo: bytes | None = None  # a cookie; b"" asks for one
    fo_kind: int = FAST_OPEN  # or EXPERIMENT
    accecn: tuple[int, ...] | None = None  # the kind, then up to three counters


def read(env: Env, it: Options, raw: bytes, syn: bool) -> None:
    """Fill `it` from the list; options that belong to SYNs count there alone (RFC 9293 §3.1, MUST-5 to 7)."""
    if len(raw) >= STAMP_SIZE:
        magic, value, echo = STAMP.unpack_from(raw)
        if magic == STAMP_MAGIC:
            it.ts = (value, echo)
            if len(raw) == STAMP_SIZE:
                return
            blocks = _AFTER_STAMP.get(raw[12:16])
            if blocks and len(raw) == 16 + BLOCK * blocks:
                it.sack = _pairs(raw[16:])
                return
        if syn and len(raw) == _SYN.size and _read_syn(it, raw):
            return
    _walk(env, it, raw, syn)


def _read_syn(it: Options, raw: bytes) -> bool:
    """All that a SYN offers, if it is written as everybody writes it."""
    mss_head, mss, sack_ok, stamp, value, echo, pad, kind, size, shift = _SYN.unpack(raw)
    if (mss_head, sack_ok, stamp, pad, kind, size) != _SYN_MAGIC:
        return False
    it.mss, it.sack_ok, it.ts, it.shift = mss, True, (value, echo), min(shift, MAX_SHIFT)
    return True


def _walk(env: Env, it: Options, raw: bytes, syn: bool) -> None:
    at, end = 0, len(raw)
    while at < end:
        kind = raw[at]
        if kind == NOP:
            at += 1
            continue
        if kind == EOL:
            return
        size = raw[at + 1] if at + 1 < end else 0
        if size < 2 or at + size > end:
            env.count["TcpInBadOptions"] += 1
            env.note("9293/3.1/option/malformed", 0, kind, size)
            return
        _take(it, kind, raw[at + 2 : at + size], syn)
        at += size


def _take(it: Options, kind: int, data: bytes, syn: bool) -> None:
    """One option; one of a size that it cannot have is as one that nobody knows."""
    size = len(data)
    if kind == TIMESTAMP and size == 8:
        it.ts = (int.from_bytes(data[:4], "big"), int.from_bytes(data[4:], "big"))
    elif kind == SACK and size in (8, 16, 24, 32):
        it.sack = _pairs(data)
    elif kind == MD5 and size == 16:
        it.md5 = data
    elif kind in (ACCECN0, ACCECN1) and size in (0, 3, 6, 9):
        it.accecn = (kind, *(int.from_bytes(data[i : i + 3], "big") for i in range(0, size, 3)))
    elif syn:
        _take_of_syn(it, kind, data)


def _take_of_syn(it: Options, kind: int, data: bytes) -> None:
    size = len(data)
    if kind == MSS and size == 2:
        it.mss = int.from_bytes(data, "big")
    elif kind == WSCALE and size == 1:
        it.shift = min(data[0], MAX_SHIFT)
    elif kind == SACK_OK and not size:
        it.sack_ok = True
    elif kind == FAST_OPEN and (not size or size in COOKIES):
        it.fo, it.fo_kind = data, kind
    elif kind == EXPERIMENT and data[:2] == FAST_OPEN_MAGIC and (size == 2 or size - 2 in COOKIES):
        it.fo, it.fo_kind = data[2:], kind


def _pairs(data: bytes) -> Blocks:
    words = _SACKS[len(data) // BLOCK].unpack(data)
    return tuple(zip(words[::2], words[1::2], strict=True))


class Offer(NamedTuple):
    """What our SYN, or SYN,ACK, says. ts: (TSval, TSecr); shift: of our window; fo: as in Options."""

    mss: int
    shift: int | None = None
    sack_ok: bool = False
    ts: tuple[int, int] | None = None
    md5: bool = False
    fo: bytes | None = None
    fo_kind: int = FAST_OPEN


def of_syn(it: Offer) -> bytes:
    """The options of a SYN (RFC 9293 §3.7.1, MUST-65; RFC 7323 §2.1, RFC 2018 §2, RFC 7413 §4.1.1)."""
    mss, shift, sack_ok, ts, md5, cookie, _ = it
    if shift is not None and sack_ok and ts is not None and not md5 and cookie is None:  # as nearly always
        mss_head, sack_head, stamp, *scale = _SYN_MAGIC
        return _SYN.pack(mss_head, mss, sack_head, stamp, *ts, *scale, shift)
    out = _signature() if it.md5 else b""
    out += bytes((MSS, 4)) + it.mss.to_bytes(2, "big")
    if it.ts is not None:
        out += bytes((SACK_OK, 2) if it.sack_ok else (NOP, NOP)) + STAMP.pack(TIMESTAMP << 8 | 10, *it.ts)[2:]
    elif it.sack_ok:
        out += bytes((NOP, NOP, SACK_OK, 2))
    if it.shift is not None:
        out += bytes((NOP, WSCALE, 3, it.shift))
    return out + _fast_open(it, SPACE - len(out))


def _fast_open(it: Offer, room: int) -> bytes:
    if it.fo is None:
        return b""
    data = (FAST_OPEN_MAGIC if it.fo_kind == EXPERIMENT else b"") + it.fo
    out = bytes((it.fo_kind, 2 + len(data))) + data
    out += bytes((NOP,)) * (-len(out) % 4)
    return out if len(out) <= room else b""


def of_segment(ts: tuple[int, int] | None, sack: Blocks, md5: bool = False) -> bytes:
    """The options of any other segment: as many of the blocks as fit behind the rest (RFC 7323 §3.2, RFC 2018 §3)."""
    out = _signature() if md5 else b""
    if ts is not None:
        out += STAMP.pack(STAMP_MAGIC, *ts)
    sack = sack[: room_for_blocks(len(out))]
    if sack:
        out += bytes((NOP, NOP, SACK, 2 + BLOCK * len(sack)))
        out += _SACKS[len(sack)].pack(*(edge & 0xFFFFFFFF for block in sack for edge in block))
    return out


def room_for_blocks(used: int) -> int:
    """How many SACK blocks fit behind so many bytes of other options."""
    return (SPACE - used - BLOCKS_HEAD) // BLOCK


def _signature() -> bytes:
    """Room for a signature (RFC 2385 §3.0): `md5` writes it when the segment is complete."""
    return bytes((NOP, NOP, MD5, 18)) + bytes(16)
