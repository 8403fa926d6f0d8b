# SPDX-License-Identifier: GPL-2.0-or-later
"""`labstack run` and `labstack rfc`, once the command line was read: each returns the exit status.

0 all as expected, 1 something was not, 2 the command line asked for what is not there.
"""

import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any

from labstack.lab.errors import LabError
from labstack.lab.lab import Lab
from labstack.lab.view import Lines, View
from labstack.scenario import kinds
from labstack.scenario.collect import Case, cases, find
from labstack.scenario.many import jobs, run_all, watched
from labstack.scenario.report import report, rfc
from labstack.scenario.report.both import Both, Tally
from labstack.scenario.report.conformance import put, requirement_tables, run_tables
from labstack.scenario.report.failure import source
from labstack.scenario.report.matrix import Matrix, Rules
from labstack.scenario.settings import IP_VERSIONS, Settings
from labstack.scenario.verdict import Failure, Outcome
from labstack.stack.rules import RULES

INTERRUPTED = 130


def run(args: Namespace) -> int:
    """`labstack run`. Raises LabError for what cannot be asked for."""
    settings = _settings(args)
    if args.at is not None:
        return enter(find(args.paths), args.at, _ips(args.ip_version)[:1], settings)
    wanted = cases(find(args.paths), _targets(args.target), _ips(args.ip_version), args.k)
    if not wanted:
        raise LabError(f"no scenario is left to run in {' '.join(args.paths)}")
    machine = args.json or args.tap
    if args.tap:
        print(report.tap_plan(len(wanted)), flush=True)
    began = perf_counter()
    outcomes: list[Outcome] = []
    interrupted = False
    try:
        for outcome in watched(run_all(wanted, settings, jobs(wanted, args.j)), len(wanted), _shown(machine)):
            outcomes.append(outcome)
            if args.tap:
                print(report.tap(len(outcomes), outcome), flush=True)
    except KeyboardInterrupt:
        interrupted = True
    if args.write:
        path, _, name = args.write.partition("#")
        print(put(path, run_tables(name or "run", outcomes, args.paths)))
    elif args.json:
        print(report.to_json(outcomes))
    elif not args.tap:
        _tell(args, wanted, outcomes, perf_counter() - began)
    return INTERRUPTED if interrupted else report.status(outcomes)


def _tell(args: Namespace, wanted: Sequence[Case], outcomes: Sequence[Outcome], seconds: float) -> None:
    """What a person is shown: the stories of failures, where two targets part, the summary."""
    for story in report.stories(outcomes, args.verbose):
        show(story)
        print()
    if args.target == "both":
        _compare([Both(a, b) for a, b in zip(outcomes[::2], outcomes[1::2], strict=False)], args.verbose)
    show(report.Summary(outcomes, len(wanted), seconds, args.verbose))


def _compare(pairs: Sequence[Both], every: bool) -> None:
    """Where two targets part: whole, if that is seldom or `every` is wanted, else with a line each."""
    parted = [pair for pair in pairs if pair.kind]
    whole = every or len(parted) <= report.WHOLE
    for pair in parted if whole else ():
        show(pair)
        print()
    show(Tally(pairs, listed=not whole))


def enter(files: Sequence[str], n: int, ips: Sequence[str], settings: Settings) -> int:
    """`labstack run FILE --at N`: run a scenario, go to event n of the ladder, and open the prompt there.

    What was to come is still known: `step` repeats it, `back` undoes it, until something else is done. Returns the exit
    status. Raises LabError for more than one file, or no such event.
    """
    if len(files) != 1:
        raise LabError(f"--at leads into one scenario, and there are {len(files)}")
    lab, failure = land(files[0], n, ips, settings)
    if failure is not None:
        print(Lines(list(source(failure, 120))), end="\n\n")
    return int(import_module("labstack.lab.repl").open_prompt(lab))


def land(file: str, n: int, ips: Sequence[str], settings: Settings) -> tuple[Lab, Failure | None]:
    """The lab of a scenario, at event n, and how the scenario failed, if it did."""
    family = next(iter([*ips, *kinds.scenarios(file)[0].ips]), None)
    if family is None:
        raise LabError(f"{file} says that it runs in no family")
    played = kinds.ready(file, settings._replace(ip_version=family)).play("lab")
    history: Any = played.history
    if history is None:
        raise LabError(f"{file} has no history to go to")
    if not 0 <= n <= len(history.records):
        raise LabError(f"--at {n}: its events are 0 (the beginning) to {len(history.records)}")
    history.goto(n)
    return Lab.of(history, settings.seed), played.failure


def rfc_matrix(args: Namespace) -> int:
    """`labstack rfc`. Raises LabError for an unknown requirement or path."""
    chosen = rfc.choose(args.words)
    settings, files = Settings(), find(args.paths or [own()])
    wanted = cases(files, _targets(args.target), _ips(args.ip_version or "all"))
    outcomes = list(watched(run_all(wanted, settings, jobs(wanted, args.j)), len(wanted), _shown(args.json)))
    for complaint in rfc.unknown(outcomes):
        print(f"labstack: {complaint}", file=sys.stderr)
    matrix = Matrix(rfc.matrix(chosen, outcomes), rfc.targets(outcomes))
    rules = Rules(rfc.unreached(outcomes), len(RULES))
    if args.write:
        print(put(args.write, requirement_tables(matrix, rules)))
        return 0
    shown = rules if args.rules else matrix
    title = "Rules that no scenario has reached" if args.rules else "Requirements and the scenarios that test them"
    if args.json or args.md or args.html:
        print(shown.to_json() if args.json else shown.md() if args.md else shown.page(title))
    else:
        show(shown)
    return 0


def own() -> str:
    """The folder of our own scenarios: beside the packages in the source tree, inside the package when installed."""
    package = Path(__file__).parent.parent
    found = [place for place in (package.parent / "scenarios", package / "scenarios") if place.is_dir()]
    if not found:
        raise LabError("the scenarios of labstack itself are not installed: give paths")
    return os.path.relpath(found[0]) if found[0].is_relative_to(Path.cwd()) else str(found[0])


def show(view: View) -> None:
    """Print a view: in colour as wide as the terminal; plain text where the output is no terminal."""
    if sys.stdout.isatty():
        import_module("rich.console").Console(highlight=False).print(view)
    else:
        print(view)


def _shown(machine: bool) -> bool:
    return sys.stdout.isatty() and not machine


def _targets(word: str) -> tuple[str, ...]:
    return ("lab", "kernel") if word == "both" else (word,)


def _ips(word: str) -> tuple[str, ...]:
    """The families that a word names; none: each scenario's first one."""
    return IP_VERSIONS if word == "all" else tuple(filter(None, (word or "").split(",")))


def _settings(args: Namespace) -> Settings:
    return Settings(
        tolerance_us=0 if args.tolerance == "strict" else None,
        profile=args.profile,
        defines=dict(args.define or ()),
        allow_shell=args.allow_shell,
        allow_code=args.allow_code,
        events=args.limit,
        seed=args.seed,
    )
