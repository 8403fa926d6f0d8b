# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables in docs/conformance.md, made anew from what was run: nothing in them is written by hand.

A table stands between `<!-- labstack NAME -->` and `<!-- end NAME -->`; what is around it stays.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from labstack.lab.errors import LabError
from labstack.scenario.report.matrix import Matrix, Rules, markdown
from labstack.scenario.verdict import PASS, SKIP, VERDICTS, Outcome


def put(path: str, tables: dict[str, str]) -> str:
    """Write tables into a file, each where its name stands. Returns a sentence.

    Raises LabError if the file is not there, or has no place for any of them.
    """
    file = Path(path)
    if not file.is_file():
        raise LabError(f"there is no {path!r} to write tables into")
    text, done = file.read_text(encoding="utf-8"), []
    for name, table in tables.items():
        place = re.compile(rf"(<!-- labstack {re.escape(name)} -->\n).*?(<!-- end {re.escape(name)} -->)", re.DOTALL)
        text, n = place.subn(lambda found, table=table: f"{found[1]}\n{table}\n\n{found[2]}", text)  # type: ignore[misc]
        done += [name] * bool(n)
    if not done:
        places = ", or ".join(f"<!-- labstack {name} --> and <!-- end {name} -->" for name in tables)
        raise LabError(f"{path} has no place for a table: expected lines {places}")
    file.write_text(text, encoding="utf-8")
    return f"{path}: {', '.join(done)}"


def requirement_tables(matrix: Matrix, rules: Rules) -> dict[str, str]:
    """What `labstack rfc` has to tell."""
    return {"summary": matrix.summary_md(), "matrix": matrix.md(), "rules": rules.md()}


def run_tables(name: str, outcomes: Sequence[Outcome], roots: Sequence[str]) -> dict[str, str]:
    """What `labstack run` has to tell: verdicts, passes by folder, and the reason of everything that did not pass.

    roots: the paths that were given: files are named from there on
    """
    tables = _verdicts(outcomes), _folders(outcomes, roots), _reasons(outcomes, roots)
    return {name: "\n\n".join(filter(None, tables))}


Where = tuple[str, str]  # target, family


def _verdicts(outcomes: Iterable[Outcome]) -> str:
    """A row for each target and family."""
    counts: dict[Where, Counter[str]] = {}
    for it in outcomes:
        counts.setdefault((it.target, it.ip), Counter())[it.verdict] += 1
    shown = [verdict for verdict in VERDICTS if any(count[verdict] for count in counts.values())]
    rows = [(*where, str(count.total()), *(str(count[it]) for it in shown)) for where, count in counts.items()]
    return markdown(("target", "family", "scenarios", *shown), rows)


def _folders(outcomes: Iterable[Outcome], roots: Sequence[str]) -> str:
    """A row for each folder: how many of its scenarios pass, in each family on each target."""
    found: dict[str, dict[Where, Counter[bool]]] = {}
    for it in outcomes:
        folder = os.path.dirname(within(it.file, roots)) or "."
        found.setdefault(folder, {}).setdefault((it.target, it.ip), Counter())[it.verdict == PASS] += 1
    places = list(dict.fromkeys(where for folder in found.values() for where in folder))
    rows = [(name, *(_part(folder.get(where)) for where in places)) for name, folder in sorted(found.items())]
    return markdown(("pass", *(" ".join(where) for where in places)), rows)


def _part(passes: Counter[bool] | None) -> str:
    return f"{passes[True]} of {passes.total()}" if passes else "-"


def _reasons(outcomes: Iterable[Outcome], roots: Sequence[str]) -> str:
    """A row for each reason of a scenario, families together."""
    found: dict[tuple[str, str, str, str], list[str]] = {}
    for it in outcomes:
        if it.verdict not in (PASS, SKIP):
            where = within(it.file, roots) + (f":{it.line}" if it.line else "")
            found.setdefault((where, it.target, it.verdict, " ".join(it.reason.split())), []).append(it.ip)
    rows = [(where, target, ", ".join(ips), verdict, why) for (where, target, verdict, why), ips in found.items()]
    return markdown(("scenario", "target", "family", "verdict", "reason"), rows) if rows else ""


def within(file: str, roots: Iterable[str]) -> str:
    """A file's path from the folder on that was given, or as it is."""
    for root in roots:
        if os.path.isdir(root) and os.path.abspath(file).startswith(os.path.abspath(root) + os.sep):
            return os.path.relpath(file, root)
    return file
