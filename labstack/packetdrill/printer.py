# SPDX-License-Identifier: GPL-2.0-or-later
"""A Script as text: parse(show(script)) says what the script says, places aside.

Times are in a column of their own; what is too long for a line has each of its parts on a line of its own.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from labstack.packetdrill.script import (
    ANYTIME,
    RANGE,
    RELATIVE,
    RELATIVE_RANGE,
    Any_,
    Apply,
    Array,
    Braces,
    Code,
    Command,
    Event,
    Expr,
    Field,
    Icmp,
    Ip,
    Number,
    Option,
    Packet,
    Quote,
    Script,
    Symbol,
    Syscall,
    Tcp,
    Text,
    Udp,
    Union,
    When,
)
from labstack.packetdrill.strings import escape
from labstack.packetdrill.tcpoptions import ROWS

WIDTH = 100  # columns, where it can be helped
TIMES = 5  # columns of times at least
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:/=,%")  # of unquoted option values
SECOND, DECIMALS = 1_000_000_000, 9
SILENT: Mapping[int, str] = MappingProxyType({})


def show(script: Script, remarks: Mapping[int, str] = SILENT) -> str:
    """The text of a script. Raises ValueError for what cannot be said: a backquote in a command, and the like.

    remarks: comments that are to stand before events, by their index; behind the last one, for their number.
    """
    head = [f"// {line}".rstrip() for line in script.about.split("\n")] if script.about else []
    notes = [_note(note.key, note.value) for note in script.notes]
    options = [_option(name, value) for name, value in script.options]
    before = [command(script.init)] if script.init else []
    times = [time(event) for event in script.events]
    width = max([TIMES, *(len(text) for text in times if len(text) <= 2 * TIMES)])
    events = [_event(event, text.rjust(width)) for event, text in zip(script.events, times, strict=True)]
    for at, remark in sorted(remarks.items(), reverse=True):
        events[at:at] = [f"{'':{width}} // {line}" for line in remark.split("\n")]
    after = [command(script.cleanup)] if script.cleanup else []
    return "\n\n".join("\n".join(part) for part in (head, notes, options, before, events, after) if part) + "\n"


def _note(key: str, value: str) -> str:
    return f"// xfail {value}" if key == "xfail" else f"// {key}: {value}"


def _option(name: str, value: str) -> str:
    if not value:
        return f"--{name}"
    return f"--{name}={value}" if PLAIN.issuperset(value) else f'--{name}="{value}"'


# events


def _event(event: Event, when: str) -> str:
    action = event.action
    if isinstance(action, Packet):
        return f"{when} {packet(action)}"
    if isinstance(action, Syscall):
        return f"{when} {syscall(action, len(when) + 1)}"
    return f"{when} {command(action) if isinstance(action, Command) else code(action)}"


def time(event: Event) -> str:
    """When an event is, as its line begins; with the end of a blocking call."""
    text = when(event.when)
    end = event.action.end if isinstance(event.action, Syscall) else None
    return text if end is None else f"{text}...{'0' if 0 < end < SECOND else ''}{seconds(end)}"


def when(value: When) -> str:
    if value.kind == ANYTIME:
        return "*"
    plus = "+" if value.kind in (RELATIVE, RELATIVE_RANGE) else ""
    text = plus + seconds(value.at)
    return f"{text}~{plus}{seconds(value.end)}" if value.kind in (RANGE, RELATIVE_RANGE) else text


def seconds(ns: int) -> str:
    """ns as seconds, without needless zeros: 10_000_000 is 0.01, written `.01`."""
    whole, rest = divmod(ns, SECOND)
    if not rest:
        return str(whole)
    return f"{whole or ''}.{rest:0{DECIMALS}d}".rstrip("0")


def command(value: Command) -> str:
    if "`" in value.text:
        raise ValueError(f"the command {value.text!r} has a backquote, which a script cannot say")
    return f"`{value.text}`"


def code(value: Code) -> str:
    if "}%" in value.text:
        raise ValueError(f"the code {value.text!r} has '}}%', which ends a block")
    blank = "\n" if "\n" in value.text else " "
    return f"%{{{blank}{value.text}{blank}}}%"


# packets


def packet(value: Packet) -> str:
    """A packet, from its direction on."""
    body = value.body
    ports = f"{value.ports[0]}>{value.ports[1]} " if value.ports else ""
    if isinstance(body, Tcp):
        text = ports + tcp(body)
    elif isinstance(body, Udp):
        text = f"udp {ports}({body.size})"
    else:
        text = ports + _icmp(body)
    return f"{'<' if value.inbound else '>'} {_ip(value.ip)}{text}"


def _ip(ip: Ip) -> str:
    said = [] if ip.ecn is None else [ip.ecn]
    said += [] if ip.tos is None else [f"tos {ip.tos:#04x}"]
    said += [] if ip.ttl is None else [f"ttl {ip.ttl}"]
    said += [] if ip.flowlabel is None else [f"flowlabel {ip.flowlabel:#07x}"]
    return f"[{', '.join(said)}] " if said else ""


def tcp(value: Tcp) -> str:
    """A TCP segment, from its flags on."""
    flags = value.flags + ("" if value.ace is None else str(value.ace))
    parts = [flags or "-", span(value.seq, value.size)]
    numbers = ("ack", value.ack), ("win", value.win), ("urg", value.urg)
    parts += [f"{name} {number}" for name, number in numbers if number is not None]
    if value.options is None:
        parts.append("<...>")
    elif value.options:
        parts.append(f"<{','.join(map(option, value.options))}>")
    return " ".join(parts)


def span(seq: int, size: int) -> str:
    """`start:end(size)`"""
    return f"{seq}:{(seq + size) % (1 << 32)}({size})"


def option(value: Option) -> str:
    """One TCP option. Raises ValueError for one that the language has no word for."""
    values: Any = value.values
    if value.name not in ROWS:
        raise ValueError(f"packetdrill has no word for the TCP option {value.name}")
    if value.name == "TS":
        return f"TS val {values[0]} ecr {values[1]}"
    if value.name == "sack":
        return " ".join(["sack", *(f"{a}:{b}" for a, b in zip(values[::2], values[1::2], strict=True))])
    words = [item.hex() if isinstance(item, bytes) else str(item) for item in values]
    return " ".join([value.name, *filter(None, words)])


def _icmp(value: Icmp) -> str:
    parts = ["icmp", value.type if isinstance(value.type, str) else f"type_{value.type}"]
    if value.code is not None:
        parts.append(value.code if isinstance(value.code, str) else f"code_{value.code}")
    parts += [f"{name} {number}" for name, number in (("mtu", value.mtu), ("id", value.ident)) if number is not None]
    if value.quote:
        parts.append(f"[{_quote(value.quote)}]")
    return " ".join(parts)


def _quote(value: Quote) -> str:
    return span(value.seq, value.size) if value.kind == "tcp" else f"{value.kind} ({value.size})"


# system calls


def syscall(value: Syscall, column: int = 0) -> str:
    """A call, from its name on; `column`: where it begins."""
    errno = f" {value.errno}" if value.errno else ""
    note = f" ({value.note})" if value.note else ""
    return _parts(f"{value.name}(", value.args, f") = {expression(value.result)}{errno}{note}", column)


def _parts(start: str, items: tuple[Expr, ...], end: str, column: int) -> str:
    """Items in a line; each on a line of its own, broken in its turn, if they do not fit behind `column`."""
    line = f"{start}{_list(items)}{end}"
    if column + len(line) <= WIDTH:
        return line
    column += len(start)
    return start + f",\n{'':{column}}".join([_broken(item, column) for item in items]) + end


def _broken(item: Expr, column: int) -> str:
    if isinstance(item, Field):
        start = f"{_key(item)}="
        return start + _broken(item.value, column + len(start))
    if isinstance(item, Array):
        return _parts("[", item.items, "]", column)
    if isinstance(item, Braces):
        return _parts("{", item.items, "}", column)
    return expression(item)


def _key(field: Field) -> str:
    return field.key + (f"({_list(field.args)})" if field.args else "")


def _list(items: tuple[Expr, ...]) -> str:
    return ", ".join(map(expression, items))


def expression(value: Expr) -> str:
    """An argument in one line."""
    if isinstance(value, Number):
        return hex(value.value) if value.base == 16 and value.value >= 0 else str(value.value)
    if isinstance(value, Symbol):
        return value.name
    if isinstance(value, Any_):
        return "..."
    if isinstance(value, Union):
        return "|".join(map(expression, value.parts))
    if isinstance(value, Text):
        return f'"{escape(value.value)}"'
    if isinstance(value, Array):
        return f"[{_list(value.items)}]"
    if isinstance(value, Braces):
        return f"{{{_list(value.items)}}}"
    if isinstance(value, Apply):
        return f"{value.name}({_list(value.args)})"
    return f"{_key(value)}={expression(value.value)}"
