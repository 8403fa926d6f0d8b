# SPDX-License-Identifier: GPL-2.0-or-later
"""What the expressions of a script are worth: numbers, bytes, sizes, fields of braces; and expressions for values.

C's layout is little-endian.
"""

from collections.abc import Sequence
from struct import unpack

from labstack.ip.family import parse_addr
from labstack.packetdrill import symbols
from labstack.packetdrill.printer import expression
from labstack.packetdrill.script import ANY, Apply, Array, Braces, Expr, Field, Number, Symbol, Text, Union

ZERO, NULL = Number(0), Symbol("NULL")
LINGER, TEXTS = (1, 13), ((6, 13), (6, 31))  # (level, name) of options; TEXTS: their values are text
LINGERS = ("onoff", "linger")
LARGEST = 64 << 20  # bytes that one call may carry


class ValueRefusedError(ValueError):
    """An argument is of a kind that its call does not take; str() says what was found and what was expected."""


def number(expr: Expr) -> int:
    """An integer: 5, 0x5, AF_INET, A|B, NULL, htons(80)."""
    if isinstance(expr, Number):
        return expr.value
    if isinstance(expr, Symbol):
        return symbols.value(expr.name)
    if isinstance(expr, Union):
        total = 0
        for part in expr.parts:
            total |= number(part)
        return total
    if isinstance(expr, Apply) and expr.name in ("htons", "htonl"):
        return number(expr.args[0])
    raise wrong(expr, "a number")


def size(expr: Expr) -> int:
    """A number of bytes that a call reads or writes."""
    value = number(expr)
    if value > LARGEST:
        raise ValueRefusedError(f"{value} bytes are more than the {LARGEST} that a call may have here")
    return value


def signed(expr: Expr) -> int:
    """A number as an int of C."""
    value = number(expr) & 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def is_null(expr: Expr) -> bool:
    """NULL, or 0 where a pointer is expected."""
    return expr in (NULL, ZERO, Number(0, 16))


def buffer(expr: Expr, length: int) -> bytes | None:
    """What a call writes from `...` (zeros), "text" (its beginning) or NULL (None)."""
    if is_null(expr):
        return None
    if isinstance(expr, Text):
        return expr.value[:length]
    if expr != ANY:
        raise wrong(expr, "'...', a string or NULL")
    return bytes(length)


def items(expr: Expr) -> tuple[Expr, ...]:
    """What stands in brackets or braces."""
    if not isinstance(expr, Array | Braces):
        raise wrong(expr, "a list in brackets or braces")
    return expr.items


def fields(expr: Expr, *known: str) -> dict[str, Expr]:
    """What stands in braces as key=value; only known keys (all, if none are named), none of them twice."""
    if not isinstance(expr, Braces):
        raise wrong(expr, "{" + ", ".join(f"{key}=..." for key in known) + "}")
    found: dict[str, Expr] = {}
    for item in expr.items:
        if not isinstance(item, Field) or (known and item.key not in known) or item.key in found:
            raise wrong(item, f"each of {', '.join(known)} once, as key=value")
        found[item.key] = item.value
    return found


def only(expr: Expr) -> Expr:
    """The x in [x]."""
    if not isinstance(expr, Array) or len(expr.items) != 1:
        raise wrong(expr, "one value in brackets")
    return expr.items[0]


def address(expr: Expr) -> tuple[str, int]:
    """Host and port of {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("192.0.2.1")}, or of AF_INET6."""
    given = fields(
        expr, "sa_family", "sin_port", "sin_addr", "sin6_port", "sin6_addr", "sin6_flowinfo", "sin6_scope_id"
    )
    port = given.get("sin_port", given.get("sin6_port"))
    host = given.get("sin_addr", given.get("sin6_addr"))
    if port is None or host is None:
        raise wrong(expr, "sin_port and sin_addr, or sin6_port and sin6_addr")
    return host_text(host), number(port)


def host_text(expr: Expr) -> str:
    """The text in inet_addr("192.0.2.1") and inet6_addr("fd00::1")."""
    if not isinstance(expr, Apply) or not isinstance(expr.args[0], Text):
        raise wrong(expr, 'inet_addr("...") or inet6_addr("...")')
    return expr.args[0].value.decode("ascii", "replace")


def packed(expr: Expr) -> bytes:
    """The bytes of inet6_addr("fd00::1")."""
    try:
        return parse_addr(host_text(expr))
    except OSError as error:
        raise ValueRefusedError(str(error.strerror)) from None


def iovec(expr: Expr) -> list[tuple[Expr, int]]:
    """(buffer, length) of each in [{..., 10}, {..., 20}]."""
    found = []
    for item in items(expr):
        parts = items(item)
        if len(parts) != 2:
            raise wrong(item, "{buffer, length}")
        found.append((parts[0], size(parts[1])))
    return found


def option(expr: Expr, width: int) -> bytes | None:
    """The bytes of [5], "text", {onoff=1, linger=0} or inet6_addr("..."), `width` of them; None for NULL."""
    if is_null(expr):
        return None
    if isinstance(expr, Text):
        made = expr.value
    elif isinstance(expr, Braces):
        given = fields(expr, *LINGERS)
        made = b"".join(little(number(given.get(key, ZERO)), 4) for key in LINGERS)
    elif isinstance(expr, Array):
        made = b"".join(little(number(item), 4) for item in expr.items)
    else:
        made = packed(expr)
    return made[:width].ljust(width, b"\0")


def little(value: int, width: int) -> bytes:
    """An integer of C in `width` bytes, little-endian."""
    return (value & ((1 << 8 * width) - 1)).to_bytes(width, "little")


def wrong(expr: Expr, expected: str) -> ValueRefusedError:
    """The error that `expr` is not what is expected."""
    return ValueRefusedError(f"found {expression(expr)}, expected {expected}")


# the other way round


def word(group: str, value: int) -> Expr:
    """One number as a symbol, if there is one."""
    name = symbols.name(group, value) if group in symbols.GROUPS else ""
    return Symbol(name) if name[:1].isalpha() else Number(value)


def bits(group: str, value: int) -> Expr:
    """Flags as symbols: MSG_PEEK|MSG_DONTWAIT; 0 for none."""
    parts = tuple(Number(int(it, 0), 16 if it[:2] == "0x" else 10) if it[0].isdigit() else Symbol(it)
                  for it in symbols.flags(group, value).split("|"))  # fmt: skip
    return parts[0] if len(parts) == 1 else Union(parts)


def sockaddr(host: str, port: int) -> Expr:
    six = ":" in host
    kind = "sin6" if six else "sin"
    return Braces((
        Field("sa_family", Symbol("AF_INET6" if six else "AF_INET")),
        Field(f"{kind}_port", Apply("htons", (Number(port),))),
        Field(f"{kind}_addr", Apply("inet6_addr" if six else "inet_addr", (Text(host.encode()),))),
    ))  # fmt: skip


def vector(sizes: Sequence[int] | None) -> Expr:
    """Buffers of these sizes; NULL for None."""
    return NULL if sizes is None else Array(tuple([Braces((ANY, Number(size))) for size in sizes]))


def option_written(level: int, name: int, value: bytes) -> Expr:
    """[5], {onoff=1, linger=0}, or the bytes."""
    if (level, name) == LINGER and len(value) == 8:
        return Braces(tuple([Field(key, Number(it)) for key, it in zip(LINGERS, unpack("<ii", value), strict=True)]))
    if len(value) % 4 or not value or (level, name) in TEXTS:
        return Text(value)
    return Array(tuple([Number(it) for it in unpack(f"<{len(value) // 4}I", value)]))
