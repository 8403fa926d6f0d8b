# SPDX-License-Identifier: GPL-2.0-or-later
"""A story as a packetdrill script: relative numbers, `...` for what every run says itself, absolute times from 0.

What the language can say is one pair of addresses, whole packets, one call that blocks at a time; for anything else
UnfitError says what. Payload is told by its length only. Our timestamps count from FIRST_STAMP.
"""

from collections.abc import Iterator, Sequence
from errno import EINPROGRESS
from typing import Any, NamedTuple

from labstack.core.config import line, spoken
from labstack.ip.family import text
from labstack.packetdrill import symbols
from labstack.packetdrill.printer import packet as shown
from labstack.packetdrill.script import (
    ABSOLUTE,
    Command,
    Event,
    Icmp,
    Ip,
    Note,
    Number,
    Option,
    Packet,
    Place,
    Script,
    Syscall,
    Tcp,
    When,
)
from labstack.scenario.packets import tcpopt, view
from labstack.scenario.packets.flow import MOD, Flow
from labstack.scenario.packets.segments import ECN
from labstack.scenario.packets.wire import ACK, SYN, Wire, take_apart
from labstack.scenario.profiles import beside, command, profile_of
from labstack.scenario.record.history import NONBLOCK
from labstack.scenario.record.ports import Current, Key
from labstack.scenario.record.story import (
    ICMPV6,
    QUERIES,
    Called,
    Changed,
    Crossed,
    Happened,
    Story,
    UnfitError,
    ends,
    ports,
    told,
)
from labstack.scenario.script.arguments import CALLS, F_SETFL, written
from labstack.scenario.script.plan import AF_INET, AF_INET6, ALONE, Usual
from labstack.scenario.target import Result

FIRST_STAMP = 100
HERE = Place("<recorded>", 1, 1)
MARKS = {bits: name for name, bits in ECN.items()}
TTLS = (64, 255)  # not worth a word
PORT = 8080  # of packetdrill's runs


def script(story: Story, about: str = "") -> Script:
    """The script of a story; running it is not tried here. Raises UnfitError."""
    writer = _Writer(story._replace(happened=tuple(_returning(story.happened))))
    _check_blocking(writer.calls)
    return writer.script(about)


def start(story: Story) -> int:
    """When (ns of the story) the first thing happened that its script tells."""
    return _Writer(story._replace(happened=tuple(_returning(story.happened)))).start


def stimuli(story: Story) -> Script:
    """What was done to the host, without what it answered; several calls may block at once. Raises UnfitError."""
    made = _Writer(story).script("")
    kept = [event for event in made.events if not isinstance(event.action, Packet) or event.action.inbound]
    return made._replace(events=tuple(kept))


def _returning(happened: Sequence[Happened]) -> Iterator[Happened]:
    """A script may not end while a call blocks: such a connect() is told as one that did not wait, others are not."""
    for it in happened:
        if not isinstance(it, Called) or it.back is not None:
            yield it
        elif it.name == "connect":
            yield Called(it.at, "fcntl", (it.args[0], F_SETFL, NONBLOCK), Result(0))
            yield it._replace(back=Result(-1, EINPROGRESS))


def _check_blocking(calls: Sequence[Called]) -> None:
    """Only one call may block at a time."""
    free = 0
    for it in calls:
        if it.at < free:
            raise UnfitError("calls that are made while another one blocks")
        free = it.until or free


class _Seen(NamedTuple):
    """A packet that crossed; ports: (local, remote), (0, 0) if it has none; begins: our first SYN of a connection."""

    at: int
    inbound: bool
    wire: Wire
    ends: tuple[bytes, bytes]
    ports: Key
    begins: bool


