# SPDX-License-Identifier: GPL-2.0-or-later
"""The Linux kernel as a target: real system calls and real packets, in a network namespace of our own.

`target` has the class Kernel. It has a `nursery` (one per process), which has a child for each target: `nurse` starts
it, `furnish` gives it a network, `worker` makes its calls with `libc` and `layout`. `wire` has the packets. All of it
is loaded when it is wanted: it needs Linux, and scenarios on our own stack do not.
"""

import sys
from functools import cache
from importlib import import_module
from typing import Any


def make(**needs: Any) -> Any:
    """A target.Kernel; raises as it does."""
    return import_module("labstack.scenario.kernel.target").Kernel(**needs)


@cache
def available() -> str:
    """Why the kernel cannot be a target here, with what would mend it; "" if it can."""
    if sys.platform != "linux":
        return f"the kernel target is Linux, and this is {sys.platform}"
    why: str = import_module("labstack.scenario.kernel.target").trial()
    return why
