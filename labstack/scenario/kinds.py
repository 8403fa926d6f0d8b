# SPDX-License-Identifier: GPL-2.0-or-later
"""The two kinds of scenarios as one, packetdrill scripts and Python functions: what each says of itself, and its run.

A file named ...v4.pkt or ...v6.pkt is for one family; so is one that says so, by a note or an option.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

from labstack.core.event import Note
from labstack.core.record import Record
from labstack.packetdrill.parser import parse
from labstack.packetdrill.script import Script, ScriptError
from labstack.scenario import evidence, runner
from labstack.scenario.kernel.target import Kernel, available
from labstack.scenario.plan import defines, plan
from labstack.scenario.settings import IP_VERSIONS, Settings
from labstack.scenario.target import Target
from labstack.scenario.verdict import Evidence, Failure, Passed
from labstack.scenario.watch import Watch

TARGETS = ("lab", "kernel")
V4 = ("ipv4", "ipv4-mapped-ipv6")


class NoTargetError(Exception):
    """A target is not to be had here; str() is why, and what would mend it."""


def _kernel(script: Script, settings: Settings) -> Kernel:
    """Linux as a script and its run want it. Raises NoTargetError."""
    if reason := available():
        raise NoTargetError(reason)
    it = plan(script, settings)
    return Kernel(local=(it.cidr,), mtu=it.mtu)


MAKE: dict[str, Callable[[Script, Settings], Any]] = {"lab": runner.lab, "kernel": _kernel}


class Known(NamedTuple):
    """A scenario that is there: its file (with "::name" for Python), and the families in which it runs."""

    file: str
    ips: tuple[str, ...]


class Played(NamedTuple):
    """What a run gave. rules: those of our stack that it reached; passed: its packets, on this kind of link."""

    failure: Failure | None
    rules: frozenset[str] = frozenset()
    evidence: Evidence | None = None
    passed: tuple[Passed, ...] = ()
    link: str = "ip"
    history: Any = None


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
    """The scenarios in a file. One that cannot be read is one, too, so that it is told."""
    try:
        script = read(file, Settings())
    except (ScriptError, OSError, UnicodeDecodeError):
        return [Known(file, by_name(file))]
    return [Known(file, _ips(script))]


def ready(file: str, settings: Settings) -> Ready:
    """Read a scenario for the family of the settings. Raises ScriptError, OSError."""
    script = read(file, settings)
    covers = tuple(word for note in script.notes if note.key == "covers" for word in words(note.value))
    only = tuple(note.value for note in script.notes if note.key == "target")
    expected = _expected(script)
    return Ready(covers, only or TARGETS, _ips(script), expected, lambda name: _play(script, name, settings, expected))


def read(file: str, settings: Settings) -> Script:
    """The script in a file, with the words of this run."""
    return parse(Path(file).read_text(encoding="utf-8"), file, defines(settings))


def by_name(file: str) -> tuple[str, ...]:
    """The families that a file's name leaves."""
    stem = Path(file).stem
    return V4 if stem.endswith("v4") else ("ipv6",) if stem.endswith("v6") else IP_VERSIONS


def _ips(script: Script) -> tuple[str, ...]:
    said = [note.value for note in script.notes if note.key == "ip"]
    said += [value for name, value in script.options if name == "ip_version"]
    wanted = {word for value in said for word in words(value)}
    return tuple(ip for ip in by_name(script.file) if not wanted or ip in wanted)


def words(text: str) -> list[str]:
    """A list with blanks or commas."""
    return text.replace(",", " ").split()


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


def _play(script: Script, name: str, settings: Settings, expected: Mapping[str, str]) -> Played:
    watch = Watch(MAKE[name](script, settings))
    try:
        failure = runner.play(script, cast(Target, watch), settings)
        watch.drain()
        return _played(watch, failure, failure is not None and name not in expected)
    finally:
        watch.end()


def _played(watch: Watch, failure: Failure | None, puzzling: bool) -> Played:
    """The run as a value; evidence is gathered where it went wrong and nobody expected that."""
    history = getattr(watch.target, "history", None)
    rules = reached(history.records) if history else frozenset[str]()
    found = None
    if failure and puzzling:
        found = evidence.of_history(history, failure.at) if history else evidence.of_watch(watch)
    return Played(failure, rules, found, watch.passed(), watch.link, history)


def reached(records: list[Record]) -> frozenset[str]:
    """The rules in some records."""
    return frozenset(note.rule for record in records for note in record.trace if isinstance(note, Note))
