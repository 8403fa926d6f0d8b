# SPDX-License-Identifier: GPL-2.0-or-later
"""What a recorded host was set to, beside the profiles: which profile comes nearest, and the sysctls that differ."""

from collections.abc import Mapping
from functools import cache

from labstack.core.config import SYSCTLS, Config, spoken, understood
from labstack.core.errors import StackError
from labstack.scenario.profiles import PROFILES


def profile_of(config: Config) -> str:
    """The profile that needs the fewest sysctls beside it; the usual one if several do."""
    return min(PROFILES, key=lambda name: len(beside(config, name)))


def beside(config: Config, profile: str) -> dict[str, str]:
    """The sysctls that differ from a profile, as /proc/sys has them."""
    there = _made(profile)
    return {line(name): spoken(config, line(name)) for name in SYSCTLS if config[name] != there[name]}


def line(name: str) -> str:
    """The line of /proc/sys that an entry is (a part of)."""
    stem, _, part = name.rpartition(".")
    return stem if part in ("min", "default", "max") and f"{stem}.max" in SYSCTLS else name


def command(values: Mapping[str, str]) -> str:
    """The shell command that sets sysctls."""
    words = [f'{name}="{value}"' if " " in value else f"{name}={value}" for name, value in values.items()]
    return " ".join(["sysctl -q -w", *words])


@cache
def _made(profile: str) -> Config:
    """A host that a profile was given to; what we lack is left out, as there."""
    config = Config()
    for name, value in PROFILES[profile].items():
        try:
            config = config.replace(understood(name, value))
        except StackError:
            continue
    return config
