# SPDX-License-Identifier: GPL-2.0-or-later
"""Profiles: named sets of sysctls, as /proc/sys has them, that a scenario starts with on either target.

What a target lacks, or does not offer yet, is left out; a sysctl that a script sets itself is another matter. Of a
host that was set already: which profile comes nearest, and the sysctls that differ.
"""

from collections.abc import Mapping
from functools import cache

from labstack.core.config import SYSCTLS, Config, line, spoken, understood
from labstack.core.errors import StackError
from labstack.scenario.target import Target

_TCP = "net.ipv4.tcp_"
LINUX = {
    "rmem": "4096 540000 15728640",
    "wmem": "4096 262144 4194304",
    "timestamps": "1",
    "syn_retries": "5",
    "synack_retries": "5",
    "frto": "2",
    "sack": "1",
    "dsack": "1",
    "fack": "0",
    "reordering": "3",
    "congestion_control": "cubic",
    "slow_start_after_idle": "0",
    "early_retrans": "4",
    "recovery": "1",
    "tso_win_divisor": "3",
    "ecn": "0",
    "ecn_option": "2",
    "pacing_ss_ratio": "200",
    "pacing_ca_ratio": "120",
    "notsent_lowat": str((1 << 32) - 1),
    "fastopen": str(0x70403),
    "fastopen_key": "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4",
    "syncookies": "1",
}
PLAIN = LINUX | {
    "timestamps": "0",
    "frto": "0",
    "sack": "0",
    "dsack": "0",
    "congestion_control": "reno",
    "early_retrans": "0",
    "recovery": "0",
    "fastopen": "0",
    "autocorking": "0",
    "no_metrics_save": "1",
    "moderate_rcvbuf": "0",
    "mtu_probing": "0",
    "syn_linear_timeouts": "0",
}
PROFILES: dict[str, dict[str, str]] = {
    "linux": {_TCP + name: value for name, value in LINUX.items()},  # what unmodified scripts expect (defaults.sh)
    "plain": {_TCP + name: value for name, value in PLAIN.items()},  # RFC 9293, 5681, 6298: only MSS and window scale
    "none": {},  # as the target is
}


def apply(target: Target, name: str) -> list[str]:
    """Set the sysctls of a profile; returns those that the target lacks. Raises KeyError for an unknown profile."""
    if name not in PROFILES:
        raise KeyError(f"no profile {name!r}: there are {', '.join(PROFILES)}")
    missing = []
    for sysctl, value in PROFILES[name].items():
        try:
            if target.sysctl(sysctl).split() != value.split():
                target.sysctl(sysctl, value)
        except (KeyError, ValueError):
            missing.append(sysctl)
    return missing


# of a host


def profile_of(config: Config) -> str:
    """The profile that needs the fewest sysctls beside it; the usual one if several do."""
    return min(PROFILES, key=lambda name: len(beside(config, name)))


def beside(config: Config, profile: str) -> dict[str, str]:
    """The sysctls that differ from a profile, as /proc/sys has them."""
    there = _made(profile)
    return {line(name): spoken(config, line(name)) for name in SYSCTLS if config[name] != there[name]}


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
