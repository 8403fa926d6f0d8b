# SPDX-License-Identifier: GPL-2.0-or-later
"""From files to outcomes: which scenarios there are, where they run, and what became of them.

A scenario is a packetdrill script (`*.pkt`) or a function of a Python file (`scenario_*.py`, "file::name"). `run` never
raises: whatever goes wrong with a scenario is its outcome.
"""

import ast
import os
import re
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from time import perf_counter
from typing import Any, NamedTuple

from labstack.lab.errors import LabError
from labstack.packetdrill.script import Place, RefusedError, ScriptError
from labstack.scenario import kinds
from labstack.scenario.settings import Settings
from labstack.scenario.verdict import ERROR, FAIL, PASS, REFUSED, SKIP, XFAIL, XPASS, Failure, Outcome

SKIPPED_FOLDERS = {"__pycache__", "node_modules"}
WORDS = ("and", "or", "not")  # of an expression that chooses
EXPRESSION = (ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.Name, ast.Load)
TIMING = ("early", "late")
TRIES = 5  # on the kernel, for a failure that may be only one of time
PAUSE = 5_000_000  # ns for which a machine may be busy with others, without any scenario minding


class Case(NamedTuple):
    """One run of one scenario; file: its path, for Python scenarios with "::name"."""

    file: str
    target: str
    ip: str


# what there is


def find(paths: Iterable[str]) -> list[str]:
    """The scenario files among paths, folders searched whole, each once. Raises LabError for a path without any."""
    found: dict[str, None] = {}
    for path in paths:
        file = path.partition("::")[0]
        if not os.path.exists(file):
            raise LabError(f"there is no {file!r}")
        if os.path.isdir(path):
            mine = list(_inside(path))
        else:
            mine = [path] if file.endswith((".pkt", ".py")) and os.path.isfile(file) else []
        if not mine:
            raise LabError(f"no scenario in {path!r}: expected files *.pkt or scenario_*.py, or file.py::name")
        found |= dict.fromkeys(mine)
    return list(found)


def _inside(folder: str) -> Iterator[str]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(it for it in folders if not it.startswith(".") and it not in SKIPPED_FOLDERS)
        yield from (os.path.join(place, name) for name in sorted(files) if is_scenario(name))


def is_scenario(name: str) -> bool:
    """Does a file of this name hold scenarios?"""
    return name.endswith(".pkt") or (name.startswith("scenario_") and name.endswith(".py"))


def cases(files: Iterable[str], targets: Sequence[str], ips: Sequence[str], words: str = "") -> list[Case]:
    """What is to be run: every scenario in these files whose name `words` choose, on each target, in each family.

    ips: families; () is each scenario's first one. Families to which a scenario does not apply are left out.
    words: as pytest's -k: parts of names with and, or, not and parentheses.
    """
    wanted = chooser(words)
    found = []
    for scenario in (it for file in files for it in kinds.scenarios(file)):
        if wanted(scenario.file):
            mine = [ip for ip in ips if ip in scenario.ips] if ips else scenario.ips[:1]
            found += [Case(scenario.file, target, ip) for ip in mine for target in targets]
    return found


def chooser(words: str) -> Callable[[str], bool]:
    """Does `words` choose a name? As pytest's -k does: parts of names with and, or, not and parentheses.

    Raises LabError for an expression that cannot be read.
    """
    if not words.strip():
        return lambda name: True
    text = re.sub(r"[^\s()]+", lambda it: it[0] if it[0] in WORDS else f"_{it[0].encode().hex()}", words.lower())
    try:  # Python reads it, with a name for each word
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        tree = ast.Constant(None)
    if not all(isinstance(it, EXPRESSION) for it in ast.walk(tree)):
        raise LabError(f"-k {words!r}: expected words with and, or, not, ( and )")
    return lambda name: _holds(tree, name.lower())


def _holds(node: Any, name: str) -> bool:
    if isinstance(node, ast.BoolOp):
        return (all if isinstance(node.op, ast.And) else any)(_holds(it, name) for it in node.values)
    if isinstance(node, ast.UnaryOp):
        return not _holds(node.operand, name)
    return bytes.fromhex(node.id[1:]).decode() in name


# what becomes of it


def run(file: str, target: str = "lab", ip: str = "ipv4", settings: Settings = Settings()) -> Outcome:  # noqa: B008
    """Run one scenario on one target in one family; settings.ip_version does not matter."""
    began = perf_counter()
    blank = Outcome(file, target, ip, ERROR)
    try:
        outcome = _tried(blank, settings._replace(ip_version=ip))
    except RefusedError as error:
        outcome = _unread(blank, REFUSED, "refused", error)
    except ScriptError as error:
        outcome = _unread(blank, ERROR, "unread", error)
    except kinds.NoTargetError as error:
        outcome = blank._replace(verdict=SKIP, reason=str(error))
    except Exception as error:
        outcome = blank._replace(reason=f"{type(error).__name__}: {error}", failure=_crash(file))
    return outcome._replace(ms=(perf_counter() - began) * 1000)


def _tried(blank: Outcome, settings: Settings) -> Outcome:
    """Run it; on the kernel, whose time is real, it is tried again, and told, if a failure is one of time, or if the
    machine had no time for it."""
    late: list[str] = []
    while True:
        outcome = _once(blank, settings)
        failure = outcome.failure if outcome.verdict == FAIL else None
        ours = failure is not None and (failure.kind in TIMING or outcome.held_up > PAUSE)
        if blank.target == "kernel" and ours and len(late) < TRIES - 1:
            late.append(outcome.reason)
            continue
        again = f"attempt {len(late) + 1}; before that: {'; '.join(late)}" if late else ""
        return outcome._replace(reason=": ".join(filter(None, (outcome.reason, again))))


def _once(blank: Outcome, settings: Settings) -> Outcome:
    ready = kinds.ready(blank.file, settings)
    blank = blank._replace(covers=ready.covers)
    if blank.target not in ready.targets:
        return blank._replace(verdict=SKIP, reason=f"only for {' and '.join(ready.targets)}")
    if blank.ip not in ready.ips:
        return blank._replace(verdict=SKIP, reason=f"only for {' and '.join(ready.ips)}")
    played = ready.play(blank.target)
    verdict, reason = judge(played.failure, ready.expected.get(blank.target, ""))
    return blank._replace(
        verdict=verdict,
        reason=reason,
        line=played.failure.place.line if played.failure else 0,
        failure=played.failure,
        rules=played.rules,
        evidence=played.evidence,
        passed=played.passed,
        link=played.link,
        held_up=played.held_up,
    )


def judge(failure: Failure | None, expected: str) -> tuple[str, str]:
    """The verdict and its reason; expected: why a failure is expected, "" if it is not."""
    if failure is None:
        return (XPASS, f"passed, though it is said to fail: {expected}") if expected else (PASS, "")
    if failure.kind == "crash":
        return ERROR, failure.why
    if expected:
        return XFAIL, expected
    return REFUSED if failure.kind == "refused" else FAIL, failure.why


def _unread(blank: Outcome, verdict: str, kind: str, error: ScriptError) -> Outcome:
    failure = Failure(error.place, kind, error.why)
    return blank._replace(verdict=verdict, reason=error.why, line=error.place.line, failure=failure)


def _crash(file: str) -> Failure:
    """What is told of an exception that nobody expected: its traceback."""
    return Failure(Place(file.partition("::")[0], 0, 1), "crash", traceback.format_exc())
