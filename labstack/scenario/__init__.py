# SPDX-License-Identifier: GPL-2.0-or-later
"""Scripted conformance: scenarios in packetdrill's language and in Python, against our stack and against Linux.

    >>> from labstack.scenario import Calls
    >>> calls = Calls()                  # a host in virtual time: system calls, packets in, packets out
    >>> calls.socket(2, 1)
    Result(result=3, errno=0, data=None)

Calls is loaded when it is first used, so that importing the package stays cheap.
"""

from importlib import import_module
from typing import Any

from labstack.scenario.target import Message, Packet, Result, Ticket

__all__ = ["Calls", "Message", "Packet", "Result", "Ticket"]


def __getattr__(name: str) -> Any:
    if name != "Calls":
        raise AttributeError(f"module 'labstack.scenario' has no attribute {name!r}")
    return import_module("labstack.scenario.calls").Calls
