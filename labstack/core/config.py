# SPDX-License-Identifier: GPL-2.0-or-later
"""Configuration: Linux's sysctl names with Linux's defaults. `SYSCTLS` is the whole list, with what each means.

A Config is immutable and shared by clones; `replace` makes another one. What /proc/sys has as one line of several
numbers is several entries here, net.ipv4.tcp_rmem.min, .default and .max; a word is the number of the word. `spoken`
and `understood` translate. What Linux has and we do not offer yet has one value only: the one that says so.
"""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from labstack.core.errors import StackError

EINVAL = 22


class Spelling(NamedTuple):
    """How a value is written where Linux has something else than a number; read raises ValueError."""

    say: Callable[[int], str]
    read: Callable[[str], int]


class Sysctl(NamedTuple):
    """words: what the values 0, 1, ... are called, where Linux has words; spelling: where it has more than those."""

    default: int
    least: int
    most: int
    means: str
    words: tuple[str, ...] = ()
    spelling: Spelling | None = None


MS = 1_000_000  # ns
SECOND = 1_000_000_000  # ns

# in the order of tcp_available_congestion_control; tcp/cc/table.py has what they do
CONGESTION = ("reno", "cubic", "bbr", "dctcp", "none")

BUFFER = 1 << 30  # bytes that a buffer may have
MIN_RCVBUF, MIN_SNDBUF = 2304, 4608  # bytes of memory, Linux's SOCK_MIN_RCVBUF and SOCK_MIN_SNDBUF

KEY_BITS = 128  # of a key of Fast Open
SECRET = "secret"  # a key that nobody has set


def _say_keys(value: int) -> str:
    """'a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4', and a second one behind a comma if there is one."""
    if not value:
        return SECRET
    keys = [(value >> KEY_BITS * (1 - n)) % (1 << KEY_BITS) for n in range(value >> 2 * KEY_BITS)]
    return ",".join("-".join(f"{key:032x}"[i : i + 8] for i in range(0, 32, 8)) for key in keys)


def _read_keys(text: str) -> int:
    if text == SECRET:
        return 0
    keys = [[int(word, 16) for word in key.split("-")] for key in text.split(",")]
    if len(keys) > 2 or any(len(key) != 4 or not all(0 <= word < 1 << 32 for word in key) for key in keys):
        raise ValueError(text)
    return keys_value([sum(word << 96 - 32 * n for n, word in enumerate(key)) for key in keys])


def keys_value(keys: list[int]) -> int:
    """net.ipv4.tcp_fastopen_key as a number: how many keys, the primary, the backup; each as it is written in hex."""
    return len(keys) << 2 * KEY_BITS | keys[0] << KEY_BITS | (keys[1] if len(keys) > 1 else 0)


def _say_names(value: int) -> str:
    return " ".join(SYSCTLS["net.ipv4.tcp_congestion_control"].words)


def _read_names(text: str) -> int:
    if text != _say_names(0):
        raise ValueError(text)
    return 0


NAMES = Spelling(_say_names, _read_names)

# what Linux would do at another value than 0
NOT_YET: dict[str, str] = {
    "tcp_fack": "forward acknowledgment; Linux ignores it, too",
    "tcp_autocorking": "small writes that wait for earlier ones to leave the device",
    "tcp_thin_linear_timeouts": "thin streams without back-off",
    "tcp_reflect_tos": "a SYN,ACK with the TOS of the SYN",
    "tcp_plb_enabled": "protective load balancing",
}

