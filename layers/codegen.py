# SPDX-License-Identifier: GPL-2.0-or-later
"""From a header's table to its functions: `__init__`, `_fill` (parse), `_above` (what follows), `_grow` (both, up
the chain), `_emit` (build), `_stack` (copy). A class may write any of them itself.

The source is plain Python with one struct call per header, made at a class's first use (so that importing stays fast)
and registered in `linecache`: tracebacks show it and a debugger steps through it. `print(source(TCP))` shows it, too.
"""

import linecache
from collections.abc import Callable, Iterator
from functools import lru_cache
from struct import Struct, error
from typing import Any

from layers.field import Address, Auto, Field

TOO_DEEP = "too-many-headers"
METHODS = ("__init__", "_fill", "_above", "_grow", "_emit", "_stack")


def install(cls: Any) -> None:
    """Give `cls` the functions of METHODS that it does not write itself; they are generated when first called."""
    cls.generated = [name for name in METHODS if not _written(cls, name)]
    for name in cls.generated:
        setattr(cls, name, _first_call(cls, name))


def _written(cls: Any, name: str) -> bool:
    """Say whether `cls` or a header class that it builds on writes the function itself."""
    owner = next(base for base in (*cls.__mro__, object) if name in base.__dict__ or base is object)
    return owner is cls or (len(owner.__mro__) > 2 and name not in owner.generated)


def _first_call(cls: Any, name: str) -> Callable[..., Any]:
    def generate_and_call(self: Any, *args: Any, **fields: Any) -> Any:
        _generate(cls)
        return getattr(cls, name)(self, *args, **fields)

    generate_and_call.__name__ = name
    return generate_and_call


def _generate(cls: Any) -> None:
    text = source(cls)
    file = f"<layers.{cls.__name__}>"
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)
    made = _globals(cls)
    exec(compile(text, file, "exec"), made)
    for name in cls.generated:
        setattr(cls, name, made[name])


def _globals(cls: Any) -> dict[str, Any]:
    layout = Struct(cls.order + "".join(fmt for fmt, _ in groups(cls.table)))
    made = {
        "__name__": f"layers.generated.{cls.__name__}",
        "CLS": cls, "NEW": object.__new__, "UNPACK": layout.unpack_from, "PACK": layout.pack, "SIZE": layout.size,
        "ERRORS": (error, TypeError, OverflowError, AttributeError), "SHORT": cls.short, "NOTHING": cls.nothing,
        "BYTES": bytes, "STR": str, "LEN": len, "LIST": list, "COPIES": copies, "NONE": b"", "UNREAD": 0,
        "UPPERS": cls.uppers, "LOWERS": cls.lowers, "RAW": cls.raw, "TOO_DEEP": TOO_DEEP, "AUTO": Auto,
    }  # fmt: skip
    for row in cls.table:
        made["D_" + row.name] = row.default
        made["VALUE_" + row.name] = lru_cache(256)(row.value) if row.names else row.value
        if isinstance(row, Address):
            made["PACK_" + row.name] = row.pack
        if row.sum is not None:
            made["SUM_" + row.name] = row.sum
        if row.codec is not None:
            made["READ_" + row.name], made["WRITE_" + row.name] = row.codec.read, row.codec.write
            made["EMPTY_" + row.name] = row.codec.empty
    return made


def groups(table: list[Field]) -> Iterator[tuple[str, list[Field]]]:
    """Yield (struct format, rows) for the fixed rows: neighbouring bit rows share one number."""
    run: list[Field] = []
    for row in table:
        if not row.fmt and row.bits:
            run.append(row)
            continue
        if run:
            yield _width(run), run
            run = []
        if row.fmt and row.fmt != "-":
            yield row.fmt, [row]
    if run:
        yield _width(run), run


def _width(run: list[Field]) -> str:
    size = sum(row.bits for row in run)
    return {8: "B", 16: "H", 32: "I"}.get(size) or f"{size // 8}s"


def source(cls: Any) -> str:
    """Return the source of the functions generated for a header class."""
    return "\n\n".join([_init(cls), _fill(cls), _above(cls), _grow(cls), _emit(cls), _stack(cls)]) + "\n"


