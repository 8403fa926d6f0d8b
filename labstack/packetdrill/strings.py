# SPDX-License-Identifier: GPL-2.0-or-later
r"""The text between quotes as bytes and back: the escapes \f \n \r \t \v \xhh \" \\; what is not ASCII is UTF-8."""

import re

_ESCAPES = {"f": b"\f", "n": b"\n", "r": b"\r", "t": b"\t", "v": b"\v", '"': b'"', "\\": b"\\"}
_WRITTEN = {value[0]: "\\" + name for name, value in _ESCAPES.items()}
_PARTS = re.compile(r"[^\\]+|\\x([0-9A-Fa-f]{2})|\\(.?)", re.DOTALL)


def unescape(text: str) -> tuple[str, bytes]:
    """(what is wrong with it or "", the bytes that `text` means)."""
    if "\\" not in text:
        return "", text.encode("utf-8", "surrogatepass")
    pieces = []
    for part in _PARTS.finditer(text):
        if part[1] is not None:
            pieces.append(bytes((int(part[1], 16),)))
        elif part[2] is None:
            pieces.append(part[0].encode("utf-8", "surrogatepass"))
        elif part[2] in _ESCAPES:
            pieces.append(_ESCAPES[part[2]])
        else:
            shown = part[0] if part[0].isprintable() else ascii(part[0])
            return rf"found the escape {shown}, expected \f \n \r \t \v \xhh \" or \\", b""
    return "", b"".join(pieces)


def escape(value: bytes) -> str:
    """Bytes as they stand between quotes."""
    return "".join(_WRITTEN.get(c) or (chr(c) if 32 <= c < 127 else f"\\x{c:02x}") for c in value)