SYSCTLS: dict[str, Sysctl] = {
    "fs.file-max": Sysctl(65_536, 1, 1 << 24, "sockets of a host, accepted and not"),
    "net.ipv4.ip_default_ttl": Sysctl(64, 1, 255, "TTL of packets that we originate"),
    "net.ipv6.conf.all.hop_limit": Sysctl(64, 1, 255, "hop limit of packets that we originate"),
    "net.ipv4.icmp_echo_ignore_all": Sysctl(0, 0, 1, "do not answer echo requests"),
    "net.ipv4.icmp_echo_ignore_broadcasts": Sysctl(1, 0, 1, "do not answer echo requests to a group"),
    "net.ipv6.icmp.echo_ignore_all": Sysctl(0, 0, 1, "do not answer ICMPv6 echo requests"),
    "net.ipv6.icmp.echo_ignore_multicast": Sysctl(0, 0, 1, "do not answer ICMPv6 echo requests to a group"),
    "net.ipv4.icmp_msgs_per_sec": Sysctl(1000, 0, 1_000_000, "ICMP errors per second, all destinations together"),
    "net.ipv4.icmp_msgs_burst": Sysctl(50, 1, 10_000, "ICMP errors in one burst"),
    "net.ipv4.icmp_ratelimit": Sysctl(
        1000, 0, 60_000, "least ms between ICMP errors to one destination, after a burst of 6"
    ),
    "net.ipv4.neigh.default.base_reachable_time_ms": Sysctl(
        30_000, 1, 3_600_000, "ms a confirmed neighbour is believed"
    ),
    "net.ipv4.neigh.default.retrans_time_ms": Sysctl(1000, 1, 3_600_000, "ms between solicitations"),
    "net.ipv4.neigh.default.delay_first_probe_time_ms": Sysctl(5000, 0, 3_600_000, "ms in DELAY before probing"),
    "net.ipv4.neigh.default.mcast_solicit": Sysctl(3, 0, 100, "multicast or broadcast solicitations before giving up"),
    "net.ipv4.neigh.default.ucast_solicit": Sysctl(3, 0, 100, "unicast probes before giving up"),
    "net.ipv4.neigh.default.unres_qlen": Sysctl(101, 1, 1000, "packets waiting for one unresolved neighbour"),
    "net.ipv4.neigh.default.gc_thresh3": Sysctl(512, 4, 100_000, "entries a neighbour table may hold"),
    "net.ipv4.neigh.default.gc_stale_time": Sysctl(
        60, 1, 86_400, "seconds after which an unused entry may be collected"
    ),
    "net.ipv6.conf.all.dad_transmits": Sysctl(1, 0, 10, "duplicate address probes; 0 switches detection off"),
    "net.ipv4.ip_local_port_range.min": Sysctl(32768, 1, 65535, "first ephemeral port"),
    "net.ipv4.ip_local_port_range.max": Sysctl(60999, 1, 65535, "last ephemeral port"),
    "net.ipv4.ip_no_pmtu_disc": Sysctl(
        0, 0, 3, "1: no DF, and the least where a router asks for less; 2: routers are ignored; 3: only for TCP"
    ),
    "net.ipv4.route.min_pmtu": Sysctl(552, 68, 65_535, "bytes: no path is believed to carry less"),
    "net.ipv4.route.min_adv_mss": Sysctl(256, 1, 65_535, "bytes: no smaller MSS is announced"),
    "net.ipv4.route.mtu_expires": Sysctl(600, 1, 86_400, "seconds for which the MTU of a path is remembered"),
    "net.ipv6.route.min_adv_mss": Sysctl(1220, 1, 65_535, "bytes: no smaller MSS is announced"),
    "net.ipv6.route.mtu_expires": Sysctl(600, 1, 86_400, "seconds for which the MTU of a path is remembered"),
    "net.core.rmem_default": Sysctl(212_992, MIN_RCVBUF, BUFFER, "bytes a UDP socket may queue for its reader"),
    "net.core.rmem_max": Sysctl(4 << 20, MIN_RCVBUF, BUFFER, "greatest SO_RCVBUF, before it is doubled"),
    "net.core.wmem_max": Sysctl(4 << 20, MIN_SNDBUF, BUFFER, "greatest SO_SNDBUF, before it is doubled"),
    "net.core.somaxconn": Sysctl(4096, 1, 65535, "greatest backlog of a listener"),
    # pages; Linux reckons them from its memory, these are for 8 GiB
    "net.ipv4.tcp_mem.min": Sysctl(98_304, 0, BUFFER, "pages of TCP's buffers below which there is no pressure"),
    "net.ipv4.tcp_mem.default": Sysctl(131_072, 0, BUFFER, "pages of TCP's buffers above which there is pressure"),
    "net.ipv4.tcp_mem.max": Sysctl(196_608, 0, BUFFER, "pages that all buffers of TCP may take"),
    "net.ipv4.tcp_rmem.min": Sysctl(4096, 1, BUFFER, "bytes of a TCP receive buffer that memory pressure leaves"),
    "net.ipv4.tcp_rmem.default": Sysctl(131_072, 1, BUFFER, "bytes of a TCP receive buffer to begin with"),
    "net.ipv4.tcp_rmem.max": Sysctl(6_291_456, 1, BUFFER, "bytes to which a TCP receive buffer may grow"),
    "net.ipv4.tcp_moderate_rcvbuf": Sysctl(1, 0, 1, "receive buffers grow with what the application reads"),
    "net.ipv4.tcp_stdurg": Sysctl(0, 0, 1, "the urgent pointer is at the last urgent byte, not behind it (RFC 1122)"),
    "net.ipv4.tcp_app_win": Sysctl(31, 0, 31, "1/2^n of the window is kept back; 31: nearly nothing"),
    "net.ipv4.tcp_shrink_window": Sysctl(0, 0, 1, "the window follows the memory, even back"),
    "net.ipv4.tcp_workaround_signed_windows": Sysctl(0, 0, 1, "no window above 32 KiB without scaling"),
    "net.ipv4.tcp_wmem.min": Sysctl(4096, 1, BUFFER, "bytes of a TCP send buffer that are there without memory, too"),
    "net.ipv4.tcp_wmem.default": Sysctl(16_384, 1, BUFFER, "bytes of a TCP send buffer to begin with"),
    "net.ipv4.tcp_wmem.max": Sysctl(4_194_304, 1, BUFFER, "bytes to which a TCP send buffer may grow"),
    "net.ipv4.tcp_notsent_lowat": Sysctl(
        0xFFFFFFFF, 0, 0xFFFFFFFF, "a socket with so many unsent bytes is not writable"
    ),
    "net.ipv4.tcp_window_scaling": Sysctl(1, 0, 1, "offer window scaling (RFC 7323)"),
    "net.ipv4.tcp_sack": Sysctl(1, 0, 1, "offer selective acknowledgments (RFC 2018)"),
    "net.ipv4.tcp_dsack": Sysctl(1, 0, 1, "tell what came twice in a SACK block (RFC 2883)"),
    "net.ipv4.tcp_comp_sack_nr": Sysctl(44, 0, 255, "duplicate ACKs for one gap that one may stand for; 0: none"),
    "net.ipv4.tcp_comp_sack_delay_ns": Sysctl(1_000_000, 0, SECOND, "ns that such ACKs wait at most"),
    "net.ipv4.tcp_comp_sack_slack_ns": Sysctl(100_000, 0, SECOND, "ns that Linux's timer for it may be late"),
    "net.ipv4.tcp_timestamps": Sysctl(
        1, 0, 2, "offer timestamps (RFC 7323): 1 with a random offset for each pair of addresses, 2 without"
    ),
    "net.ipv4.tcp_syn_retries": Sysctl(6, 1, 127, "retransmissions of a SYN before giving up"),
    "net.ipv4.tcp_syn_linear_timeouts": Sysctl(4, 0, 127, "timeouts of a SYN before they begin to double"),
    "net.ipv4.tcp_synack_retries": Sysctl(5, 0, 255, "retransmissions of a SYN-ACK before giving up"),
    "net.ipv4.tcp_retries1": Sysctl(
        3, 1, 255, "R1: retransmissions before the network layer is told (RFC 9293 §3.8.3)"
    ),
    "net.ipv4.tcp_retries2": Sysctl(15, 1, 255, "R2: retransmissions before giving up (RFC 9293 §3.8.3)"),
    "net.ipv4.tcp_orphan_retries": Sysctl(0, 0, 255, "R2 once the application has closed; 0: 8"),
    "net.ipv4.tcp_keepalive_time": Sysctl(7200, 1, 32_767, "seconds of silence before a keep-alive (RFC 9293 §3.8.4)"),
    "net.ipv4.tcp_keepalive_intvl": Sysctl(75, 1, 32_767, "seconds between keep-alives"),
    "net.ipv4.tcp_keepalive_probes": Sysctl(9, 1, 127, "keep-alives without an answer before giving up"),
    "net.ipv4.tcp_fin_timeout": Sysctl(60, 1, 3600, "seconds in FIN-WAIT-2 after close"),
    "net.ipv4.tcp_max_syn_backlog": Sysctl(
        2048, 1, 1 << 20, "half-open connections of one listener; without SYN cookies a quarter of it is kept free"
    ),
    "net.ipv4.tcp_syncookies": Sysctl(1, 0, 2, "SYN cookies (RFC 4987): 1 when the SYN queue is full, 2 always"),
    "net.ipv4.tcp_abort_on_overflow": Sysctl(0, 0, 1, "a RST for the ACK that finds the accept queue full"),
    "net.ipv4.tcp_max_orphans": Sysctl(131_072, 0, 1 << 30, "connections whose application has gone"),
    "net.ipv4.tcp_fastopen": Sysctl(
        1,
        0,
        (1 << 31) - 1,
        "Fast Open (RFC 7413): 1 client, 2 server, 4 and 0x200 the same without a cookie, 0x400 all listeners",
    ),
    "net.ipv4.tcp_fastopen_key": Sysctl(
        0,
        0,
        (3 << 2 * KEY_BITS) - 1,
        "keys of Fast Open's cookies",
        spelling=Spelling(_say_keys, _read_keys),
    ),
    "net.ipv4.tcp_fastopen_blackhole_timeout_sec": Sysctl(
        0, 0, 1 << 30, "seconds without Fast Open as a client after it was seen to be swallowed; 0: never"
    ),
    "net.ipv4.tcp_max_tw_buckets": Sysctl(16_384, 0, 1 << 20, "connections in TIME-WAIT"),
    "net.ipv4.tcp_tw_reuse": Sysctl(
        2, 0, 2, "connections of ours may begin where one with timestamps is in TIME-WAIT: 1 always, 2 on loopback"
    ),
    "net.ipv4.tcp_tw_reuse_delay": Sysctl(1000, 1, 60_000, "ms in TIME-WAIT before that"),
    "net.ipv4.tcp_rfc1337": Sysctl(0, 0, 1, "resets do not end TIME-WAIT (RFC 1337)"),
    "net.ipv4.tcp_rto_min_us": Sysctl(200_000, 1, 120_000_000, "least retransmission timeout, us"),
    "net.ipv4.tcp_rto_max_ms": Sysctl(120_000, 1000, 120_000, "greatest retransmission timeout, ms"),
    "net.ipv4.tcp_delack_min": Sysctl(40, 0, 499, "ms an acknowledgment may wait for company"),
    "net.ipv4.tcp_pingpong_thresh": Sysctl(
        1, 1, 255, "quick answers that make a dialogue, in which ACKs wait for data"
    ),
    "net.ipv4.tcp_reordering": Sysctl(3, 1, 300, "duplicate ACKs that mean loss (RFC 5681)"),
    "net.ipv4.tcp_recovery": Sysctl(1, 0, 7, "1: RACK (RFC 8985), else RFC 6675; 2: its window stays; 4: no DupThresh"),
    "net.ipv4.tcp_early_retrans": Sysctl(3, 0, 4, "3, 4: tail loss probes (RFC 8985 §7)"),
    "net.ipv4.tcp_frto": Sysctl(2, 0, 2, "a timeout is under suspicion (RFC 5682)"),
    "net.ipv4.tcp_max_reordering": Sysctl(300, 1, 1 << 20, "segments of reordering that are believed, at most"),
    "net.ipv4.tcp_challenge_ack_limit": Sysctl(
        (1 << 31) - 1, 0, (1 << 31) - 1, "challenge ACKs in a second, about, of all connections (RFC 5961)"
    ),
    "net.ipv4.tcp_invalid_ratelimit": Sysctl(500, 0, 60_000, "ms between ACKs that answer unacceptable segments"),
    "net.ipv4.tcp_mtu_probing": Sysctl(0, 0, 2, "search for the MTU of paths: 1: at black holes, 2: always (RFC 4821)"),
    "net.ipv4.tcp_base_mss": Sysctl(1024, 1, 65_535, "bytes of segments with which that search begins"),
    "net.ipv4.tcp_mtu_probe_floor": Sysctl(48, 48, 1024, "bytes: a black hole makes segments no smaller"),
    "net.ipv4.tcp_probe_threshold": Sysctl(8, 0, 65_535, "bytes of a range that is not worth another probe"),
    "net.ipv4.tcp_probe_interval": Sysctl(600, 1, 86_400, "seconds after which the search begins anew"),
    "net.ipv4.tcp_ecn": Sysctl(
        2, 0, 5, "1: offer and take ECN, 2: take it; 3: offer and take accurate ECN (RFC 9768), 4, 5: take it"
    ),
    "net.ipv4.tcp_ecn_option": Sysctl(2, 0, 2, "options of accurate ECN: 1: where something changed, 2: always"),
    "net.ipv4.tcp_ecn_fallback": Sysctl(1, 0, 1, "a SYN that is sent again offers no ECN (RFC 3168 §6.1.1.1)"),
    "net.ipv4.tcp_min_snd_mss": Sysctl(48, 48, 65_535, "least segment size a peer can make us use"),
    "net.ipv4.tcp_init_cwnd": Sysctl(10, 1, 1000, "segments in the initial window (RFC 6928)"),
    "net.ipv4.tcp_max_islands": Sysctl(1024, 1, 1 << 20, "separate pieces held beyond a gap"),
    "net.ipv4.tcp_slow_start_after_idle": Sysctl(1, 0, 1, "start again from the initial window after an idle RTO"),
    "net.ipv4.tcp_min_rtt_wlen": Sysctl(300, 0, 86_400, "seconds for which the least round-trip time is believed"),
    "net.ipv4.tcp_congestion_control": Sysctl(1, 0, len(CONGESTION) - 1, "what makes cwnd grow and shrink", CONGESTION),
    "net.ipv4.tcp_available_congestion_control": Sysctl(0, 0, 0, "what there is, to be read", spelling=NAMES),
    "net.ipv4.tcp_allowed_congestion_control": Sysctl(0, 0, 0, "what anybody may choose: all", spelling=NAMES),
    "net.ipv4.tcp_abe": Sysctl(0, 0, 1, "a gentler backoff after an ECN mark (RFC 8511); Linux has no such thing"),
    # Linux has these as parameters of a module, without tcp_
    "net.ipv4.tcp_cubic_fast_convergence": Sysctl(1, 0, 1, "CUBIC makes room for others (RFC 9438 §4.7)"),
    "net.ipv4.tcp_cubic_friendliness": Sysctl(1, 0, 1, "CUBIC is as fast as Reno at least (RFC 9438 §4.3)"),
    "net.ipv4.tcp_cubic_hystart": Sysctl(1, 0, 2, "slow start ends before loss; 1: HyStart, 2: HyStart++ (RFC 9406)"),
    "net.ipv4.tcp_cubic_hystart_detect": Sysctl(3, 0, 3, "HyStart looks at trains of ACKs (1), at the round trip (2)"),
    "net.ipv4.tcp_cubic_hystart_low_window": Sysctl(16, 0, 1 << 20, "segments of cwnd from which HyStart looks"),
    "net.ipv4.tcp_dctcp_shift_g": Sysctl(4, 0, 10, "DCTCP's weight of a new window: 1 / 2^this (RFC 8257 §4.2)"),
    "net.ipv4.tcp_dctcp_alpha_on_init": Sysctl(1024, 0, 1024, "DCTCP's first estimate of congestion, of 1024"),
    "net.ipv4.tcp_pacing_ss_ratio": Sysctl(200, 0, 1000, "pacing in slow start, % of cwnd / SRTT"),
    "net.ipv4.tcp_pacing_ca_ratio": Sysctl(120, 0, 1000, "pacing in congestion avoidance, % of cwnd / SRTT"),
    "net.ipv4.tcp_min_tso_segs": Sysctl(2, 1, 255, "segments that a super-segment has at least"),
    "net.ipv4.tcp_tso_rtt_log": Sysctl(9, 0, 255, "super-segments grow for round trips below 2^this us"),
    "net.ipv4.tcp_tso_win_divisor": Sysctl(3, 0, 255, "part of the window for which a burst waits; unused: none waits"),
    **{f"net.ipv4.{name}": Sysctl(0, 0, 0, f"{what}: not offered yet") for name, what in NOT_YET.items()},
}


