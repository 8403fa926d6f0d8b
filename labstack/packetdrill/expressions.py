# SPDX-License-Identifier: GPL-2.0-or-later
"""System calls and their arguments: `name(args) = result ERRNO (words)`.

Names of calls, fields and symbols are judged here, so that a slip of the pen is found before anything runs; what a
call's arguments mean is left to the runner. PSP's and SCTP's calls are refused.
"""

from collections.abc import Collection
from difflib import get_close_matches
from typing import NoReturn

from labstack.packetdrill import symbols
from labstack.packetdrill.cursor import Cursor, listed, quoted
from labstack.packetdrill.lexer import ELLIPSIS, END, HEX, INTEGER, STRING, WORD, Token
from labstack.packetdrill.script import ANY, Apply, Array, Braces, Expr, Field, Number, Symbol, Syscall, Text, Union
from labstack.packetdrill.strings import unescape

DEEPEST = 16  # braces and brackets inside each other; msghdr's control data need 4
MANY = 60  # names that are too many to list
LEAST, MOST = -(1 << 63), (1 << 64) - 1
REFUSED = {"psp_": "PSP", "sctp_": "SCTP"}  # how the names of their calls begin

CALLS = {  # the arguments; those in brackets may be left out
    "socket": "family, type, protocol", "bind": "fd, address, length", "connect": "fd, address, length",
    "listen": "fd, backlog", "accept": "fd, address, length", "accept4": "fd, address, length, flags",
    "close": "fd", "shutdown": "fd, how", "getsockname": "fd, address, length", "getpeername": "fd, address, length",
    "read": "fd, buffer, size", "write": "fd, buffer, size", "recv": "fd, buffer, size, flags",
    "send": "fd, buffer, size, flags", "readv": "fd, iovecs, count", "writev": "fd, iovecs, count",
    "recvfrom": "fd, buffer, size, flags, address, length", "sendto": "fd, buffer, size, flags, address, length",
    "recvmsg": "fd, message, flags", "sendmsg": "fd, message, flags",
    "getsockopt": "fd, level, name, value, length", "setsockopt": "fd, level, name, value, length",
    "fcntl": "fd, command, [argument]", "ioctl": "fd, request, [argument]", "poll": "fds, count, milliseconds",
    "epoll_create": "size", "epoll_create1": "flags", "epoll_ctl": "epoll, operation, fd, event",
    "epoll_wait": "epoll, event, most, milliseconds", "open": "path, flags, [mode]",
    "sendfile": "out, in, offset, size", "pipe": "fds", "splice": "in, offset, out, offset, size, flags",
    "cap_set": "capabilities",
}  # fmt: skip

KEYS = frozenset(
    (
        "sa_family", "sin_port", "sin_addr", "sin6_port", "sin6_flowinfo", "sin6_addr", "sin6_scope_id", "onoff",
        "linger", "msg_name", "msg_iov", "msg_flags", "msg_control", "cmsg_level", "cmsg_type", "cmsg_data",
        "scm_sec", "scm_nsec", "ee_errno", "ee_origin", "ee_type", "ee_code", "ee_info", "ee_data", "fd", "events",
        "revents", "ptr", "u32", "u64",
    )
)  # fmt: skip
FUNCTIONS = ("inet_addr", "inet6_addr", "htons", "htonl")


def syscall(cursor: Cursor, end: int | None = None) -> Syscall:
    """The call whose name stands here; `end`: when it returns, if it blocks."""
    name = cursor.step()
    for start, what in REFUSED.items():
        if name.text.startswith(start):
            cursor.refuse(f"{what} (system call {name.text[:40]})", name)
    if name.text not in CALLS:
        _unknown(cursor, name, "system call", CALLS)
    cursor.expect("(")
    args = () if cursor.kind == ")" else _list(cursor, 0)
    _counted(cursor, name, len(args))
    cursor.expect(")", "','", "')'")
    cursor.expect("=", "'=' and the result")
    base = 16 if cursor.kind == HEX else 10
    result = Number(cursor.number("the result", MOST, LEAST), base)
    errno = None
    if cursor.kind == WORD:
        if cursor.text not in symbols.GROUPS["errno"]:
            _unknown(cursor, cursor.token, "errno", symbols.GROUPS["errno"])
        errno = cursor.step().text
    return Syscall(name.text, args, result, errno, _note(cursor), end)


def _counted(cursor: Cursor, name: Token, count: int) -> None:
    said = CALLS[name.text].split(", ")
    least = len([arg for arg in said if arg[0] != "["])
    if not least <= count <= len(said):
        plural = "" if count == 1 else "s"
        cursor.wrong(f"found {count} argument{plural}, expected {name.text}({CALLS[name.text]})", name)


