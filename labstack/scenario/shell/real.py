# SPDX-License-Identifier: GPL-2.0-or-later
"""Shell text that is really run, by sh, where a run allows that: in the script's folder, with this user's rights.

On the kernel target sh runs inside its namespace, so that sysctls and routes are the target's own. Nothing of a host of
ours can be reached from a real shell.
"""

import os
import subprocess
from collections.abc import Callable
from typing import Any

from labstack.scenario.shell.shell import Ran
from labstack.scenario.target import Target

SECONDS = 60  # after which a text that goes on is ended


def real_shell(target: Target, file: str) -> Callable[[str], Ran]:
    """What Shell takes as `real`. file: the script, in whose folder the text runs."""
    folder = os.path.dirname(os.path.abspath(file))

    def run(text: str) -> Ran:
        variables = os.environ | {"PACKETDRILL_PID": str(os.getpid())}
        within: Any = getattr(target, "shell", None)
        if within is not None:
            return Ran(*within(text, folder, variables))
        return _here(text, folder, variables)

    return run


def _here(text: str, folder: str, variables: dict[str, str]) -> Ran:
    pipe, out = subprocess.PIPE, subprocess.STDOUT
    try:
        done = subprocess.run(
            ["sh", "-c", text], cwd=folder, env=variables, stdin=subprocess.DEVNULL, stdout=pipe, stderr=out,
            timeout=SECONDS, check=False, text=True, errors="replace",
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Ran(124, f"it was ended after {SECONDS} s")
    except OSError as error:
        return Ran(127, str(error))
    return Ran(done.returncode, done.stdout)
