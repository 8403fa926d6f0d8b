# SPDX-License-Identifier: GPL-2.0-or-later
"""One seed, played: the world of its plan, its applications, and the verdict after every event.

While faults last only safety is judged. Then the wires are perfect, and everything must come to its end in bounded
time: a connection that does not is stuck, and the verdict says which side waits for what.
"""

import errno
import traceback
from collections import Counter, deque
from heapq import heappop, heappush
from typing import Any, NamedTuple

from labstack.core.config import SECOND
from labstack.core.errors import StackError
from labstack.core.event import ACCEPTABLE
from labstack.core.record import Record
from labstack.fuzz.app import POOL, App, BrokenError
from labstack.fuzz.faults import Change
from labstack.fuzz.judge import Judge
from labstack.fuzz.plan import HOSTS, LISTENS_FIRST, ORDERLY, Meeting, Plan, draw
from labstack.fuzz.stage import DEV, OTHER, Stage, Twins, connect
from labstack.sim.world import outcome

WITHIN = 600 * SECOND  # from calm to the end of all that is orderly: a timer may be at its 120 s
PATIENCE = 100 * SECOND  # from calm until an application gives up a peer that may have died without a word
REST = 1500 * SECOND  # from the last close until everything is forgotten
ALWAYS = 2  # tcp_syncookies
EVENTS = 60_000  # more is an endless run


class Outcome(NamedTuple):
    """What became of a seed. broken: what did not hold at event n, "" if all did; seen: how often what was covered."""

    seed: int
    n: int
    ns: int  # of virtual time
    broken: str
    seen: Counter[str]
    states: frozenset[str]
    rules: frozenset[str]


