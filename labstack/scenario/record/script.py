# SPDX-License-Identifier: GPL-2.0-or-later
"""A story as a packetdrill script: relative numbers, `...` for what every run says itself, absolute times from 0.

What the language can say is one pair of addresses, whole packets, one call that blocks at a time; for anything else
UnfitError says what. Payload is told by its length only. Our timestamps count from FIRST_STAMP.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from errno import EINPROGRESS
from typing import Any

from labstack.core.config import spoken
from labstack.ip.family import text
from labstack.packetdrill.printer import packet as shown
from labstack.packetdrill.script import (
    ABSOLUTE,
    Code,
    Command,
    Event,
    Icmp,
    Ip,
    Note,
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
from labstack.scenario.packets.wire import Wire
from labstack.scenario.record.calls import NONBLOCK
from labstack.scenario.record.events import Called, Changed, Crossed, Happened
from labstack.scenario.record.ports import Current, Key
from labstack.scenario.record.setting import beside, command, line, profile_of
from labstack.scenario.record.story import Story
from labstack.scenario.record.syscall import AF_INET, AF_INET6, ARGUMENTS, F_SETFL, QUERIES, Usual, syscall
from labstack.scenario.record.wire import ACK, SYN, UnfitError, ends, part, ports, told
from labstack.scenario.script.plan import ALONE
from labstack.scenario.target import Result

FIRST_STAMP = 100
HERE = Place("<recorded>", 1, 1)
ECN = ("noecn", "ect1", "ect0", "ce")
TTLS = (64, 255)  # not worth a word
PORT = 8080  # of packetdrill's runs


def script(story: Story, about: str = "") -> Script:
    """The script of a story; running it is not tried here. Raises UnfitError."""
    writer = _Writer(story._replace(happened=tuple(_returning(story.happened))))
    _check_blocking(writer.happened)
    return writer.script(about)


def start(story: Story) -> int:
    """When (ns of the story) the first thing happened that its script tells."""
    writer = _Writer(story._replace(happened=tuple(_returning(story.happened))))
    writer.settle()
    return writer.start


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


def _check_blocking(happened: Sequence[Happened]) -> None:
    """Only one call may block at a time."""
    free = 0
    for it in happened:
        if isinstance(it, Called) and it.name not in QUERIES:
            if it.at < free:
                raise UnfitError("calls that are made while another one blocks")
            free = it.until or free


@dataclass(slots=True)
class _Both:
    """A connection: its Flow, and origin, the remote end's number that the script calls 0."""

    flow: Flow
    origin: int = 0


