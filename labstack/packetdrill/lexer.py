# SPDX-License-Identifier: GPL-2.0-or-later
"""Text to tokens: the longest match wins, defined words are replaced, comments are kept aside.

A token's kind is one of the names below, or the token itself where it is one character or `...`. What words mean is
left to the parsers. Time is linear in the text, and whatever the text is, only ScriptError is raised.
"""

import re
from bisect import bisect_right
from collections.abc import Mapping
from typing import NamedTuple

from labstack.packetdrill.script import Place, RefusedError, ScriptError

INTEGER, HEX, FLOAT, WORD, STRING, COMMAND, CODE = "integer", "hex", "float", "word", "string", "command", "code"
OPTION, ADDRESS, ELLIPSIS, COMMENT, END = "option", "address", "...", "comment", "end"
OPEN = {"`": "command", "%{": "code block", '"': "string", "/*": "comment"}  # what begins, and does not end

_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_TOKENS = re.compile(
    rf"""
      (?P<comment>//[^\n]*+|/\*.*?\*/)
    | (?P<option>--\w+(?:[ \t]*=[ \t]*(?:{_STRING}|[^\s"/]|/(?![/*]))*+)?)
    | (?P<address>[0-9]{{1,3}}(?:\.[0-9]{{1,3}}){{3}}(?![0-9.])
        | (?=[0-9A-Fa-f:]{{0,39}}::|(?:[0-9A-Fa-f]{{1,4}}:){{7}})[0-9A-Fa-f:]{{2,39}}(?:\.[0-9]{{1,3}}){{0,3}})
    | (?P<float>-?[0-9]*+\.[0-9]++)
    | (?P<integer>-[0-9]++|[0-9]++(?!\w))
    | (?P<hex>0x[0-9A-Fa-f]++(?!\w))
    | (?P<word>\w++)
    | (?P<ellipsis>\.\.\.)
    | (?P<string>{_STRING})
    | (?P<command>`[^`]*+`)
    | (?P<code>%\{{.*?\}}%)
    | (?P<open>[`"]|%\{{|/\*)
    | (?P<char>\S)
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_NUMBER = re.compile(r"(?P<integer>-?[0-9]+)|(?P<hex>0x[0-9A-Fa-f]+)|(?P<float>-?[0-9]*\.[0-9]+)")


class Token(NamedTuple):
    """kind; text without quotes (a string's escapes are as written); the offsets at which it begins and ends."""

    kind: str
    text: str
    start: int
    end: int


class Source:
    """A script's text, and the places in it."""

    def __init__(self, text: str, file: str) -> None:
        self.text, self.file = text, file
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]

    def place(self, offset: int) -> Place:
        line = bisect_right(self._lines, offset)
        return Place(self.file, line, offset - self._lines[line - 1] + 1)

    def line(self, offset: int) -> str:
        """The text of the line in which an offset lies."""
        start = self._lines[bisect_right(self._lines, offset) - 1]
        end = self.text.find("\n", start)
        return self.text[start : end if end >= 0 else None]

    def error(self, offset: int, why: str) -> ScriptError:
        return ScriptError(self.place(offset), why)

    def refused(self, offset: int, what: str) -> RefusedError:
        return RefusedError(self.place(offset), what)


def tokens(source: Source, defines: Mapping[str, str]) -> tuple[list[Token], list[Token]]:
    """The tokens, the last of kind END, and the comments. `--define`s of the script add to `defines`, which win."""
    words = dict(defines)
    found, comments = [], []
    for match in _TOKENS.finditer(source.text):
        kind, text, start, end = match.lastgroup or "", match.group(), match.start(), match.end()
        if kind == WORD:
            if text in words:
                kind, text = _stands_for(words[text])
        elif kind == COMMENT:
            comments.append(Token(kind, text, start, end))
            continue
        elif kind in ("char", "ellipsis"):
            kind = text
        elif kind in (STRING, COMMAND):
            text = text[1:-1]
        elif kind == CODE:
            text = text[2:-2]
        elif kind == OPTION:
            text = _option(text, words, defines)
        elif kind == "open":
            raise source.error(start, f"found {text}, which opens a {OPEN[text]} that is never closed")
        found.append(Token(kind, text, start, end))
    last = found[-1].end if found else 0
    found.append(Token(END, "", last, last))
    return found, comments


def _stands_for(value: str) -> tuple[str, str]:
    """Kind and text of what a defined word stands for."""
    if len(value) >= 2 and value[0] == value[-1] and value[0] in '"`':
        return (STRING if value[0] == '"' else COMMAND), value[1:-1]
    number = _NUMBER.fullmatch(value)
    return (number.lastgroup if number else None) or WORD, value


def _option(text: str, words: dict[str, str], given: Mapping[str, str]) -> str:
    """`name=value` of an option, the value without its quotes; a define is remembered."""
    name, _, value = (part.strip() for part in text[2:].partition("="))
    if value[:1] == value[-1:] == '"' and len(value) > 1:
        value = value[1:-1]
    if name == "define":
        symbol, _, meaning = value.partition("=")
        if symbol not in given:
            words[symbol] = meaning
    return f"{name}={value}" if "=" in text else name
