# SPDX-License-Identifier: GPL-2.0-or-later
"""One seed, played: the world of its plan, its applications, and the verdict after every event.

While faults last only safety is judged. Then the wires are perfect, and everything must come to its end in bounded
time: a connection that does not is stuck, and the verdict says which side waits for what.
"""

from collections import deque
from errno import EHOSTUNREACH, EMSGSIZE
from heapq import heappop, heappush
from typing import Any

from labstack.core.config import SECOND
from labstack.core.event import ACCEPTABLE
from labstack.core.record import Record
from labstack.core.rng import Rng
from labstack.fuzz import routers, stranger, verdict
from labstack.fuzz.again import OLD, Again
from labstack.fuzz.app import POOL, App
from labstack.fuzz.broken import BrokenError
from labstack.fuzz.faults import Change
from labstack.fuzz.judge import Judge
from labstack.fuzz.plan import HOSTS, Meeting, Plan
from labstack.fuzz.stage import ADDRESSES, DEV, OTHER, Stage, keys, mac, voice, where
from labstack.fuzz.stranger import Attack
from labstack.fuzz.voice import LISTENING, Descriptor, told

WITHIN = 600 * SECOND  # from calm to the end of all that is orderly: a timer may be at its 120 s
PATIENCE = 100 * SECOND  # from calm until an application gives up a peer that may have died without a word
REST = 4000 * SECOND  # from the last close until everything is forgotten: thirty timeouts, the last ones 120 s apart
PAUSE = SECOND // 4  # until an application that was refused connects again
EVENTS = 60_000  # more is an endless run


