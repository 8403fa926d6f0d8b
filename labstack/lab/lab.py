# SPDX-License-Identifier: GPL-2.0-or-later
"""Lab: hosts on a wire, and the verbs for them. `lab = Lab(); lab.h1.ping("10.0.0.2"); lab.run(); lab.ladder()`.

Every verb is a method, and the same word at the prompt (verbs.py). Every method returns something that shows itself.
The memory lab lives in virtual time and needs no thread, socket or privilege.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from os import PathLike, fspath
from shutil import which
from typing import Any, Self

from labstack.core.frame import ETHER_HLEN, Frame
from labstack.core.record import Record
from labstack.lab import build, tables, units
from labstack.lab.capture import write_pcapng
from labstack.lab.control import WireControl, faults
from labstack.lab.errors import LabError, NoNameError, meant, told
from labstack.lab.events import Events
from labstack.lab.handles import Handle
from labstack.lab.host import Host
from labstack.lab.ladder import Ladder
from labstack.lab.packets import aim, raw_frame
from labstack.lab.places import Difference, Place
from labstack.lab.quiet import quiet
from labstack.lab.record import recorded
from labstack.lab.tcb import variables
from labstack.lab.view import Line, Span, View, ms
from labstack.lab.why import Why
from labstack.lab.words import Script
from labstack.sim.history import History
from labstack.sim.world import TICK, UnendingError
from labstack.stack.rules import RULES

FIRST_SOCK = 101  # numbers of the sockets that the lab makes
EVENTS = "a number of events"
NO_CONDITION = 'until what? An expression, as in: until c.state == "ESTABLISHED"'
CALM = "nothing is under way; `step` or `advance 60s` let the timers run that are armed"
MOST = 200_000  # events in one run

Condition = str | Callable[[], Any]


class Lab(View):
    """Hosts h1, h2, ... on a wire.

    hosts: how many; two share a cable, more a switch
    seed:  the same seed is the same run, bit for bit
    delay: of the wire, one way: '10ms', or a number of seconds
    wire:  'memory', in virtual time; or 'tap': h1 alone, in real time, and the Linux kernel is the other host
    Raises LabError for a wrong argument, live.wire.NoWireError (an OSError) when there is no TAP to be had.
    """

    def __init__(self, hosts: int = 2, *, seed: int = 1, delay: str | float = "10ms", wire: str = "memory") -> None:
        self.seed = units.whole(seed, "a seed")
        self.kind = wire
        if wire == "memory":
            world, plan = build.world(hosts, seed, units.nanoseconds(delay))
            self._begin(History(world), plan, {})
        elif wire == "tap":
            history, plan = import_module("labstack.lab.tap").begin()
            self._begin(history, plan, {})
        else:
            raise LabError(f"wire={wire!r}: expected 'memory' or 'tap'")

    @classmethod
    def of(cls, history: History, seed: int = 1) -> "Lab":
        """A lab around a history that somebody else made: at its present, with its past and its future."""
        lab = object.__new__(cls)
        lab.seed, lab.kind = seed, "memory"
        plan, peers = build.who(history.world)
        lab._begin(history, plan, {}, peers)
        return lab

    def _begin(
        self, history: Any, plan: Sequence[build.Entry], worlds: dict[str, Any], peers: Sequence[build.Entry] = ()
    ) -> None:
        self.history = history
        self.plan = plan
        self.hosts = [Host(self, *entry) for entry in plan]
        self.worlds = worlds
        self.worlds[history.name] = history
        self.peers: list[build.Entry] = list(getattr(history, "peers", peers))  # hosts that are not ours
        self.watchers: list[Callable[[Record], None]] = []
        self.next_sock = FIRST_SOCK
        self.faults: list[str] = []  # of the wire's rules, as last told
        self.script = Script()

    def __getattr__(self, name: str) -> Any:
        hosts: list[Any] = [*self.__dict__.get("hosts", ()), *self.__dict__.get("peers", ())]
        for host in hosts:
            if host.name == name:
                return host
        verbs = [verb for verb in dir(type(self)) if not verb.startswith("_")]
        known = meant(name, verbs) or f"; its hosts are {', '.join(h.name for h in hosts)}"
        raise NoNameError(f"the lab has no {name!r}{known}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back what the wire holds; a memory lab holds nothing."""
        close = getattr(self.history, "close", None)
        if close:
            close()

    # time

    @property
    def now(self) -> int:
        """The present time in ns."""
        return int(self.history.world.now)

    @property
    def records(self) -> list[Record]:
        """All events up to the present."""
        return self.history.past  # type: ignore[no-any-return]

    def step(self, n: int = 1) -> Events:
        """The next n events anywhere: a frame arrives, a timer, an application's call."""
        made = self.history.step(units.whole(n, EVENTS, 1))
        return self._seen(made, "nothing is left to happen: queue a call, or inject a packet")

    def back(self, n: int = 1) -> Place:
        """Undo the last n events completely: tables, buffers, timers, clock, randomness, counters."""
        n = units.whole(n, EVENTS, 1)
        if self.kind == "memory" and not self.history.n:
            raise LabError("this is event #0, the beginning: there is nothing to undo")
        self.history.back(n)
        return self.where()

    def run(self, time: str | float | None = None) -> Events:
        """Run until nothing is under way any more (ageing and TIME-WAIT may go on waiting), or for a span of time."""
        return self._run_to(quiet if time is None else self.now + units.nanoseconds(time))

    def _run_to(self, until: Any) -> Events:
        try:
            made = [] if until is quiet and quiet(self.history.world) else self.history.run(until, MOST)
            nothing = f"nothing happened; it is {ms(self.now)} ms now" if until is not quiet else CALM
            return self._seen(made, nothing)
        except UnendingError:
            raise LabError(f"no end in sight: {MOST} events, and it is {ms(self.now)} ms; try: advance 1s") from None

    cont = run

    def advance(self, time: str | float) -> Events:
        """Let time pass: '200ms', or a number of seconds."""
        return self._run_to(self.now + units.nanoseconds(time))

    def until(self, condition: Condition, names: Mapping[str, Any] | None = None) -> Events:
        """Run until a condition holds after an event.

        condition: a Python expression over lab, the hosts' names, `ev` (the last Record) and `names`; or a function
        Raises LabError if the condition raises (at once, if it cannot be evaluated now), or if nothing is left to
        happen before it holds. Where nothing is under way and it holds already, time does not go on.
        """
        holds = self._condition(condition, names or {})
        if holds() and quiet(self.history.world):
            return self._seen([], "it holds already, and nothing is under way")
        try:
            made = self.history.run(lambda world: holds(), MOST)
        except UnendingError:
            raise LabError(f"it never held in {MOST} events, and it is {ms(self.now)} ms: {condition}") from None
        held = holds()
        if not held:
            raise LabError(f"nothing is left to happen, and this does not hold: {condition}")
        return self._seen(made, "nothing happened, and it holds already")

    def _condition(self, condition: Condition, names: Mapping[str, Any]) -> Callable[[], Any]:
        if callable(condition):
            return condition
        typed = units.text(condition, "a condition such as 'c.state == \"CLOSED\"', nor a function").strip()
        try:
            code = compile(typed, "until", "eval")
        except SyntaxError as error:
            if not typed:
                raise LabError(NO_CONDITION) from None
            advice = "; to compare is ==" if re.search(r"[^=!<>]=[^=]", typed) else ""
            raise LabError(f"{condition!r} is not an expression: {error.msg}{advice}") from None

        def holds() -> Any:
            ev = self.records[-1] if self.records else Record(0, self.now, "", TICK)
            try:
                return eval(code, {**names, **{h.name: h for h in self.hosts}, "lab": self, "ev": ev})
            except Exception as error:
                raise LabError(f"until {condition}: {told(error, names)}") from None

        return holds

    def _seen(self, made: Sequence[Record], nothing: str) -> Events:
        for record in made:
            for watch in self.watchers:
                watch(record)
        records, known = self.records, self.faults
        self.faults = faults(self.history.world)
        new = [fault for fault in self.faults if fault not in known]
        return Events(records, len(records) - len(made), self.script, RULES, nothing=nothing, faults=new)

    # views

    def where(self) -> Place:
        """The clock, what is pending, and the last reason."""
        return Place(self.history, self.records, RULES, self.script)

    def ladder(self, n: int = 0) -> Ladder:
        """The picture of what happened; n: only the last so many rows."""
        return Ladder(self.records, self.names, RULES, units.whole(n, "a number of rows"), self.script)

    def why(self, n: int = 0) -> Why:
        """The rules behind event n (0: the last one), layer by layer."""
        records = self.records
        at = units.whole(n, "the number of an event") or len(records)
        if not 1 <= at <= len(records):
            known = f"they are #1 to #{len(records)}" if records else "nothing has happened yet"
            raise LabError(f"there is no event #{at}: {known}")
        return Why(records[at - 1], RULES, self.script.read(records)[at - 1])

    def events(self, words: str = "") -> Events:
        """The list of events; words: only those whose line mentions them."""
        nothing = "no event mentions that" if words else "nothing has happened yet"
        return Events(self.records, 0, self.script, RULES, units.text(words, "what to look for"), nothing)

    def ss(self, host: str | Host = "") -> View:
        """Sockets, as `ss -ti` prints them."""
        return tables.sockets(self._some(host))

    def arp(self, host: str | Host = "") -> View:
        """IPv4 neighbours, as `ip neigh`."""
        return tables.neighbours(self._some(host), (4,))

    def neigh(self, host: str | Host = "") -> View:
        """All neighbours, as `ip neigh`."""
        return tables.neighbours(self._some(host), (4, 16))

    def route(self, host: str | Host = "") -> View:
        """Routes, as `ip route`."""
        return tables.routes(self._some(host))

    def tcb(self, of: str | Host | Handle = "") -> View:
        """The variables of a connection (RFC 9293 §3.3.1), or of all those of a host."""
        if isinstance(of, Handle):
            return variables([of.host], of.sock)
        if isinstance(of, str) and of and of not in [it.name for it in self.hosts]:
            raise LabError(f"{of!r} is neither a connection, as in c = h1.connect(h2.ip, 80), nor a host")
        return variables(self._some(of))

    def nstat(self, words: str = "", host: str | Host = "") -> View:
        """What was counted, as `nstat -a` prints it; words: only those whose name contains them."""
        return tables.counters(self._some(host), units.text(words, "the name of a counter"))

    def timers(self, host: str | Host = "") -> View:
        """What is armed, and when it is due."""
        return tables.timers(self._some(host), self.now)

    def sysctl(self, words: str = "", host: str | Host = "") -> View:
        """Settings whose name contains a word, as `sysctl -a` prints them; or set one: 'net.ipv4.tcp_sack=0', on a host
        or on all."""
        name, equal, value = (it.strip() for it in units.text(words, "a sysctl").partition("="))
        for it in self._some(host) if equal else ():
            it.sysctl(name, value)
        return tables.sysctls(self._some(host), name)

    @property
    def names(self) -> tuple[str, ...]:
        """The rails of a ladder: every host that is on the wire now, or was."""
        there = [host.name for host in self.hosts] + [peer.name for peer in self.peers]
        return tuple(dict.fromkeys([*there, *(r.host for r in self.records)]))

    def _some(self, host: str | Host) -> list[Host]:
        return [self.host(host)] if host else self.hosts

    def host(self, host: str | Host) -> Host:
        """A host by its name. Raises LabError."""
        if isinstance(host, Host):
            return host
        found = next((h for h in self.hosts if h.name == host), None)
        if found is None:
            raise LabError(f"no host {host!r}; there are {', '.join(h.name for h in self.hosts)}")
        return found

    # from outside

    @property
    def wire(self) -> WireControl:
        """Delay, loss and drop rules of the wire."""
        if self.kind != "memory":
            raise LabError("a TAP does what the kernel does; on the kernel's side, lab.exec('tc', ...) can change that")
        return WireControl(self.history)

    def inject(self, packet: Any, to: str | Host = "") -> Events:
        """Hand a packet to a host now: Scapy's, ours, or bytes. to: default the host that it is addressed to."""
        raw = raw_frame(packet, self.hosts)
        targets = [self.host(to)] if to else aim(raw, self.hosts)
        for host in targets:
            self.history.inject(Frame(raw, net=ETHER_HLEN if host.mac else 0), host.name)
        return self.step(len(targets))

    def call(self, host: str, op: str, *args: Any) -> None:
        """Queue an application's call, to be done by the next steps."""
        self.history.call(host, op, *args)

    def call_now(self, host: str, op: str, *args: Any) -> Any:
        """Do an application's call at once, as an event. Raises StackError."""
        try:
            return self.history.now_call(host, op, *args)
        finally:
            self._seen(self.records[-1:], "")

    def new_sock(self) -> int:
        """A number for a socket of the lab's own."""
        self.next_sock += 1
        return self.next_sock - 1

    # what if

    def fork(self, name: str = "") -> "Lab":
        """Another lab with the same past and present; neither ever sees what the other does."""
        name = units.text(name, "a world's name") or f"fork{len(self.worlds)}"
        if name in self.worlds:
            raise LabError(f"there is a world {name!r} already; go there with: enter {name}")
        other = object.__new__(Lab)
        other.seed, other.kind = self.seed, self.kind
        other._begin(self.history.fork(name), self.plan, self.worlds, self.peers)
        other.next_sock = self.next_sock
        return other

    def enter(self, name: str) -> Place:
        """Make this lab show another world: one that was forked, or 'main'. Handles of sockets follow."""
        self.history = self._world(name)
        return self.where()

    def diff(self, name: "str | Lab") -> Difference:
        """The first event that differs between this world and another, and the states that differ now."""
        theirs = name.history if isinstance(name, Lab) else self._world(name)
        return Difference(self.history, theirs, RULES)

    def _world(self, name: str) -> Any:
        if name not in self.worlds:
            raise LabError(f"there is no world {name!r}; there are {', '.join(self.worlds)}")
        return self.worlds[name]

    def exec(self, *argv: str) -> Any:
        """Run a program on the kernel's side of a TAP while we answer it: returncode, stdout, stderr."""
        if self.kind != "tap":
            raise LabError("exec runs a program on the kernel's side of a TAP; this wire is in memory: Lab(wire='tap')")
        if not argv or which(units.text(argv[0], "a program's name")) is None:
            missing = f"there is no program {argv[0]!r} here" if argv else "which program?"
            raise LabError(f"{missing}; give its name and arguments: lab.exec('ping', '-c1', h1.ip)")
        try:
            return self.history.exec(*argv)
        except KeyboardInterrupt:
            raise LabError(f"interrupted: {argv[0]} was ended") from None
        except OSError as error:
            raise LabError(f"{argv[0]}: {error.strerror}") from None

    def export(self, path: str | PathLike[str]) -> View:
        """Write all frames to a pcapng file, with the reasons as comments, for Wireshark."""
        path = path if isinstance(path, PathLike) else units.text(path, "a file's name")
        return write_pcapng(fspath(path), self.records, self.names, RULES)

    def record(self, path: str | PathLike[str] | None = None, host: str | Host = "") -> View:
        """What happened to a host up to now as a scenario that passes, for `labstack run`: a packetdrill script, or
        Python where that language cannot say it.

        path: where to save it; the suffix is that of its kind. host: default the one that listens, or else was called
        first. The View's text() is the scenario. Raises LabError if nothing happened, or it cannot be written.
        """
        return recorded(self, path, host.name if isinstance(host, Host) else host)

    # how it looks

    def lines(self, width: int) -> Iterable[Line]:
        line: Line = []
        for it in (*self.plan, *self.peers):
            line += [Span(" ── wire ── " if line else "  ", "dim"), Span(it.name, "host")]
            line.append(Span(f" {it.ip} {it.ip6} {it.mac}"))
        yield line
        yield from self.where().lines(width)