class Config(dict[str, int]):
    """An immutable set of sysctls: config["net.ipv4.tcp_rmem"]. A dict, because rules look into it for every packet."""

    __slots__ = ()

    def __init__(self, **changes: int) -> None:
        super().__init__({name: entry.default for name, entry in SYSCTLS.items()})
        super().update(_checked(changes))

    def replace(self, changes: Mapping[str, Any]) -> "Config":
        """Another Config with these sysctls changed. Raises StackError EINVAL for an unknown name or value."""
        return Config(**{**self, **changes})

    def _immutable(self, *_: Any, **__: Any) -> Any:
        raise TypeError("a Config does not change; replace() makes another one")

    __setitem__ = __delitem__ = update = pop = popitem = clear = setdefault = __ior__ = _immutable

    def __copy__(self, _: object = None) -> "Config":
        return self

    __deepcopy__ = __copy__

    def __repr__(self) -> str:
        changed = {k: v for k, v in self.items() if v != SYSCTLS[k].default}
        return f"Config({changed})"

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(self.items()))


def _checked(changes: Mapping[str, Any]) -> dict[str, int]:
    for name, value in changes.items():
        entry = SYSCTLS.get(name)
        if entry is None:
            raise StackError(EINVAL, unknown(name))
        if not isinstance(value, int) or not entry.least <= value <= entry.most:
            raise StackError(EINVAL, f"{name} = {value!r}: expected {expected(entry)}")
    return {name: int(value) for name, value in changes.items()}  # True is 1