def _note(cursor: Cursor) -> str:
    """The words in parentheses behind a result; two pairs of parentheses give `first) (second`."""
    start, end = cursor.token.end, 0
    for _ in range(2):
        opening = cursor.token
        if not cursor.accept("("):
            break
        while cursor.kind not in (")", END):
            cursor.step()
        if cursor.kind == END:
            cursor.wrong("found '(', which is never closed", opening)
        end = cursor.step().start
    return " ".join(cursor.source.text[start:end].split()) if end else ""


# expressions


def _list(cursor: Cursor, depth: int) -> tuple[Expr, ...]:
    found = [expression(cursor, depth)]
    while cursor.accept(","):
        found.append(expression(cursor, depth))
    return tuple(found)


def expression(cursor: Cursor, depth: int = 0) -> Expr:
    """An argument, or one of the things inside it; `depth`: of the braces and brackets around it."""
    first = _one(cursor, depth)
    if cursor.kind != "|":
        return first
    parts = [first]
    while cursor.accept("|"):
        parts.append(_one(cursor, depth))
    for part in parts:
        if not isinstance(part, Number | Symbol):
            cursor.wrong("found '|' beside something that is neither a number nor a symbol")
    return Union(tuple(parts))


def _one(cursor: Cursor, depth: int) -> Expr:
    kind = cursor.kind
    if kind in (INTEGER, HEX):
        return Number(cursor.number("an argument", MOST, LEAST), 10 if kind == INTEGER else 16)
    if kind == WORD:
        return _word(cursor, depth)
    if kind == ELLIPSIS:
        cursor.step()
        return ANY
    if kind == STRING:
        return _text(cursor)
    if kind in ("[", "{"):
        return _container(cursor, depth + 1)
    return cursor.fail("'...'", "a number", "a symbol", "a string", "'['", "'{'")


def _text(cursor: Cursor) -> Text:
    """A string, and those that follow it."""
    pieces = []
    while cursor.kind == STRING:
        why, value = unescape(cursor.text)
        if why:
            cursor.wrong(why)
        pieces.append(value)
        cursor.step()
    return Text(b"".join(pieces))


def _container(cursor: Cursor, depth: int) -> Array | Braces:
    if depth > DEEPEST:
        cursor.wrong(f"found {cursor.found()}, expected at most {DEEPEST} of them inside each other")
    if cursor.step().kind == "[":
        items = () if cursor.kind == "]" else _list(cursor, depth)
        cursor.expect("]", "','", "']'")
        return Array(items)
    fields = [] if cursor.kind == "}" else [_field(cursor, depth)]
    while fields and cursor.accept(","):
        fields.append(_field(cursor, depth))
    cursor.expect("}", "','", "'}'")
    return Braces(tuple(fields))


def _field(cursor: Cursor, depth: int) -> Expr:
    """What may stand in braces: an expression, `key=value`, `key(args)=value`."""
    key = cursor.token
    behind = cursor.following().kind
    if key.kind != WORD or not (behind == "=" or (behind == "(" and _is_key(key.text))):
        return expression(cursor, depth)
    if not _is_key(key.text):
        _unknown(cursor, key, "field", KEYS)
    cursor.step()
    args: tuple[Expr, ...] = ()
    if cursor.accept("("):
        args = _list(cursor, depth)
        cursor.expect(")", "','", "')'")
    cursor.expect("=")
    return Field(key.text, expression(cursor, depth), args)


def _is_key(word: str) -> bool:
    return word in KEYS or word.startswith("TCP_NLA_")


def _word(cursor: Cursor, depth: int) -> Apply | Symbol:
    token = cursor.step()
    if cursor.kind != "(":
        if token.text != "NULL" and token.text not in symbols.VALUES:
            _unknown(cursor, token, "symbol", symbols.VALUES)
        return Symbol(token.text)
    if token.text not in FUNCTIONS:
        _unknown(cursor, token, "function", FUNCTIONS)
    if depth >= DEEPEST:
        cursor.wrong(f"found {cursor.found()}, expected at most {DEEPEST} of them inside each other")
    cursor.step()
    args = _list(cursor, depth + 1)
    cursor.expect(")", "','", "')'")
    if len(args) != 1 or not isinstance(args[0], Text if token.text.startswith("inet") else Number):
        kind = "one string" if token.text.startswith("inet") else "one number"
        cursor.wrong(f"found other arguments of {token.text}, expected {kind}", token)
    return Apply(token.text, args)


def _unknown(cursor: Cursor, token: Token, what: str, known: Collection[str]) -> NoReturn:
    """An unknown word, with the known ones that look like it."""
    near = tuple(get_close_matches(token.text[:40], known, 3))
    every = tuple(known) if len(known) < MANY else (f"a {what} of Linux's", "a word that is defined")
    expected = ("perhaps " if near else "") + listed(near or every)
    cursor.wrong(f"found the unknown {what} {quoted(token.text)}, expected {expected}", token)
