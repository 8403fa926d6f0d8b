# SPDX-License-Identifier: GPL-2.0-or-later
"""Code blocks: Python in `%{ }%`, interpreted with a whitelist and budgets, or really run where that is allowed.

    blocks = Blocks()
    blocks.run(event.action, event.place, target.info(fd))  # "" or what it printed; raises CodeError

A block sees the names of those before it, tcp_info as tcpi_..., SK_MEMINFO_..., and the constants below;
`statements` is the interpreter.
"""

import ast
import contextlib
import io
import textwrap
import traceback
import warnings
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from labstack.packetdrill import symbols
from labstack.packetdrill.script import Code, Place
from labstack.scenario.code import statements
from labstack.scenario.code.budget import BLOCK, Budget, StopError

SCRIPT = 5 * BLOCK  # steps of all blocks of a script
LONGEST_SHOWN = 200  # characters of a value in a message
OWN = ("tcpi_", "tcpv_", "bbr_", "dctcp_")  # how names of tcp_info and of congestion control's figures begin

CONSTANTS: dict[str, int] = (
    symbols.GROUPS["state"]
    | symbols.GROUPS["TCP_CA_"]
    | symbols.GROUPS["TCPI_OPT_"]
    | {"TCP_INFINITE_SSTHRESH": 0x7FFFFFFF}
)


class CodeError(Exception):
    """A block failed. kind: as in verdict.Failure: "code" (an assertion, an error), "refused", "endless".

    place: the line of the script; why: one sentence, "tcpi_snd_cwnd == 10, but tcpi_snd_cwnd is 12".
    """

    def __init__(self, kind: str, place: Place, why: str) -> None:
        super().__init__(f"{place}: {why}")
        self.args = (kind, place, why)
        self.kind, self.place, self.why = kind, place, why

    def __str__(self) -> str:
        return f"{self.place}: {self.why}"


class Blocks:
    """The blocks of one script: they share their names."""

    def __init__(self, allow: bool = False) -> None:
        """allow: run them as real Python, which may do anything."""
        self.allow = allow
        self.names: dict[str, Any] = {}
        self.sampled: set[str] = set()
        self.left = SCRIPT
        self.program = statements.Program(self.names, Budget(0))

    def run(self, code: Code, place: Place, info: Mapping[str, int]) -> str:
        """Run a block whose names are those before it, the constants of tcp_info, and `info` (Target.info).

        place: of its event. Returns what it printed. Raises CodeError.
        """
        first = Place(place.file, code.line or place.line, 1)
        self._sample(info)
        text = _tidy(code.text)
        tree = self._parsed(text, first)
        return self._really(tree, text, first) if self.allow else self._purely(tree, text, first)

    def _sample(self, info: Mapping[str, int]) -> None:
        """Names as scripts have them: tcp_info's with tcpi_."""
        for name in self.sampled:
            self.names.pop(name, None)
        now = {name if name.startswith(OWN) or not name.islower() else f"tcpi_{name}": it for name, it in info.items()}
        self.sampled = set(now)
        self.names |= CONSTANTS | now

    def _parsed(self, text: str, first: Place) -> ast.Module:
        try:
            return statements.parse(text)
        except StopError as stop:
            raise CodeError(stop.kind, first, stop.why) from None
        except SyntaxError as error:
            raise CodeError("code", _at(first, error.lineno or 1), f"no Python: {error.msg}") from None
        except (ValueError, RecursionError, MemoryError) as error:
            raise CodeError("code", first, f"no Python that can be read: {error or 'nested too deep'}") from None

    def _purely(self, tree: ast.Module, text: str, first: Place) -> str:
        program = self.program
        program.budget = Budget(min(BLOCK, self.left))
        steps = program.budget.left
        try:
            program.run(tree)
        except statements.FailedError as failed:
            why = described(failed.node, text, self.names, failed.message)
            raise CodeError("code", _at(first, program.line), why) from None
        except NameError as error:
            raise CodeError("code", _at(first, program.line), self._unknown(str(error.args[0]))) from None
        except StopError as stop:
            line = program.loops[-1] if program.loops and stop.kind == "endless" else program.line
            raise CodeError(stop.kind, _at(first, line), stop.why) from None
        finally:
            self.left -= steps - program.budget.left
        return "".join(program.printed)

    def _really(self, tree: ast.Module, text: str, first: Place) -> str:
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed), warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)
                exec(compile(tree, "<code>", "exec"), self.names)
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            line = next((frame.lineno for frame in reversed(frames) if frame.filename == "<code>"), None) or 1
            raise CodeError("code", _at(first, line), self._raised(error, tree, text, line)) from None
        return printed.getvalue()

    def _raised(self, error: Exception, tree: ast.Module, text: str, line: int) -> str:
        if isinstance(error, NameError) and error.name:
            return self._unknown(error.name)
        asserts = [node for node in ast.walk(tree) if isinstance(node, ast.Assert) and node.lineno <= line]
        if isinstance(error, AssertionError) and asserts:
            message = str(error.args[0]) if error.args else None
            return described(max(asserts, key=lambda node: node.lineno), text, self.names, message)
        return f"{type(error).__name__}: {error}"

    def _unknown(self, name: str) -> str:
        """What to say of a name that is not there."""
        if name.startswith("tcpi_") and not self.sampled:
            return f"there is no {name}: no connection's tcp_info could be taken"
        known = [known for known in self.names if not known.startswith("__")]
        near = get_close_matches(name, known, 4, 0.6)
        hint = f"; is it {', '.join(near)}?" if near else ""
        return f"there is no name {name}{hint}"


def described(node: ast.Assert, text: str, names: Mapping[str, Any], message: str | None) -> str:
    """What an assertion says that does not hold, with the values of its names, and what its author says of it."""
    said = " ".join((ast.get_source_segment(text, node.test) or "an assertion").split())
    used = dict.fromkeys(part.id for part in ast.walk(node.test) if isinstance(part, ast.Name) and part.id in names)
    values = {name: _short(names[name]) for name in used}
    shown = ", ".join([f"{name} is {value}" for name, value in values.items()])
    rest = f" ({message[:LONGEST_SHOWN]})" if message is not None and message not in values.values() else ""
    return (f"{said}, but {shown}" if shown else f"{said} does not hold") + rest


def _short(value: Any) -> str:
    """repr(), as far as it is shown."""
    try:
        Budget(2000).weigh(value)
    except StopError:
        return f"a {type(value).__name__} of {len(value)} elements" if hasattr(value, "__len__") else "very big"
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 3] + "..."


def _at(first: Place, line: int) -> Place:
    """The place of a line (1 is the block's first)."""
    return first._replace(line=first.line + line - 1)


def _tidy(text: str) -> str:
    """The text so that Python can read it: no backslash at its end, no indentation that only later lines have."""
    text = text.rstrip().rstrip("\\").rstrip() + "\n"
    head, newline, rest = text.partition("\n")
    lines = [line for line in rest.splitlines() if line.strip()]
    if lines and all(line[0] in " \t" for line in lines) and not head.partition("#")[0].rstrip().endswith((":", "\\")):
        plain = head + newline + textwrap.dedent(rest)
        with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError, StopError):
            statements.parse(text)
            return text
        return plain
    return text
