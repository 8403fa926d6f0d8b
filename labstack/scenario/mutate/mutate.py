# SPDX-License-Identifier: GPL-2.0-or-later
"""Mutants of a scenario: its packets dropped, duplicated, reordered, delayed, split and flipped, by a seed.

    found = hunt(Task("close.pkt", "ipv4", 1, 100), Settings())     seeds 1 to 100

The verdict is the stack's invariants (`judge`). A mutant that breaks one is shrunk to the smallest script that
does, which `labstack run` plays again. Begins with the script as it went when it was played (`record.script`), so that
each line has a time of its own.
"""

import traceback
from collections.abc import Iterator
from typing import Any, NamedTuple

from labstack.packetdrill.printer import show
from labstack.packetdrill.script import ABSOLUTE, Event, Note, Packet, Place, Script, ScriptError, Tcp, When
from labstack.scenario import kinds
from labstack.scenario.mutate import trial as mutate_trial
from labstack.scenario.mutate.judge import Judged, signature
from labstack.scenario.mutate.loose import Loose
from labstack.scenario.mutate.moves import Step, Steps, mutant
from labstack.scenario.mutate.shrink import smallest
from labstack.scenario.record import script as record_script
from labstack.scenario.record.history import of_history
from labstack.scenario.record.story import UnfitError
from labstack.scenario.script import runner
from labstack.scenario.script.plan import plan
from labstack.scenario.settings import Settings
from labstack.sim.world import UnendingError

EVENTS = 30_000  # of one mutant
QUESTIONS = 400  # that shrinking one may ask
HERE = Place("<mutant>", 1, 1)


class Task(NamedTuple):
    """So many mutants of a scenario in one family, from `first` on."""

    file: str
    ip: str
    first: int
    seeds: int


class Found(NamedTuple):
    """A mutant that breaks an invariant. seed 0: the scenario as it is; text: the smallest script; lines: its events;
    times: how many mutants broke the same one."""

    file: str
    ip: str
    seed: int
    moves: tuple[str, ...]
    reason: str
    text: str
    lines: int
    times: int = 1


class Done(NamedTuple):
    """What became of a task; trouble: why there were no mutants, "" if there were."""

    file: str
    ip: str
    tried: int
    found: tuple[Found, ...] = ()
    trouble: str = ""

    @property
    def bad(self) -> bool:
        """Was anything found?"""
        return bool(self.found)


class Base(NamedTuple):
    """A scenario as steps; script: what stands around them; version: of IP."""

    script: Script
    steps: Steps
    version: int


def hunt(task: Task, settings: Settings) -> Done:
    """Try the mutants of a task. Nothing is raised for what a file says."""
    settings = settings._replace(ip_version=task.ip, events=EVENTS)
    try:
        base = base_of(kinds.read(task.file, settings), settings)
    except (ScriptError, UnfitError, OSError, UnicodeDecodeError) as error:
        return Done(task.file, task.ip, 0, (), str(error))
    kinds_found: dict[str, Found] = {}
    for seed in range(task.first, task.first + task.seeds):
        steps, moves = mutant(base.steps, base.version, task.file.rpartition("/")[2], seed)
        reason = trial(base, settings, steps)
        kind = signature(reason)
        if kind in kinds_found:
            kinds_found[kind] = kinds_found[kind]._replace(times=kinds_found[kind].times + 1)
        elif reason:
            kinds_found[kind] = _shrunk(base, settings, task, seed, moves, steps, kind)
    return Done(task.file, task.ip, task.seeds, tuple(kinds_found.values()))


def base_of(script: Script, settings: Settings) -> Base:
    """The steps of a script, with the times that they had when it was played and nobody judged it.

    Raises UnfitError for one whose packets cannot be told, ScriptError.
    """
    calls = runner.lab(script, settings)
    try:
        Loose(script, calls, settings).play()
    except UnendingError as error:
        raise UnfitError(str(error)) from None
    told = record_script.stimuli(of_history(calls.history, calls.host.name))
    steps = tuple([Step(event.when.at, event.action) for event in told.events])
    return Base(told._replace(events=()), steps, 6 if plan(script, settings).v6 else 4)


def trial(base: Base, settings: Settings, steps: Steps) -> str:
    """The invariant that steps break, "" if they break none."""
    if not steps:
        return ""
    script = written(base, steps)
    try:
        failure = mutate_trial.play(script, runner.lab(script, settings, Judged), settings)
    except Exception:  # whatever a mutant makes happen is told
        return traceback.format_exc()
    return failure.why if failure else ""


def written(base: Base, steps: Steps, about: str = "") -> Script:
    """Steps as a script that is judged by invariants."""
    start = steps[0].at
    events = tuple([Event(HERE, When(ABSOLUTE, step.at - start), step.action) for step in steps])
    notes = (*base.script.notes, Note("judge", mutate_trial.INVARIANTS, HERE), Note("target", "lab", HERE))
    script = base.script._replace(events=events, notes=notes, about=about)
    flips = [mutate_trial.flip_note(script, i, step.flips) for i, step in enumerate(steps) if step.flips]
    return script._replace(notes=(*notes, *flips))


# the smallest


def _shrunk(
    base: Base, settings: Settings, task: Task, seed: int, moves: tuple[str, ...], steps: Steps, kind: str
) -> Found:
    """The smallest script that breaks the same invariant."""

    def fails(candidate: Steps) -> bool:
        return signature(trial(base, settings, candidate)) == kind

    few = smallest(steps, fails, _simpler, QUESTIONS)
    reason = trial(base, settings, few)
    bare = base._replace(script=base.script._replace(init=None))
    if base.script.init is not None and signature(trial(bare, settings, few)) == kind:
        base = bare
    said = [line for line in reason.strip().splitlines() if line.strip()]
    about = "\n".join([
        f"Mutant {seed} of {task.file.rpartition('/')[2]} ({task.ip}): {', '.join(moves)}.",
        "It broke an invariant of the stack:", *[f"    {line}" for line in said[-12:]],
    ])  # fmt: skip
    return Found(task.file, task.ip, seed, moves, reason, show(written(base, few, about)), len(few))


def _simpler(step: Step) -> Iterator[Step]:
    """Simpler forms of a step: fewer flips, no options, less text."""
    if step.flips:
        yield step._replace(flips=())
        yield from (step._replace(flips=(flip,)) for flip in step.flips if len(step.flips) > 1)
    packet: Any = step.action
    if isinstance(packet, Packet) and isinstance(packet.body, Tcp):
        body = packet.body
        if body.options and not step.flips:
            yield step._replace(action=packet._replace(body=body._replace(options=())))
        for size in (0, 1):
            if size < body.size:
                yield step._replace(action=packet._replace(body=body._replace(size=size)))
