# SPDX-License-Identifier: GPL-2.0-or-later
"""What a controller decided becomes notes and counters. A controller has no trace of its own: it sees numbers only."""

from labstack.core.env import Env
from labstack.tcp.cc.controller import Controller


def tell(env: Env, sock: int, cc: Controller) -> None:
    """Note and count what the controller has to say. Call it if cc.news is not empty."""
    for rule, value, counter in cc.news:
        env.note(rule, sock, value)
        if counter:
            env.count[f"{counter}Detect"] += 1
            env.count[f"{counter}Cwnd"] += value
    cc.news = ()
