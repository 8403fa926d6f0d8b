# SPDX-License-Identifier: GPL-2.0-or-later
"""One host: `make` builds it, `Stack` is it, `calls.OPS` is what applications may ask of it."""

from labstack.stack.stack import Stack, make

__all__ = ["Stack", "make"]