class _Writer:
    """scaled: a timestamp is echoed that we never sent; origins: the remote ends' numbers that the script calls 0"""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.config = story.config
        self.happened = list(self._tellable(told(story.happened)))
        self.start = self.happened[0].at if self.happened else 0
        self.packets = [it for it in self.happened if isinstance(it, _Seen)]
        self.calls = [it for it in self.happened if isinstance(it, Called)]
        self.local, self.remote = self._ends()
        self.ip_version = self._family()
        self.usual = self._usual()
        self.scaled = False
        self.flows: dict[Key, Flow] = {}
        self.origins: dict[Key, int] = {}
        self.current = Current()

    def _tellable(self, happened: Sequence[Happened]) -> Iterator[Called | Changed | _Seen]:
        """What a script tells. Sysctls that are set before anything else happens belong to the beginning."""
        begun, numbers = False, dict[Key, int]()
        for it in happened:
            if isinstance(it, Changed) and not begun:
                self.config = self.config.replace({it.sysctl: it.value})
                continue
            begun = True
            if isinstance(it, Crossed):
                wire = _part(it)
                key, syn = ports(it, wire) or (0, 0), not it.inbound and _is_syn(wire)
                yield _Seen(it.at, it.inbound, wire, ends(it, wire), key, syn and numbers.get(key) != wire.head.seq)
                if syn:
                    numbers[key] = wire.head.seq
            elif isinstance(it, Changed) or (it.name in CALLS and it.name not in QUERIES):
                yield it

    def script(self, about: str) -> Script:
        """The whole script."""
        self._name()
        profile = profile_of(self.config)
        init = beside(self.config, profile)
        events = tuple([Event(HERE, When(ABSOLUTE, it.at - self.start), self._action(it)) for it in self.happened])
        notes = (Note("profile", profile, HERE),) if profile != "linux" else ()
        before = Command(command(init)) if init else None
        return Script(HERE.file, events, self._options(), before, None, notes, about)

    # who it is about

    def _ends(self) -> tuple[bytes, bytes]:
        """The addresses. Raises UnfitError for more than two."""
        pairs = {it.ends for it in self.packets if it.wire.head is not None} or {it.ends for it in self.packets}
        local, remote = ({pair[i] for pair in pairs} for i in (0, 1))
        if len(local) > 1 or len(remote) > 1:
            ours, theirs = (", ".join(sorted(map(text, side))) for side in (local, remote))
            raise UnfitError(f"packets between {ours} and {theirs}: a script has one address at each end")
        return next(iter(local), b""), next(iter(remote), b"")

    def _family(self) -> str:
        """ipv4, ipv6, or the former on sockets of the latter."""
        families = {it.args[0] for it in self.calls if it.name == "socket"}
        six = any(len(it) == 16 for it in self.story.addresses)
        if len(self.local) == 16 or (not self.local and families == {AF_INET6} and six):
            return "ipv6"
        return "ipv4-mapped-ipv6" if families == {AF_INET6} else "ipv4"

    def _usual(self) -> Usual:
        start = "::ffff:" if self.ip_version == "ipv4-mapped-ipv6" else ""
        own, remote = list(map(text, self.story.addresses)), _text(self.remote)
        named = {"bind": PORT, "connect": PORT, "sendto": PORT}
        for it in reversed(self.calls):
            addr = it.args[-1] if it.name in named and isinstance(it.args[-1], tuple) else None
            if addr is not None and addr[1]:
                named[it.name] = addr[1]
        local_ip, remote_ip = self._addresses()
        return Usual(
            AF_INET if self.ip_version == "ipv4" else AF_INET6,
            (*own, *(start + it for it in own)),
            start + remote,
            named["bind"],
            named["connect"] if named["connect"] != PORT else named["sendto"],
            dict.fromkeys(own, start + local_ip) | {remote: start + remote_ip},
        )

    def _addresses(self) -> tuple[str, str]:
        """The addresses as the script has them: what somebody wrote stays."""
        if self.story.written:
            return _text(self.local), _text(self.remote)
        return ALONE[self.ip_version]["local_ip"], ALONE[self.ip_version]["remote_ip"]

    def _options(self) -> tuple[tuple[str, str], ...]:
        """What differs from packetdrill's usual runs."""
        usual = {"ip_version": "ipv4", "mtu": "1500", "bind_port": str(PORT), "connect_port": str(PORT)}
        usual |= ALONE[self.ip_version]
        given = {"ip_version": self.ip_version, "mtu": str(self.story.mtu)}
        if self.story.written and self.local:
            given |= dict(zip(("local_ip", "remote_ip"), self._addresses(), strict=True))
        given |= {"bind_port": str(self.usual.bind_port), "connect_port": str(self.usual.connect_port)}
        found = [(name, value) for name, value in given.items() if value != usual[name]]
        return (*found, *([("tcp_ts_ecr_scaled", "")] if self.scaled else []))

    def _name(self) -> None:
        """Find out whether packets must name their ports. Raises UnfitError if those are not known beforehand."""
        for it in self.happened:
            if isinstance(it, Called):
                self.current.called(it)
            elif isinstance(it, _Seen):
                self.current.crossed(it.inbound, it.ports if it.ports[0] else None, it.begins)
        if self.current.named and self._chosen():
            raise UnfitError("several connections, one of them from a port that the host chose itself")

    def _chosen(self) -> bool:
        """Was there a packet from a port that nobody had bound, before any came to it?"""
        bound = {it.args[1][1] for it in self.calls if it.name == "bind" and isinstance(it.args[1], tuple)}
        first = {it.ports: it for it in reversed(self.packets) if it.ports[0]}
        return any(not it.inbound and it.ports[0] not in bound for it in first.values())

    # line by line

    def _action(self, it: Called | Changed | _Seen) -> Packet | Syscall | Command:
        if isinstance(it, Called):
            return syscall(it, self.usual, self.start)
        if isinstance(it, _Seen):
            return self._packet(it)
        self.config = self.config.replace({it.sysctl: it.value})
        name = line(it.sysctl)
        return Command(command({name: spoken(self.config, name)}))

    def _packet(self, it: _Seen) -> Packet:
        key, wire = it.ports, it.wire
        flow = self._flow(it)
        if wire.tcp is not None:
            self._learn(it, flow)
        seen = view.seen(wire, flow, it.inbound)
        if isinstance(seen, str):
            raise UnfitError(seen)
        body: Any = seen.body
        if isinstance(body, Tcp):
            body = _plain(self._counted(body, it), it.inbound)
        if isinstance(body, Icmp) and body.code == 0:
            body = body._replace(code=None)
        named = (key[::-1] if it.inbound else key) if self.current.named and key[0] else None
        made = Packet(it.inbound, body, _ip(seen.ip, it.inbound), named)
        if wire.tcp is not None and wire.head.reserved:
            raise UnfitError("reserved bits of a TCP header")
        try:
            shown(made)
        except ValueError as error:
            raise UnfitError(str(error)) from None
        return made

    def _flow(self, it: _Seen) -> Flow:
        """The connection of a packet: the latest at its ports."""
        key, known = it.ports, self.flows.get(it.ports)
        if known is None or (it.begins and known.local_isn is not None):
            self.origins.pop(key, None)
            known = self.flows[key] = Flow(self.local, key[0], self.remote, key[1])
        return known

    def _learn(self, it: _Seen, flow: Flow) -> None:
        """The initial numbers, and what our timestamps are called."""
        head, stamp = it.wire.head, it.wire.stamp
        if head.flags & SYN and it.inbound:
            self.origins.setdefault(it.ports, 0 if self.story.written else head.seq)
            flow.opened(head.seq)
        elif head.flags & SYN:
            flow.answered(head)
        if stamp is not None and not it.inbound:
            flow.stamped(FIRST_STAMP if flow.first is None else flow.script_stamp(stamp[0]), stamp[0])
        elif stamp is not None and head.flags & ACK and stamp[1] not in flow.stamps.values():
            self.scaled = True

    def _counted(self, body: Tcp, it: _Seen) -> Tcp:
        """Numbers of a SYN are absolute: count the remote end's from its origin."""
        origin = self.origins.get(it.ports)
        if "S" not in body.flags or origin is None:
            return body
        if it.inbound:
            return body._replace(seq=(body.seq - origin) % MOD)
        return body._replace(ack=((body.ack or 0) - origin) % MOD) if "." in body.flags else body