class Trial:
    """One run of a plan, on a stage. strict: see Judge."""

    def __init__(self, plan: Plan, stage: Stage, strict: bool = False) -> None:
        self.plan = plan
        self.judge = Judge(strict)
        self.stage = stage
        self.world = stage.world
        self.apps: list[App] = []
        self.sockets: dict[tuple[str, int], App] = {}  # of the in-process API
        self.listeners: dict[tuple[str, int], App] = {}  # of the in-process API, too: who accepts there
        self.loops: dict[str, int] = {}  # of a host whose applications make system calls: its epoll
        self.waits: dict[tuple[str, int], tuple[str, Any]] = {}  # calls that take their time, and what follows
        self.woken: deque[App] = deque()
        self.again: Again | None = None  # the first connection is followed by others of the same addresses
        self.series: list[App] = []  # whose connection is followed by another
        self.coming: Meeting | None = None  # by that one
        self.end = 0  # ns: when everything must be over
        self.alarms: list[tuple[int, int, str, Any]] = []  # at (ns), number, a method, what it is called with
        self.numbered = 0

    def play(self) -> None:
        """The whole run. Raises BrokenError, or AssertionError of a check, when something does not hold."""
        self._prepare()
        while self.coming or not all(app.gone for app in self.apps):
            self._turn()
        for change in self.plan.changes:  # those to come: in the end all is calm
            self._rewire(change)
        for app in self.apps:
            app.voice.hush()
        end = self.world.now + REST
        while self._step(end):
            pass
        self.judge.end(self.world)

    def call(self, host: str, op: str, *args: Any) -> Record:
        """An application's call, as the next event, judged as every event."""
        record = self.stage.call(host, op, *args)
        self._happened(record)
        return record

    # what is to come

    def _prepare(self) -> None:
        plan, start = self.plan, self.stage.start
        self.stage.do("advance", start)
        if plan.traced:
            self.stage.do("trace")
        for change in plan.changes:
            self._alarm(start + change.at, "_rewire", change)
        for at, host, until in plan.sleeps:
            self._alarm(start + at, "_sleep", (host, start + until))
        for attack in plan.attacks:
            self._alarm(start + attack.at, "_attack", attack)
        if plan.meetings[0].then:
            self.again = Again(keys(plan.meetings[0]), self.judge.seen)
        for meeting in plan.meetings:
            pair = self._pair(meeting)
            self._alarm(start + meeting.at, "_meet", (meeting, pair))
        self._limit()

    def _limit(self) -> None:
        """From now on, or from when it is calm, everything ends within a time."""
        since = max(self.stage.start + self.plan.calm, self.world.now)
        self.end = since + WITHIN
        self._alarm(since + PATIENCE, "_give_up", None)
        self._alarm(self.end, "_stuck", None)

    def _pair(self, meeting: Meeting) -> list[App]:
        """The applications of a meeting; who is called listens."""
        number = len(self.apps) // 2
        places = [(number * 7919 + i * 524_287) % (len(POOL) // 4) for i in (0, 1)]
        pair = list[App]()
        for host, life, place in zip(HOSTS, meeting.lives, places, strict=True):
            speaks = voice(self, host, life)
            if isinstance(speaks, Descriptor):
                if host not in self.loops:
                    self.loops[host] = self.call(host, "sys", "epoll_create1", 0).result[0]
                    self._alarm(self.world.now, "_wait", host)
                speaks.loop, speaks.data = self.loops[host], len(self.apps) + len(pair)
            app = App(speaks, life, place)
            speaks.rumours |= set() if self.plan.resolved else {EHOSTUNREACH}  # a neighbour that does not answer
            app.where = where(meeting, host) if meeting.both or host == meeting.caller else None
            pair.append(app)
        pair[0].peer, pair[1].peer = pair[1], pair[0]
        for app in pair:
            app.fate, app.trusts = verdict.fate(self.plan, meeting), not verdict.betrayed(self.plan)
        self.apps += pair
        if meeting.then:
            self.series, self.coming = pair, meeting.then
        if not meeting.both:
            self._listen(meeting, pair[HOSTS.index(OTHER[meeting.caller])])
        return pair

    def _alarm(self, at: int, method: str, what: Any) -> None:
        self.numbered += 1
        heappush(self.alarms, (at, self.numbered, method, what))

    def _turn(self) -> None:
        """What is next: an application that was woken, an event, an alarm."""
        if self.woken:
            self._act(self.woken.popleft())
        elif not self._step(self.alarms[0][0]):
            at, _, method, what = heappop(self.alarms)
            if at > self.world.now:
                self.stage.do("advance", at)
            getattr(self, method)(what)
        if self.series and all(app.gone for app in self.series):
            assert self.coming is not None
            self._alarm(self.world.now + self.coming.at, "_follow", (self.coming, self.series))
            self.series = []

    def _step(self, by: int) -> bool:
        record = self.stage.step(by)
        if record is not None:
            self._happened(record)
        return record is not None

    def _happened(self, record: Record) -> None:
        self.judge.after(self.world, record)
        if self.again is not None:
            self.again.watch(self.world.hosts[record.host], OTHER[record.host], record)
        if record.n > EVENTS:
            raise BrokenError(f"{EVENTS} events and no end\n{self._waiting()}")
        for sock, what in record.wakes:
            app = self.sockets.get((record.host, sock))
            if app is None:
                if what & ACCEPTABLE:
                    self._alarm(self.world.now, "_accept", self.listeners[record.host, sock])
            else:
                app.reasons |= what
                self._wake(app, self.world.now + app.life.think)
        for ticket in self.world.hosts[record.host].files.done:
            waits = self.waits.pop((record.host, ticket), None)
            if waits:
                self._alarm(self.world.now, *waits)

    def _wake(self, app: App, at: int) -> None:
        """An application will act at `at` (ns), unless it will do so soon anyway."""
        if app.thinks:
            return
        app.thinks = True
        if at > self.world.now:
            self._alarm(at, "_act", app)
        else:
            self.woken.append(app)

    # what alarms do

    def _rewire(self, change: Change) -> None:
        self.stage.do("rewire", (change.host, DEV), change.wire)

    def _sleep(self, it: tuple[str, int]) -> None:
        self.stage.do("suspend", *it)

    def _attack(self, attack: Attack) -> None:
        host = attack.host
        if (at := self.stage.awake(host)) > self.world.now:  # numbers that are wrong now may be right then
            self._alarm(at, "_attack", attack)
            return
        if attack.kind in routers.KINDS:
            self._report(attack)
            return
        to = self.world.hosts[host]
        if attack.kind == OLD and self.again is not None:
            frames = self.again.duplicates(Rng(attack.seed), to, self.world.now)
        else:
            frames = stranger.frames(attack, to, DEV, ADDRESSES[host], mac(OTHER[host]))
        for frame in frames:
            self.judge.seen[f"attack: {attack.kind}"] += 1
            self.stage.do("inject", frame, host, DEV)

    def _report(self, attack: Attack) -> None:
        """A router says something, which arrives before anything else happens."""
        while self._step(self.world.now):
            pass
        name, host = attack.host, self.world.hosts[attack.host]
        said = routers.say(Rng(attack.seed), attack.kind, host)
        if said is None:
            return
        seen, before = self.judge.seen, routers.touched(host, said.conn)
        self.stage.do("inject", stranger.framed(said.packet, host, DEV, mac(OTHER[name])), name, DEV)
        self._step(self.world.now)
        seen[f"attack: {attack.kind}"] += 1
        refused = routers.judge(said, before)
        seen["turn: refused by a router"] += refused
        app = next((it for it in self.apps if it.has(host, said.conn.sock)), None)
        if app is not None and said.true and said.errno not in (0, EMSGSIZE):
            if refused:
                verdict.refused(app, said.errno, self.plan)
            seen[f"turn: error {app.hears(said, before.state)}"] += 1

    def _meet(self, it: tuple[Meeting, list[App]]) -> None:
        meeting, pair = it
        callers = HOSTS if meeting.both else (meeting.caller,)
        at = max(self.stage.awake(host) for host in callers)
        if at > self.world.now:
            self._alarm(at, "_meet", it)
            return
        for host in callers:
            self._connect(pair[HOSTS.index(host)])
        for attack in meeting.doubts:
            self._alarm(self.world.now + attack.at, "_attack", attack)

    def _connect(self, app: App) -> None:
        if app.gone or self._later(app.host, "_connect", app):
            return
        if app.connect():
            self._taken(app)
        else:
            self.judge.seen["turn: port not free yet"] += 1
            self._alarm(self.world.now + SECOND, "_connect", app)

    def _follow(self, it: tuple[Meeting, list[App]]) -> None:
        """The next connection of the same addresses: whoever listened does so anew."""
        meeting, pair = it
        assert self.again is not None
        at = max(*(self.stage.awake(host) for host in HOSTS), self.again.ready())
        if at > self.world.now:
            self._alarm(at, "_follow", it)
            return
        self.again.begin()
        self.coming = None
        for app in pair:
            app.voice.hush()
        self._meet((meeting, self._pair(meeting)))
        self._limit()

    def _listen(self, meeting: Meeting, app: App) -> None:
        peer = ADDRESSES[OTHER[app.host]][meeting.v6]
        app.voice.listen(meeting.port, peer, self.plan.backlog)
        if not app.life.speech.calls:
            self.listeners[app.host, app.voice.listener] = app

    def _accept(self, app: App) -> None:
        if self._later(app.host, "_accept", app):
            return
        while app.voice.listener and (found := app.voice.accept()) is not None:
            sock, peer = found
            if app.voice.number or peer not in ADDRESSES[OTHER[app.host]]:  # a SYN that came twice, a stranger's data
                mine, app.voice.number = app.voice.number, sock
                app.voice.leave("abort")
                app.voice.number = mine
                continue
            app.voice.number, app.open = sock, True
            self._taken(app)

    def _taken(self, app: App) -> None:
        """An application has its socket, from which it may not read for a while."""
        if not app.life.speech.calls:
            self.sockets[app.host, app.voice.number] = app
        if app.life.deaf:
            app.deaf_until = self.world.now + app.life.deaf
            self._alarm(app.deaf_until, "_act", app)
        self._wake(app, self.world.now)

    def _later(self, host: str, method: str, it: Any) -> bool:
        """A host that sleeps does it when it wakes up."""
        at = self.stage.awake(host)
        if at > self.world.now:
            self._alarm(at, method, it)
        return at > self.world.now

    def _wait(self, host: str) -> None:
        """epoll_wait(): who acts next?"""
        if not self._later(host, "_wait", host):
            back = self.call(host, "sys", "epoll_wait", self.loops[host], 64, -1).result
            self._ready(host, back) if isinstance(back, tuple) else self._expect(host, back, "_over", host)

    def _expect(self, host: str, ticket: int, method: str, what: Any) -> None:
        """A call takes its time, if it has not returned yet."""
        waits = method, (ticket, what)
        if ticket in self.world.hosts[host].files.done:
            self._alarm(self.world.now, *waits)
        else:
            self.waits[host, ticket] = waits

    def _over(self, it: tuple[int, str]) -> None:
        ticket, host = it
        if not self._later(host, "_over", it):
            self._ready(host, self.call(host, "sys_result", ticket).result[1])

    def _ready(self, host: str, back: Any) -> None:
        for _, data in told(back):
            app = self.apps[data % LISTENING]
            if data < LISTENING:
                self._wake(app, self.world.now + app.life.think)
            else:
                self._accept(app)
        self._alarm(self.world.now, "_wait", host)

    def _act(self, app: App) -> None:
        if self._later(app.host, "_act", app):
            return
        app.act(self.world.now)
        if app.more:
            self._wake(app, self.world.now + app.life.think)
        if app.ticket and not app.lingers:
            app.lingers = True
            self._expect(app.host, app.ticket, "_closed", (app, self.world.now))
        if verdict.judge(app) == verdict.AGAIN:
            app.again()
            self._alarm(self.world.now + PAUSE, "_connect", app)

    def _closed(self, it: tuple[int, tuple[App, int]]) -> None:
        """A close() that waited for the last bytes to arrive has returned: not later than it was to."""
        ticket, (app, since) = it
        if self._later(app.host, "_closed", it):
            return
        at, _ = self.call(app.host, "sys_result", ticket).result
        if at > max(since + app.life.speech.linger * SECOND, self.stage.awake(app.host)):
            raise BrokenError(f"close() took {(at - since) / SECOND:.3f} s: {app}")
        app.gone = True

    def _give_up(self, _: None) -> None:
        """Nobody need tell who has closed that the peer is no more (RFC 9293 §3.5.1): applications have timeouts."""
        for app in self.apps:
            if app.fate in (verdict.LOOSE, verdict.LATE):
                if app.voice.number:
                    app.fate = verdict.LOOSE
                    app.leave("abort")
                app.gone = app.gone or not app.ticket

    def _stuck(self, _: None) -> None:
        if self.world.now >= self.end:
            raise BrokenError(f"{WITHIN // SECOND} s after the last fault there is no end\n{self._waiting()}")

    def _waiting(self) -> str:
        """Which side waits for what."""
        lines = []
        for app in self.apps:
            if not app.gone:
                host = self.world.hosts[app.host]
                lines.append(f"  {app}")
                if app.voice.below(host) in host.conns:
                    lines.append(f"    {host.call('status', app.voice.below(host))}")
        return "\n".join(lines)