def copies(items: Any) -> list[Any]:
    """Return a list with its own copies of the headers in it."""
    return [item.copy() if hasattr(item, "table") else item for item in items]


def _init(cls: Any) -> str:
    names = [row.name for row in cls.table]
    lines = [
        f"def __init__(self, _pkt=None, {', '.join(f'{n}=D_{n}' for n in names)}):",
        "    self._meta = None",
        "    if _pkt is not None:",
        "        return self._dissect(_pkt)",
        "    self.payload = NOTHING",
        "    self.size = None",
    ]
    for row in cls.table:
        n = row.name
        if isinstance(row, Address):
            lines += [f"    if {n}.__class__ is STR:", f"        {n} = PACK_{n}({n})"]
            lines += [f"    elif {n} is not D_{n}:", f"        {n} = VALUE_{n}({n})", f"    self.{row.slot} = {n}"]
        elif row.codec is not None and isinstance(row.codec.empty, list):
            lines.append(f"    self.{n} = [] if {n} is None else {n}")
        elif row.codec is not None:
            lines.append(f"    self.{n} = EMPTY_{n} if {n} is None else {n}")
        elif row.names is not None:
            lines.append(f"    self.{row.slot} = VALUE_{n}({n}) if {n}.__class__ is STR else {n}")
        else:
            lines.append(f"    self.{n} = {n}")
    return "\n".join(lines)


def _fill(cls: Any) -> str:
    return "\n".join(["def _fill(self, buf, at, end):", *_reading(cls), "    return at"])


def _grow(cls: Any) -> str:
    lines = ["def _grow(self, buf, at, end, room, flaws):"]
    if "_fill" not in cls.generated:
        lines += ["    at = self._fill(buf, at, end)", "    if at.__class__ is STR:", "        return at"]
    else:
        lines += _reading(cls)
    above = _upper(cls) if "_above" in cls.generated else ["    kind, end = self._above(buf, at, end)"]
    return "\n".join([*lines, *above, *_GROW])


_GROW = """
    if self._meta is not None:
        flaws.append(self._meta['drop'])
    if at >= end:
        return end
    if kind is not RAW and room:
        upper = NEW(kind)
        got = upper._grow(buf, at, end, room - 1, flaws)
        if got.__class__ is not STR:
            self.payload = upper
            return got
        flaws.append(got)
    elif not room:
        flaws.append(TOO_DEEP)
    self.payload = upper = NEW(RAW)
    upper.load = buf[at:end]
    upper.size = end - at
    upper.payload = NOTHING
    upper._meta = None
    return end""".splitlines()[1:]


def _reading(cls: Any) -> list[str]:
    targets, splits = [], []
    for i, (fmt, rows) in enumerate(groups(cls.table)):
        if rows[0].fmt:
            targets.append("self." + rows[0].slot)
            continue
        targets.append(f"g{i}")
        if fmt.endswith("s"):
            splits.append(f"    g{i} = int.from_bytes(g{i}, 'big')")
        shift = sum(row.bits for row in rows)
        for row in rows:
            shift -= row.bits
            part = f"g{i} >> {shift}" if shift else f"g{i}"
            splits.append(f"    self.{row.slot} = {part}" + (f" & {(1 << row.bits) - 1}" if row is not rows[0] else ""))
    lines = ["    start = at"]
    if targets:
        lines += ["    if end - at < SIZE:", "        return SHORT", f"    ({', '.join(targets)},) = UNPACK(buf, at)"]
    lines += [*splits, "    at += SIZE", "    self.payload = NOTHING", "    self._meta = None"]
    if hasattr(cls, "_read"):
        lines += ["    at = self._read(buf, at, end)", "    if at.__class__ is STR:", "        return at"]
    for row in cls.table if not hasattr(cls, "_read") else []:
        if row.codec is not None:
            lines += _fill_var(row)
    return [*lines, "    self.size = at - start"]


def _above(cls: Any) -> str:
    return "\n".join(["def _above(self, buf, at, end):", *_upper(cls), "    return kind, end"])


def _upper(cls: Any) -> list[str]:
    lines = ["    kind = RAW" if cls.key is None else f"    kind = UPPERS.get(self.{cls.key}, RAW)"]
    if hasattr(cls, "_otherwise"):
        lines += ["    if kind is RAW:", "        kind, end = self._otherwise(at, end)"]
    return lines


