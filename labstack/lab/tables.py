# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables of hosts, printed as `ss -ti`, `ip neigh`, `ip route` and `nstat` print them."""

from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import Any

from labstack.core import config, kinds
from labstack.ip.family import parse_addr, text
from labstack.lab import ss
from labstack.lab.view import Line, Lines, Span, table
from labstack.link.iface import Neighbour

WIDTH = 80
INDENT: dict[str, Any] = {
    "initial_indent": " " * 6, "subsequent_indent": " " * 6, "break_on_hyphens": False, "break_long_words": False,
}  # fmt: skip
SS = {"ESTABLISHED": "ESTAB"}  # the words of ss, where they are not the RFC's


def sockets(hosts: Sequence[Any]) -> Lines:
    """Every socket of these hosts (lab.host.Host), with TCP's numbers below it."""
    rows: list[Sequence[str]] = []
    more: list[str] = []
    for host in hosts:
        for it in host.sockets():
            state = SS.get(it["state"], it["state"].replace("_", "-"))
            rows.append((host.name, it["proto"], state, str(it["recv_q"]), str(it["send_q"]), it["local"], it["peer"]))
            more.append(_tcp_info(it))
    if not rows:
        return Lines([], "no sockets")
    head, *lines = table(("Host", "Netid", "State", "Recv-Q", "Send-Q", "Local", "Peer"), rows, ("host", "", "state"))
    found = [head]
    for line, info in zip(lines, more, strict=True):
        found += [line, *([Span(it, "dim")] for it in wrap(info, WIDTH, **INDENT))]
    return Lines(found)


def _tcp_info(it: dict[str, Any]) -> str:
    """The numbers that `ss -tio` shows below a TCP socket; '' for others."""
    if "info" not in it:
        return ""
    return " ".join(ss.words({**it["info"], **{name: it[name] for name in ("cc", "control", "timers")}}))


class Neighbours(Lines):
    """The neighbour tables as lines, and as a mapping: h1.arp["10.0.0.2"].state, "10.0.0.2" in h1.arp."""

    def __init__(self, lines: Sequence[Line], entries: dict[str, Neighbour]) -> None:
        super().__init__(lines, "no neighbours known")
        self.entries = entries

    def __getitem__(self, address: str) -> Neighbour:
        return self.entries.get(address) or Neighbour(parse_addr(address))

    def __contains__(self, address: str) -> bool:
        return address in self.entries


def neighbours(hosts: Sequence[Any], sizes: Sequence[int]) -> Neighbours:
    """The neighbour tables, for addresses of these sizes (4, 16)."""
    lines: list[Line] = []
    entries: dict[str, Neighbour] = {}
    for host in hosts:
        for iface in host.stack.net.ifaces.values():
            for entry in iface.neigh.table.values():
                if len(entry.address) in sizes:
                    lines.append(_neighbour(host.name, iface.name, entry, host.lab.now))
                    entries.setdefault(text(entry.address), entry)
    return Neighbours(lines, entries)


def _neighbour(host: str, dev: str, entry: Any, now: int) -> Line:
    mac = f"lladdr {entry.mac.hex(':')} " if entry.mac else ""
    age = f"  confirmed {span(now - entry.confirmed)} ago" if entry.mac and entry.confirmed else ""
    waits = f"  {len(entry.pending)} waiting" if entry.pending else ""
    return [Span(f"{host:<4} ", "host"), Span(f"{text(entry.address)} dev {dev} {mac}"), Span(entry.state, "state"),
            Span(age + waits, "dim")]  # fmt: skip


def routes(hosts: Sequence[Any]) -> Lines:
    """The routing tables."""
    lines: list[Line] = []
    for host in hosts:
        net = host.stack.net
        for it in net.routes:
            prefix = f"{text(it.prefix)}/{it.plen}" if it.plen else "default"
            via = f" via {text(it.via)}" if it.via else ""
            src = f" src {text(it.src)}" if it.src else ""
            metric = f" metric {it.metric}" if it.metric else ""
            words = f"{prefix}{via} dev {net.ifaces[it.dev].name}{src}{metric}"
            lines.append([Span(f"{host.name:<4} ", "host"), Span(words)])
    return Lines(lines, "no routes")


def timers(hosts: Sequence[Any], now: int) -> Lines:
    """Every armed timer, the soonest first."""
    due = sorted((at, host, key) for host in hosts for key, at in _armed(host))
    lines = [
        [Span(f"{host.name:<4} ", "host"), Span(f"{kinds.NAMES.get(key[0], key[0]):<12} {_whose(key):<28}"),
         Span(f"in {span(at - now)}", "dim")]
        for at, host, key in due
    ]  # fmt: skip
    return Lines(lines, "no timer is armed")


def _armed(host: Any) -> Iterable[tuple[Any, int]]:
    return host.stack.env.timers.at.items()  # type: ignore[no-any-return]


def _whose(key: tuple[Any, ...]) -> str:
    last = key[-1]
    return text(last) if isinstance(last, bytes) else f"socket {last}"


def sysctls(hosts: Sequence[Any], pattern: str) -> Lines:
    """The settings whose name is `pattern`, or else contains it, as `sysctl -a` prints them."""
    names = list(dict.fromkeys(map(config.line, config.SYSCTLS)))
    wanted = [pattern] if config.parts_of(pattern) else [name for name in names if pattern in name]
    lines = [
        [Span(f"{host.name:<4} ", "host"), Span(f"{name} = {config.spoken(host.stack.env.config, name)}")]
        for host in hosts for name in wanted
    ]  # fmt: skip
    return Lines(lines, config.unknown(pattern))


def counters(hosts: Sequence[Any], words: str = "") -> Lines:
    """What was counted, except zeroes; words: only those whose name contains them, as in 'Retrans' or 'TcpExt*'."""
    lines: list[Line] = []
    for host in hosts:
        for name, value in sorted(host.stack.env.count.items()):
            if value and words.strip("*") in name:
                style = "bad" if name.startswith("drop.") else ""
                lines.append([Span(f"{host.name:<4} ", "host"), Span(f"{name:<36} {value:>10}", style)])
    return Lines(lines, "nothing was counted")


def span(ns: float) -> str:
    """A span of time for people: '59.9s', '212ms', '0.1ms'."""
    if ns >= 1e9:
        return f"{ns / 1e9:.4g}s"
    return f"{ns / 1e6:.4g}ms"
