# SPDX-License-Identifier: GPL-2.0-or-later
"""Signatures (RFC 2385): an MD5 sum over the segment and a key that both sides know, as BGP routers use it.

Who has a key for a peer signs every segment to it, and believes none from it that is not signed. A key is for an
address or for a prefix; of several the longest prefix counts.
"""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from labstack.core.env import Env
from labstack.core.frame import Piece
from labstack.tcp.segment import PROTO, TCP_HLEN, Segment

LONGEST = 80  # bytes of a key
MOST = 128  # keys of one socket
PLACE = TCP_HLEN + 4  # of the signature, which is the first option, behind two NOPs
_SIZE = 16


class Key(NamedTuple):
    """For peers whose address begins with `prefix` bits of `address`."""

    address: bytes
    prefix: int
    secret: bytes

    def fits(self, peer: bytes) -> bool:
        if len(self.address) != len(peer):
            return False
        differs = int.from_bytes(self.address, "big") ^ int.from_bytes(peer, "big")
        return not differs >> 8 * len(peer) - self.prefix


Keys = tuple[Key, ...]


def find(keys: Keys, peer: bytes) -> bytes:
    """The secret for this peer, b"" if there is none."""
    fitting = [it for it in keys if it.fits(peer)]
    return max(fitting, key=lambda it: it.prefix).secret if fitting else b""


def signature(secret: bytes, src: bytes, dst: bytes, head: bytes, size: int, data: Iterable[Piece]) -> bytes:
    """RFC 2385 §2: pseudo-header, header without options and checksum, data, key. size: of the whole segment."""
    summed = hashlib.md5(src + dst, usedforsecurity=False)
    words = PROTO.to_bytes(2, "big") + size.to_bytes(2, "big")
    if len(src) != 4:
        words = size.to_bytes(4, "big") + PROTO.to_bytes(4, "big")  # RFC 8200 §8.1
    summed.update(words)
    summed.update(head[:16] + b"\0\0" + head[18:TCP_HLEN])
    for piece in data:
        summed.update(piece)
    summed.update(secret)
    return summed.digest()


def signed(secret: bytes, src: bytes, dst: bytes, head: bytes, data: tuple[Piece, ...]) -> bytes:
    """The header of a segment of ours with its signature in place."""
    size = len(head) + sum(map(len, data))
    return head[:PLACE] + signature(secret, src, dst, head, size, data) + head[PLACE + _SIZE :]


def admits(env: Env, keys: Keys, seg: Segment) -> bool:
    """Is the segment signed if it must be, and rightly? It is dropped otherwise, silently (RFC 2385 §2)."""
    d = seg.dgram
    secret = find(keys, d.src)
    if not secret:
        if seg.md5 is None:
            return True
        env.count["TcpExtTCPMD5Unexpected"] += 1
        env.drop("drop.tcp.md5_unexpected")
    elif seg.md5 is None:
        env.count["TcpExtTCPMD5NotFound"] += 1
        env.drop("drop.tcp.md5_missing")
    elif signature(secret, d.src, d.dst, bytes(d.buf[d.at : d.at + TCP_HLEN]), d.length, seg.pieces) != seg.md5:
        env.count["TcpExtTCPMD5Failure"] += 1
        env.drop("drop.tcp.md5_failure")
    else:
        seg.secret = secret
        return True
    return False
