# SPDX-License-Identifier: GPL-2.0-or-later
"""Arguments as people write them: '200ms', 1.5 (seconds), '10.0.0.2', 80, and what to say when they are wrong."""

import re

from labstack.lab.errors import LabError
from layers import address

UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "min": 60_000_000_000}
LONGEST = 100 * 366 * 24 * 3600 * UNITS["s"]  # ns
RATES = {"bit": 1, "kbit": 1_000, "mbit": 1_000_000, "gbit": 1_000_000_000}  # as in tc
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]?bit)", re.IGNORECASE)
_TIME = re.compile(r"\+?(\d+(?:\.\d+)?)\s*(ns|us|ms|s|min)")


def nanoseconds(time: str | float) -> int:
    """A span of time in ns: text with its unit ('200ms', '1.5s'), or a number of seconds. Raises LabError."""
    found = _TIME.fullmatch(time.strip()) if isinstance(time, str) else None
    number, unit = (float(found[1]), UNITS[found[2]]) if found else (time, UNITS["s"])
    if isinstance(number, (str, bool)) or not isinstance(number, (int, float)):
        raise LabError(f"{time!r} is not a span of time: write it with its unit, as 200ms, 1.5s or 30us")
    if not 0 <= number * unit <= LONGEST:
        raise LabError(f"{short(time)} is no span of time that can pass: expected 0 to {LONGEST // UNITS['s']} seconds")
    return round(number * unit)


def rate(bits: int | str) -> int:
    """Bits a second: a number, or text as tc takes it ('1mbit', '500kbit'). Raises LabError."""
    found = _RATE.fullmatch(bits.strip()) if isinstance(bits, str) else None
    number = round(float(found[1]) * RATES[found[2].lower()]) if found else bits
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise LabError(f"{short(bits)} is not a rate: expected bits a second, as 1_000_000 or '1mbit'")
    return number


def whole(number: int, what: str, least: int = 0, most: int | None = None) -> int:
    """A whole number in least..most, checked; what: what it is, for the message. Raises LabError."""
    fits = isinstance(number, int) and not isinstance(number, bool)
    if not fits or number < least or (most is not None and number > most):
        span = f"{least} or more" if most is None else f"a number in {least}..{most}"
        raise LabError(f"{short(number)} is not {what}: expected {span} (a whole number)")
    return number


def text(value: str, what: str) -> str:
    """Text, checked; what: what it is, for the message. Raises LabError."""
    if not isinstance(value, str):
        raise LabError(f"{short(value)} is not {what}: expected text")
    return value


def short(value: object) -> str:
    """A value as a message shows it; a number with hundreds of digits is not shown whole."""
    if isinstance(value, int) and abs(value) > 1 << 128:
        return "a number of that size"
    return f"{value!r}"


def known(text: str) -> str:
    """An IPv4 or IPv6 address, checked. Raises LabError."""
    try:
        return address.any_text(address.ip6(text) if ":" in text else address.ip4(text))
    except (ValueError, TypeError):
        raise LabError(f"{text!r} is not an address: expected one such as 10.0.0.2 or fd00::2") from None


def port(number: int, least: int = 1) -> int:
    """A port number, checked. Raises LabError."""
    return whole(number, "a port", least, 65535)
