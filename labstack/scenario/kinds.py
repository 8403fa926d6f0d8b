# SPDX-License-Identifier: GPL-2.0-or-later
"""The two kinds of scenarios as one, scripts and functions: what each says of itself, and its run."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

from labstack.core.event import Note
from labstack.core.record import Record
from labstack.lab.errors import LabError
from labstack.lab.lab import Lab
from labstack.packetdrill.parser import parse
from labstack.packetdrill.script import Place, Script, ScriptError
from labstack.scenario import kernel
from labstack.scenario.calls import Calls
from labstack.scenario.families import by_name, families, words
from labstack.scenario.mutate import trial as mutate_trial
from labstack.scenario.mutate.judge import Judged
from labstack.scenario.play.scenario import TARGETS, load
from labstack.scenario.report import evidence
from labstack.scenario.report.watch import Watch
from labstack.scenario.script import runner
from labstack.scenario.script.plan import defines, plan
from labstack.scenario.settings import Settings
from labstack.scenario.target import Target
from labstack.scenario.verdict import Evidence, Failure, Passed
from labstack.sim.history import History


class NoTargetError(Exception):
    """A target is not to be had here; str() is why, and what would mend it."""


def _target(name: str, needs: dict[str, Any], settings: Settings) -> Any:
    """A target with these arguments. Raises NoTargetError where there can be none."""
    if name == "lab":
        return Calls(**needs, seed=settings.seed, events=settings.events)
    if reason := kernel.available():
        raise NoTargetError(reason)
    return kernel.make(**needs)


class Known(NamedTuple):
    """A scenario that is there: its file (with "::name" for Python), and the families in which it runs."""

    file: str
    ips: tuple[str, ...]


class Played(NamedTuple):
    """What a run gave. rules: those of our stack that it reached; passed: its packets, on this kind of link.

    held_up: Kernel.held_up, 0 on other targets.
    """

    failure: Failure | None
    rules: frozenset[str] = frozenset()
    evidence: Evidence | None = None
    passed: tuple[Passed, ...] = ()
    link: str = "ip"
    history: Any = None
    held_up: int = 0


class Ready(NamedTuple):
    """A scenario that has been read, for one family.

    covers: ids of requirements; targets, ips: where it applies; expected: by target, why it is said to fail
    play: run it on a target, by name. Raises NoTargetError.
    """

    covers: tuple[str, ...]
    targets: tuple[str, ...]
    ips: tuple[str, ...]
    expected: Mapping[str, str]
    play: Callable[[str], Played]


def scenarios(file: str) -> list[Known]:
    """The scenarios in a file, or the one behind "::". A file that cannot be read is one, so that it is told.

    Raises LabError if the file has no scenario of that name.
    """
    path, _, name = file.partition("::")
    try:
        if not path.endswith(".py"):
            if name:
                raise LabError(f"{path!r} is one scenario, and has none of the name {name!r}")
            return [Known(file, families(read(file, Settings())))]
        found = [Known(f"{path}::{it.name}", it.ips) for it in load(path) if name in ("", it.name)]
    except (ScriptError, OSError, UnicodeDecodeError):
        return [Known(file, by_name(path))]
    if name and not found:
        raise LabError(f"there is no scenario {name!r} in {path!r}")
    return found


def ready(file: str, settings: Settings) -> Ready:
    """Read a scenario for the family of the settings. Raises ScriptError, OSError."""
    path, _, name = file.partition("::")
    return _function(path, name, settings) if path.endswith(".py") else _script(file, settings)


def _script(file: str, settings: Settings) -> Ready:
    script = read(file, settings)
    covers = tuple(word for note in script.notes if note.key == "covers" for word in words(note.value))
    only = tuple(note.value for note in script.notes if note.key == "target")
    expected = _expected(script)

    def play(name: str) -> Played:
        puzzling = name not in expected
        if mutate_trial.by_invariants(script):
            judged: Any = Watch(runner.lab(script, settings, Judged))
            return _watched(judged, lambda _: mutate_trial.play(script, judged, settings), puzzling)
        made = _target(name, plan(script, settings).needs(name), settings)
        return _watched(Watch(made), lambda target: runner.play(script, target, settings), puzzling)

    return Ready(covers, only or TARGETS, families(script), expected, play)


def _function(path: str, name: str, settings: Settings) -> Ready:
    it = next((found for found in load(path) if found.name == name), None)
    if it is None:
        raise ScriptError(Place(path, 1, 1), f"there is no scenario {name!r} in this file")

    def play(target: str) -> Played:
        puzzling = target not in it.expected
        if it.hosts:
            lab = Lab(**it.needs, seed=settings.seed)
            return _told(lab.history, it.play(lab, settings.ip_version), puzzling)
        made = _target(target, it.needs, settings)
        return _watched(Watch(made), lambda target: it.play(target, settings.ip_version), puzzling)

    return Ready(it.covers, it.targets, it.ips, it.expected, play)


def read(file: str, settings: Settings) -> Script:
    """The script in a file, with the words of this run. Raises ScriptError, OSError."""
    try:
        text = Path(file).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScriptError(Place(file, 1, 1), f"found bytes that are no UTF-8 text, at byte {error.start}") from None
    return parse(text, file, defines(settings))


def _expected(script: Script) -> dict[str, str]:
    """Why it is said to fail, by target."""
    found = {}
    for note in script.notes:
        if note.key == "xfail":
            target, _, reason = note.value.partition(":")
            found[target.strip()] = reason.strip()
        elif note.key == "wait":
            found.setdefault("lab", f"waits for {note.value}")
    return found


def _watched(watch: Watch, play: Callable[[Target], Failure | None], puzzling: bool) -> Played:
    """Play on a target that is watched; evidence is gathered where it went wrong and nobody expected that."""
    try:
        failure = play(cast(Target, watch))
        held_up = getattr(watch, "held_up", 0)
        passed = watch.passed()  # what nobody asked for at the end is no part of what two targets are compared by
        watch.drain()
        if isinstance(watch.target, Calls):
            played = _told(watch.target.history, failure, puzzling)
        else:
            played = Played(failure, evidence=evidence.of_watch(watch) if failure and puzzling else None)
        return played._replace(passed=passed, link=watch.link, held_up=held_up)
    finally:
        watch.end()


def _told(history: History, failure: Failure | None, puzzling: bool) -> Played:
    """What our own stack has to tell of a run."""
    rules = reached(history.records)
    return Played(failure, rules, evidence.of_history(history, failure.at) if failure and puzzling else None,
                  history=history)  # fmt: skip


def reached(records: list[Record]) -> frozenset[str]:
    """The rules in some records."""
    return frozenset(note.rule for record in records for note in record.trace if isinstance(note, Note))