def _fill_var(row: Field) -> list[str]:
    n = row.name
    lines = [f"    stop = at + {row.size}" if row.size else "    stop = end"]
    if row.size:
        lines += ["    if stop > end:", "        return SHORT"]
        lines += ["    if stop < at:", f"        return {repr(row.short) if row.short else 'SHORT'}"]
    empty = "[]" if isinstance(row.codec and row.codec.empty, list) else f"EMPTY_{n}"
    lines += ["    if stop == at:", f"        self.{n} = {empty}", "    else:"]
    lines.append(f"        self.{n}, flaw = READ_{n}(buf[at:stop] if buf.__class__ is BYTES else BYTES(buf[at:stop]))")
    return [*lines, "        if flaw is not None:", "            self._meta = {'drop': flaw}", "        at = stop"]


def _emit(cls: Any) -> str:
    lines = ["def _emit(self, under):", "    tail = self.payload._emit((self, under))"]
    lines += ["    if self.size is UNREAD:", "        return tail", "    try:"]
    pieces = [f"(WRITE_{n}(self.{n}) if self.{n} else NONE)" for n in [row.name for row in cls.table if row.codec]]
    more = "self._more()" if hasattr(cls, "_more") else " + ".join(pieces)
    if more:
        lines.append(f"        more = {more}")
    for row in cls.table:
        if row.default is None and row.codec is None:
            lines.append(f"        {row.name} = self.{row.name}")
        if row.fill:
            fill = row.fill.replace("len(", "LEN(")
            lines += [f"        if {row.name} is None:", f"            {row.name} = {fill}"]
    values = [_packed(fmt, rows) for fmt, rows in groups(cls.table)]
    parts = ([f"PACK({', '.join(values)})"] if values else []) + (["more"] if more else [])
    lines += [f"        head = {' + '.join(parts) or 'BYTES()'}", "    except ERRORS:"]
    lines.append("        return self._repaired(tail)._emit(under)")
    at = 0
    for fmt, rows in groups(cls.table):
        if rows[0].sum is not None:
            n = rows[0].name
            patched = f"head[:{at}] + SUM_{n}(head, tail, under) + head[{at + 2}:]"
            lines += [f"    if {n} is None:", f"        head = {patched}"]
        at += Struct("!" + fmt).size
    return "\n".join([*lines, "    return head + tail"])


def _packed(fmt: str, rows: list[Field]) -> str:
    terms, shift = [], sum(row.bits for row in rows)
    for row in rows:
        local = row.default is None
        name = row.name if local else "self." + row.slot
        if local and not row.fill:
            name = f"({name} or 0)"
        shift -= row.bits
        if not row.fmt:
            name = f"({name} & {(1 << row.bits) - 1})" + (f" << {shift}" if shift else "")
        terms.append(name)
    value = " | ".join(terms)
    return f"({value}).to_bytes({fmt[:-1]}, 'big')" if not rows[0].fmt and fmt.endswith("s") else value


def _stack(cls: Any) -> str:
    lines = ["def _stack(self, upper):", "    new = NEW(CLS)", "    new.size = self.size"]
    lines += ["    new._meta = None if self._meta is None else self._meta.copy()", "    try:"]
    for row in cls.table:
        value = f"self.{row.slot}"
        if row.codec is not None and isinstance(row.codec.empty, list):
            value = f"{'COPIES' if row.codec.deep else 'LIST'}({value}) if {value} else []"
        lines.append(f"        new.{row.slot} = {value}")
    lines += ["        pass"] if not cls.table else []
    lines += ["    except AttributeError:", "        return self._healed()._stack(upper)"]
    lines += ["    if self.payload is NOTHING:", "        new.payload = upper"]
    if cls.lowers:
        lines += [
            "        if upper.__class__ in LOWERS:",
            "            value, rest = LOWERS[upper.__class__]",
            f"            if self.{cls.key}.__class__ is AUTO:",
            f"                new.{cls.key} = value",
            "            if rest:",
            "                new._seat(upper, rest)",
        ]
    return "\n".join([*lines, "    else:", "        new.payload = self.payload._stack(upper)", "    return new"])
