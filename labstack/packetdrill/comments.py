# SPDX-License-Identifier: GPL-2.0-or-later
"""What comments say to us: notes such as `// covers: MUST-10`, each a line of its own, and what a script is about.

The description is the first comment before the events that is more than notes and licences: `//` lines that follow
each other, or one `/* */`.
"""

import re

from labstack.packetdrill.cursor import listed, quoted
from labstack.packetdrill.lexer import Source, Token
from labstack.packetdrill.options import IP_VERSIONS
from labstack.packetdrill.script import NOTES, Note

TARGETS = ("lab", "kernel")
WORDS = {"target": TARGETS, "ip": IP_VERSIONS, "judge": ("invariants",)}  # what the values of some notes consist of
_NOTE = re.compile(rf"//\s*({'|'.join(NOTES)})(?:\s+(\w+))?\s*:(.*)", re.DOTALL)
_LICENCE = re.compile(r"\s*(SPDX-|Copyright)")
_INSIDE = re.compile(r"\s*\*? ?")


def read(found: list[Token], source: Source, first: int) -> tuple[str, tuple[Note, ...]]:
    """What the script is about, and its notes. `first`: the offset at which the events begin."""
    notes, about = [], ""
    block: list[str] = []
    before: Token | None = None
    for token in found:
        if before is None or not _goes_on(before, token, source):
            about, block = about or _text(block), []
        before = token
        note = _note(token, source)
        if note:
            notes.append(note)
        elif token.start < first and not about:
            block += _lines(token.text)
    return about or _text(block), tuple(notes)


def _goes_on(before: Token, token: Token, source: Source) -> bool:
    """Is a comment one with the comment before it?"""
    gap = source.text[before.end : token.start]
    return before.text[1] == token.text[1] == "/" and gap.count("\n") == 1 and not gap.strip()


def _note(token: Token, source: Source) -> Note | None:
    """The note that a comment is, if its line has nothing before it."""
    match = _NOTE.fullmatch(token.text)
    if match is None or source.line(token.start)[: source.place(token.start).column - 1].strip():
        return None
    key, target, value = match[1], match[2], match[3].strip()
    if key != "xfail" and target:
        return None
    if strange := [word for word in value.replace(",", " ").split() if word not in WORDS.get(key, word)]:
        raise source.error(token.start, f"found {quoted(strange[0])}, expected {key}: {listed(WORDS[key])}")
    if key != "xfail":
        return Note(key, value, source.place(token.start))
    if target not in TARGETS or not value:
        raise source.error(
            token.start, "found an xfail without target or reason, expected // xfail lab: why, or // xfail kernel: why"
        )
    return Note(key, f"{target}: {value}", source.place(token.start))


def _lines(comment: str) -> list[str]:
    """A comment without its marks; licences say nothing of what a script is about."""
    if comment.startswith("//"):
        lines = [comment[2:].removeprefix(" ")]
    else:
        lines = [_INSIDE.sub("", line, count=1) for line in comment[2:-2].split("\n")]
    return [line.rstrip() for line in lines if not _LICENCE.match(line)]


def _text(lines: list[str]) -> str:
    return "\n".join(lines).strip("\n")
