# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets: `<` or `>`, what stands in brackets, ports, and a TCP segment, a UDP datagram or an ICMP message.

What a script says of a packet is judged here as far as that needs no connection: lengths, ranges, what is only for
packets that are expected. Encapsulations and SCTP are refused.
"""

import re

from labstack.packetdrill import icmp
from labstack.packetdrill.cursor import Cursor, listed, quoted
from labstack.packetdrill.lexer import ELLIPSIS, FLOAT, HEX, INTEGER, WORD
from labstack.packetdrill.script import Icmp, Ip, Packet, Quote, Tcp, Udp
from labstack.packetdrill.tcpoptions import options

REFUSED = {
    "ipv4": "encapsulation in IPv4", "ipv6": "encapsulation in IPv6", "gre": "GRE", "mpls": "MPLS", "sctp": "SCTP",
    "encap": "PSP encapsulation", "udplite": "UDP-Lite",
}  # fmt: skip
FLAGS = "FSRP.EWAU"
ECN = ("noecn", "ect0", "ect1", "ce", "ect01")
U8, U16, U32, FLOW_LABEL = 0xFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFF
_SMALL = re.compile("[0-9]{1,3}")
BODIES = (f"flags (letters of {FLAGS}, or -)", "'icmp'", "'udp'")


def packet(cursor: Cursor) -> Packet:
    """The packet that begins here, at `<` or `>`."""
    inbound = cursor.step().kind == "<"
    if cursor.kind == WORD and cursor.text in REFUSED:
        cursor.refuse(REFUSED[cursor.text])
    ip = _ip(cursor, inbound) if cursor.kind in ("[", "(") else Ip()
    ports = _ports(cursor)
    body: Tcp | Udp | Icmp
    if cursor.accept_word("icmp"):
        body = _icmp(cursor)
    elif cursor.accept_word("udp"):
        ports = ports or _ports(cursor)
        body = Udp(_size(cursor))
    elif cursor.kind == WORD and cursor.text in REFUSED:
        cursor.refuse(REFUSED[cursor.text])
    else:
        body = _tcp(cursor, inbound)
    return Packet(inbound, body, ip, ports)


def _ip(cursor: Cursor, inbound: bool) -> Ip:
    close = "]" if cursor.step().kind == "[" else ")"
    said: dict[str, int | str] = {}
    while True:
        name = cursor.text if cursor.kind == WORD else ""
        key = "ecn" if name in ECN else name
        if key in said or (key in ("ecn", "tos") and said.keys() & {"ecn", "tos"}):
            cursor.wrong(f"found '{name}', but that has been said already in these brackets")
        if name == "ect01" and inbound:
            cursor.wrong("found 'ect01', which is for expected packets ('>') only; expected noecn, ect0, ect1 or ce")
        if key not in ("ecn", "tos", "ttl", "flowlabel"):
            cursor.fail(*ECN, "tos N", "ttl N", "flowlabel N")
        cursor.step()
        said[key] = name if key == "ecn" else cursor.number(f"a {name}", FLOW_LABEL if name == "flowlabel" else U8)
        if not cursor.accept(","):
            break
    cursor.expect(close, "','", f"'{close}'")
    return Ip(**said)  # type: ignore[arg-type]


def _ports(cursor: Cursor) -> tuple[int, int] | None:
    if cursor.kind != INTEGER or cursor.following().kind != ">":
        return None
    source = cursor.number("a port", U16)
    cursor.step()
    return source, cursor.number("a port", U16)


def _size(cursor: Cursor) -> int:
    cursor.expect("(", "'(' and a length in bytes")
    size = cursor.number("a length in bytes", U16)
    cursor.expect(")")
    return size


def _range(cursor: Cursor) -> tuple[int, int]:
    """`start:end(length)`: the start and the length."""
    start = cursor.number("a sequence number, as in 1:1001(1000),", U32)
    cursor.expect(":", "':' and the end of the segment, as in 1:1001(1000)")
    token = cursor.token
    end = cursor.number("the sequence number after the segment, as in 1:1001(1000),", U32)
    size = _size(cursor)
    if (start + size - end) & U32:
        right = (start + size) & U32
        cursor.wrong(f"found the end {end}, expected {right} ({start} and {size} bytes)", token)
    return start, size


# TCP


def _tcp(cursor: Cursor, inbound: bool) -> Tcp:
    flags, ace = _flags(cursor)
    seq, size = _range(cursor)
    ack = cursor.number("an acknowledgment number", U32) if cursor.accept_word("ack") else None
    win = cursor.number("a window", U16) if cursor.accept_word("win") else None
    if win is None and inbound:
        missing = ("'ack N'",) if ack is None else ()
        cursor.fail(*missing, "'win N' (an injected segment has to say its window)")
    urg = cursor.number("an urgent pointer", U16) if cursor.accept_word("urg") else None
    if cursor.kind == "<" and cursor.following().kind == ELLIPSIS:
        if inbound:
            cursor.wrong("found '<...>', which is for packets that are expected ('>'); expected TCP options or nothing")
        cursor.step()
        cursor.step()
        cursor.expect(">")
        return Tcp(flags, seq, size, ack, win, urg, None, ace)
    return Tcp(flags, seq, size, ack, win, urg, options(cursor) if cursor.kind == "<" else (), ace)


def _flags(cursor: Cursor) -> tuple[str, int | None]:
    """The letters in their order, and the ACE digit if there is one."""
    first, text, end = cursor.token, "", cursor.token.start
    while cursor.kind in (WORD, FLOAT, INTEGER, ".", "-") and cursor.token.start == end:
        end = cursor.token.end
        text += cursor.step().text
    if not text:
        cursor.fail(*BODIES)
    digits = "".join(c for c in text if c in "0123456789")
    letters = "" if text == "-" else text.replace(digits, "", 1)
    strange = sorted(set(letters) - set(FLAGS))
    if strange or len(digits) > 1 or digits > "7":
        cursor.wrong(f"found {quoted(text)}, expected {listed(BODIES)}", first)
    if len(set(letters)) < len(letters):
        cursor.wrong(f"found the flags {quoted(text)}, in which one stands twice", first)
    if digits and set(letters) & set("EWA"):
        cursor.wrong(f"found the flags {quoted(text)}: the digit stands for E, W and A already", first)
    return "".join(c for c in FLAGS if c in letters), int(digits) if digits else None


# ICMP


def _icmp(cursor: Cursor) -> Icmp:
    kind = _named(cursor, "type", icmp.NAMES, "an ICMP type")
    names = icmp.codes(kind) if isinstance(kind, str) else ()
    code: str | int | None = None
    if cursor.kind == WORD and cursor.text not in ("mtu", "id"):
        code = _named(cursor, "code", names, f"a code of {kind}")
    mtu = ident = quote = None
    at = cursor.token
    if cursor.accept_word("mtu"):
        mtu = cursor.number("an MTU", U32)
        if not icmp.has_mtu(kind, code):
            cursor.wrong("found 'mtu', which only 'unreachable frag_needed' and 'packet_too_big' have", at)
    at = cursor.token
    if cursor.accept_word("id"):
        ident = cursor.number("an identifier", U16)
        if isinstance(kind, str) and kind not in icmp.QUERIES:
            cursor.wrong(f"found 'id', which only {listed(icmp.QUERIES)} have", at)
    if cursor.accept("["):
        quote = _quote(cursor)
    return Icmp(kind, code, mtu, ident, quote)


def _named(cursor: Cursor, prefix: str, names: tuple[str, ...], what: str) -> str | int:
    """One of `names`, or the number in `prefix_N`."""
    word = cursor.text if cursor.kind == WORD else ""
    number = word.removeprefix(f"{prefix}_")
    if word in names:
        cursor.step()
        return word
    if number != word and _SMALL.fullmatch(number) and int(number) <= U8:
        cursor.step()
        return int(number)
    known = (f"{what} ({', '.join(names)})",) if names else ()
    return cursor.fail(*known, f"{prefix}_N with N from 0 to {U8}")


def _quote(cursor: Cursor) -> Quote:
    for kind in ("udp", "raw"):
        if cursor.accept_word(kind):
            quote = Quote(kind, 0, _size(cursor))
            break
    else:
        if cursor.kind not in (INTEGER, HEX):
            cursor.fail("a quoted segment, as in 1:1001(1000)", "'udp (N)'", "'raw (N)'")
        quote = Quote("tcp", *_range(cursor))
    cursor.expect("]")
    return quote
