# SPDX-License-Identifier: GPL-2.0-or-later
"""Families: in which of them a script runs.

A file named ...v4.pkt or ...v6.pkt is for one family; so is one that says so, by a note or an option, and one whose
options give addresses of that family.
"""

from collections.abc import Mapping
from pathlib import Path

from labstack.packetdrill.script import Script
from labstack.scenario.settings import IP_VERSIONS

V4 = ("ipv4", "ipv4-mapped-ipv6")


def families(script: Script) -> tuple[str, ...]:
    """The families in which a script runs."""
    said = [note.value for note in script.notes if note.key == "ip"]
    said += [value for name, value in script.options if name == "ip_version"]
    wanted = {word for value in said for word in words(value)} or _by_address(dict(script.options))
    return tuple(ip for ip in by_name(script.file) if ip in wanted)


def by_name(file: str) -> tuple[str, ...]:
    """The families that a file's name leaves."""
    stem = Path(file).stem
    return V4 if stem.endswith("v4") else ("ipv6",) if stem.endswith("v6") else IP_VERSIONS


def _by_address(given: Mapping[str, str]) -> set[str]:
    """The families of the addresses that a script gives; all, if it gives none, or one of each."""
    v6 = {":" in given[name] for name in ("local_ip", "remote_ip") if name in given}
    return set(IP_VERSIONS) if len(v6) != 1 else {"ipv6"} if v6 == {True} else set(V4)


def words(text: str) -> list[str]:
    """A list with blanks or commas."""
    return text.replace(",", " ").split()
