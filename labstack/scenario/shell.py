# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual shell: lines that scripts give to sh, interpreted on the scenario's own target and never run.

shell = Shell(target, defaults=lambda: profiles.apply(target, "linux"))
shell.run("sysctl -q net.ipv4.tcp_timestamps=0 && ../common/defaults.sh")      # Ran(status, output)
"""

from collections.abc import Callable
from typing import NamedTuple

from labstack.scenario.target import Target


class RefusedError(ValueError):
    """A command is none that is interpreted; str() names it. Nothing of the text has been done."""


class Ran(NamedTuple):
    """status: as sh has it; output: stdout and stderr."""

    status: int
    output: str


class Shell:
    """A shell of one scenario. It remembers what set_sysctls.py has changed and what nstat has told.

    defaults: does what defaults.sh does; real: runs text that is refused, where that is allowed (real_shell.real_shell)
    """

    def __init__(self, target: Target, defaults: Callable[[], None], real: Callable[[str], Ran] | None = None) -> None:
        raise NotImplementedError

    def run(self, text: str) -> Ran:
        """Do the commands in `text`. Raises RefusedError before anything is done; the caller judges the status."""
        raise NotImplementedError
