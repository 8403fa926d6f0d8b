# SPDX-License-Identifier: GPL-2.0-or-later
"""lab0: an interface on the lab's wire for stock Scapy: srp1, sr1, sniff, AsyncSniffer, arping, ..., with no privilege.

`attach(lab)` registers it and puts a station on the wire (10.0.0.100, fd00::100) whose frames Scapy makes. Sending lets
the lab go on until its wire is quiet, so an answer is there when Scapy looks for it. Sniffers see every frame that
any host sends, with virtual times. One process has one lab0; it belongs to the lab that was attached last.
"""

import socket
from threading import RLock
from typing import Any, ClassVar

from scapy.config import conf
from scapy.interfaces import InterfaceProvider, NetworkInterface
from scapy.layers.inet6 import IPv6  # noqa: F401 - teaches conf.l2types and Ether about IPv6
from scapy.layers.l2 import Ether
from scapy.supersocket import SuperSocket
from scapy.utils import atol

from labstack.core.env import Env
from labstack.core.event import Rx
from labstack.core.record import Record
from labstack.core.rng import Rng
from labstack.lab.station import SEND, Station
from labstack.sim.wire import Delay

NAME, INDEX = "lab0", 9001
MAC, IP, IP6 = "02:00:00:00:01:00", "10.0.0.100", "fd00::100"
QUIET = 100_000_000  # ns: timers due sooner than this belong to an exchange
MOST = 10_000  # events after one frame


class Tap:
    """What connects Scapy's sockets with a lab."""

    def __init__(self) -> None:
        self.lab: Any = None
        self.lock = RLock()
        self.listeners: list[Any] = []

    def attach(self, lab: Any) -> None:
        """Belong to `lab` from now on."""
        with self.lock:
            if self.lab is not None and self.seen in self.lab.watchers:
                self.lab.watchers.remove(self.seen)
            self.lab = lab
            lab.watchers.append(self.seen)

    def seen(self, record: Record) -> None:
        """The lab made a step: show its frames to everybody who listens, on a TAP the kernel's, too."""
        event = record.event
        came = [event.frame] if self.lab.kind == "tap" and isinstance(event, Rx) else []
        for frame in (*came, *(sent.frame for sent in record.sent)):
            for raw in frame.cuts():
                for listener in list(self.listeners):
                    listener.deliver(raw, record)

    def check(self) -> None:
        """Raises OSError where Scapy cannot send."""
        if self.lab.kind != "memory":
            raise OSError("lab0 sends on wires in memory; on a TAP use lab.exec(...), or inject")
        if not any(host.mac for host in self.lab.hosts):
            raise OSError("lab0 needs an Ethernet; this wire carries bare IP: use inject")

    def send(self, raw: bytes) -> None:
        """Scapy sends a frame; the lab goes on until its wire is quiet. Raises OSError where that cannot be."""
        self.check()
        with self.lock:
            history = self.lab.history
            if NAME not in history.world.hosts:
                station = Station(NAME, MAC, IP, IP6, Env(Rng(self.lab.seed), tracing=True))
                history.plug(station, Delay())
            self.lab.call(NAME, SEND, raw)
            for _ in range(MOST):
                world = history.world
                due = world.next()
                if due is None or (not world.calendar and due[0] > world.now + QUIET):
                    break
                self.lab.step()


TAP = Tap()


class L2(SuperSocket):  # type: ignore[misc]
    """Frames from and to the lab's wire. `own`: also those that Scapy sent itself.

    A filter that Scapy's verbs add of their own to spare themselves work is not needed: they check what they get.
    """

    desc = "frames on a labstack wire"
    own = False

    def __init__(self, iface: Any = None, type: Any = None, promisc: Any = None, **more: Any) -> None:
        self.iface, self.outs, self.lost = iface, None, 0
        self.ins, self.peer = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.peer.setblocking(False)
        self.times: list[float] = []
        TAP.listeners.append(self)

    def deliver(self, raw: bytes, record: Record) -> None:
        """A frame was seen on the wire."""
        if record.host == NAME and not self.own:
            return
        self.times.append(max(record.at, 1) / 1e9)  # Scapy takes 0 for "no time"
        try:
            self.peer.send(raw)
        except BlockingIOError:  # a reader that does not read
            self.times.pop()
            self.lost += 1

    def recv_raw(self, x: int = 65535) -> tuple[Any, bytes, float]:
        raw = self.ins.recv(x)
        return Ether, raw, self.times.pop(0)

    def send(self, x: Any) -> int:
        raw = bytes(x)
        if hasattr(x, "sent_time"):
            x.sent_time = TAP.lab.now / 1e9
        TAP.send(raw)
        return len(raw)

    def close(self) -> None:
        if not self.closed:
            TAP.listeners.remove(self)
            self.peer.close()
            super().close()


class Listen(L2):
    """For sniffing: everything. Raises ValueError for a BPF filter, which a wire in memory does not have."""

    own = True

    def __init__(self, iface: Any = None, filter: str = "", **more: Any) -> None:
        if filter:
            self.closed = True
            raise ValueError(f"lab0 has no BPF, so no filter={filter!r}; use lfilter=, a function")
        super().__init__(iface, **more)


class L3(L2):
    """Packets; Scapy finds the neighbour's address through us."""

    def send(self, x: Any) -> int:
        TAP.check()  # before Scapy asks for the neighbour
        return super().send(Ether(src=MAC) / x)

    def recv(self, x: int = 65535, **more: Any) -> Any:
        packet = super().recv(x, **more)
        return packet.payload if packet else packet


class Provider(InterfaceProvider):  # type: ignore[misc]
    """Tells Scapy of lab0."""

    name = "labstack"
    header_sort = 1
    sockets: ClassVar[dict[str, type]] = {}

    def load(self) -> dict[str, Any]:
        about = {
            "name": NAME, "network_name": NAME, "description": "labstack's wire", "index": INDEX, "mac": MAC,
            "ips": [IP, IP6], "flags": 0, "type": 1,
        }  # fmt: skip
        return {NAME: NetworkInterface(self, about)}

    def _l2socket(self, dev: Any) -> type:
        return L2

    def _l2listen(self, dev: Any) -> type:
        return Listen

    def _l3socket(self, dev: Any, ipv6: bool) -> type:
        return L3


def attach(lab: Any) -> str:
    """Make lab0 an interface on this lab's wire, and route the lab's networks to it. Returns its name."""
    TAP.attach(lab)
    if NAME not in conf.ifaces.data:
        conf.ifaces.register_provider(Provider)
        conf.route.ifadd(NAME, f"{IP}/24")
        conf.route6.ifadd(NAME, f"{IP6}/64")
    for host in (
        *lab.hosts,
        *(it for it in lab.peers if it.ip6),
    ):  # the machine may have routes to such addresses, or the addresses themselves
        _route(conf.route, (atol(host.ip), 0xFFFFFFFF, "0.0.0.0", NAME, IP, 0))
        _route(conf.route6, (host.ip6, 128, "::", NAME, [IP6], 0))
    return NAME


def _route(table: Any, entry: tuple[Any, ...]) -> None:
    """Put a route in front of one of Scapy's tables."""
    table.routes = [entry, *(other for other in table.routes if other != entry)]
    table.invalidate_cache()
