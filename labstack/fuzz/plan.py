# SPDX-License-Identifier: GPL-2.0-or-later
"""What a seed stands for: two hosts and how they are set, the wires between them and when they change, who connects.

A Plan says everything that is decided before the run; what happens by chance during it comes from the world's own
generator. Sysctls and socket options are looked up in the stack's tables, so what lands there is fuzzed from then on.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from labstack.core.config import MS, SECOND, SYSCTLS
from labstack.core.rng import Rng
from labstack.fuzz import again, speech, stranger
from labstack.fuzz.faults import Change, changes
from labstack.fuzz.speech import Speech
from labstack.fuzz.stranger import Attack
from labstack.fuzz.worth import OPTIONS, WHIMS, WORTH
from labstack.sim.wire import Delay
from labstack.tcp.settings import SETTINGS

T = TypeVar("T")
HOSTS = ("h1", "h2")
FAST_OPEN = "net.ipv4.tcp_fastopen"
FAST = (1, 2, 3, 3, 3, 7, 0x203, 0x403, 0x603, 0x607)
ALL = 1 << 20  # bytes: more than anybody writes
MUCH = 150_000  # bytes: more than the clock of sequence numbers counts in the time that it takes
HEADERS = 60  # bytes of the longest plain headers: IPv6 and TCP
SPAN = 12 * SECOND  # the longest that faults last
OWN_PORT = 1000  # of a host that connects to one that connects to it, or from the same port again and again
NARROW = "net.ipv4.ip_local_port_range"
CLOCK = (1 << 32) * 4000  # ns in which the clock behind initial sequence numbers goes round

# what an application does when it has written everything: see app.py
ORDERLY, LISTENS_FIRST, CLOSES, ABORTS, DIES, DEAFENS = (
    "orderly", "listens first", "closes", "aborts", "dies", "deafens",
)  # fmt: skip
ENDS = (ORDERLY,) * 12 + (LISTENS_FIRST,) * 2 + (CLOSES, ABORTS, DIES, DEAFENS)


class Life(NamedTuple):
    """One end of a connection. size: bytes to write; bite, gulp: at a time; think: ns before it acts upon something;
    deaf: ns after the beginning for which it reads nothing; end: one of ENDS; after: bytes until it aborts, dies, or
    hears no more; whims: options that it sets later, after so many bytes."""

    size: int
    bite: int
    gulp: int
    think: int
    deaf: int
    end: str
    after: int
    options: dict[str, int]
    speech: Speech = speech.PLAIN
    whims: tuple[tuple[int, str, int], ...] = ()

    @property
    def impatient(self) -> bool:
        """It may give up with ETIMEDOUT while faults last, or nobody reads."""
        return bool(self.options.keys() & {"user_timeout", "keep_count"})


class Meeting(NamedTuple):
    """A connection: at what time (ns after the start), from which host, from which port (0: any) to which; both: both
    hosts connect; then: the next one of the same addresses, whose time counts from the end of this one."""

    at: int
    caller: str
    port: int
    v6: bool
    both: bool
    lives: tuple[Life, Life]  # of h1 and h2
    doubts: tuple[Attack, ...] = ()  # what routers say about it while it is young, and old duplicates
    lport: int = 0
    then: "Meeting | None" = None

    @property
    def foes(self) -> bool:
        """Both sign, and with different keys: they never come together."""
        return self.lives[0].speech.secret != self.lives[1].speech.secret


class Plan(NamedTuple):
    """bare: without link headers; wrap: whose sequence numbers begin shortly before 2^32; calm: when faults end (ns
    after the start, as every time here); sleeps: when which host is suspended and until when."""

    seed: int
    traced: bool
    bare: bool
    resolved: bool
    mtu: int
    gso: int
    sysctls: tuple[dict[str, int], dict[str, int]]
    backlog: int
    wrap: str
    room: int
    turns: int
    calm: int
    changes: tuple[Change, ...]
    sleeps: tuple[tuple[int, str, int], ...]
    attacks: tuple[Attack, ...]
    meetings: tuple[Meeting, ...]


def draw(seed: int) -> Plan:
    """The plan of a seed."""
    rng = Rng(seed)
    mtu = one(rng, (1500,) * 6 + (1280, 1280, 9000))
    bare = rng.chance(0.4)
    calm = rng.below(SPAN) if rng.chance(0.8) else 0
    settings = (_sysctls(rng), _sysctls(rng)) if rng.chance(0.7) else ({}, {})
    fast = rng.chance(0.1)
    if fast:  # by two of three it is the later ones that have a cookie
        settings = {**settings[0], FAST_OPEN: one(rng, FAST)}, {**settings[1], FAST_OPEN: one(rng, FAST)}
    count = one(rng, (2, 3, 6)) if fast else one(rng, (1,) * 8 + (2, 3, 3, 6))
    plan = Plan(
        seed,
        traced=rng.chance(0.2),
        bare=bare,
        resolved=bare or rng.chance(0.8),
        mtu=mtu,
        gso=65_535 * rng.below(2),
        sysctls=settings,
        backlog=one(rng, (0, 1, 128, 128)),
        wrap=one(rng, ("", "h1", "h2")),
        room=one(rng, (0, 1, 2, 500, 5000)),
        turns=rng.below(300),
        calm=calm,
        changes=changes(rng, calm),
        sleeps=_sleeps(rng, calm),
        attacks=stranger.draw(rng, calm),
        meetings=tuple(_meeting(rng, number, count, mtu, fast) for number in range(count)),
    )
    return _series(rng, plan, fast) if rng.chance(0.2) else plan


def one(rng: Rng, among: tuple[T, ...]) -> T:
    return among[rng.below(len(among))]


def some(
    rng: Rng, table: dict[str, tuple[int, ...]], chance: float, valid: Callable[[str, int], bool]
) -> dict[str, int]:
    """A few settings of a table, of those that the stack knows."""
    found = {}
    for name, values in table.items():
        value = one(rng, values)  # drawn for every name, so that new ones change as little as can be
        if rng.chance(chance) and valid(name, value):
            found[name] = value
    return found


def _sysctls(rng: Rng) -> dict[str, int]:
    found = {f"net.ipv4.{name}": value for name, value in some(rng, WORTH, 0.1, _offered).items()}
    retries = set[str]()  # those that may be over before the faults are
    if "net.ipv4.tcp_rto_min_us" in found:
        retries |= {"orphan_retries", "retries2"}
    if "net.ipv4.tcp_rto_max_ms" in found:
        retries |= {"orphan_retries", "retries2", "syn_retries", "synack_retries"}
    return found | {f"net.ipv4.tcp_{name}": 30 for name in sorted(retries)}


def _offered(name: str, value: int) -> bool:
    entry = SYSCTLS.get(f"net.ipv4.{name}")
    return entry is not None and entry.least <= value <= entry.most


def _settable(name: str, value: int) -> bool:
    entry = SETTINGS.get(name)
    return entry is not None and entry.least <= value <= entry.most


def _sleeps(rng: Rng, calm: int) -> tuple[tuple[int, str, int], ...]:
    if calm == 0 or not rng.chance(0.15):
        return ()
    since, until = sorted((rng.below(calm), rng.below(calm)))
    return ((since, one(rng, HOSTS), until),)


def _meeting(rng: Rng, number: int, count: int, mtu: int, fast: bool) -> Meeting:
    one_end, other = _life(rng, count, mtu, fast), _life(rng, count, mtu, fast)
    if rng.chance(0.05):
        ours, theirs = speech.signed(rng, one_end.speech, other.speech)
        one_end, other = one_end._replace(speech=ours), other._replace(speech=theirs)
    if one_end.end == other.end == LISTENS_FIRST:  # both would wait for ever
        one_end = one_end._replace(end=ORDERLY)
    lives = (
        one_end._replace(gulp=max(one_end.gulp, other.size // 60)),
        other._replace(gulp=max(other.gulp, one_end.size // 60)),
    )
    at = rng.below(2 * SECOND) if number else 0
    return Meeting(at, one(rng, HOSTS), 80 + number, rng.chance(0.5), rng.chance(0.08), lives, stranger.doubts(rng))


def _series(rng: Rng, plan: Plan, fast: bool) -> Plan:
    """The first connection is one of several of the same addresses and ports. Now and then the caller has only one port
    to choose from. Half of them are hasty: more is sent than the clock behind initial sequence numbers allows for."""
    first, *rest = plan.meetings
    mine, narrow, hasty = OWN_PORT + first.port, not rest and rng.chance(0.4), rng.chance(0.5)
    first = first._replace(both=False, lport=0 if narrow else mine, lives=_alike(first, first, hasty))
    then = None
    for _ in range(1 + rng.below(3)):
        it = _meeting(rng, 0, len(plan.meetings) + 1, plan.mtu, fast)
        wait = one(rng, (0, 5 * MS) if hasty else (0, 5 * MS, 2 * SECOND, 65 * SECOND))
        doubts = again.draw(rng, it.doubts)
        then = first._replace(at=rng.below(wait + 1), lives=_alike(first, it, hasty), doubts=doubts, then=then)
    plan = plan._replace(
        sysctls=_wary(rng, plan, first, mine if narrow else 0), meetings=(first._replace(then=then), *rest)
    )
    quick = tuple(Change(0, host, Delay(rng.below(1 << 10 + rng.below(11)))) for host in HOSTS)
    return plan._replace(changes=quick) if hasty else plan


def _wary(rng: Rng, plan: Plan, first: Meeting, port: int) -> tuple[dict[str, int], dict[str, int]]:
    """Who takes cookies, or data with a SYN, would take old duplicates, too; so would who has no timestamps and does
    not heed RFC 1337. port: the only one that the caller has; 0: it has many."""
    ours, theirs = ({**sysctls, "net.ipv4.tcp_syncookies": 0, FAST_OPEN: 1} for sysctls in plan.sysctls)
    if rng.chance(0.5):
        for sysctls in (ours, theirs):
            sysctls |= {"net.ipv4.tcp_timestamps": rng.below(2), "net.ipv4.tcp_rfc1337": 1}
            if sysctls.get("net.ipv4.tcp_rto_max_ms") == SECOND // MS:  # its SYNs outlast TIME-WAIT
                sysctls["net.ipv4.tcp_syn_retries"] = 100
    if port:
        only = {f"{NARROW}.min": port, f"{NARROW}.max": port, "net.ipv4.tcp_tw_reuse": 1}
        (ours, theirs)[HOSTS.index(first.caller)].update(only)
    return ours, theirs


def _alike(first: Meeting, it: Meeting, hasty: bool) -> tuple[Life, Life]:
    """Without signatures, and each end calls its host as in the first one: the two ways do not share a port."""
    found = []
    for was, life in zip(first.lives, it.lives, strict=True):
        says = life.speech._replace(calls=True, secret=b"") if was.speech.calls else speech.PLAIN
        life = life._replace(speech=says)
        found.append(
            life._replace(size=min(life.size * 3, MUCH), bite=ALL, gulp=ALL, think=0, deaf=0) if hasty else life
        )
    return found[0], found[1]


def _life(rng: Rng, count: int, mtu: int, fast: bool) -> Life:
    options = some(rng, OPTIONS, 0.12, _settable) if rng.chance(0.6) else {}
    mss = min(mtu - HEADERS, max(options.get("maxseg", mtu), 48))
    buffer = min(options.get("rcvbuf", mss), options.get("sndbuf", mss))
    size = int(min(mss, buffer * 2) * 2 ** (rng.below(800) / 100) / 3 / count) if rng.chance(0.85) else 0
    slow, end = rng.chance(0.3), one(rng, ENDS)
    says = speech.draw(rng, size, fast)
    if end == LISTENS_FIRST and says.early == speech.WAITS_FOR_DATA:  # nobody would ever connect
        says = says._replace(early=speech.OPENS_EARLY)
    return Life(
        size,
        bite=max(one(rng, (1, 3, 100, 1460, 5000, ALL, ALL)), size // 60),
        gulp=one(rng, (1, 100, 5000, ALL, ALL)),
        think=rng.below(200) * MS if slow else 0,
        deaf=rng.below(20) * SECOND if rng.chance(0.15) else 0,
        end=end,
        after=rng.below(size + 2),
        options=options,
        speech=says,
        whims=_whims(rng, size) if rng.chance(0.2) else (),
    )


def _whims(rng: Rng, size: int) -> tuple[tuple[int, str, int], ...]:
    names = tuple(WHIMS)
    drawn = [(rng.below(size + 2), one(rng, names)) for _ in range(1 + rng.below(4))]
    return tuple((after, name, one(rng, WHIMS[name])) for after, name in sorted(drawn))