def offer(name: str, word: str) -> None:
    """One more word that a sysctl may be; nothing happens if it is known already."""
    entry = SYSCTLS[name]
    if word not in entry.words:
        SYSCTLS[name] = entry._replace(most=entry.most + 1, words=(*entry.words, word))


def expected(entry: Sysctl) -> str:
    """What a sysctl may be, in words."""
    if entry.spelling:
        return f"something like {entry.spelling.say(entry.most)}"
    if entry.least == entry.most:
        only = entry.words[entry.least] if entry.words else entry.least
        return f"{only} and nothing else ({entry.means})"
    if entry.words:
        return " or ".join((", ".join(entry.words[:-1]), entry.words[-1]))
    return f"a number in {entry.least}..{entry.most}"


def unknown(name: str) -> str:
    """Why there is no such sysctl."""
    parts = parts_of(name)
    if parts:
        return f"the sysctl {name!r} is {len(parts)}: {', '.join(parts)}"
    lines = dict.fromkeys(map(line, SYSCTLS))
    near = get_close_matches(name, lines, 1, 0.5) or [it for it in lines if name in it]
    return f"no sysctl {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def line(name: str) -> str:
    """The line of /proc/sys that an entry is (a part of)."""
    stem, _, part = name.rpartition(".")
    return stem if part in ("min", "default", "max") and f"{stem}.max" in SYSCTLS else name


