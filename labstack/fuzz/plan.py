# SPDX-License-Identifier: GPL-2.0-or-later
"""What a seed stands for: two hosts and how they are set, the wires between them and when they change, who connects.

A Plan says everything that is decided before the run; what happens by chance during it comes from the world's own
generator. Sysctls and socket options are looked up in the stack's tables, so what lands there is fuzzed from then on.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from labstack.core.config import MS, SECOND, SYSCTLS
from labstack.core.rng import Rng
from labstack.fuzz.faults import Change, changes
from labstack.tcp.settings import SETTINGS

T = TypeVar("T")
HOSTS = ("h1", "h2")
HEADERS = 60  # bytes of the longest plain headers: IPv6 and TCP
SPAN = 12 * SECOND  # the longest that faults last
CLOCK = (1 << 32) * 4000  # ns in which the clock behind initial sequence numbers goes round

# what an application does when it has written everything: see app.py
ORDERLY, LISTENS_FIRST, CLOSES, ABORTS, DIES = "orderly", "listens first", "closes", "aborts", "dies"
ENDS = (ORDERLY,) * 12 + (LISTENS_FIRST,) * 2 + (CLOSES, ABORTS, DIES)

# values worth trying, for those sysctls that there are and within Linux's bounds; others are defaults, or would end
# connections
WORTH: dict[str, tuple[int, ...]] = {
    "tcp_sack": (0,),
    "tcp_dsack": (0,),
    "tcp_timestamps": (0, 2),
    "tcp_window_scaling": (0,),
    "tcp_ecn": (0, 1, 3),
    "tcp_ecn_fallback": (0,),
    "tcp_ecn_option": (0, 1, 2),
    "tcp_congestion_control": (0, 1, 2, 3, 4),
    "tcp_fastopen": (0, 3, 0x603),
    "tcp_early_retrans": (0, 3),
    "tcp_recovery": (0, 1, 2, 4, 7),
    "tcp_frto": (0, 1, 2),
    "tcp_mtu_probing": (1, 2),
    "tcp_base_mss": (88, 512),
    "tcp_moderate_rcvbuf": (0,),
    "tcp_autocorking": (0, 1),
    "tcp_syn_linear_timeouts": (0, 4),
    "tcp_thin_linear_timeouts": (1,),
    "tcp_tw_reuse": (0, 1),
    "tcp_rfc1337": (1,),
    "tcp_workaround_signed_windows": (1,),
    "tcp_reflect_tos": (1,),
    "tcp_syncookies": (0, 2),
    "tcp_rmem.default": (2304, 4096, 30_000, 1 << 20),
    "tcp_rmem.max": (4096, 65_536),
    "tcp_wmem.default": (256, 4096, 30_000),
    "tcp_wmem.max": (4096, 65_536),
    "tcp_notsent_lowat": (1, 3000),
    "tcp_rto_min_us": (20_000, 1_000_000),
    "tcp_delack_min": (0, 200),
    "tcp_reordering": (1, 10),
    "tcp_max_reordering": (3, 20),
    "tcp_init_cwnd": (1, 2, 40),
    "tcp_max_islands": (1, 2, 8),
    "tcp_slow_start_after_idle": (0,),
    "tcp_no_ssthresh_metrics_save": (0,),
    "tcp_min_tso_segs": (1, 40),
    "tcp_limit_output_bytes": (4096,),
    "tcp_min_snd_mss": (200,),
    "tcp_invalid_ratelimit": (0,),
    "tcp_challenge_ack_limit": (1,),
    "tcp_adv_win_scale": (-2, 2),
    "tcp_backlog_ack_defer": (0,),
    "tcp_comp_sack_nr": (0,),
    "tcp_abc": (0, 2),
    "tcp_hystart": (0,),
}
OPTIONS: dict[str, tuple[int, ...]] = {
    "nodelay": (1,),
    "cork": (1,),
    "rcvbuf": (1152, 1500, 2500, 5000, 40_000, 500_000),
    "sndbuf": (256, 1000, 5000, 100_000),
    "maxseg": (88, 100, 300, 536, 1000),
    "quickack": (0, 1),
    "notsent_lowat": (1, 2000),
    "keepalive": (1,),
    "keep_idle": (1, 10),
    "window_clamp": (500, 5000),
    "congestion": (0, 1, 2, 3, 4),
    "pacing": (50_000, 10_000_000),
    "rcvlowat": (100,),
    "discover": (0, 1, 2, 3),
}


class Life(NamedTuple):
    """One end of a connection. size: bytes to write; bite, gulp: at a time; think: ns before it acts upon something;
    deaf: ns after the beginning for which it reads nothing; end: one of ENDS; after: bytes until it aborts or dies."""

    size: int
    bite: int
    gulp: int
    think: int
    deaf: int
    end: str
    after: int
    options: dict[str, int]


class Meeting(NamedTuple):
    """A connection: at what time (ns after the start), from which host, to which port; both: both hosts connect."""

    at: int
    caller: str
    port: int
    v6: bool
    both: bool
    lives: tuple[Life, Life]  # of h1 and h2


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
    meetings: tuple[Meeting, ...]


def draw(seed: int) -> Plan:
    """The plan of a seed."""
    rng = Rng(seed)
    mtu = one(rng, (1500,) * 6 + (1280, 1280, 9000))
    bare = rng.chance(0.4)
    calm = rng.below(SPAN) if rng.chance(0.8) else 0
    settings = (_sysctls(rng), _sysctls(rng)) if rng.chance(0.7) else ({}, {})
    count = one(rng, (1,) * 8 + (2, 3, 3, 6))
    return Plan(
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
        meetings=tuple(_meeting(rng, number, count, mtu) for number in range(count)),
    )


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
    if found.get("net.ipv4.tcp_rto_min_us", 1 << 30) < 200_000:  # retries are then over before the faults are
        found |= {"net.ipv4.tcp_orphan_retries": 30, "net.ipv4.tcp_retries2": 30}
    return found


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


def _meeting(rng: Rng, number: int, count: int, mtu: int) -> Meeting:
    one_end, other = _life(rng, count, mtu), _life(rng, count, mtu)
    if one_end.end == other.end == LISTENS_FIRST:  # both would wait for ever
        one_end = one_end._replace(end=ORDERLY)
    lives = (
        one_end._replace(gulp=max(one_end.gulp, other.size // 60)),
        other._replace(gulp=max(other.gulp, one_end.size // 60)),
    )
    at = rng.below(2 * SECOND) if number else 0
    return Meeting(at, one(rng, HOSTS), 80 + number, rng.chance(0.5), rng.chance(0.08), lives)


def _life(rng: Rng, count: int, mtu: int) -> Life:
    options = some(rng, OPTIONS, 0.12, _settable) if rng.chance(0.6) else {}
    mss = min(mtu - HEADERS, max(options.get("maxseg", mtu), 48))
    buffer = min(options.get("rcvbuf", mss), options.get("sndbuf", mss))
    size = int(min(mss, buffer * 2) * 2 ** (rng.below(800) / 100) / 3 / count) if rng.chance(0.85) else 0
    slow = rng.chance(0.3)
    return Life(
        size,
        bite=max(one(rng, (1, 3, 100, 1460, 5000, 1 << 20, 1 << 20)), size // 60),
        gulp=one(rng, (1, 100, 5000, 1 << 20, 1 << 20)),
        think=rng.below(200) * MS if slow else 0,
        deaf=rng.below(20) * SECOND if rng.chance(0.15) else 0,
        end=one(rng, ENDS),
        after=rng.below(size + 2),
        options=options,
    )
