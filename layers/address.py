# SPDX-License-Identifier: GPL-2.0-or-later
"""Text and packed forms of MAC, IPv4 and IPv6 addresses, without `ipaddress` or `socket`.

Packed forms are bytes of 6, 4 and 16. Text of IPv6 is canonical (RFC 5952 §4); addresses with an embedded IPv4
address (`::ffff:a.b.c.d`, `::a.b.c.d`) show it dotted (RFC 5952 §5), as `inet_ntop` of common C libraries does.
Functions towards bytes take packed bytes, too, and raise ValueError with what was wrong: they serve callers, not wires.
"""

from functools import lru_cache
from struct import Struct

_WORDS = Struct("!8H").unpack


@lru_cache(4096)
def mac_text(packed: bytes) -> str:
    """Return `aa:bb:cc:dd:ee:ff` for packed bytes of any length."""
    return packed.hex(":")


@lru_cache(4096)
def ip4_text(packed: bytes) -> str:
    """Return dotted text for 4 packed bytes."""
    return "{}.{}.{}.{}".format(*packed)


@lru_cache(4096)
def ip6_text(packed: bytes) -> str:
    """Return canonical text for 16 packed bytes (RFC 5952)."""
    words = _WORDS(packed)
    start, length = _longest_zeros(words)
    if start == 0 and (length == 6 or (length == 5 and words[5] == 0xFFFF)):
        return ("::ffff:" if length == 5 else "::") + ip4_text(packed[12:])
    if length < 2:
        return ":".join([f"{w:x}" for w in words])
    head, rest = words[:start], words[start + length :]
    return ":".join([f"{w:x}" for w in head]) + "::" + ":".join([f"{w:x}" for w in rest])


def _longest_zeros(words: tuple[int, ...]) -> tuple[int, int]:
    """Return (start, length) of the first longest run of zero words (RFC 5952 §4.2.3)."""
    best = (0, 0)
    run = 0
    for i, word in enumerate(words):
        run = 0 if word else run + 1
        if run > best[1]:
            best = (i + 1 - run, run)
    return best


def any_text(packed: bytes) -> str:
    """Return the text of an address whose kind only its length tells (4, 16; else colon-separated hex)."""
    show = {4: ip4_text, 16: ip6_text}.get(len(packed), mac_text)
    return show(packed)


@lru_cache(4096)
def mac(value: str | bytes) -> bytes:
    """Return 6 packed bytes for `aa:bb:cc:dd:ee:ff` (or `-` as separator)."""
    packed = value if isinstance(value, bytes) else _hex_octets(value)
    if len(packed) != 6:
        raise ValueError(f"{value!r} is not a MAC address: expected six octets such as 02:00:00:00:00:01")
    return packed


def _hex_octets(text: str) -> bytes:
    try:
        return bytes([int(octet, 16) for octet in text.replace("-", ":").split(":")])
    except ValueError:
        return b""


@lru_cache(4096)
def ip4(value: str | bytes) -> bytes:
    """Return 4 packed bytes for dotted text."""
    packed = value if isinstance(value, bytes) else _decimal_octets(value)
    if len(packed) != 4:
        raise ValueError(f"{value!r} is not an IPv4 address: expected four decimal octets such as 192.0.2.1")
    return packed


def _decimal_octets(text: str) -> bytes:
    octets = text.split(".")
    if len(octets) != 4 or not all(o.isascii() and o.isdigit() and len(o) < 4 and int(o) < 256 for o in octets):
        return b""
    return bytes(map(int, octets))


@lru_cache(4096)
def ip6(value: str | bytes) -> bytes:
    """Return 16 packed bytes for IPv6 text in any form of RFC 4291 §2.2."""
    packed = value if isinstance(value, bytes) else _ip6_octets(value)
    if len(packed) != 16:
        raise ValueError(f"{value!r} is not an IPv6 address: expected text such as 2001:db8::1")
    return packed


def _ip6_octets(text: str) -> bytes:
    head, gap, rest = text.partition("::")
    before, after = _groups(head), _groups(rest)
    if before is None or after is None:
        return b""
    missing = 16 - len(before) - len(after)
    if not gap:
        return before if missing == 0 else b""
    return before + bytes(missing) + after if missing >= 2 else b""


def _groups(text: str) -> bytes | None:
    """Return the packed bytes of `a:b:c` or `a:b:1.2.3.4`, too many or None if malformed."""
    if not text:
        return b""
    packed = b""
    groups = text.split(":")
    for group in groups:
        if "." in group and group is groups[-1]:
            packed += _decimal_octets(group) or bytes(17)
        elif 1 <= len(group) <= 4 and all(c in "0123456789abcdefABCDEF" for c in group):
            packed += int(group, 16).to_bytes(2, "big")
        else:
            return None
    return packed


def any_address(value: str | bytes) -> bytes:
    """Return packed bytes for MAC, IPv4 or IPv6 text; bytes pass through."""
    if isinstance(value, bytes):
        return value
    if "." in value and ":" not in value:
        return ip4(value)
    return mac(value) if value.count(":") == 5 and "::" not in value else ip6(value)
