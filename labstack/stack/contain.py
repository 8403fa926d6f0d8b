# SPDX-License-Identifier: GPL-2.0-or-later
"""Containment: what fails inside costs the event that it happened in, is counted, and leaves its evidence."""

import traceback

from labstack.core.counters import missing
from labstack.core.env import Env
from labstack.core.event import Event, Quarantine


def contain(env: Env, counter: str, event: Event) -> None:
    """In an `except`: count it, keep the evidence, go on."""
    env.count[counter] += 1
    for layer, n in missing(env.count).items():  # what the handler took in and did not account for
        env.count[f"drop.{layer}.fault"] += n
    env.actions.append(Quarantine(event, traceback.format_exc()))
