# SPDX-License-Identifier: GPL-2.0-or-later
"""Bare words at the prompt: `step 3`, `back; step 2; continue` become line magics before Python reads them.

`break` and `continue` are keywords and `next` is a builtin, so IPython's automagic is not enough: this rewrites single
top-level lines that begin with a verb. A variable of the user's own wins over a verb of the same name, and whatever
looks like Python (a call, an assignment, an operator between spaces) stays Python.
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

SHOW = "lab_show"  # the magic that shows a verb's result at once: IPython shows only the last one of a line
_OPERATOR = r"[-+*/|&<>%^@!=]"
_ATTACHED = rf"{_OPERATOR}|[.(\[,:]"  # directly behind the word
_APART = rf"\s+(?:{_OPERATOR}+\s|=|,|:=?)"  # behind a space
_CALL = r"\s+[(\[]"  # `step (3)` is a call; `until (a or b)` is not


def rewriter(
    verbs: Collection[str], expressions: Collection[str], namespace: Mapping[str, Any], word_type: type
) -> Callable[[list[str]], list[str]]:
    """A function for IPython's `input_transformers_cleanup`: list of lines in, list of lines out.

    verbs: the words; expressions: those of them that take an expression, which may begin with a bracket;
    namespace: the user's, looked at whenever a line is typed; word_type: what we put there ourselves.
    """
    calls = "|".join(map(re.escape, sorted(set(verbs) - set(expressions))))
    every = "|".join(map(re.escape, sorted(verbs, key=len, reverse=True)))
    word = re.compile(rf"(?!(?:{calls}){_CALL})({every})\b(?!{_ATTACHED}|{_APART})")

    def ours(text: str) -> bool:
        found = word.match(text)
        if found is None:
            return False
        return found[1] not in namespace or isinstance(namespace[found[1]], word_type)

    def rewrite(lines: list[str]) -> list[str]:
        code = [line for line in lines if line.strip()]
        if len(code) != 1 or lines[0][:1].isspace():
            return lines
        line = code[0].rstrip("\n")
        parts = [part.strip() for part in line.split(";")]
        if not all(word.match(part) for part in parts):
            parts = [line]
        if not any(ours(part) for part in parts):
            return lines
        *first, last = parts
        begin = [f"%{SHOW} {part}\n" if ours(part) else f"{part}\n" for part in first]
        return [*begin, f"%{last}\n" if ours(last) else f"{last}\n"]

    return rewrite
