# SPDX-License-Identifier: GPL-2.0-or-later
"""What a scenario does on the link: the peer sends, the host's packets are asked for, and nothing goes by unseen.

Tolerance is 0 in virtual time. Where time is real, a time may be off by the scenario's tolerance or by an eighth of
what was waited for, as in packetdrill.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from labstack.ip.family import parse_addr
from labstack.lab.units import nanoseconds
from labstack.link.groups import mac_of
from labstack.scenario.packets.match import why
from labstack.scenario.play.inbox import Arrived, Inbox, Mine
from labstack.scenario.play.neighbours import Neighbours
from labstack.scenario.play.pattern import Pattern, Wanted, unsound
from labstack.scenario.play.socket import Blocked
from labstack.scenario.target import Target
from labstack.scenario.verdict import Field, Parted, PlayError
from layers import IP, Ether, IPv6
from layers.address import mac_text

SECOND = 1_000_000_000
PATIENCE = 2 * SECOND  # ns: how long expect() waits if no time is given, and what tells late from missing
STEPS = 50_000
LONGEST = 86_400 * SECOND  # ns of the target's time
PERCENT = 0.125  # of the time waited for, on a target whose time is real
HOST, HOST6, HOST_MAC = "192.168.0.1", "fd3d:a0b:17d6::1", "02:00:00:00:00:01"
HOST_LOCAL = "fe80::ff:fe00:1"  # what a link-local address of that MAC is (RFC 4291 appendix A)
PEER, PEER6, PEER_MAC = "192.168.0.2", "fd3d:a0b:17d6::2", "02:00:00:00:00:02"
Time = float | str
View = Callable[[Any], Any]


class Party(NamedTuple):
    """The host or the peer: its addresses as text; ip: of the family in which the scenario is played."""

    ip: str
    ip4: str
    ip6: str
    mac: str


class Window(NamedTuple):
    """When a packet is to leave: from `earliest` to `latest` (ns of the target), `slack` more or less; strict: the
    scenario gave the end of it, so that later is late, and not just missing."""

    earliest: int
    latest: int
    slack: int
    strict: bool


def _same(packet: Any) -> Any:
    return packet


class Packets:
    """Time and packets of a scenario; see `play` for how they read.

    ip: "ipv4", "ipv6", or "ipv4-mapped-ipv6" (AF_INET6 sockets, IPv4 on the wire); tolerance: s, where time is real
    ignore: packets of the host that the scenario does not care for, as patterns
    neighbours: answer ARP and ND for the peer; else it is the scenario's affair
    """

    def __init__(
        self, target: Target, ip: str, ignore: Sequence[Any] = (), neighbours: bool = True, tolerance: float = 0.02
    ) -> None:
        self.target = target
        self.family = ip
        self.v6 = ip == "ipv6"
        self.ip = HOST6 if self.v6 else HOST
        self.mac = HOST_MAC
        self.peer = Party(PEER6 if self.v6 else PEER, PEER, PEER6, PEER_MAC)
        known = Neighbours({PEER: PEER_MAC, PEER6: PEER_MAC}) if neighbours and target.link == "ether" else None
        self.inbox = Inbox(target, ignore, known)
        self.start = target.now
        self.tolerance = 0 if target.name == "lab" else round(tolerance * SECOND)
        self.steps = 0
        self.ended = False  # the end was said to be quiet, and was
        self.blocked: list[Blocked] = []

    # time

    @property
    def now(self) -> float:
        """Seconds since the scenario began."""
        return (self.target.now - self.start) / SECOND

    def sleep(self, time: Time) -> None:
        """Let time pass. What the host sends meanwhile is still to be asked for."""
        self._step()
        self.inbox.wait(self.target.now + nanoseconds(time))

    def silence(self, time: Time) -> None:
        """Proof of silence: the host sends nothing for so long, nor has it sent what nobody has asked for."""
        self._step()
        self._silent(self.target.now + nanoseconds(time), f"nothing should leave for {time_text(nanoseconds(time))}")

    def quiet(self, time: Time = 0.1) -> None:
        """The end: nothing is left, and nothing leaves for so long; no call that blocks was forgotten."""
        self._step()
        self.ended = True
        self._silent(self.target.now + nanoseconds(time), "the end should be quiet")
        for blocked in self.blocked:
            if not blocked.settled:
                raise Parted("result", f"{blocked} was never asked for: returns(), fails() or blocks()")

    def _silent(self, until: int, rule: str) -> None:
        arrived = self.inbox.next(until - self.tolerance)
        if arrived is not None:
            self.inbox.kept.insert(0, arrived)
            field = Field("packet", "", arrived.packet.summary())
            raise Parted("silence", f"{rule}: at {self._at(arrived.at)} the host sent it", (field,), arrived.at)
        self.inbox.wait(until)

    # packets

    def IP(self, **fields: Any) -> Any:
        """The IP header of the family, from the peer to the host; `ttl`, `hlim` and `tos`, `tc` mean the same."""
        kind, names = (IPv6, {"ttl": "hlim", "tos": "tc"}) if self.v6 else (IP, {"hlim": "ttl", "tc": "tos"})
        named = {names.get(name, name): value for name, value in fields.items()}
        return kind(**{"src": self.peer.ip, "dst": self.ip, **named})

    def send(self, packet: Any) -> None:
        """A packet arrives at the host now: ours, Scapy's, or bytes; on Ethernet a header is put before bare IP."""
        self._step()
        data = self._framed(packet)
        if self.inbox.neighbours is not None:
            self.inbox.neighbours.learn(Ether(data))
        self.target.inject(data)

    def _framed(self, packet: Any) -> bytes:
        """Its bytes, as the link carries them."""
        if isinstance(packet, bytes | bytearray | memoryview):
            return bytes(packet)
        if not hasattr(packet, "haslayer"):
            raise PlayError(f"send({packet!r}): expected a packet of layers/ or Scapy's, or bytes")
        kind = type(packet).__name__
        if self.target.link == "ip" and kind not in ("IP", "IPv6"):
            raise PlayError(f'send({kind}): this link carries bare IP packets; say @scenario(link="ether")')
        if self.target.link == "ip" or kind not in ("IP", "IPv6"):
            return bytes(packet)
        ethertype = 0x0800 if kind == "IP" else 0x86DD
        return bytes(Ether(dst=self._mac_of(packet.dst), src=self.peer.mac, type=ethertype) / bytes(packet))

    def _mac_of(self, address: str) -> str:
        """Where a packet of the peer's to this address goes."""
        packed = parse_addr(address)
        if packed == b"\xff" * 4:
            return "ff:ff:ff:ff:ff:ff"
        multicast = packed[0] == 0xFF if len(packed) == 16 else packed[0] >> 4 == 0xE
        return mac_text(mac_of(packed)) if multicast else self.mac

    def expect(self, pattern: Wanted, *, count: int | None = None, **when: Any) -> Any:
        """The host's next packet must be this one; returns it, as our layers.

        pattern: what of it is compared, see `pattern`
        at=: the time at which it leaves, since the beginning; within=, after=: how long from now at most, and at
        least; none of them: whenever it comes within 2 s
        count: so many of them, one after the other, as a list
        Raises Parted, PatternError.
        """
        wanted, window = Pattern(pattern), self._window(**when)
        if count is None:
            return self._take([wanted], window)
        return [self._take([wanted], window) for _ in range(count)]

    def expect_any(self, patterns: Sequence[Wanted], **when: Any) -> Any:
        """The host's next packet must be one of these; when: as for expect()."""
        return self._take([Pattern(it) for it in patterns], self._window(**when))

    def expect_all(self, patterns: Sequence[Wanted], **when: Any) -> list[Any]:
        """The host's next packets are these, in whatever order; returns them in the order of the patterns."""
        left = dict(enumerate(Pattern(it) for it in patterns))
        found, window = {}, self._window(**when)
        while left:
            packet = self._take(list(left.values()), window)
            number = next(i for i, it in left.items() if it.matches(packet))
            found[number] = packet
            del left[number]
        return [found[i] for i in sorted(found)]

    def take(self, pattern: Pattern, mine: Mine, view: View, **when: Any) -> Any:
        """The host's next packet of those that are `mine`, seen through `view`, must be this one."""
        return self._take([pattern], self._window(**when), mine, view)

    def _window(self, at: Time | None = None, within: Time | None = None, after: Time | None = None) -> Window:
        now = self.target.now
        if at is not None:
            earliest = latest = self.start + nanoseconds(at)
        else:
            earliest = now + nanoseconds(after) if after is not None else self.start
            latest = now + nanoseconds(within) if within is not None else max(now, earliest) + PATIENCE
        if latest < earliest:
            raise PlayError(f"within={within!r} is over before after={after!r} begins")
        slack = max(self.tolerance, round(PERCENT * (latest - now))) if self.tolerance else 0
        return Window(earliest, latest, slack, within is not None or at is not None)

    def _take(self, patterns: list[Pattern], window: Window, mine: Mine | None = None, view: View = _same) -> Any:
        self._step()
        arrived = self.inbox.next(window.latest + window.slack + PATIENCE * window.strict, mine=mine)
        if arrived is None:
            wanted = " or ".join(map(str, patterns))
            raise Parted("missing", f"nothing left by {self._at(window.latest)}; expected: {wanted}", (), window.latest)
        packet = view(arrived.packet)
        best = min((it.rows(packet) for it in patterns), key=lambda rows: sum(row.differs for row in rows))
        rows = (*best, *unsound(arrived.packet))
        if any(row.differs for row in rows):
            raise Parted("packet", why(rows), rows, arrived.at)
        self._on_time(arrived, window, rows)
        return packet

    def _on_time(self, arrived: Arrived, window: Window, rows: tuple[Field, ...]) -> None:
        earliest, latest, slack, _ = window
        if earliest - slack <= arrived.at <= latest + slack:
            return
        kind, limit = ("early", earliest) if arrived.at < earliest else ("late", latest)
        rule = "at" if earliest == latest else "not before" if kind == "early" else "by"
        field = Field("time", f"{rule} {self._at(limit)}", self._at(arrived.at))
        sentence = f"it left at {self._at(arrived.at)}, expected {rule} {self._at(limit)}"
        raise Parted(kind, sentence, (field, *rows), arrived.at)

    # how

    def _step(self) -> None:
        self.steps += 1
        if self.steps > STEPS or self.target.now - self.start > LONGEST:
            limit = f"{STEPS} steps" if self.steps > STEPS else f"{LONGEST // SECOND} s"
            raise Parted("endless", f"the scenario goes on after {limit}")

    def _at(self, at: float) -> str:
        """A time of the target's as the scenario's, in seconds."""
        return time_text(round(at) - self.start)


def time_text(ns: int) -> str:
    """Nanoseconds as seconds, without zeros that say nothing."""
    return f"{ns / SECOND:.9f}".rstrip("0").rstrip(".") + " s"
