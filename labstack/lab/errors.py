# SPDX-License-Identifier: GPL-2.0-or-later
"""LabError: the person at the prompt asked for something that cannot be; the message says what, and what to do.

`told` puts any exception into one line of that kind, Python's own for misspelt names among them.
"""

from collections.abc import Iterable
from difflib import get_close_matches

from labstack.core.errors import StackError


class LabError(ValueError):
    """A wrong use of the lab. At the prompt it is shown as one line."""


class NoNameError(LabError, AttributeError):
    """The lab has nothing of that name."""


def told(error: BaseException, names: Iterable[str] = ()) -> str:
    """An error in one line, with a way out for a name that is not there; names: those that are."""
    kind = "" if isinstance(error, (LabError, StackError)) else f"{type(error).__name__}: "
    return f"{kind}{error}{_way_out(error, names)}".replace("\n", " ")


def meant(word: str, names: Iterable[str]) -> str:
    """'; did you mean step?', or ''."""
    near = get_close_matches(word, names, 3, 0.7)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _way_out(error: BaseException, names: Iterable[str]) -> str:
    if isinstance(error, LabError):
        return ""
    if isinstance(error, NameError) and error.name:
        return meant(error.name, names) or f"; text stands in quotes, as '{error.name}'"
    if isinstance(error, AttributeError) and error.name:
        there = [name for name in dir(error.obj) if not name.startswith("_")]
        return meant(error.name, there)
    if isinstance(error, TypeError) and str(error).endswith("is not callable"):
        return "; without brackets it is there already"
    if isinstance(error, TypeError) and "argument" in str(error):
        return "; a ? behind its name tells how it is called"
    return ""