class Trial:
    """One run of a plan, on a stage. strict: see Judge."""

    def __init__(self, plan: Plan, stage: Stage, strict: bool = False) -> None:
        self.plan = plan
        self.judge = Judge(strict)
        self.stage = stage
        self.world = stage.world
        self.apps: list[App] = []
        self.sockets: dict[tuple[str, int], App] = {}
        self.listeners: dict[tuple[str, int], App] = {}  # who accepts there
        self.woken: deque[App] = deque()
        self.alarms: list[tuple[int, int, str, Any]] = []  # at (ns), number, a method, what it is called with
        self.numbered = 0

    def play(self) -> None:
        """The whole run. Raises BrokenError, or AssertionError of a check, when something does not hold."""
        self._prepare()
        while not all(app.gone for app in self.apps):
            self._turn()
        for change in self.plan.changes:  # those to come: in the end all is calm
            self._rewire(change)
        for host, listener in self.listeners:
            self.call(host, "close", listener)
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
        start = self.stage.start
        self.stage.do("advance", start)
        if self.plan.traced:
            self.stage.do("trace")
        for change in self.plan.changes:
            self._alarm(start + change.at, "_rewire", change)
        for at, host, until in self.plan.sleeps:
            self._alarm(start + at, "_sleep", (host, start + until))
        for number, meeting in enumerate(self.plan.meetings):
            places = [(number * 7919 + i * 524_287) % (len(POOL) // 4) for i in (0, 1)]
            pair = [App(self, *it) for it in zip(HOSTS, meeting.lives, places, strict=True)]
            pair[0].peer, pair[1].peer = pair[1], pair[0]
            pair[0].fragile = pair[1].fragile = forgetful(self.plan, meeting)
            self.apps += pair
            if not meeting.both:
                self._listen(meeting, pair[HOSTS.index(OTHER[meeting.caller])])
            self._alarm(start + meeting.at, "_meet", (meeting, pair))
        calm = start + self.plan.calm
        self._alarm(calm + PATIENCE, "_give_up", None)
        self._alarm(calm + WITHIN, "_stuck", None)

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

    def _step(self, by: int) -> bool:
        record = self.stage.step(by)
        if record is not None:
            self._happened(record)
        return record is not None

    def _happened(self, record: Record) -> None:
        self.judge.after(self.world, record)
        if record.n > EVENTS:
            raise BrokenError(f"{EVENTS} events and no end\n{self._waiting()}")
        for sock, what in record.wakes:
            app = self.sockets.get((record.host, sock))
            if app is None:
                if what & ACCEPTABLE:
                    self._alarm(self.world.now, "_accept", (record.host, sock))
            else:
                app.reasons |= what
                self._wake(app, self.world.now + app.life.think)

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

    def _meet(self, it: tuple[Meeting, list[App]]) -> None:
        meeting, pair = it
        callers = HOSTS if meeting.both else (meeting.caller,)
        at = max(self.stage.awake(host) for host in callers)
        if at > self.world.now:
            self._alarm(at, "_meet", it)
            return
        for host in callers:
            record = connect(self.stage, meeting, host)
            self._take(pair[HOSTS.index(host)], outcome(record))
            self._happened(record)

    def _listen(self, meeting: Meeting, app: App) -> None:
        options = dict(app.life.options)
        listener = outcome(self.call(app.host, "listen", meeting.port, b"", self.plan.backlog, 0, options))
        self.listeners[app.host, listener] = app

    def _accept(self, where: tuple[str, int]) -> None:
        host, listener = where
        if self.stage.awake(host) > self.world.now:
            self._alarm(self.stage.awake(host), "_accept", where)
            return
        while not isinstance((record := self.call(host, "accept", listener)).result, StackError):
            app, sock = self.listeners[where], record.result[0]
            if app.sock:  # a delayed duplicate of a SYN
                self.call(host, "abort", sock)
                continue
            app.open = True
            self._take(app, sock)

    def _take(self, app: App, sock: int) -> None:
        """A socket for an application, which may not read from it for a while."""
        app.sock = sock
        self.sockets[app.host, sock] = app
        if app.life.deaf:
            app.deaf_until = self.world.now + app.life.deaf
            self._alarm(app.deaf_until, "_act", app)
        self._wake(app, self.world.now)

    def _act(self, app: App) -> None:
        at = self.stage.awake(app.host)
        if at > self.world.now:
            self._alarm(at, "_act", app)
            return
        app.act(self.world.now)
        if app.more:
            self._wake(app, self.world.now + app.life.think)
        if orderly(app):
            self._judge(app)

    def _judge(self, app: App) -> None:
        if app.error:
            raise BrokenError(f"{errno.errorcode.get(app.error, app.error)}, and nobody aborted: {app}")
        if app.gone and app.got < app.peer.life.size:
            raise BrokenError(f"the stream ended after {app.got} of {app.peer.life.size} bytes: {app}")

    def _give_up(self, _: None) -> None:
        """Nobody need tell who has closed that the peer is no more (RFC 9293 §3.5.1): applications have timeouts."""
        for app in self.apps:
            if not orderly(app) and app.sock:
                app.leave("abort")
            app.gone = app.gone or not orderly(app)

    def _stuck(self, _: None) -> None:
        raise BrokenError(f"{WITHIN // SECOND} s after the last fault there is no end\n{self._waiting()}")

    def _waiting(self) -> str:
        """Which side waits for what."""
        lines = []
        for app in self.apps:
            if not app.gone:
                conns = self.world.hosts[app.host].conns
                lines.append(f"  {app}")
                if app.sock in conns:
                    lines.append(f"    {self.world.hosts[app.host].call('status', app.sock)}")
        return "\n".join(lines)


def orderly(app: App) -> bool:
    """Both sides want to hear all that the other says."""
    in_order = app.life.end in (ORDERLY, LISTENS_FIRST) and app.peer.life.end in (ORDERLY, LISTENS_FIRST)
    return in_order and not app.fragile


def forgetful(plan: Plan, meeting: Meeting) -> bool:
    """A host that always sends SYN cookies cannot know a connection whose first ACK was lost: it may reset it."""
    callees = HOSTS if meeting.both else (OTHER[meeting.caller],)
    return any(plan.sysctls[HOSTS.index(host)].get("net.ipv4.tcp_syncookies") == ALWAYS for host in callees)


def judged(trial: Trial) -> str:
    """Play a trial: what did not hold, "" if all did."""
    try:
        trial.play()
    except AssertionError as error:
        return str(error) or traceback.format_exc()
    except Exception:
        return traceback.format_exc()
    return ""


def play(seed: int, differential: bool = False) -> Outcome:
    """Play one seed. What is only looked for in the end is then looked for at every event of the same run again.

    differential: on two worlds side by side, see Twins
    """
    plan, kind = draw(seed), Twins if differential else Stage
    trial = Trial(plan, kind(plan), plan.traced)
    broken = judged(trial)
    if broken and not trial.judge.strict:
        again = Trial(plan, kind(plan), strict=True)
        trial, broken = again, judged(again) or broken
    judge = trial.judge
    return Outcome(seed, trial.world.n, trial.world.now - trial.stage.start, broken, judge.seen,
                   frozenset(judge.states), frozenset(judge.rules))  # fmt: skip
