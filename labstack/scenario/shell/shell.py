# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual shell: lines that scripts give to sh, interpreted on the scenario's own target and never run.

    shell = Shell(target, defaults=lambda: profiles.apply(target, "linux"))
    shell.run("sysctl -q net.ipv4.tcp_timestamps=0 && ../common/defaults.sh")  # Ran(status, output)

A text is planned whole before any of it is done, so one that is refused has done nothing. `words` has what is
read of sh, `commands` and `network` what is done. It knows no file of this machine.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from labstack.scenario.code.statements import calculate
from labstack.scenario.shell import commands, network
from labstack.scenario.shell.commands import Action, Call, Done, Session
from labstack.scenario.shell.words import BOTH, Pipeline, Redirect, RefusedError, Simple, parse, refuse
from labstack.scenario.target import Target

__all__ = ["Ran", "RefusedError", "Shell"]

COMMANDS = commands.COMMANDS | network.COMMANDS
LAUNCHERS = ("sh", "bash", "source", ".", "python", "python3", "sudo")  # of the scripts that we know by name
RESTORE = re.compile(r"sysctl_restore_\w+\.sh")
_SCRIPTS = ("defaults.sh", "set_sysctls.py")


class Ran(NamedTuple):
    """status: as sh has it; output: stdout and stderr."""

    status: int
    output: str


class Shell:
    """A shell of one scenario. It remembers what set_sysctls.py has changed and what nstat has told.

    defaults: does what defaults.sh does; real: runs text that is refused, where that is allowed (realshell.real_shell)
    """

    def __init__(
        self, target: Target, defaults: Callable[[], object], real: Callable[[str], Ran] | None = None
    ) -> None:
        self.session = Session(target, defaults)
        self.real = real

    def run(self, text: str) -> Ran:
        """Do the commands in `text`. Raises RefusedError before anything is done; the caller judges the status."""
        try:
            plan = [(line.join, self._planned(line)) for line in parse(text, _arithmetic)]
        except RefusedError:
            if self.real is None:
                raise
            return self.real(text)
        status, output = 0, ""
        for join, action in plan:
            if join == ";" or (join == "&&") == (status == 0):
                status, out, err = action("")
                output += out + err
        return Ran(status, output)

    def _planned(self, line: Pipeline) -> Action:
        actions = [self._command(simple) for simple in line.commands]

        def run(stdin: str) -> Done:
            errors = ""
            done = Done()
            for action in actions:
                done = action(stdin)
                stdin, errors = done.out, errors + done.err
            return done._replace(err=errors)

        return run

    def _command(self, simple: Simple) -> Action:
        name, args = _named(simple.words)
        action = _known(name)(Call(self.session, name, args, simple.forgiven))
        for redirect in reversed(simple.redirects):
            action = self._redirected(action, redirect)
        return action

    def _redirected(self, action: Action, redirect: Redirect) -> Action:
        """The action with one of its streams elsewhere."""
        if redirect.fd == 0:
            read = commands.reader(self.session, redirect.target)
            return lambda stdin: action(read(stdin))
        if redirect.target.startswith("&"):
            return _merged(action, redirect)
        write = commands.writer(self.session, redirect.target)

        def run(stdin: str) -> Done:
            status, out, err = action(stdin)
            text = {1: out, 2: err, BOTH: out + err}[redirect.fd]
            wrong = write(text)
            return Done(
                1 if wrong else status, out if redirect.fd == 2 else "", wrong + (err if redirect.fd == 1 else "")
            )

        return run


def _merged(action: Action, redirect: Redirect) -> Action:
    def run(stdin: str) -> Done:
        status, out, err = action(stdin)
        if redirect.target == "&1" and redirect.fd == 2:
            return Done(status, out + err)
        return Done(status, "", out + err) if redirect.target == "&2" and redirect.fd == 1 else Done(status, out, err)

    return run


def _named(words: tuple[str, ...]) -> tuple[str, list[str]]:
    """The name of a command without its folder, and its other words."""
    while len(words) > 1 and words[0] in LAUNCHERS:
        words = words[1:]
        if words[0].rpartition("/")[2] not in _SCRIPTS and not RESTORE.fullmatch(words[0].rpartition("/")[2]):
            refuse(f"the command {words[0]!r}")
    if not words:
        return "true", []
    name = words[0].rpartition("/")[2]
    return name, list(words[1:])


def _known(name: str) -> Callable[[Call], Action]:
    if RESTORE.fullmatch(name):
        return commands.restore
    if name not in COMMANDS:
        refuse(f"the command {name!r}")
    return COMMANDS[name]


def _arithmetic(text: str) -> str:
    """What `$((text))` is: a whole number."""
    value = calculate(text)
    if value is None:
        refuse(f"$(({text[:40]}))")
    return str(value)