def parts_of(name: str) -> tuple[str, ...]:
    """The entries that are one line of /proc/sys: (name,) itself, or its .min, .default, .max; () if unknown."""
    return (name,) if name in SYSCTLS else tuple(it for it in SYSCTLS if line(it) == name)


def spoken(config: Mapping[str, int], name: str) -> str:
    """A sysctl as /proc/sys says it: '1', 'reno', '4096 131072 6291456'. Raises StackError EINVAL."""
    parts = parts_of(name)
    if not parts:
        raise StackError(EINVAL, unknown(name))
    return " ".join(_said(SYSCTLS[it], config[it]) for it in parts)


def _said(entry: Sysctl, value: int) -> str:
    return entry.spelling.say(value) if entry.spelling else entry.words[value] if entry.words else str(value)


def understood(name: str, text: str | int) -> dict[str, int]:
    """The changes for `replace` that a line written to /proc/sys means, or a number. Raises StackError EINVAL with a
    sentence."""
    if not isinstance(text, str):
        return _checked({name: text})
    parts = parts_of(name)
    said = [text.strip()] if len(parts) == 1 and SYSCTLS[parts[0]].spelling else text.split()
    if not parts:
        raise StackError(EINVAL, unknown(name))
    if len(said) != len(parts):
        raise StackError(EINVAL, f"{name} = {text!r}: expected {len(parts)} of them, as in {spoken(Config(), name)!r}")
    return _checked({part: _number(part, word) for part, word in zip(parts, said, strict=True)})


def _number(name: str, word: str) -> int:
    entry = SYSCTLS[name]
    try:
        if entry.spelling:
            return entry.spelling.read(word)
        return entry.words.index(word) if entry.words else int(word, 0)
    except ValueError:
        raise StackError(EINVAL, f"{name} = {word!r}: expected {expected(entry)}") from None
