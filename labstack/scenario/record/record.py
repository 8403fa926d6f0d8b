# SPDX-License-Identifier: GPL-2.0-or-later
"""Record: what happened becomes a scenario that passes: in packetdrill's language where that can say it, else Python.

    of_lab(lab)                   what happened to a host of a lab
    of_capture("web.pcapng")      what a capture shows, with the calls that must have been made

A recording is played before it is handed out. Where our stack does otherwise than what was recorded, as when that was
another stack, the scenario says what ours does, and what was recorded stands above it.
"""

import sys
from argparse import Namespace
from collections.abc import Iterable
from difflib import SequenceMatcher
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import fill
from typing import Any

from labstack.core.event import Call
from labstack.lab.errors import LabError
from labstack.lab.view import Line, Span, View
from labstack.packetdrill.parser import parse
from labstack.packetdrill.printer import packet, seconds, show, syscall
from labstack.packetdrill.script import ABSOLUTE, RELATIVE, Event, Packet, Script, Syscall, When
from labstack.scenario.collect import run as played
from labstack.scenario.command import show as print_view
from labstack.scenario.mutate.loose import Loose
from labstack.scenario.record import capture as record_capture
from labstack.scenario.record import python as record_python
from labstack.scenario.record import script as record_script
from labstack.scenario.record.history import of_history
from labstack.scenario.record.story import Story, UnfitError
from labstack.scenario.script import runner
from labstack.scenario.settings import Settings
from labstack.scenario.verdict import Failure

MARK = "recorded: "
TOLERANCE = 4_000_000  # ns


class Recording(View):
    """A scenario; source: the text of its file; suffix: of its name; differs: in how many places our stack does
    otherwise than what was recorded; saved: the path of its file, "" while there is none."""

    def __init__(self, source: str, suffix: str = ".pkt", differs: int = 0) -> None:
        self.source, self.suffix, self.differs = source, suffix, differs
        self.saved = ""

    def save(self, path: str) -> "Recording":
        """Write it to a file, whose suffix is that of its kind. Raises LabError if that cannot be."""
        place = Path(path).with_suffix(self.suffix)
        try:
            place.write_text(self.source, encoding="utf-8")
        except OSError as error:
            raise LabError(f"cannot write {place}: {error.strerror}") from None
        self.saved = str(place)
        return self

    def lines(self, width: int) -> Iterable[Line]:
        if self.saved:
            yield [Span(f"saved; labstack run {self.saved}", "head")]
            return
        for line in self.source.splitlines():
            yield [Span(line, "dim" if line.lstrip().startswith(("//", "#")) else "")]


def of_lab(lab: Any, host: str = "") -> Recording:
    """What happened to one host of a lab up to now; host: its name, default whoever was called first.

    Raises LabError if nothing happened to it, or there is no such host.
    """
    name = host or _who(lab)
    if name not in [it.name for it in lab.hosts]:
        raise LabError(f"no host {name!r}; there are {', '.join(it.name for it in lab.hosts)}")
    story = of_history(lab.history, name)
    if not story.happened:
        raise LabError(f"nothing has happened to {name} yet")
    return of_story(story, f"Recorded: what happened to {name}.")


def of_capture(path: str, host: str = "") -> Recording:
    """What a pcapng or pcap file shows of one host; host: its address, default the one that others connect to.

    Raises LabError for a file that cannot be read, or without anything that can be told.
    """
    story = record_capture.read(path, host)
    return of_story(story, f"Recorded from {Path(path).name}: {story.host}. The calls are inferred.")


def run(args: Namespace) -> int:
    """`labstack record`: make a scenario of a capture. Raises LabError for a file without any that can be told.

    The exit status is 0 even if our stack does in some line otherwise than what was recorded; stderr tells.
    """
    made = of_capture(args.capture, args.host or "")
    if args.output:
        print(f"labstack: {made.save(args.output).saved}", file=sys.stderr)
    else:
        print_view(made)
    if made.differs:
        lines = f"{made.differs} place{'s' * (made.differs != 1)}"
        print(
            f"labstack: in {lines} our stack does otherwise than what was recorded; comments say how", file=sys.stderr
        )
    return 0


