# SPDX-License-Identifier: GPL-2.0-or-later
"""One host for the tests of the IP floor: eth0 with 10.0.0.1/24 and fd00::1/64, and a peer that it knows."""

from labstack.core.counters import unbalanced
from labstack.core.env import Env
from labstack.core.event import Note
from labstack.core.frame import Frame
from labstack.core.rng import Rng
from labstack.core.rules import sentence
from labstack.ip import addrs, timeouts
from labstack.ip.arrive import arrive, looped
from labstack.ip.check import check
from labstack.ip.datagram import Datagram
from labstack.ip.net import Net
from labstack.ip.rules import RULES as IP_RULES
from labstack.link import neighbour
from labstack.link.iface import Iface
from labstack.link.rules import RULES as LINK_RULES
from layers import Ether
from layers.address import any_address

RULES = IP_RULES | LINK_RULES
SECOND = 1_000_000_000
ME, PEER, OTHER = (bytes((2, 0, 0, 0, 0, n)) for n in (1, 2, 3))
MY4, MY6, MYLL = "10.0.0.1", "fd00::1", "fe80::ff:fe00:1"
YOU4, YOU6, YOULL = "10.0.0.2", "fd00::2", "fe80::2"
ip = any_address


class Host:
    """eth0 (index 1), all addresses usable, the peer's addresses PERMANENT, traced."""

    def __init__(self, mac: bytes = ME, mtu: int = 1500, **sysctls: int) -> None:
        self.env = Env(Rng(7), tracing=True)
        self.set(**{"net.ipv6.conf.all.dad_transmits": 0, **sysctls})
        self.net = Net()
        addrs.add_iface(self.env, self.net, Iface(1, "eth0", mac, mtu=mtu))
        for cidr in (MY4 + "/24", MY6 + "/64"):
            addrs.add_addr(self.env, self.net, "eth0", cidr)
        if mac:
            for address in (YOU4, YOU6, YOULL):
                neighbour.permanent(self.env, self.eth0, ip(address), PEER)
        self.env.trace.clear()

    @property
    def eth0(self) -> Iface:
        return self.net.ifaces[1]

    def set(self, **sysctls: int) -> None:
        self.env.config = self.env.config.replace(sysctls)

    def hear(self, packet: object, dst: bytes = ME, src: bytes = PEER, pad: int = 0) -> Datagram | None:
        """An IP packet (layers or bytes) arrives in an Ethernet frame."""
        raw = bytes(packet)  # type: ignore[call-overload]
        kind = b"\x08\x00" if raw[:1] and raw[0] >> 4 == 4 else b"\x86\xdd"
        return self.frame(Frame(dst + src + kind + raw + bytes(pad)))

    def frame(self, it: Frame, dev: int = 1) -> Datagram | None:
        """A frame arrives; afterwards everything must still hold."""
        found = arrive(self.env, self.net, dev, it)
        self.hold()
        return found

    def loop(self) -> Datagram | None:
        found = looped(self.env, self.net)
        self.hold()
        return found

    def hold(self) -> None:
        check(self.env, self.net)
        assert unbalanced(self.env.count) == []
        for note in self.env.trace:
            if isinstance(note, Note):
                assert "{" not in sentence(RULES, note.rule, note.values), note

    def sent(self) -> list[Ether]:
        """The frames sent since the last time, dissected."""
        actions, self.env.actions = self.env.actions, []
        return [Ether(raw) for a in actions for raw in a.frame.cuts()]

    def wait(self, ns: int) -> None:
        """Let time pass, timer by timer."""
        until = self.env.now + ns
        while (due := self.env.timers.next()) is not None and due <= until:
            self.env.now = due
            timeouts.expire(self.env, self.net, self.env.timers.pop(due))
            self.hold()
        self.env.now = until

    def drops(self) -> dict[str, int]:
        return {k: n for k, n in self.env.count.items() if k.startswith("drop.")}

    def rules(self) -> list[str]:
        trace, self.env.trace = self.env.trace, []
        return [t.rule for t in trace if isinstance(t, Note)]
