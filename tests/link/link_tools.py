# SPDX-License-Identifier: GPL-2.0-or-later
"""One interface for the tests of the link floor, and what they say of the frames it sends."""

from labstack.core.env import Env
from labstack.core.event import Note
from labstack.core.frame import Frame
from labstack.core.kinds import DAD, NEIGHBOUR
from labstack.core.rng import Rng
from labstack.core.rules import sentence
from labstack.link import dad, groups, neighbour
from labstack.link.check import check
from labstack.link.iface import Addr, Iface
from labstack.link.rules import RULES
from layers import Ether
from layers.address import any_address

MS, SECOND = 1_000_000, 1_000_000_000
ME, PEER, OTHER = (bytes((2, 0, 0, 0, 0, n)) for n in (1, 2, 3))
NEIGH = "net.ipv4.neigh.default."
ip = any_address


class Link:
    """An interface with 10.0.0.1/24, fd00::1/64 and fe80::1/64, all usable, and its Env; traced."""

    def __init__(self, mac: bytes = ME, **sysctls: int) -> None:
        self.env = Env(Rng(7), tracing=True)
        self.set(**sysctls)
        self.iface = Iface(1, "eth0", mac)
        groups.setup(self.iface)
        for text, plen in (("10.0.0.1", 24), ("fd00::1", 64), ("fe80::1", 64)):
            self.iface.addrs.append(Addr(ip(text), plen))
            if ":" in text:
                groups.join(self.iface, groups.solicited_node(ip(text)))

    def set(self, **sysctls: int) -> None:
        """Change neighbour sysctls by their last word; dad_transmits too."""
        full = {("net.ipv6.conf.all." if n == "dad_transmits" else NEIGH) + n: v for n, v in sysctls.items()}
        self.env.config = self.env.config.replace(full)

    def sent(self) -> list[Ether]:
        """The frames sent since the last time, dissected."""
        actions, self.env.actions = self.env.actions, []
        return [Ether(raw) for a in actions for raw in a.frame.cuts()]

    def wait(self, ns: int) -> None:
        """Let time pass, timer by timer."""
        until = self.env.now + ns
        while (due := self.env.timers.next()) is not None and due <= until:
            self.env.now = due
            kind, _, address = self.env.timers.pop(due)
            {NEIGHBOUR: neighbour, DAD: dad}[kind].expire(self.env, self.iface, address)
            check(self.env, self.iface)
        self.env.now = until

    def rules(self) -> list[str]:
        """The rule ids noted since the last time."""
        trace, self.env.trace = self.env.trace, []
        return [t.rule for t in trace if isinstance(t, Note)]

    def said(self) -> list[str]:
        """What the rules noted so far say."""
        return [sentence(RULES, t.rule, t.values) for t in self.env.trace if isinstance(t, Note)]

    def drops(self) -> dict[str, int]:
        return {k: n for k, n in self.env.count.items() if k.startswith("drop.")}

    def state(self, address: str) -> str:
        """The state of a neighbour; "" if there is no entry."""
        entry = self.iface.neigh.table.get(ip(address))
        return entry.state if entry else ""


def hole(tag: bytes = b"packet") -> Frame:
    """A packet that waits for a MAC."""
    return Frame(b"\0" * 6 + ME + b"\x08\0" + tag)
