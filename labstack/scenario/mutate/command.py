# SPDX-License-Identifier: GPL-2.0-or-later
"""`labstack mutate`, once the command line was read: many mutants of many scripts, and what they broke.

Exit status 0: nothing was broken; 1: something was; 2: the command line asked for what is not there.
"""

import json
import os
import re
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter

from labstack.lab.errors import LabError
from labstack.lab.view import Line, Span, View
from labstack.scenario.collect import cases, find
from labstack.scenario.command import show
from labstack.scenario.many import spread, watched
from labstack.scenario.mutate.judge import signature
from labstack.scenario.mutate.mutate import Done, Found, Task, hunt
from labstack.scenario.report.failure import FOLDER
from labstack.scenario.settings import IP_VERSIONS, Settings

CHUNK = 25  # mutants of one scenario that a process makes in one go
FEW = 8  # such pieces are not worth more processes
INTERRUPTED = 130


def run(args: Namespace) -> int:
    """Try the mutants. Raises LabError for what cannot be asked for."""
    tasks = _tasks(args)
    settings = Settings(profile=args.profile)
    began = perf_counter()
    done: list[Done] = []
    interrupted = False
    try:
        outcomes = spread(tasks, partial(hunt, settings=settings), _lost, _jobs(args.j, len(tasks)))
        for outcome in watched(outcomes, len(tasks), sys.stdout.isatty() and not args.json):
            done.append(outcome)
    except KeyboardInterrupt:
        interrupted = True
    found = _apart(done)
    saved = [_saved(it, args.save or FOLDER) for it in found]
    if args.json:
        print(_json(done, found, saved))
    else:
        show(Summary(done, found, saved, perf_counter() - began))
    return INTERRUPTED if interrupted else int(bool(found))


def _jobs(wanted: int | None, tasks: int) -> int:
    """How many processes: as many as wanted, else one a processor if there is much to do."""
    return min(wanted or (os.cpu_count() or 1 if tasks > FEW else 1), tasks)


def _tasks(args: Namespace) -> list[Task]:
    """So many mutants of each script, in pieces."""
    ips = IP_VERSIONS if args.ip_version == "all" else tuple(filter(None, [args.ip_version]))
    wanted = [it for it in cases(find(args.paths), ("lab",), ips, args.k) if it.file.endswith(".pkt")]
    if not wanted:
        raise LabError(f"no packetdrill script is left to mutate in {' '.join(args.paths)}")
    firsts = range(args.seed, args.seed + args.seeds, CHUNK)
    last = args.seed + args.seeds
    return [Task(it.file, it.ip, first, min(CHUNK, last - first)) for it in wanted for first in firsts]


def _lost(task: Task, reason: str) -> Done:
    return Done(task.file, task.ip, 0, (Found(task.file, task.ip, task.first, (), reason, "", 0),))


def _apart(done: Sequence[Done]) -> list[Found]:
    """One for each invariant that was broken: the smallest script, and how many mutants broke it."""
    best: dict[str, Found] = {}
    for it in (found for outcome in done for found in outcome.found):
        kind = signature(it.reason)
        other = best.get(kind, it)
        times = it.times + (other.times if kind in best else 0)
        best[kind] = min(other, it, key=lambda found: found.lines)._replace(times=times)
    return list(best.values())


def _saved(found: Found, folder: str) -> str:
    """Write its script to a folder, which is made; returns the path, "" if there is no script. Raises LabError."""
    if not found.text:
        return ""
    stem = "-".join(re.findall(r"\w+", Path(found.file).stem))
    path = Path(folder) / f"{stem}-{found.ip}-{found.seed}.pkt"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if folder == FOLDER:
            (path.parent / ".gitignore").write_text("*\n")
        path.write_text(found.text, encoding="utf-8")
    except OSError as error:
        raise LabError(f"cannot write {path}: {error.strerror}") from None
    return str(path)


def _json(done: Sequence[Done], found: Sequence[Found], saved: Sequence[str]) -> str:
    """What a program wants to know."""
    rows = [
        {"file": it.file, "ip": it.ip, "seed": it.seed, "moves": it.moves, "reason": it.reason, "lines": it.lines,
         "times": it.times, "saved": path}
        for it, path in zip(found, saved, strict=True)
    ]  # fmt: skip
    skipped = [{"file": it.file, "ip": it.ip, "reason": it.trouble} for it in _once(done)]
    tried = sum(it.tried for it in done)
    return json.dumps({"tried": tried, "found": rows, "skipped": skipped}, indent=1, ensure_ascii=False)


def _once(done: Iterable[Done]) -> list[Done]:
    """Those that could not be mutated, each once."""
    return list({(it.file, it.ip): it for it in done if it.trouble}.values())


class Summary(View):
    """What was broken, each with its smallest script; how many mutants were tried; what could not be mutated."""

    def __init__(self, done: Sequence[Done], found: Sequence[Found], saved: Sequence[str], seconds: float) -> None:
        self.done, self.found, self.saved, self.seconds = done, found, saved, seconds

    def lines(self, width: int) -> Iterable[Line]:
        for found, path in zip(self.found, self.saved, strict=True):
            yield from _story(found, path)
        for reason, n in Counter(it.trouble.split(": ", 1)[-1] for it in _once(self.done)).most_common():
            yield [Span(f"  skipped {n:>4}  ", "dim"), Span(reason)]
        tried = sum(it.tried for it in self.done)
        files = len({(it.file, it.ip) for it in self.done if it.tried})
        yield [
            Span(f"{tried} mutants of {files} scenario{'s' * (files != 1)}: "),
            Span(f"{len(self.found)} invariants broken", "bad") if self.found else Span("no invariant broken", "state"),
            Span(f" in {self.seconds:.2f} s", "dim"),
        ]


def _story(found: Found, path: str) -> Iterable[Line]:
    """One invariant that was broken: who broke it, and the script that does."""
    first = next((line for line in reversed(found.reason.strip().splitlines()) if line.strip()), "")
    yield [Span("✗ ", "bad"), Span(first, "bad")]
    many = f", and {found.times - 1} more" if found.times > 1 else ""
    yield [Span(f"  seed {found.seed} of {found.file} {found.ip}: {', '.join(found.moves)}{many}", "dim")]
    for line in found.text.splitlines():
        yield [Span(f"    {line}", "dim" if line.startswith("//") else "")]
    if path:
        yield [Span("  again: ", "dim"), Span(f"labstack run {path}", "head")]
    yield []
