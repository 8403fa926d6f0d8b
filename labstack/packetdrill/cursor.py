# SPDX-License-Identifier: GPL-2.0-or-later
"""Cursor: where a parser stands among the tokens, and the errors that it raises there."""

from collections.abc import Mapping
from typing import NoReturn

from labstack.packetdrill.lexer import (
    ADDRESS,
    CODE,
    COMMAND,
    END,
    FLOAT,
    HEX,
    INTEGER,
    OPTION,
    STRING,
    WORD,
    Source,
    Token,
    tokens,
)  # fmt: skip

LONGEST_NUMBER = 24  # characters: what is longer fits nowhere
LONGEST_SHOWN = 40  # characters of a token in a message

_CALLED = {
    INTEGER: "number ", HEX: "number ", FLOAT: "number ", STRING: "string ", COMMAND: "command ", CODE: "code block ",
    OPTION: "option ", ADDRESS: "address ",
}  # fmt: skip
_MARKS = {STRING: ('"', '"'), COMMAND: ("`", "`"), CODE: ("%{", "}%"), OPTION: ("--", "")}


class Cursor:
    """The tokens of a script, one of which is the present one: `token`, of `kind` and `text`."""

    def __init__(self, source: Source, defines: Mapping[str, str]) -> None:
        self.source = source
        self._tokens, self.comments = tokens(source, defines)
        self._next = 0
        self.step()

    def step(self) -> Token:
        """Go on to the next token; returns the one that was left."""
        left = self._tokens[self._next - 1]
        self.token = self._tokens[self._next]
        self.kind, self.text = self.token.kind, self.token.text
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return left

    def following(self) -> Token:
        """The token behind the present one."""
        return self._tokens[self._next]

    def accept(self, kind: str) -> bool:
        """Go on if this is what stands here."""
        if self.kind != kind:
            return False
        self.step()
        return True

    def accept_word(self, word: str) -> bool:
        if self.kind != WORD or self.text != word:
            return False
        self.step()
        return True

    def expect(self, kind: str, *expected: str) -> Token:
        """Go on from a token of this kind. `expected`: what to call it, and what else could have stood here."""
        if self.kind != kind:
            self.fail(*(expected or (f"'{kind}'",)))
        return self.step()

    def expect_word(self, word: str) -> None:
        if not self.accept_word(word):
            self.fail(f"'{word}'")

    def number(self, what: str, most: int, least: int = 0) -> int:
        """A number, decimal or 0x..., from `least` to `most`."""
        if self.kind not in (INTEGER, HEX) or len(self.text) > LONGEST_NUMBER:
            self.fail(f"{what} (a number{', or a word that stands for one' if self.kind == WORD else ''})")
        value = int(self.text, 0) if self.kind == HEX else int(self.text)
        if not least <= value <= most:
            self.fail(f"{what} from {least} to {most}")
        self.step()
        return value

    def fail(self, *expected: str) -> NoReturn:
        """What stands here is none of what was expected."""
        raise self.source.error(self.token.start, f"found {self.found()}, expected {listed(expected)}")

    def wrong(self, why: str, token: Token | None = None) -> NoReturn:
        """What was read is wrong, by its meaning, at `token` or here."""
        raise self.source.error((token or self.token).start, why)

    def refuse(self, what: str, token: Token | None = None) -> NoReturn:
        raise self.source.refused((token or self.token).start, what)

    def found(self) -> str:
        """The present token as a message names it."""
        kind, text = self.kind, self.text
        if kind == END:
            return "the end of the script"
        if len(text) > LONGEST_SHOWN:
            text = text[:LONGEST_SHOWN] + "..."
        before, after = _MARKS.get(kind, ("", ""))
        shown = f"{before}{text}{after}"
        if kind in (INTEGER, HEX, FLOAT, ADDRESS):
            return _CALLED[kind] + shown
        return _CALLED.get(kind, "") + quoted(shown)


def quoted(text: str) -> str:
    """Text in quotes, not too long, in characters that can be shown."""
    text = text if len(text) <= LONGEST_SHOWN + 6 else text[:LONGEST_SHOWN] + "..."
    return f"'{text}'" if text.isprintable() else ascii(text)


def listed(words: tuple[str, ...]) -> str:
    """`a, b or c`"""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
