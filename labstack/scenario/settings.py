# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings: how a script is to be run, apart from what it says itself."""

from collections.abc import Mapping
from typing import NamedTuple

NOTHING: Mapping[str, str] = {}

IP_VERSIONS = ("ipv4", "ipv6", "ipv4-mapped-ipv6")


class Settings(NamedTuple):
    """ip_version: one of IP_VERSIONS; a script's own wins
    tolerance_us: us that a time may be off; None: as the script says. On the kernel it is always as the script says
    profile: the sysctls it starts with, by name (profiles.PROFILES); a script's own wins
    defines: words of the script and what stands for them (-D)
    allow_shell, allow_code: run shell text by the shell, and code blocks by Python, instead of reading them ourselves
    events: of the host, after which a script that goes on is stopped
    """

    ip_version: str = "ipv4"
    tolerance_us: int | None = 0
    profile: str = "linux"
    defines: Mapping[str, str] = NOTHING
    allow_shell: bool = False
    allow_code: bool = False
    events: int = 200_000
    seed: int = 1
