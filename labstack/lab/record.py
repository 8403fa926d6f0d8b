# SPDX-License-Identifier: GPL-2.0-or-later
"""`lab.record()`: what happened to a host as a scenario. How that is told is the affair of labstack.scenario.record,
which stands above the lab and is loaded when it is wanted."""

from importlib import import_module
from os import PathLike, fspath
from typing import Any

from labstack.lab import units
from labstack.lab.view import View


def recorded(lab: Any, path: str | PathLike[str] | None = None, host: str = "") -> View:
    """The scenario that tells what happened to a host, saved if there is a path; see Lab.record."""
    made = import_module("labstack.scenario.record.record").of_lab(lab, host)
    if path is not None:
        made = made.save(fspath(path if isinstance(path, PathLike) else units.text(path, "a file's name")))
    shown: View = made
    return shown
