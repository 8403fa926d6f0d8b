# SPDX-License-Identifier: GPL-2.0-or-later
"""Bare words at the prompt: `step 3`, `back; step 2; continue`, `h1.ping(h2.ip); step` become line magics.

`break` and `continue` are keywords and `next` is a builtin, so IPython's automagic is not enough: this rewrites the
parts of a single top-level line that begin with a verb, before Python reads it. A variable of the user's own wins over
a verb of the same name, and what looks like Python (a call, an assignment, an operator between spaces) stays Python.
A word that is neither is handed to a magic that says so.
"""

import ast
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

SHOW = "lab_show"  # the magic that shows a verb's result at once: IPython shows only the last one of a line
HINT = "lab_hint"  # the magic that says what to type in place of a word that is no verb
_OPERATOR = r"[-+*/|&<>%^@!=]"
_ATTACHED = rf"{_OPERATOR}|[.(\[,:]"  # directly behind the word
_APART = rf"\s+(?:{_OPERATOR}+\s|=|,|:=?)"  # behind a space
_CALL = r"\s+[(\[]"  # `step (3)` is a call; `until (a or b)` is not
_WHOLE = re.compile(r"[!%?,;/@]|(?:async|class|def|for|if|try|while|with)\b|[\w.,\s]+=\s*[!%]")  # one part, as it is
_WORDS = re.compile(r"([a-zA-Z_]\w*)((?: +[\w.:/@-]*\w)*)")  # as a command with its arguments
_PIECE = re.compile(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|#(?!\d).*|.""")  # text, comment (#3: an event), other


def parts(line: str) -> list[str]:
    """A line cut at the semicolons that are in no text, bracket or comment; a loop, or a shell's line, is one part."""
    found, depth = [""], 0
    for piece in _PIECE.findall(line):
        depth += (piece in "([{") - (piece in ")]}")
        if piece == ";" and not depth:
            found.append("")
        else:
            found[-1] += piece
    return [line] if depth or _WHOLE.match(line) else [part.strip() for part in found if part.strip()]


def strange(line: str, known: Callable[[str], bool]) -> bool:
    """Is it a command of somewhere else, or a verb misspelt? Not what Python or IPython would understand."""
    found = _WORDS.fullmatch(line)
    if found is None or known(found[1]):
        return False
    try:
        ast.parse(line)
    except SyntaxError:
        return True
    return not found[2]


def rewriter(
    verbs: Mapping[str, str],
    expressions: Collection[str],
    namespace: Mapping[str, Any],
    word_type: type,
    known: Callable[[str], bool] = lambda word: True,
) -> Callable[[list[str]], list[str]]:
    """A function for IPython's `input_transformers_cleanup`: list of lines in, list of lines out.

    verbs: the words, and the magic that each becomes; expressions: those of them that take an expression, which may
    begin with a bracket; namespace: the user's, looked at whenever a line is typed; word_type: what we put there
    ourselves; known: does Python or IPython know a word?
    """
    calls = "|".join(map(re.escape, sorted(set(verbs) - set(expressions))))
    every = "|".join(map(re.escape, sorted(verbs, key=len, reverse=True)))
    word = re.compile(rf"(?!(?:{calls}){_CALL})({every})\b(?!{_ATTACHED}|{_APART})")

    def magic(text: str) -> str:
        """The line of a magic, without %, that a part stands for; '' if it is Python."""
        found = word.match(text)
        if found is None or (found[1] in namespace and not isinstance(namespace[found[1]], word_type)):
            return ""
        return verbs[found[1]] + text[found.end() :]

    def rewrite(lines: list[str]) -> list[str]:
        code = [line for line in lines if line.strip()]
        if len(code) != 1 or lines[0][:1].isspace():
            return lines
        typed = parts(code[0].rstrip("\n"))
        if len(typed) == 1 and not magic(typed[0]) and strange(typed[0], known):
            return [f"%{HINT} {typed[0]}\n"]
        if not any(magic(part) for part in typed):
            return lines
        *first, last = typed
        begin = [f"%{SHOW} {magic(part)}\n" if magic(part) else f"{part}\n" for part in first]
        return [*begin, f"%{magic(last)}\n" if magic(last) else f"{last}\n"]

    return rewrite
