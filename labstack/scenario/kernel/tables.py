# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's counters as nstat(8) names them, from the text of /proc/net/netstat, snmp and snmp6."""

from collections.abc import Iterable, Mapping


def parse(texts: Iterable[str]) -> dict[str, int]:
    """Every counter: of "TcpExt: A B" over "TcpExt: 1 2", TcpExtA and TcpExtB; of "Ip6InReceives 3", as it is."""
    found: dict[str, int] = {}
    for text in texts:
        names: list[str] = []
        for words in map(str.split, text.splitlines()):
            if len(words) == 2 and not words[0].endswith(":"):
                found[words[0]] = int(words[1])
            elif names[:1] == words[:1]:
                found |= {names[0][:-1] + name: int(n) for name, n in zip(names[1:], words[1:], strict=True)}
                names = []
            else:
                names = words
    return found


def since(before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    """What has changed, and by how much."""
    return {name: n - before.get(name, 0) for name, n in now.items() if n != before.get(name, 0)}
