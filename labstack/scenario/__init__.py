# SPDX-License-Identifier: GPL-2.0-or-later
"""Scripted conformance: scenarios in packetdrill's language and in Python, against our stack and against Linux.

    >>> from labstack.scenario import Calls
    >>> calls = Calls()                  # a host in virtual time: system calls, packets in, packets out
    >>> calls.socket(2, 1)
    Result(result=3, errno=0, data=None)

    >>> from labstack.scenario import ANY, exactly, has, lacks, near, scenario, size      # Python scenarios

What is named here is loaded when it is first used, so that importing the package stays cheap.
"""

from importlib import import_module
from typing import Any

from labstack.scenario.target import Message, Packet, Result, Ticket

__all__ = ["ANY", "Calls", "Message", "Packet", "Result", "Ticket", "exactly", "has", "lacks", "near", "scenario"]
__all__ += ["size"]

_WHERE = {"Calls": "calls", "scenario": "play.scenario"}
_WHERE |= dict.fromkeys(("ANY", "exactly", "has", "lacks", "near", "size"), "play.condition")


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'labstack.scenario' has no attribute {name!r}")
    return getattr(import_module(f"labstack.scenario.{_WHERE[name]}"), name)
