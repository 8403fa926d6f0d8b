# SPDX-License-Identifier: GPL-2.0-or-later
"""Times and addresses as people write them: '200ms', 1.5 (seconds), '10.0.0.2', and what to say when they are wrong."""

import re

from labstack.lab.errors import LabError
from layers import address

UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "min": 60_000_000_000}
_TIME = re.compile(r"\+?(\d+(?:\.\d+)?)\s*(ns|us|ms|s|min)")


def nanoseconds(time: str | float) -> int:
    """A span of time in ns: text with its unit ('200ms', '1.5s'), or a number of seconds. Raises LabError."""
    if isinstance(time, (int, float)) and time >= 0:
        return round(time * 1e9)
    found = _TIME.fullmatch(time.strip()) if isinstance(time, str) else None
    if not found:
        raise LabError(f"{time!r} is not a span of time: write it with its unit, as 200ms, 1.5s or 30us")
    return round(float(found[1]) * UNITS[found[2]])


def known(text: str) -> str:
    """An IPv4 or IPv6 address, checked. Raises LabError."""
    try:
        return address.any_text(address.ip6(text) if ":" in text else address.ip4(text))
    except (ValueError, TypeError):
        raise LabError(f"{text!r} is not an address: expected one such as 10.0.0.2 or fd00::2") from None


def port(number: int, least: int = 1) -> int:
    """A port number, checked. Raises LabError."""
    if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= 65535:
        raise LabError(f"{number!r} is not a port: expected a number in {least}..65535")
    return number
