# SPDX-License-Identifier: GPL-2.0-or-later
"""A script's text to a Script: options, commands before and after, and events with their times.

Newlines mean nothing: an event begins with the next time. Packets, calls and comments are read elsewhere.
"""

from collections.abc import Mapping

from labstack.packetdrill import comments, options
from labstack.packetdrill.cursor import Cursor, quoted
from labstack.packetdrill.expressions import syscall
from labstack.packetdrill.lexer import CODE, COMMAND, ELLIPSIS, END, FLOAT, INTEGER, OPTION, WORD, Source, Token
from labstack.packetdrill.packets import packet
from labstack.packetdrill.script import (
    ABSOLUTE,
    ANYTIME,
    RANGE,
    RELATIVE,
    RELATIVE_RANGE,
    Code,
    Command,
    Event,
    Packet,
    Script,
    Syscall,
    When,
)  # fmt: skip

NS = 9  # decimals of a second
SECOND = 1_000_000_000  # ns
LONGEST_TIME = 30  # characters
LATEST = 1 << 63  # ns
ACTIONS = ("'<' or '>' and a packet", "a system call", "a `command`", "a %{ code }% block")
TIME = "a time such as 1.5, +0.1 or *"


def parse(text: str, file: str = "<script>", defines: Mapping[str, str] | None = None) -> Script:
    """Read a script.

    text: the script; file: its name, for messages; defines: words and what stands for them, these win over the
    script's own: "text" in double quotes is a string, in backquotes a command, digits a number, all else a word.
    Raises ScriptError, or RefusedError for what we do not do.
    """
    source = Source(text, file)
    cursor = Cursor(source, defines or {})
    said = []
    while cursor.kind == OPTION:
        said.append(options.parse(cursor))
    before = _command(cursor)
    first = cursor.token.start
    events: list[Event] = []
    while cursor.kind not in (COMMAND, END):
        events.append(_event(cursor, events[-1] if events else None))
    if not events:
        cursor.fail(f"{TIME}, 0 for the first event")
    after = _command(cursor)
    if cursor.kind != END:
        cursor.fail("the end of the script, behind the last command")
    about, notes = comments.read(cursor.comments, source, first)
    return Script(file, tuple(events), tuple(said), before, after, notes, about)


def _command(cursor: Cursor) -> Command | None:
    if cursor.kind != COMMAND:
        return None
    token = cursor.step()
    return Command(token.text, cursor.source.place(token.start).line)


def _event(cursor: Cursor, before: Event | None) -> Event:
    token = cursor.token
    when = _when(cursor)
    if before is None and (when.at or when.kind not in (ABSOLUTE, RELATIVE)):
        cursor.wrong(f"found the time {_said(cursor, token)} of the first event, expected 0 or +0", token)
    if before and when.kind == before.when.kind == ABSOLUTE and when.at < before.when.at:
        line = before.place.line
        cursor.wrong(f"found the time {_said(cursor, token)}, which is before the event of line {line}", token)
    action: Packet | Syscall | Command | Code
    end = _end(cursor, when, token)
    if cursor.kind == WORD:
        action = syscall(cursor, end)
    elif end is not None:
        cursor.fail("a system call (only calls have an end time)")
    elif cursor.kind in ("<", ">"):
        action = packet(cursor)
    elif cursor.kind == COMMAND:
        action = Command(cursor.step().text)
    elif cursor.kind == CODE:
        action = _code(cursor)
    else:
        cursor.fail(*ACTIONS)
    expected = isinstance(action, Packet) and not action.inbound
    if when.kind in (ANYTIME, RANGE, RELATIVE_RANGE) and not expected:
        shown = "any time (*)" if when.kind == ANYTIME else "a range of times"
        cursor.wrong(f"found {shown}, which only packets that are expected ('>') can have", token)
    return Event(cursor.source.place(token.start), when, action)


def _when(cursor: Cursor) -> When:
    if cursor.accept("*"):
        return When(ANYTIME)
    token = cursor.token
    relative = cursor.accept("+")
    at = _seconds(cursor, TIME)
    if not cursor.accept("~"):
        return When(RELATIVE if relative else ABSOLUTE, at)
    if relative:
        cursor.expect("+", "'+', as both ends of a range are relative or none is")
    end = _seconds(cursor, "the end of the range, in seconds")
    if end < at:
        cursor.wrong(f"found the range {_said(cursor, token)}, which ends before it begins", token)
    return When(RELATIVE_RANGE if relative else RANGE, at, end)


def _end(cursor: Cursor, when: When, token: Token) -> int | None:
    """When a blocking call returns."""
    if cursor.kind != ELLIPSIS or when.kind not in (ABSOLUTE, RELATIVE):
        return None
    cursor.step()
    end = _seconds(cursor, "the time at which the call returns, in seconds")
    if end < when.at:
        cursor.wrong(f"found the times {_said(cursor, token)} of a call that returns before it begins", token)
    return end


def _said(cursor: Cursor, token: Token) -> str:
    """The text from a token to the present one."""
    return quoted(cursor.source.text[token.start : cursor.token.start].strip())


def _seconds(cursor: Cursor, what: str) -> int:
    """Seconds as ns, to the nearest."""
    text = cursor.text
    if cursor.kind not in (INTEGER, FLOAT) or text[0] == "-" or len(text) > LONGEST_TIME:
        cursor.fail(what)
    whole, _, decimals = text.partition(".")
    up = int(decimals[NS : NS + 1] or 0) >= 5
    ns = int(whole or 0) * SECOND + int(decimals[:NS].ljust(NS, "0")) + up
    if ns >= LATEST:
        cursor.fail(f"a time before {LATEST // SECOND} seconds")
    cursor.step()
    return ns


def _code(cursor: Cursor) -> Code:
    token = cursor.step()
    blank = len(token.text) - len(token.text.lstrip())
    return Code(token.text.strip(), cursor.source.place(token.start + 2 + blank).line)
