# SPDX-License-Identifier: GPL-2.0-or-later
"""Profiles: named sets of sysctls, as /proc/sys has them, that a scenario starts with on either target.

What a target lacks, or does not offer yet, is left out; a sysctl that a script sets itself is another matter.
"""

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
    missing = []
    for sysctl, value in profile(name).items():
        try:
            if target.sysctl(sysctl).split() != value.split():
                target.sysctl(sysctl, value)
        except (KeyError, ValueError):
            missing.append(sysctl)
    return missing


def profile(name: str) -> dict[str, str]:
    """The sysctls of a profile, by name. Raises KeyError with a sentence."""
    if name not in PROFILES:
        raise KeyError(f"no profile {name!r}: there are {', '.join(PROFILES)}")
    return PROFILES[name]
