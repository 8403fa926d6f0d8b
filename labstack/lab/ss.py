# SPDX-License-Identifier: GPL-2.0-or-later
"""What `ss -tio` says of a TCP socket: the figures of TCP_INFO in its words, in its order (iproute2's tcp_stats_print).

A table, a row for each word or two; each says nothing where ss would say nothing.
"""

from collections.abc import Callable, Mapping
from typing import Any

Figures = Mapping[str, Any]

UNLIMITED = (1 << 64) - 1  # a pacing rate
NEVER = 0xFFFFFFFF  # a least round trip without a sample
NO_SSTHRESH = 0xFFFF  # from here on ss shows none
USUAL_REORDERING = 3
OPTIONS = {1: "ts", 2: "sack", 8: "ecn", 16: "ecnseen", 32: "fastopen"}  # bits of TCPI_OPT_*
WSCALE = 4
DCTCP = ("ce_state", "alpha", "ab_ecn", "ab_tot")
TIMERS = {"retransmit": "on", "synack": "on", "persist": "persist", "keepalive": "keepalive", "timewait": "timewait"}


def words(it: Figures) -> list[str]:
    """The words for the figures of `tcp.info` (with `control`, those of TCP_CC_INFO, `cc`, its name, and `timers`)."""
    return [word for say in WORDS for word in say(it) if word]


def _options(it: Figures) -> list[str]:
    return [word for bit, word in OPTIONS.items() if it["options"] & bit]


def _timer(it: Figures) -> list[str]:
    """The one of several that ss would name, with the time that is left, and how often it has gone off in a row."""
    for name, word in TIMERS.items():
        if name in it["timers"]:
            again = it["probes"] if word == "persist" else it["retransmits"] if word == "on" else 0
            return [f"timer:({word},{left(int(it['timers'][name]))},{again})"]
    return []


def left(ms: int) -> str:
    """A time as ss has it: '1min59sec', '12sec', '1.204ms' (which is 1.204 s), '040ms'."""
    minutes, seconds, millis = ms // 60_000, ms // 1000 % 60, ms % 1000
    if minutes:
        return f"{minutes}min" + (f"{seconds}sec" if seconds and minutes <= 9 else "")
    if seconds > 9 or (seconds and not millis):
        return f"{seconds}sec"
    return (f"{seconds}." if seconds else "") + (f"{millis:03d}ms" if millis or not seconds else "")


def _count(name: str, word: str = "", usual: int = 0) -> Callable[[Figures], list[str]]:
    """'word:n', if n is not the usual one."""
    return lambda it: [f"{word or name}:{it[name]}"] if it[name] != usual else []


def _ms(name: str, word: str, usual: int = 0) -> Callable[[Figures], list[str]]:
    """us as ms."""
    return lambda it: [f"{word}:{it[name] / 1000:g}"] if it[name] not in (0, usual) else []


def _rate(name: str) -> Callable[[Figures], list[str]]:
    return lambda it: [f"{name} {8 * it[name]}bps"] if it[name] not in (0, UNLIMITED) else []


def _scale(it: Figures) -> list[str]:
    return [f"wscale:{it['snd_wscale']},{it['rcv_wscale']}"] if it["options"] & WSCALE else []


def _rtt(it: Figures) -> list[str]:
    return [f"rtt:{it['rtt'] / 1000:g}/{it['rttvar'] / 1000:g}"] if it["rtt"] else []


def _ssthresh(it: Figures) -> list[str]:
    return [f"ssthresh:{it['snd_ssthresh']}"] if it["snd_ssthresh"] < NO_SSTHRESH else []


def _control(it: Figures) -> list[str]:
    own = it["control"]
    if "bbr_bw_lo" in own:
        bw = 8 * (own["bbr_bw_hi"] << 32 | own["bbr_bw_lo"])
        gains = f"pacing_gain:{own['bbr_pacing_gain'] / 256:g},cwnd_gain:{own['bbr_cwnd_gain'] / 256:g}"
        return [f"bbr:(bw:{bw}bps,mrtt:{own['bbr_min_rtt'] / 1000:g},{gains})"]
    if own.get("dctcp_enabled"):
        return [f"dctcp:({','.join(name + ':' + str(own['dctcp_' + name]) for name in DCTCP)})"]
    if "dctcp_enabled" in own:
        return ["dctcp:fallback_mode"]
    return [f"{it['cc']}:({','.join(f'{name}:{value}' for name, value in own.items())})"] if own else []


def _send(it: Figures) -> list[str]:
    """A window in a round trip."""
    return [f"send {it['snd_cwnd'] * it['snd_mss'] * 8_000_000 / it['rtt']:.0f}bps"] if it["rtt"] else []


def _pace(it: Figures) -> list[str]:
    most = it["max_pacing_rate"]
    return [word + (f"/{8 * most}bps" if most != UNLIMITED else "") for word in _rate("pacing_rate")(it)]


def _limited(name: str) -> Callable[[Figures], list[str]]:
    """For how long, and for which part of the time that it was busy."""
    return lambda it: [f"{name}:{it[name] // 1000}ms({100 * it[name] / it['busy_time']:.1f}%)"] if it[name] else []


def _retrans(it: Figures) -> list[str]:
    return [f"retrans:{it['retrans']}/{it['total_retrans']}"] if it["total_retrans"] else []


WORDS: tuple[Callable[[Figures], list[str]], ...] = (
    _timer,
    _options,
    lambda it: [it["cc"]],
    _scale,
    lambda it: [f"rto:{it['rto'] / 1000:g}"] if it["rto"] != 3_000_000 else [],
    _count("backoff"),
    _rtt,
    _ms("ato", "ato"),
    _count("snd_mss", "mss"),
    _count("pmtu"),
    _count("rcv_mss", "rcvmss"),
    _count("advmss"),
    _count("snd_cwnd", "cwnd"),
    _ssthresh,
    *map(_count, ("bytes_sent", "bytes_retrans", "bytes_acked", "bytes_received")),
    *map(_count, ("segs_out", "segs_in", "data_segs_out", "data_segs_in")),
    _control,
    _send,
    _count("last_data_sent", "lastsnd"),
    _count("last_data_recv", "lastrcv"),
    _count("last_ack_recv", "lastack"),
    _pace,
    _rate("delivery_rate"),
    _count("delivered"),
    _count("delivered_ce"),
    lambda it: ["app_limited"] if it["delivery_rate_app_limited"] else [],
    lambda it: [f"busy:{it['busy_time'] // 1000}ms"] if it["busy_time"] else [],
    _limited("rwnd_limited"),
    _limited("sndbuf_limited"),
    _count("unacked"),
    _retrans,
    _count("lost"),
    _count("sacked"),
    _count("dsack_dups"),
    _count("reordering", usual=USUAL_REORDERING),
    _count("reord_seen"),
    _ms("rcv_rtt", "rcv_rtt"),
    _count("rcv_space"),
    _count("rcv_ssthresh"),
    _count("notsent_bytes", "notsent"),
    _ms("min_rtt", "minrtt", NEVER),
    _count("rcv_ooopack"),
    _count("snd_wnd"),
    _count("rcv_wnd"),
    _count("rehash"),
)
