# SPDX-License-Identifier: GPL-2.0-or-later
"""grep for the virtual shell: patterns of `.`, `*`, `[...]`, `^`, `$`, `\\+`, `\\?`, `\\|`, in linear time.

A stranger's pattern may not take more than that, so Python's backtracking `re` is not asked. Groups, intervals and
back-references are refused.
"""

from collections.abc import Callable
from typing import NamedTuple

from labstack.scenario.shell.words import refuse

LONGEST = 200  # atoms in a pattern


class Atom(NamedTuple):
    """One place of a pattern: the characters that fit (None: any), inverted or not, how often: "", "*", "+", "?"."""

    chars: frozenset[str] | None
    inverted: bool
    often: str

    def fits(self, char: str) -> bool:
        return self.chars is None or (char in self.chars) != self.inverted


class Branch(NamedTuple):
    atoms: tuple[Atom, ...]
    start: bool  # anchored there
    end: bool

    def found(self, text: str) -> bool:
        """Is it anywhere in one line?"""
        last = len(self.atoms)
        states: set[int] = set()
        for at in range(len(text) + 1):
            if at == 0 or not self.start:
                states.add(0)
            states = self._skipped(states)
            if last in states and (not self.end or at == len(text)):
                return True
            if at < len(text):
                states = self._moved(states, text[at])
        return False

    def _skipped(self, states: set[int]) -> set[int]:
        """These places and those behind what may be left out."""
        found = set(states)
        for place, atom in enumerate(self.atoms):
            if place in found and atom.often in ("*", "?"):
                found.add(place + 1)
        return found

    def _moved(self, states: set[int], char: str) -> set[int]:
        found = set()
        for place in states:
            if place < len(self.atoms) and self.atoms[place].fits(char):
                found.add(place + 1)
                if self.atoms[place].often in ("*", "+"):
                    found.add(place)
        return found


def pattern(text: str, extended: bool, fixed: bool, ignore_case: bool) -> Callable[[str], bool]:
    """A function that says whether a line has the pattern. Raises RefusedError for what is not in the module's head."""
    if ignore_case:
        inner = pattern(text.lower(), extended, fixed, False)
        return lambda line: inner(line.lower())
    if fixed:
        return lambda line: text in line
    branches = [_branch(part, extended) for part in _parts(text, "|" if extended else "\\|")]
    return lambda line: any(branch.found(line) for branch in branches)


def _parts(text: str, mark: str) -> list[str]:
    """The alternatives; a backslash or a set hides no bar in a pattern that anybody writes."""
    if mark == "|" and ("\\|" in text or ("[" in text and "|" in text)):
        refuse(f"grep's pattern {text!r}")
    return text.split(mark)


def _branch(text: str, extended: bool) -> Branch:
    start, end = text.startswith("^"), text.endswith("$") and not text.endswith("\\$")
    body = text[start : len(text) - end]
    atoms: list[Atom] = []
    at = 0
    while at < len(body):
        often = (
            body[at]
            if extended or body[at] == "*"
            else body[at : at + 2].removeprefix("\\")
            if body[at] == "\\"
            else ""
        )
        if often in ("*", "+", "?") and often and atoms:
            atoms[-1] = atoms[-1]._replace(often=often)
            at += 1 if extended or often == "*" else 2
            continue
        atom, at = _atom(body, at, extended)
        atoms.append(atom)
    if len(atoms) > LONGEST:
        refuse(f"a pattern of {len(atoms)} places")
    return Branch(tuple(atoms), start, end)


def _atom(body: str, at: int, extended: bool) -> tuple[Atom, int]:
    char = body[at]
    if char == ".":
        return Atom(None, False, ""), at + 1
    if char == "[":
        return _set(body, at)
    if char == "\\":
        char, at = body[at + 1 : at + 2], at + 1
        if char.isalnum() or (not extended and char and char in "(){}"):
            refuse(f"grep's pattern {body!r}")
    elif extended and char in "(){}":
        refuse(f"grep's pattern {body!r}")
    return Atom(frozenset(char), False, ""), at + 1


def _set(body: str, at: int) -> tuple[Atom, int]:
    inverted = body[at + 1 : at + 2] == "^"
    first = at + 1 + inverted
    end = body.find("]", first + 1)
    if end < 0 or "[:" in body[first:end]:
        refuse(f"grep's pattern {body!r}")
    chars: set[str] = set()
    inside = body[first:end]
    while inside:
        if len(inside) > 2 and inside[1] == "-":
            chars.update(map(chr, range(ord(inside[0]), min(ord(inside[2]), 0xFF) + 1)))
            inside = inside[3:]
        else:
            chars.add(inside[0])
            inside = inside[1:]
    return Atom(frozenset(chars), inverted, ""), end + 1
