# SPDX-License-Identifier: GPL-2.0-or-later
"""SipHash-2-4 (Aumasson, Bernstein 2012): a keyed hash of short messages, 64 bits.

Fast Open cookies are made with it, so that a cookie of one host under a key is the cookie of any Linux under that key.
"""

_MASK = (1 << 64) - 1
_INITIAL = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
_ROUNDS, _LAST_ROUNDS = 2, 4


def siphash(key: bytes, message: bytes) -> int:
    """The hash of a message under a key of 16 bytes."""
    k0, k1 = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:16], "little")
    v = tuple(word ^ k for word, k in zip(_INITIAL, (k0, k1, k0, k1), strict=True))
    whole = len(message) & ~7
    tail = message[whole:] + bytes(7 - (len(message) & 7)) + bytes((len(message) & 0xFF,))
    for at in range(0, whole + 8, 8):
        word = int.from_bytes(message[at : at + 8] if at < whole else tail, "little")
        v = _mixed((v[0], v[1], v[2], v[3] ^ word), _ROUNDS)
        v = (v[0] ^ word, v[1], v[2], v[3])
    v = _mixed((v[0], v[1], v[2] ^ 0xFF, v[3]), _LAST_ROUNDS)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def _mixed(v: tuple[int, ...], rounds: int) -> tuple[int, int, int, int]:
    a, b, c, d = v
    for _ in range(rounds):
        a = a + b & _MASK
        b = _turned(b, 13) ^ a
        c = c + d & _MASK
        d = _turned(d, 16) ^ c
        a = _turned(a, 32) + d & _MASK
        d = _turned(d, 21) ^ a
        c = c + b & _MASK
        b = _turned(b, 17) ^ c
        c = _turned(c, 32)
    return a, b, c, d


def _turned(word: int, by: int) -> int:
    return (word << by | word >> 64 - by) & _MASK
