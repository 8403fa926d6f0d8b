# SPDX-License-Identifier: GPL-2.0-or-later
"""How headers look: one line (`repr`), a summary, all fields (`show`) and a hexadecimal dump. Text in, text out.

It reads the tables of the headers and knows no protocol, but for the words a class offers in `_summary`.
"""

from typing import Any


def shown(text: str, dump: bool) -> str | None:
    """Return `text`, or print it and return None."""
    if dump:
        return text
    print(text)
    return None


def _default(layer: Any) -> dict[str, Any]:
    plain = layer.__class__()
    return {row.name: getattr(plain, row.slot) for row in layer.table}


def line(packet: Any) -> str:
    """Return `<IP dst=10.0.0.1 |<TCP flags=S |>>`: the fields that are not at their defaults."""
    parts = []
    for layer in packet.layers():
        plain = _default(layer._healed())
        fields = [
            f"{row.name}={row.text(getattr(layer, row.name))}"
            for row in layer.table
            if getattr(layer, row.slot) != plain[row.name]
        ]
        parts.append(f"<{' '.join([layer.__class__.__name__, *fields])} |")
    return "".join(parts) + ">" * len(parts)


def summary(packet: Any) -> str:
    """Return `Ether / IP / TCP 10.0.0.1:20 > 10.0.0.2:80 S`."""
    words, lower = [], None
    for layer in packet.layers():
        say = getattr(layer.__class__, "_summary", None)
        words.append(say(layer, lower) if say else layer.__class__.__name__)
        lower = layer
    return " / ".join(words)


def show(packet: Any, indent: str = "") -> str:
    """Return every field of every header, a line each; headers inside a field are indented."""
    lines = []
    for layer in packet.layers():
        lines.append(f"{indent}###[ {layer.name} ]###")
        for row in layer._healed().table:
            value = getattr(layer, row.name)
            nested = value if isinstance(value, list) and value and hasattr(value[0], "table") else []
            lines.append(f"{indent}  {row.name:<10}= {'' if nested else row.text(value)}".rstrip())
            lines += [show(item, indent + "    ") for item in nested]
    if packet.drop is not None:
        lines.append(f"{indent}  (not all could be read: {packet.drop})")
    return "\n".join(lines)


def ls(header: Any, dump: bool = False) -> str | None:
    """Print a header class's table, or a header's with its values: name, width in bits, default (or return that)."""
    cls: Any = header if isinstance(header, type) else header.__class__
    lines = [f"{cls.__name__}: {(cls.__doc__ or '').partition(chr(10))[0]}"]
    for row in cls.table:
        width = "var" if row.codec else str(8 * len(row.default) if isinstance(row.default, bytes) else row.bits)
        value = "" if cls is header else f" = {row.text(getattr(header, row.name))}"
        usual = row.codec.empty if row.codec else row.default
        default = "computed" if usual is None else row.text(usual)
        lines.append(f"  {row.name:<12} {width:>4}  {default}{value}")
    return shown("\n".join(lines), dump)


def hexdump(data: bytes) -> str:
    """Return 16 bytes a line: offset, hexadecimal, text."""
    lines = []
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        text = "".join(chr(b) if 32 <= b < 127 else "." for b in row)
        lines.append(f"{at:04x}  {row.hex(' '):<47}  {text}")
    return "\n".join(lines)