def _is_syn(wire: Wire) -> bool:
    return wire.tcp is not None and wire.head.flags & (SYN | ACK) == SYN


def _text(packed: bytes) -> str:
    """An address as text; "" for none."""
    return text(packed) if packed else ""


def _part(it: Crossed) -> Wire:
    """The parts of one packet. Raises UnfitError."""
    wire = take_apart(it.packet)
    if isinstance(wire, str):
        raise UnfitError(f"a packet that cannot be read ({wire})")
    wrong = {
        "fragments": wire.fragment,
        "IP options": wire.hlen > 20 and wire.version == 4,
        "a packet that was cut short": wire.size < wire.length,
        "a packet with a wrong checksum": not (wire.good and wire.ip_good),
        f"IP protocol {wire.proto}": wire.head is None and wire.proto not in (1, ICMPV6),
    }
    for why, holds in wrong.items():
        if holds:
            raise UnfitError(why)
    return wire


def syscall(it: Called, usual: Usual, start: int) -> Syscall:
    """A call in a script that begins at `start`. Raises KeyError for one that scripts lack."""
    args = written(it.name, it.args, it.back, usual)
    back, end = it.back or Result(0), None if it.until is None else it.until - start
    return Syscall(
        it.name, args, Number(back.result), symbols.name("errno", back.errno) if back.errno else None, end=end
    )


def _plain(body: Tcp, inbound: bool) -> Tcp:
    """A segment as people write it: nothing that goes without saying."""
    return body._replace(
        ack=body.ack if "." in body.flags or body.ack else None,
        win=body.win if inbound or body.win == 0 else None,
        urg=body.urg or None,
        options=_unfolded(body.options or ()),
    )


def _unfolded(options: tuple[Option, ...]) -> tuple[Option, ...]:
    """Options with those behind the end of the list, which a script may write, and nobody reads."""
    if len(options) > 1 and options[-1].name == "malformed" and options[-2].name == "eol":
        rest: Any = options[-1].values[0]
        return (*options[:-1], *_unfolded(tcpopt.decode(rest)))
    return options


def _ip(ip: Ip, inbound: bool) -> Ip:
    tos = ip.tos or 0
    mark = MARKS[tos & 3] if tos & 3 else None
    if not inbound:
        return Ip(mark)
    ttl = ip.ttl if ip.ttl not in TTLS else None
    return Ip(None if tos >> 2 else mark, tos if tos >> 2 else None, ttl, ip.flowlabel or None)
