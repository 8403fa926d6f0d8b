# SPDX-License-Identifier: GPL-2.0-or-later
"""Pacing: at which rate, how much at once, and when the next segment goes. Pure arithmetic, Linux's.

A connection always knows the rate at which it would pace, because super-segments are made to last about a ms of it.
It does pace only if something asks for it: BBR, SO_MAX_PACING_RATE, or what the fq qdisc would be. Rates are bytes/s.
"""

UNLIMITED = (1 << 64) - 1  # bytes/s
SHIFT = 10  # a super-segment lasts 1 / 2^SHIFT s at most (sk_pacing_shift)
BITS = 32  # of a length, in Linux: round trips of so many times 2^tcp_tso_rtt_log us and more are long
UNPACED = 10  # segments at the beginning that go as fast as they can
SECOND = 1_000_000_000  # ns


def rate(mss: int, cwnd: int, ssthresh: int, packets_out: int, srtt: int, percents: tuple[int, int]) -> int:
    """cwnd, or what is in flight if that is more, in a round trip (tcp_update_pacing_rate).

    percents: of that, in slow start below ssthresh / 2 (`tcp_pacing_ss_ratio`), and otherwise (`tcp_pacing_ca_ratio`).
    srtt: ns; as long as there is none the rate is one that limits nothing.
    """
    percent = percents[0] if cwnd < ssthresh >> 1 else percents[1]
    per_round = mss * (cwnd if cwnd > packets_out else packets_out) * percent
    eighths = srtt * 8 // 1000  # us, as Linux keeps it
    return per_round * 80_000 // (eighths or 1)


def burst(rate: int, mss: int, min_rtt: int, gso: int, least: int, rtt_log: int) -> int:
    """Segments of a super-segment (tcp_tso_autosize): what goes in a ms, and more where the round trip is short.

    min_rtt: ns, -1 if not known; gso: bytes, the greatest super-segment; least: segments (`tcp_min_tso_segs`, or what
    the controller asks for); rtt_log: `tcp_tso_rtt_log`.
    """
    size = rate >> SHIFT
    if min_rtt >= 0 and (far := min_rtt // 1000 >> rtt_log) < BITS:
        size += gso >> far
    segments = (size if size < gso else gso) // mss
    return segments if segments > least else least


def next_departure(departs: int, now: int, size: int, rate: int, segments: int) -> int:
    """When the next segment may go (ns), if one of size bytes goes now, which could have gone at `departs`.

    segments: sent so far, this one not counted; the first ten of a connection are not paced, as in fq. One that goes
    late gives up to half of its delay to the next (tcp_update_skb_after_send).
    """
    at = max(departs, now)
    if rate in (0, UNLIMITED) or segments < UNPACED:
        return at
    lasts = size * SECOND // rate
    return at + lasts - min(lasts // 2, at - departs)
