# SPDX-License-Identifier: GPL-2.0-or-later
"""grep for the virtual shell: patterns of `.`, `*`, `[...]`, `^`, `$`, `\\+`, `\\?`, `\\|`, in linear time.

A stranger's pattern may not take more than that, so Python's backtracking `re` is only asked about one character at a
time. Groups, intervals and back-references are refused.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from labstack.scenario.shell.words import refuse

LONGEST = 200  # atoms in a pattern
_SET = r"\[\^?\]?[^]]*\]"
BASIC = re.compile(rf"({_SET}|\\[^\w(){{}}]|[^\\[])(\*|\\[+?])*")  # one character, and how often
EXTENDED = re.compile(rf"({_SET}|\\\W|[^\\[(){{}}])([*+?])*")


class Atom(NamedTuple):
    """One place of a pattern: is it a character that fits, and how often: "", "*", "+", "?"."""

    fits: Callable[[str], Any]
    often: str


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
    mark = "|" if extended else "\\|"
    if extended and ("\\|" in text or ("[" in text and "|" in text)):  # bars that a split would not see
        refuse(f"grep's pattern {text!r}")
    branches = [_branch(part, extended) for part in text.split(mark)]
    return lambda line: any(branch.found(line) for branch in branches)


def _branch(text: str, extended: bool) -> Branch:
    start, end = text.startswith("^"), text.endswith("$") and not text.endswith("\\$")
    body = text[start : len(text) - end]
    atoms: list[Atom] = []
    at = 0
    while at < len(body):
        found = (EXTENDED if extended else BASIC).match(body, at)
        if found is None or "[:" in found[1]:
            refuse(f"grep's pattern {body!r}")
        atoms.append(Atom(_one(found[1], body), (found[2] or "")[-1:]))
        at = found.end()
    if len(atoms) > LONGEST:
        refuse(f"a pattern of {len(atoms)} places")
    return Branch(tuple(atoms), start, end)


def _one(atom: str, body: str) -> Callable[[str], Any]:
    """Does one character fit?"""
    if atom[0] == "[":  # in Python some characters mean more in a set
        atom = "[" + re.sub(r"([\\\[&|~]|-(?=-))", r"\\\1", atom[1:])
    elif atom[0] not in ".\\":
        atom = re.escape(atom)
    try:
        return re.compile(atom, re.DOTALL).match
    except re.error:
        return refuse(f"grep's pattern {body!r}")
