# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules have names, and the names are counted, traced, explained and found with grep.

An id is `<rfc>/<section>/<what>`, `linux/<sysctl or function>/<what>` where Linux decides, or `drop.<layer>.<reason>`.
It occurs once in the code that decides, and once in the `RULES` literal of that code's folder, with its meaning.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from layers.address import any_text


class Rule(NamedTuple):
    """says: one sentence in our own words, {0} {1} filled by the note; serves: ids in the requirement tables."""

    says: str
    serves: tuple[str, ...] = ()


def sentence(rules: Mapping[str, Rule], rule: str, values: tuple[Any, ...] = ()) -> str:
    """The rule's meaning with the note's values filled in; packed addresses are shown as text."""
    if rule not in rules:
        return rule
    shown = [any_text(v) if isinstance(v, bytes) else v for v in values]
    return re.sub(r"(?<![\d.])1 (byte|segment)s\b", r"1 \1", rules[rule].says.format(*shown))


def cite(rule: str) -> str:
    """Where a rule stands, for people: 9293/3.10.7.4/ack/old -> 'RFC 9293 §3.10.7.4'."""
    head, _, rest = rule.partition("/")
    if head.isdigit():
        section = rest.partition("/")[0]
        return f"RFC {head}" if section == "-" else f"RFC {head} §{section}"
    return f"Linux {rest.partition('/')[0]}" if head == "linux" else rule