def of_story(story: Story, about: str) -> Recording:
    """The scenario that tells a story, in the form that does so best."""
    about = "\n".join([about, *(f"Left out: {what}." for what in story.left_out)])
    try:
        script = record_script.script(story, about)
    except UnfitError as error:
        return _python(story, f"{about}\nIn Python, since packetdrill's language cannot say it: {error}.")
    if not script.events:
        raise LabError(f"nothing has happened to {story.host} that can be told")
    if passes(script):
        return Recording(show(relative(script)))
    ours, remarks = settled(script)
    return Recording(show(relative(ours), remarks), differs=len(remarks))


def _python(story: Story, about: str) -> Recording:
    """The story in Python, on the link on which it passes; on the last one, with a remark, if it does on none."""
    about = fill(about, 100, break_long_words=False, replace_whitespace=False)
    why = ""
    for link in record_python.links(story):
        source = record_python.source(story, about, link)
        why = python_failure(source)
        if not why:
            return Recording(source, ".py")
    about = f"{about}\n\nIt does not pass on our stack: {why}"
    return Recording(record_python.source(story, about, record_python.links(story)[-1]), ".py", 1)


def python_failure(source: str) -> str:
    """How a Python scenario fails on our stack, "" if it passes."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "scenario_recorded.py"
        path.write_text(source, encoding="utf-8")
        outcome = played(f"{path}::recorded")
    return outcome.reason or outcome.verdict if outcome.bad else ""


def _who(lab: Any) -> str:
    """The host that listens, or else was called first."""
    names = [host.name for host in lab.hosts]
    called = [(it.host, it.event) for it in lab.records if isinstance(it.event, Call) and it.host in names]
    servers = [host for host, call in called if "listen" in (call.op, *call.args[:1])]
    chosen: str = [*servers, *(host for host, _ in called), *names][0]
    return chosen


# does it pass?


def passes(script: Script) -> bool:
    """Does a script pass on our stack, as it will be written?"""
    return failure(script) is None


def failure(script: Script) -> Failure | None:
    """How a script fails on our stack, as it will be written; None: it passes."""
    settings = Settings()
    written = parse(show(relative(script)))
    return runner.play(written, runner.lab(written, settings), settings)


def relative(script: Script) -> Script:
    """The same script in relative times."""
    events: list[Event] = []
    before = 0
    for event in script.events:
        at, action = event.when.at, event.action
        if isinstance(action, Syscall) and action.end is not None:
            action = action._replace(end=action.end - before)
        when = When(RELATIVE, at - before) if events else When(ABSOLUTE, 0)
        events.append(Event(event.place, when, action))
        before = at
    return script._replace(events=tuple(events))


# what ours does instead


def settled(script: Script) -> tuple[Script, dict[int, str]]:
    """The script with what our stack sends and returns, and remarks: what it said instead, before which event."""
    settings = Settings()
    calls = runner.lab(script, settings)
    _Open(script, calls, settings).play()
    story = of_history(calls.history, calls.host.name)
    ours = record_script.script(story, script.about)._replace(
        options=script.options, notes=script.notes, init=script.init
    )
    return ours, _remarks(script, ours, record_script.start(story))


class _Open(Loose):
    """Sockets are left open at the end, as they were when the recording ended."""

    def _end(self) -> None:
        self._reap()


def _remarks(theirs: Script, ours: Script, began: int) -> dict[int, str]:
    """The lines of theirs that are not in ours, which began at `began`, by the event of ours where they belong."""
    a, b = ([_line(event) for event in it.events] for it in (theirs, ours))
    found: list[tuple[int, str]] = []
    for kind, first, last, start, _ in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if kind == "equal":
            pairs = enumerate(zip(theirs.events[first:last], ours.events[start:], strict=False), start)
            found += [(at, _apart(*pair, began)) for at, pair in pairs]
        else:
            found += [(start, f"{MARK}{line}") for line in a[first:last]] or [(start, "not recorded:")]
    return {at: "\n".join(said for n, said in found if n == at and said) for at, line in found if line}


def _apart(theirs: Event, ours: Event, began: int) -> str:
    """When a packet was recorded that ours sends at another time, beyond packetdrill's usual tolerance."""
    off = abs(theirs.when.at - ours.when.at - began)
    return f"{MARK}at {seconds(theirs.when.at)}" if off > TOLERANCE and isinstance(ours.action, Packet) else ""


def _line(event: Event) -> str:
    """A line without its time."""
    action = event.action
    if isinstance(action, Packet):
        return packet(action)
    return syscall(action) if isinstance(action, Syscall) else str(action)