class _Writer:
    def __init__(self, story: Story) -> None:
        self.story = story
        self.happened = told(story.happened)
        self.parts = {id(it): part(it) for it in self.happened if isinstance(it, Crossed)}
        self.local, self.remote = self._ends()
        self.ip_version = self._family()
        self.usual = self._usual()
        self.config = story.config
        self.scaled = False  # is a timestamp echoed that we never sent?
        self.flows: dict[Key, _Both] = {}
        self.current = Current()

    @property
    def start(self) -> int:
        """When it begins."""
        return self.happened[0].at if self.happened else 0

    def script(self, about: str) -> Script:
        """The whole script."""
        self.settle()
        self._name()
        start = self.start
        profile, events = profile_of(self.config), []
        init = beside(self.config, profile)
        for it in self.happened:
            action = self._action(it, start)
            if action is not None:
                events.append(Event(HERE, When(ABSOLUTE, it.at - start), action))
        notes = (Note("profile", profile, HERE),) if profile != "linux" else ()
        before = Command(command(init)) if init else None
        return Script(HERE.file, tuple(events), self._options(), before, None, notes, about)

    # who it is about

    def _ends(self) -> tuple[bytes, bytes]:
        """The addresses. Raises UnfitError for more than two."""
        pairs = {ends(it, self.parts[id(it)]): it for it in self._packets() if self.parts[id(it)].head is not None}
        pairs = pairs or {ends(it, self.parts[id(it)]): it for it in self._packets()}
        local, remote = ({pair[i] for pair in pairs} for i in (0, 1))
        if len(local) > 1 or len(remote) > 1:
            shown = [", ".join(sorted(map(text, side))) for side in (local, remote)]
            raise UnfitError(f"packets between {shown[0]} and {shown[1]}: a script has one address at each end")
        return next(iter(local), b""), next(iter(remote), b"")

    def _packets(self) -> list[Crossed]:
        return [it for it in self.happened if isinstance(it, Crossed)]

    def _calls(self) -> list[Called]:
        return [it for it in self.happened if isinstance(it, Called)]

    def _family(self) -> str:
        """ipv4, ipv6, or the former on sockets of the latter."""
        families = {it.args[0] for it in self._calls() if it.name == "socket"}
        six = any(len(it) == 16 for it in self.story.addresses)
        if len(self.local) == 16 or (not self.local and families == {AF_INET6} and six):
            return "ipv6"
        return "ipv4-mapped-ipv6" if families == {AF_INET6} else "ipv4"

    def _usual(self) -> Usual:
        six = self.ip_version != "ipv4"
        start = "::ffff:" if self.ip_version == "ipv4-mapped-ipv6" else ""
        own = frozenset(text(it) for it in self.story.addresses)
        remote = text(self.remote) if self.remote else ""
        named = {"bind": PORT, "connect": PORT, "sendto": PORT}
        for it in reversed(self._calls()):
            addr = it.args[-1] if it.name in named and isinstance(it.args[-1], tuple) else None
            if addr is not None and addr[1]:
                named[it.name] = addr[1]
        other = named["connect"] if named["connect"] != PORT else named["sendto"]
        return Usual(
            AF_INET6 if six else AF_INET,
            own | {start + it for it in own},
            start + remote,
            named["bind"],
            other,
            {it: start + self._usually("local_ip") for it in own} | {remote: start + self._usually("remote_ip")},
        )

    def _usually(self, name: str) -> str:
        return text_of(self.local if name == "local_ip" else self.remote) if self.story.written else (
            ALONE[self.ip_version][name])  # fmt: skip

    def _options(self) -> tuple[tuple[str, str], ...]:
        """What differs from packetdrill's usual runs."""
        usual = ALONE[self.ip_version]
        mtu = int(usual.get("mtu", "1500"))
        given = {"ip_version": (self.ip_version, "ipv4"), "mtu": (str(self.story.mtu), str(mtu))}
        if self.story.written and self.local:
            given["local_ip"] = text(self.local), usual["local_ip"]
            given["remote_ip"] = text(self.remote), usual["remote_ip"]
        given["bind_port"] = str(self.usual.bind_port), str(PORT)
        given["connect_port"] = str(self.usual.connect_port), str(PORT)
        found = [(name, value) for name, (value, default) in given.items() if value != default]
        return (*found, *([("tcp_ts_ecr_scaled", "")] if self.scaled else []))

    # before it begins

    def settle(self) -> None:
        """Sysctls that are set before anything else happens belong to the beginning; what is not told goes."""
        while self.happened and isinstance(self.happened[0], Changed):
            it: Any = self.happened.pop(0)
            self.config = self.config.replace({it.sysctl: it.value})
        self.happened = [it for it in self.happened if not self._untold(it)]

    def _untold(self, it: Happened) -> bool:
        return isinstance(it, Called) and (it.name in QUERIES or it.name not in ARGUMENTS)

    def _name(self) -> None:
        """Find out whether packets must name their ports. Raises UnfitError if those are not known beforehand."""
        for it in self.happened:
            if isinstance(it, Called):
                self.current.called(it)
            elif isinstance(it, Crossed):
                self.current.crossed(it.inbound, ports(it, self.parts[id(it)]))
        if self.current.named and self._chosen():
            raise UnfitError("several connections, one of them from a port that the host chose itself")

    def _chosen(self) -> bool:
        """Was there a packet from a port that nobody had bound, before any came to it?"""
        bound = {it.args[1][1] for it in self._calls() if it.name == "bind" and isinstance(it.args[1], tuple)}
        met: set[Key] = set()
        for it in self._packets():
            key = ports(it, self.parts[id(it)])
            if key is not None and key not in met:
                met.add(key)
                if not it.inbound and key[0] not in bound:
                    return True
        return False

    # line by line

    def _action(self, it: Happened, start: int) -> Packet | Syscall | Command | Code | None:
        if isinstance(it, Called):
            return syscall(it, self.usual, None if it.until is None else it.until - start)
        if isinstance(it, Crossed):
            return self._packet(it, self.parts[id(it)])
        self.config = self.config.replace({it.sysctl: it.value})
        name = line(it.sysctl)
        return Command(command({name: spoken(self.config, name)}))

    def _packet(self, it: Crossed, wire: Wire) -> Packet:
        key = ports(it, wire) or (0, 0)
        both = self.flows.setdefault(key, _Both(Flow(self.local, key[0], self.remote, key[1])))
        flow = both.flow
        if wire.proto == 6 and wire.head is not None:
            self._learn(it, wire, both)
        seen = view.seen(wire, flow, it.inbound)
        if isinstance(seen, str):
            raise UnfitError(seen)
        body: Any = seen.body
        if isinstance(body, Tcp):
            options = _unfolded(body.options or ())
            body = _plain(self._counted(body._replace(options=options), both, it.inbound), it.inbound)
        if isinstance(body, Icmp) and body.code == 0:
            body = body._replace(code=None)
        made = Packet(it.inbound, body, _ip(seen.ip, it.inbound), key if self.current.named and key[0] else None)
        if made.ports and it.inbound:
            made = made._replace(ports=(key[1], key[0]))
        if isinstance(made.body, Tcp) and wire.head.reserved:
            raise UnfitError("reserved bits of a TCP header")
        try:
            shown(made)
        except ValueError as error:
            raise UnfitError(str(error)) from None
        return made

    def _learn(self, it: Crossed, wire: Wire, both: _Both) -> None:
        """The initial numbers, and what our timestamps are called."""
        head, flow = wire.head, both.flow
        if head.flags & SYN and it.inbound:
            if flow.remote_isn is None:
                flow.remote_isn = head.seq
                both.origin = 0 if self.story.written else head.seq
            elif flow.remote_isn != head.seq:
                flow.again = head.seq
        elif head.flags & SYN:
            if flow.again is not None and head.flags & ACK and head.ack == (flow.again + 1) % MOD:
                flow.local_isn, flow.remote_isn, flow.again = None, flow.again, None
            if flow.local_isn is None:
                flow.local_isn = head.seq
        stamp = next((value for name, value in head.options if name == "Timestamp" and isinstance(value, tuple)), None)
        if stamp is None:
            return
        if not it.inbound:
            flow.stamped(FIRST_STAMP if flow.first is None else flow.script_stamp(stamp[0]), stamp[0])
        elif head.flags & ACK and stamp[1] not in flow.stamps.values():
            self.scaled = True

    def _counted(self, body: Tcp, both: _Both, inbound: bool) -> Tcp:
        """Numbers of a SYN are absolute: count the remote end's from its origin."""
        if "S" not in body.flags:
            return body
        if inbound:
            return body._replace(seq=(body.seq - both.origin) % MOD)
        known = both.flow.remote_isn is not None and "." in body.flags
        return body._replace(ack=((body.ack or 0) - both.origin) % MOD) if known else body


def text_of(packed: bytes) -> str:
    """An address as text; "" for none."""
    return text(packed) if packed else ""


def _unfolded(options: tuple[Option, ...]) -> tuple[Option, ...]:
    """Options with those behind the end of the list, which a script may write, and nobody reads."""
    if len(options) > 1 and options[-1].name == "malformed" and options[-2].name == "eol":
        rest: Any = options[-1].values[0]
        return (*options[:-1], *_unfolded(tcpopt.decode(rest)))
    return options


def _plain(body: Tcp, inbound: bool) -> Tcp:
    """A segment as people write it: nothing that goes without saying."""
    return body._replace(
        ack=body.ack if "." in body.flags or body.ack else None,
        win=body.win if inbound or body.win == 0 else None,
        urg=body.urg or None,
    )


def _ip(ip: Ip, inbound: bool) -> Ip:
    tos = ip.tos or 0
    marks = ECN[tos & 3] if tos & 3 else None
    if inbound:
        ttl = ip.ttl if ip.ttl not in TTLS else None
        return Ip(None if tos >> 2 else marks, tos if tos >> 2 else None, ttl, ip.flowlabel or None)
    return Ip(marks)
