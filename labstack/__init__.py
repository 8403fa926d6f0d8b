# SPDX-License-Identifier: GPL-2.0-or-later
"""labstack: a Scapy-compatible packet lab and an interactive TCP/IP stack.

    >>> from labstack import Lab
    >>> lab = Lab()                      # two hosts on a memory wire, in virtual time
    >>> lab.h1.ping("10.0.0.2")
    >>> lab.run()
    >>> lab.ladder()

Names are loaded when they are first used, so that importing the package stays cheap.
"""

from importlib import import_module

__version__ = "0.1.0"
__all__ = ["Lab", "__version__"]

_WHERE = {"Lab": "labstack.lab.lab", "load_ipython_extension": "labstack.lab.repl"}


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module 'labstack' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)
